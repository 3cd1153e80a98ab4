//! How far the fetching of a bundle is, on the terminal.

use std::io::{IsTerminal, Write};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use codex_loadout_sources::Progress;

use super::print::readable_bytes;
use super::terminal::on_one_line;
use crate::loadouts::Waiting;

/// How often the line is written anew.
const EVERY: Duration = Duration::from_millis(100);

/// Tells a terminal how far it is; Ctrl-C calls it off.
pub(super) fn waiting() -> Waiting {
    let waiting = Waiting::default();
    let cancel = waiting.cancel.clone();
    tokio::spawn(async move {
        // Programs that fetch for it are ended, and what they have written is taken away.
        if tokio::signal::ctrl_c().await.is_ok() {
            cancel.store(true, Ordering::Relaxed);
        }
    });
    if !std::io::stderr().is_terminal() {
        return waiting;
    }
    let told_at: Mutex<Option<Instant>> = Mutex::new(None);
    Waiting {
        progress: Arc::new(move |progress: Progress<'_>| {
            let mut told_at = told_at.lock().unwrap_or_else(PoisonError::into_inner);
            if told_at.is_some_and(|at| at.elapsed() < EVERY) {
                return;
            }
            *told_at = Some(Instant::now());
            // Nobody is left to tell if stderr is closed.
            let _ = write!(
                std::io::stderr(),
                "\r\u{1b}[K{}\r",
                on_one_line(&line(&progress))
            );
        }),
        ..waiting
    }
}

fn line(progress: &Progress<'_>) -> String {
    match (progress.bytes, progress.of) {
        (Some(bytes), Some(of)) => {
            format!(
                "{}: {} of {}",
                progress.doing,
                readable_bytes(bytes),
                readable_bytes(of)
            )
        }
        (Some(bytes), None) => format!("{}: {}", progress.doing, readable_bytes(bytes)),
        (None, _) => progress.doing.to_owned(),
    }
}
