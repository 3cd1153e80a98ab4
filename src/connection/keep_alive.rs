//! A peer that is gone without a word: its machine sleeps, or has lost its network.

use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// A connection on which nothing has come for this long is asked whether anybody is there.
const IDLE: Duration = Duration::from_secs(60);
/// How long after that it is asked again.
const AGAIN: Duration = Duration::from_secs(10);
/// How many questions may go unanswered before the connection ends.
const QUESTIONS: u32 = 6;

/// Has the system end the connection of a peer that is gone, so that nothing is kept for it for ever.
pub(super) fn keep_alive(stream: &TcpStream) {
    let questions = TcpKeepalive::new()
        .with_time(IDLE)
        .with_interval(AGAIN)
        .with_retries(QUESTIONS);
    if let Err(error) = SockRef::from(stream).set_tcp_keepalive(&questions) {
        tracing::debug!(%error, "a peer that is gone may not be noticed");
    }
}
