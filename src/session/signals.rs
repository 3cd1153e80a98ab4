//! Signals that ask the proxy to end are for Codex: it ends in its own way, and we after it.

pub(crate) use imp::terminate;
pub(super) use imp::{Signals, forward};

#[cfg(unix)]
mod imp {
    use rustix::process::{Pid, Signal, kill_process};
    use tokio::signal::unix::{self, SignalKind};

    pub(in crate::session) struct Signals {
        terminate: unix::Signal,
        interrupt: unix::Signal,
        hang_up: unix::Signal,
    }

    impl Signals {
        pub(in crate::session) fn new() -> std::io::Result<Self> {
            Ok(Self {
                terminate: unix::signal(SignalKind::terminate())?,
                interrupt: unix::signal(SignalKind::interrupt())?,
                hang_up: unix::signal(SignalKind::hangup())?,
            })
        }

        pub(in crate::session) async fn next(&mut self) -> Signal {
            tokio::select! {
                _ = self.terminate.recv() => Signal::TERM,
                _ = self.interrupt.recv() => Signal::INT,
                _ = self.hang_up.recv() => Signal::HUP,
            }
        }
    }

    /// Asks the process with this id to end.
    pub(crate) fn terminate(id: Option<u32>) {
        forward(id, Signal::TERM);
    }

    /// Sends a signal to the process with this id, unless it has ended.
    pub(in crate::session) fn forward(id: Option<u32>, signal: Signal) {
        let pid = id
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        if let Some(pid) = pid
            && let Err(error) = kill_process(pid, signal)
        {
            tracing::debug!(%error, "Codex takes no signal");
        }
    }
}

#[cfg(not(unix))]
mod imp {
    pub(in crate::session) struct Signals;

    impl Signals {
        pub(in crate::session) fn new() -> std::io::Result<Self> {
            Ok(Self)
        }

        pub(in crate::session) async fn next(&mut self) {
            std::future::pending::<()>().await;
        }
    }

    pub(in crate::session) fn forward(_: Option<u32>, (): ()) {}

    pub(crate) fn terminate(_: Option<u32>) {}
}
