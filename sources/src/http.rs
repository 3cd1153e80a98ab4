//! Downloads. Redirects are followed by hand: each is asked of the gate.

use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};
use url::Url;

use crate::address;
use crate::context::{FetchContext, PULSE};
use crate::error::{FetchError, FetchErrorKind};

/// So many redirects are followed.
const REDIRECTS: usize = 8;
/// How long a server may be silent before it answers.
const SILENCE: Duration = Duration::from_secs(30);

/// Downloads into `to`, at most `most` bytes, and gives their number. `accept` is the media type that is asked for.
///
/// # Errors
/// If the gate refuses a redirect, the server has no such thing or does not answer, or it is too much.
pub(crate) fn download(
    url: &Url,
    accept: &str,
    most: u64,
    to: &mut dyn Write,
    cx: &FetchContext<'_>,
) -> Result<u64, FetchError> {
    let (mut answer, url) = answer(url, accept, cx)?;
    match answer.status {
        200 => {}
        status => return Err(failed(&url, status)),
    }
    if answer.length.is_some_and(|length| length > most) {
        return Err(too_large(&url, most));
    }
    let mut count = 0;
    while let Some(chunk) = answer.next(&url, cx)? {
        count += chunk.len() as u64;
        if count > most {
            return Err(too_large(&url, most));
        }
        to.write_all(&chunk)
            .map_err(FetchError::io("keeping what was downloaded"))?;
        cx.tell("downloading", Some(count), answer.length);
    }
    if answer.length.is_some_and(|length| length != count) {
        return Err(unreachable(
            &url,
            "the connection ended before the file did",
        ));
    }
    Ok(count)
}

/// Where an address leads in the end, every redirect on the way asked of the gate.
///
/// # Errors
/// As [`download`].
pub(crate) fn redirected(url: &Url, cx: &FetchContext<'_>) -> Result<Url, FetchError> {
    Ok(answer(url, "*/*", cx)?.1)
}

/// The first answer that is no redirect, and who gave it.
fn answer(url: &Url, accept: &str, cx: &FetchContext<'_>) -> Result<(Answer, Url), FetchError> {
    let mut url = url.clone();
    for _ in 0..=REDIRECTS {
        if let Some((why, hint)) = address::refusal(&url) {
            let message = format!("`{}` {why}", address::shown_url(&url));
            return Err(FetchError::new(FetchErrorKind::Unsafe, message, hint));
        }
        let answer = Answer::of(&url, accept, cx)?;
        let Some(location) = &answer.location else {
            return Ok((answer, url));
        };
        let next = url
            .join(location)
            .map_err(|_| unreachable(&url, "it leads to something that is no address"))?;
        cx.ask_redirect(&url, &next)?;
        url = next;
    }
    Err(unreachable(
        &url,
        "it leads from address to address without end",
    ))
}

/// An answer whose body is still coming.
struct Answer {
    status: u16,
    /// Where it leads, if it is a redirect.
    location: Option<String>,
    length: Option<u64>,
    parts: Receiver<Part>,
}

enum Part {
    Head {
        status: u16,
        location: Option<String>,
        length: Option<u64>,
    },
    Chunk(Vec<u8>),
    Failed(String),
}

impl Answer {
    /// Asks. Another thread does, since it may wait long for the other side; it ends with the answer, or soon after
    /// the deadline.
    fn of(url: &Url, accept: &str, cx: &FetchContext<'_>) -> Result<Self, FetchError> {
        let (tell, parts) = sync_channel(4);
        let (address, accept) = (url.clone(), accept.to_owned());
        // Whoever waits sees the deadline first.
        let left = cx.deadline.saturating_duration_since(Instant::now()) + SILENCE;
        thread::spawn(move || {
            if let Err(error) = ask(&address, &accept, left, &tell) {
                drop(tell.send(Part::Failed(error.to_string())));
            }
        });
        match receive(&parts, url, cx)? {
            Some(Part::Head {
                status,
                location,
                length,
            }) => Ok(Self {
                status,
                location,
                length,
                parts,
            }),
            _ => Err(unreachable(url, "it does not answer")),
        }
    }

    fn next(&mut self, url: &Url, cx: &FetchContext<'_>) -> Result<Option<Vec<u8>>, FetchError> {
        match receive(&self.parts, url, cx)? {
            Some(Part::Chunk(chunk)) => Ok(Some(chunk)),
            _ => Ok(None),
        }
    }
}

fn receive(
    parts: &Receiver<Part>,
    url: &Url,
    cx: &FetchContext<'_>,
) -> Result<Option<Part>, FetchError> {
    loop {
        cx.go_on()?;
        match parts.recv_timeout(PULSE) {
            Ok(Part::Failed(why)) => return Err(unreachable(url, &address::escaped(&why))),
            Ok(part) => return Ok(Some(part)),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Asks, and tells what comes until nobody listens any more.
fn ask(
    url: &Url,
    accept: &str,
    left: Duration,
    tell: &SyncSender<Part>,
) -> Result<(), ureq::Error> {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier);
    let mut config = Agent::config_builder()
        .max_redirects(0)
        .http_status_as_error(false)
        .timeout_global(Some(left))
        .timeout_connect(Some(SILENCE))
        .timeout_recv_response(Some(SILENCE))
        .user_agent(concat!("codex-loadout/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls.build());
    if address::is_loopback(url) {
        config = config.proxy(None);
    }
    let agent = Agent::new_with_config(config.build());
    // What comes is written down as it is: it must not be unpacked on the way.
    let request = agent.get(url.as_str()).header("accept", accept);
    let answer = request.header("accept-encoding", "identity").call()?;
    let header = |name: &str| answer.headers().get(name)?.to_str().ok();
    let status = answer.status().as_u16();
    let leads_on = matches!(status, 301 | 302 | 303 | 307 | 308);
    let head = Part::Head {
        status,
        location: header("location").filter(|_| leads_on).map(str::to_owned),
        length: header("content-length").and_then(|length| length.parse().ok()),
    };
    if tell.send(head).is_err() {
        return Ok(());
    }
    let mut body = answer.into_body().into_reader();
    loop {
        let mut chunk = vec![0; 64 * 1024];
        let count = body.read(&mut chunk)?;
        chunk.truncate(count);
        if count == 0 || tell.send(Part::Chunk(chunk)).is_err() {
            return Ok(());
        }
    }
}

fn failed(url: &Url, status: u16) -> FetchError {
    let shown = address::shown_url(url);
    let (kind, message, hint) = match status {
        404 | 410 => (
            FetchErrorKind::NotFound,
            format!("there is nothing at `{shown}` (status {status})"),
            "look whether the address is spelled right, and whether it is private",
        ),
        401 | 403 | 407 => (
            FetchErrorKind::NotFound,
            format!("`{shown}` is not for everybody (status {status})"),
            "download the file and name it by its path",
        ),
        _ => (
            FetchErrorKind::Unreachable,
            format!("`{shown}` answers with status {status}"),
            "try again later",
        ),
    };
    FetchError::new(kind, message, hint)
}

fn unreachable(url: &Url, why: &str) -> FetchError {
    FetchError::new(
        FetchErrorKind::Unreachable,
        format!("`{}` can't be fetched: {why}", address::shown_url(url)),
        "look whether this machine is online and the address is spelled right; a proxy is read from HTTPS_PROXY",
    )
}

fn too_large(url: &Url, most: u64) -> FetchError {
    FetchError::new(
        FetchErrorKind::TooLarge,
        format!("`{}` has more than {most} bytes", address::shown_url(url)),
        "take a smaller archive, or a git repository with `--path`",
    )
}
