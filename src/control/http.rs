//! The control door by HTTP: `POST /rpc`, `GET /v1/METHOD`, `GET /events`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use codex_loadout_protocol::audit::CapabilityAuditListParams;
use codex_loadout_protocol::method::{
    CAPABILITY_AUDIT_LIST, CAPABILITY_BINDING_LIST, CAPABILITY_LIST, CAPABILITY_PROFILE_LIST,
    CAPABILITY_PROFILE_READ, CAPABILITY_RESOLVE, THREAD_CAPABILITY_LIST, THREAD_CAPABILITY_READ,
};
use codex_loadout_protocol::{ErrorKind, LoadoutError};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN,
    WWW_AUTHENTICATE,
};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncWrite};

use super::events::follow;
use super::lines;
use super::server::{ControlServer, LONGEST_REQUEST};
use crate::connection::WebSocketAuth;

/// How long a client may take to say what it wants.
const ASKED_WITHIN: Duration = Duration::from_secs(10);

/// What one hears who comes when all places are taken.
pub(super) const TOO_MANY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Methods that change nothing and whose parameters fit an address.
const BY_ADDRESS: [&str; 8] = [
    CAPABILITY_LIST,
    CAPABILITY_RESOLVE,
    THREAD_CAPABILITY_READ,
    THREAD_CAPABILITY_LIST,
    CAPABILITY_PROFILE_LIST,
    CAPABILITY_PROFILE_READ,
    CAPABILITY_BINDING_LIST,
    CAPABILITY_AUDIT_LIST,
];

/// Their parameters that are numbers.
const NUMBERS: [&str; 3] = ["limit", "since", "until"];

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Who may come by TCP.
#[derive(Debug)]
pub(crate) struct HttpAccess {
    /// Where it is listened at: nobody means another name by it.
    pub address: SocketAddr,
    /// The token that is shown.
    pub auth: WebSocketAuth,
}

