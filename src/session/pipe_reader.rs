//! Reads from a Codex on pipes, on a thread of its own.
//!
//! A message that goes to and fro passes from process to process four times, and the system wakes a thread sooner that
//! always stands between the same two: with one thread for both ways, a round trip takes a fifth longer. So this thread
//! takes what Codex says through the router, and sends on what is only to be sent on. All else is carried out by the
//! loop, and until that is done nothing more is read: what Codex says keeps its order.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::AsyncRead;
use tokio::process::ChildStdout;
use tokio::sync::{mpsc, oneshot};

use super::shared_router::{Effects, SharedRouter};
use crate::connection::{FrameReader, FrameWriter};
use crate::router::Effect;
use crate::threads::HostId;
use crate::wire::Frame;

/// The loop's end of the thread.
pub(super) struct PipeReader {
    host: HostId,
    routed: mpsc::Receiver<Routed>,
    host_has_left: Arc<AtomicBool>,
}

/// The loop is to carry out what is left of what was routed, before the thread reads on.
pub(super) struct Routed(oneshot::Sender<()>);

impl Routed {
    /// The thread may read on.
    pub(super) fn is_carried_out(self) {
        let _ = self.0.send(());
    }
}

impl PipeReader {
    /// Starts the thread, which ends with Codex's stdout. `writers` lead to the host and to Codex.
    ///
    /// # Errors
    /// What the system says when it can't start a thread, or does not let the pipe be read.
    pub(super) fn start(
        host: HostId,
        router: Arc<SharedRouter>,
        writers: (FrameWriter, FrameWriter),
        stdout: ChildStdout,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let input = {
            let _entered = runtime.enter();
            FrameReader::lines(of_this_runtime(stdout)?)
        };
        let (to_loop, routed) = mpsc::channel(1);
        let host_has_left = Arc::new(AtomicBool::new(false));
        let (to_host, to_codex) = writers;
        let thread = Thread {
            host,
            router,
            to_host,
            to_codex,
            to_loop,
            host_has_left: host_has_left.clone(),
        };
        std::thread::Builder::new()
            .name("reads Codex".to_owned())
            .spawn(move || runtime.block_on(thread.run(input)))?;
        Ok(Self {
            host,
            routed,
            host_has_left,
        })
    }

    /// Waits for what the loop is to carry out, and for which host's Codex; nothing: that says nothing more.
    pub(super) async fn next(reader: &mut Option<Self>) -> (HostId, Option<Routed>) {
        match reader {
            Some(reader) => (reader.host, reader.routed.recv().await),
            None => pending().await,
        }
    }

    /// The loop waits for the moment when nothing of the host is under way: from now on it hears of everything.
    pub(super) fn host_has_left(&self) {
        self.host_has_left.store(true, Ordering::Release);
    }
}

struct Thread {
    host: HostId,
    router: Arc<SharedRouter>,
    to_host: FrameWriter,
    to_codex: FrameWriter,
    to_loop: mpsc::Sender<Routed>,
    host_has_left: Arc<AtomicBool>,
}

impl Thread {
    async fn run(self, mut input: FrameReader) {
        let mut effects = Effects::new();
        loop {
            self.to_host.room().await;
            let Some(frames) = input.next().await else {
                return;
            };
            let is_left = self.route(frames, &mut effects);
            let is_for_loop =
                is_left || self.host_has_left.load(Ordering::Acquire) || self.to_host.is_closed();
            if !is_for_loop {
                continue;
            }
            let (carried_out, is_carried_out) = oneshot::channel();
            let routed = Routed(carried_out);
            if self.to_loop.send(routed).await.is_err() || is_carried_out.await.is_err() {
                return;
            }
        }
    }

    /// Takes messages through the router, and sends on what comes before anything that is more than that. Whether there
    /// is a rest, which is left to the loop.
    fn route(&self, frames: Vec<Frame>, effects: &mut Effects) -> bool {
        let bytes = frames.iter().map(|frame| frame.bytes().len()).sum();
        self.router.received(frames.len(), bytes);
        let mut routing = self.router.begin();
        self.router
            .route(&mut routing, self.host, effects, |router| {
                let frames = frames.into_iter();
                frames.for_each(|frame| router.on_upstream(frame));
            });
        let is_sent = |(host, effect): &(HostId, Effect<_>)| {
            let is_sending = matches!(effect, Effect::ToHost(_) | Effect::ToUpstream(_));
            *host == self.host && is_sending
        };
        let count = effects.iter().take_while(|effect| is_sent(effect)).count();
        for (_, effect) in effects.drain(..count) {
            match effect {
                Effect::ToHost(frame) => self.to_host.queue(frame),
                Effect::ToUpstream(frame) => self.to_codex.queue(frame),
                _ => {}
            }
        }
        routing.left.append(effects);
        let is_left = !routing.left.is_empty();
        // Who hears of it may answer before writing is over.
        drop(routing);
        self.to_host.write_queued();
        self.to_codex.write_queued();
        is_left
    }
}

/// A pipe that is read on the runtime that this is called on.
#[cfg(unix)]
fn of_this_runtime(stdout: ChildStdout) -> io::Result<impl AsyncRead + Send + Unpin + 'static> {
    tokio::net::unix::pipe::Receiver::from_owned_fd(stdout.into_owned_fd()?)
}

#[cfg(not(unix))]
fn of_this_runtime(stdout: ChildStdout) -> io::Result<impl AsyncRead + Send + Unpin + 'static> {
    Ok(stdout)
}
