//! What a listener says before a connection is a WebSocket: checks in Codex's order and words (0.169).

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::Full;
use hyper::header::{
    ALLOW, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, ORIGIN,
    SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{Method, Request, Response, StatusCode, Version};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::web_socket_auth::WebSocketAuth;

/// An answer over plain HTTP.
pub type Page = Response<Full<Bytes>>;

/// Answers for further paths: `None` where it has none.
pub type Pages = Arc<dyn Fn(&str) -> Option<BoxFuture<'static, Page>> + Send + Sync>;

/// Every answer carries it, so that another codex-loadout can tell.
pub(super) const MARK: HeaderName = HeaderName::from_static("x-codex-loadout");

/// With it comes which process it is, for whoever is to end it.
pub(super) const PROCESS: HeaderName = HeaderName::from_static("x-codex-loadout-process");

/// Codex tells on its Unix socket how long one frame may be.
const LONGEST_FRAME: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-codex-websocket-max-unfragmented-message-bytes"),
    HeaderValue::from_static("16777216"),
);

/// What a listener asks of those who come.
#[derive(Clone)]
pub(super) struct HttpDoor {
    /// Who may open a WebSocket, where that is not anybody.
    pub(super) auth: Option<Arc<WebSocketAuth>>,
    /// Answers for further paths.
    pub(super) pages: Option<Pages>,
    /// Whether it is a Unix socket.
    pub(super) is_unix: bool,
}

impl HttpDoor {
    /// The answer. With 101 the connection becomes a WebSocket.
    pub(super) async fn answer<B>(&self, request: &Request<B>) -> Page {
        let mut answer = self.unmarked(request).await;
        let version = HeaderValue::from_static(env!("CARGO_PKG_VERSION"));
        answer.headers_mut().insert(MARK, version);
        let process = HeaderValue::from(std::process::id());
        answer.headers_mut().insert(PROCESS, process);
        answer
    }

    async fn unmarked<B>(&self, request: &Request<B>) -> Page {
        let headers = request.headers();
        if headers.contains_key(ORIGIN) {
            // A page in a browser must not reach what listens on this machine.
            return empty(StatusCode::FORBIDDEN);
        }
        let path = request.uri().path();
        if matches!(path, "/readyz" | "/healthz") {
            return read_only(request.method(), empty(StatusCode::OK));
        }
        if let Some(page) = self.pages.as_ref().and_then(|pages| pages(path)) {
            return read_only(request.method(), page.await);
        }
        if request.method() != Method::GET {
            let words = "Request method must be `GET`";
            return text(StatusCode::METHOD_NOT_ALLOWED, words);
        }
        let key = match web_socket_key(headers) {
            Ok(key) => key,
            Err(words) => return text(StatusCode::BAD_REQUEST, words),
        };
        if request.version() < Version::HTTP_11 {
            let words = "WebSocket request couldn't be upgraded since no upgrade state was present";
            return text(StatusCode::UPGRADE_REQUIRED, words);
        }
        let shown = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let refused = self.auth.as_ref().and_then(|auth| auth.check(shown).err());
        match refused {
            Some(words) => text(StatusCode::UNAUTHORIZED, words),
            None => self.upgrade(key),
        }
    }

    fn upgrade(&self, key: &HeaderValue) -> Page {
        let Ok(accept) = HeaderValue::try_from(derive_accept_key(key.as_bytes())) else {
            return empty(StatusCode::INTERNAL_SERVER_ERROR);
        };
        let mut answer = empty(StatusCode::SWITCHING_PROTOCOLS);
        let headers = answer.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        if self.is_unix {
            headers.insert(LONGEST_FRAME.0, LONGEST_FRAME.1);
        }
        answer
    }
}

fn web_socket_key(headers: &HeaderMap) -> Result<&HeaderValue, &'static str> {
    let said = |name: HeaderName| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_ascii_lowercase()
    };
    if !said(CONNECTION).contains("upgrade") {
        return Err("Connection header did not include 'upgrade'");
    }
    if said(UPGRADE) != "websocket" {
        return Err("`Upgrade` header did not include 'websocket'");
    }
    if headers
        .get(SEC_WEBSOCKET_VERSION)
        .is_none_or(|version| version != "13")
    {
        return Err("`Sec-WebSocket-Version` header did not include '13'");
    }
    headers
        .get(SEC_WEBSOCKET_KEY)
        .ok_or("`Sec-WebSocket-Key` header missing")
}

fn read_only(method: &Method, page: Page) -> Page {
    if matches!(*method, Method::GET | Method::HEAD) {
        return page;
    }
    let mut refusal = empty(StatusCode::METHOD_NOT_ALLOWED);
    let allowed = HeaderValue::from_static("GET,HEAD");
    refusal.headers_mut().insert(ALLOW, allowed);
    refusal
}

/// A page of this kind of text.
#[must_use]
pub fn page(kind: &'static str, words: String) -> Page {
    let mut page = Response::new(Full::new(Bytes::from(words)));
    let kind = HeaderValue::from_static(kind);
    page.headers_mut().insert(CONTENT_TYPE, kind);
    page
}

pub(super) fn empty(status: StatusCode) -> Page {
    let mut page = Response::new(Full::default());
    *page.status_mut() = status;
    page
}

fn text(status: StatusCode, words: &'static str) -> Page {
    let mut page = page("text/plain; charset=utf-8", words.to_owned());
    *page.status_mut() = status;
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::future::ready;

    #[tokio::test]
    async fn further_pages_are_read_only_and_not_for_a_browser() {
        let pages: Pages = Arc::new(|path| {
            (path == "/metrics").then(|| ready(text(StatusCode::OK, "x 1\n")).boxed())
        });
        let door = HttpDoor {
            auth: None,
            pages: Some(pages),
            is_unix: true,
        };
        let request = |method: &str, path: &str| Request::builder().method(method).uri(path);
        for (request, status) in [
            (request("GET", "/metrics"), 200),
            (request("HEAD", "/metrics"), 200),
            (request("POST", "/metrics"), 405),
            (request("GET", "/metrics").header("Origin", "null"), 403),
            (request("GET", "/other"), 400),
        ] {
            let answer = door.answer(&request.body(()).unwrap()).await;
            assert_eq!(answer.status(), status);
            assert!(answer.headers().contains_key(MARK));
        }
    }
}