/// Answers requests of one connection. Where no access is given, whoever can open it may ask.
pub(super) async fn serve<S>(stream: S, server: Arc<ControlServer>, access: Option<Arc<HttpAccess>>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answer = service_fn(|request| {
        let (server, access) = (server.clone(), access.clone());
        async move { Ok::<_, Infallible>(answered(request, server, access.as_deref()).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(ASKED_WITHIN)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a client of the control door has left");
    }
}

async fn answered(
    request: Request<Incoming>,
    server: Arc<ControlServer>,
    access: Option<&HttpAccess>,
) -> Response<Body> {
    if let Err(refused) = check(request.headers(), access) {
        return *refused;
    }
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    match (method, path.as_str()) {
        (Method::POST, "/rpc") => rpc(request, &server).await,
        (Method::GET, "/events") => events(&request, &server).await,
        (Method::GET, path) => match path.strip_prefix("/v1/") {
            Some(name) if BY_ADDRESS.contains(&name) => {
                let params = params_of(request.uri().query().unwrap_or_default());
                let (member, json) = server.call(None, name, Some(&params.to_string())).await;
                let status = match member {
                    "result" => StatusCode::OK,
                    _ => status_of(&json),
                };
                let body = match member {
                    "result" => json,
                    _ => format!(r#"{{"error":{json}}}"#),
                };
                json_body(status, body)
            }
            _ => no_such_path(),
        },
        _ => no_such_path(),
    }
}

/// Pages of a browser must not get here: neither by its user's right to come to loopback, nor by a name that leads
/// to it.
fn check(headers: &HeaderMap, access: Option<&HttpAccess>) -> Result<(), Box<Response<Body>>> {
    let Some(access) = access else {
        return match headers.contains_key(ORIGIN) {
            true => Err(Box::new(refusal(
                StatusCode::FORBIDDEN,
                "pages of a browser are not served here",
            ))),
            false => Ok(()),
        };
    };
    let here = [
        access.address.to_string(),
        format!("localhost:{}", access.address.port()),
    ];
    let said = headers.get(HOST).and_then(|host| host.to_str().ok());
    let Some(host) = said.filter(|host| here.iter().any(|here| here.eq_ignore_ascii_case(host)))
    else {
        let words = "`Host` is not the address that is listened at";
        return Err(Box::new(refusal(StatusCode::FORBIDDEN, words)));
    };
    let of_itself = format!("http://{host}");
    let mut origins = headers.get_all(ORIGIN).iter();
    if !origins.all(|origin| origin.as_bytes().eq_ignore_ascii_case(of_itself.as_bytes())) {
        return Err(Box::new(refusal(
            StatusCode::FORBIDDEN,
            "`Origin` is another page's",
        )));
    }
    let shown = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    if access.auth.check(shown).is_err() {
        let words = "the token of the control door is missing or wrong";
        let mut refused = refusal(StatusCode::UNAUTHORIZED, words);
        let scheme = HeaderValue::from_static("Bearer");
        refused.headers_mut().insert(WWW_AUTHENTICATE, scheme);
        return Err(Box::new(refused));
    }
    Ok(())
}

async fn rpc(request: Request<Incoming>, server: &ControlServer) -> Response<Body> {
    let kind = request.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        let words = "the body is `application/json`";
        return refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, words);
    }
    let too_long = "the request is too long, or was broken off";
    // One that says so is not read at all.
    let said = usize::try_from(request.body().size_hint().lower());
    if said.map_or(true, |said| said > LONGEST_REQUEST) {
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, too_long);
    }
    let body = Limited::new(request.into_body(), LONGEST_REQUEST).collect();
    let body = match tokio::time::timeout(ASKED_WITHIN, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => return refusal(StatusCode::PAYLOAD_TOO_LARGE, too_long),
        Err(_) => return refusal(StatusCode::REQUEST_TIMEOUT, "the request takes too long"),
    };
    let text = String::from_utf8_lossy(&body);
    match lines::answer(&text, &mut None, server).await {
        Some(answer) => json_body(StatusCode::OK, answer),
        None => plain(StatusCode::NO_CONTENT),
    }
}

async fn events(request: &Request<Incoming>, server: &ControlServer) -> Response<Body> {
    let params = params_of(request.uri().query().unwrap_or_default());
    let mut wanted: CapabilityAuditListParams = match serde_json::from_value(params) {
        Ok(wanted) => wanted,
        Err(_) => {
            let words = "the parameters are those of `capability/audit/list`";
            return refusal(StatusCode::BAD_REQUEST, words);
        }
    };
    let last = request.headers().get(LAST_EVENT_ID);
    if let Some(last) = last.and_then(|last| last.to_str().ok()) {
        wanted.cursor = Some(last.to_owned());
    }
    match &wanted.cursor {
        Some(cursor) if uuid::Uuid::parse_str(cursor).is_err() => {
            let words = "`Last-Event-ID` is no id of an event from here";
            return refusal(StatusCode::BAD_REQUEST, words);
        }
        Some(_) => {}
        // From now on, unless a moment is named.
        None if wanted.since.is_none() => match server.loadouts.newest_audit_id().await {
            Ok(newest) => wanted.cursor = newest,
            Err(error) => return failure(&error),
        },
        None => {}
    }
    let events = StreamBody::new(follow(server.loadouts.clone(), wanted));
    let mut answer = Response::new(events.boxed_unsync());
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// The query of an address as parameters.
fn params_of(query: &str) -> Value {
    let mut params = Map::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let number = NUMBERS
            .contains(&name.as_ref())
            .then(|| value.parse::<i64>().ok());
        let value = match number.flatten() {
            Some(number) => json!(number),
            None => json!(value),
        };
        params.insert(name.into_owned(), value);
    }
    Value::Object(params)
}

/// The status that says the same as an error's code.
fn status_of(error: &str) -> StatusCode {
    let error: Value = serde_json::from_str(error).unwrap_or_default();
    match error["code"].as_i64() {
        Some(code) if code == ErrorKind::InvalidSelection.code() => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn no_such_path() -> Response<Body> {
    let words = "there is `POST /rpc`, `GET /events`, and `GET /v1/METHOD` for methods that read";
    refusal(StatusCode::NOT_FOUND, words)
}

fn refusal(status: StatusCode, words: &str) -> Response<Body> {
    let error = LoadoutError::new(ErrorKind::InvalidSelection, words)
        .with_hint("`docs/running.md` says how the control door is used.");
    json_body(status, json!({ "error": error.to_json_rpc() }).to_string())
}

fn failure(error: &LoadoutError) -> Response<Body> {
    let json = json!({ "error": error.to_json_rpc() });
    json_body(StatusCode::INTERNAL_SERVER_ERROR, json.to_string())
}

fn json_body(status: StatusCode, json: String) -> Response<Body> {
    let mut answer = plain(status);
    *answer.body_mut() = Full::from(json).boxed_unsync();
    let kind = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    let kept = HeaderValue::from_static("no-store");
    answer.headers_mut().insert(CACHE_CONTROL, kept);
    answer
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut answer = Response::new(Full::default().boxed_unsync());
    *answer.status_mut() = status;
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn who_comes_by_tcp_means_this_address_is_no_other_page_and_shows_the_token() {
        let access = HttpAccess {
            address: "127.0.0.1:4600".parse().unwrap(),
            auth: WebSocketAuth::CapabilityToken(Sha256::digest("tok").into()),
        };
        let here = ("host", "127.0.0.1:4600");
        let token = ("authorization", "Bearer tok");
        for (headers, status) in [
            (vec![here, token], None),
            (vec![("host", "LOCALHOST:4600"), token], None),
            (vec![here, token, ("origin", "http://127.0.0.1:4600")], None),
            (vec![token], Some(403)),
            (vec![("host", "evil.example:4600"), token], Some(403)),
            (vec![("host", "127.0.0.1"), token], Some(403)),
            (vec![("host", "127.0.0.1:4601"), token], Some(403)),
            (
                vec![("host", "127.0.0.1:4600.evil.example"), token],
                Some(403),
            ),
            (vec![here, token, ("origin", "null")], Some(403)),
            (
                vec![here, token, ("origin", "https://127.0.0.1:4600")],
                Some(403),
            ),
            (
                vec![here, token, ("origin", "http://localhost:4600")],
                Some(403),
            ),
            (
                vec![here, token, ("origin", "http://evil.example")],
                Some(403),
            ),
            (
                vec![
                    here,
                    token,
                    ("origin", "http://127.0.0.1:4600"),
                    ("origin", "null"),
                ],
                Some(403),
            ),
            (vec![here], Some(401)),
            (vec![here, ("authorization", "Bearer toc")], Some(401)),
            (vec![here, ("authorization", "Basic tok")], Some(401)),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in &headers {
                map.append(
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                );
            }
            let refused = check(&map, Some(&access))
                .err()
                .map(|it| it.status().as_u16());
            assert_eq!(refused, status, "{headers:?}");
        }
        let mut of_a_page = HeaderMap::new();
        assert!(check(&of_a_page, None).is_ok());
        of_a_page.insert(ORIGIN, HeaderValue::from_static("null"));
        assert!(check(&of_a_page, None).is_err());
    }

    #[test]
    fn an_address_says_parameters() {
        let params = params_of("threadId=12&limit=5&cwd=%2Fa+b&since=x");
        assert_eq!(
            params,
            json!({ "threadId": "12", "limit": 5, "cwd": "/a b", "since": "x" })
        );
    }
}
