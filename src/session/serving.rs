//! Many hosts on a Codex that listens at a socket: each has a connection to it of its own. Hosts come and go; a
//! Codex of ours that ends is started again, and the hosts are told.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Display;
use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use codex_loadout_protocol::{ErrorKind, LoadoutError};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::connection::{EndsWith, Session};
use super::control_door::ControlDoor;
use super::process::CodexProcess;
use super::signals::{Signals, forward, terminate};
use crate::connection::{CodexServer, Door, UpstreamAddress, connect};
use crate::messages::notices;
use crate::threads::HostId;

/// A Codex that ends this often within [`DEATHS_WITHIN`] is not started again.
const DEATHS: usize = 5;
/// In how long its ends are counted.
const DEATHS_WITHIN: Duration = Duration::from_secs(60);
/// How long it is waited after the second end, before Codex is started again; twice as long each time.
const AGAIN_AFTER: Duration = Duration::from_millis(100);
/// A Codex that nobody needs any more has this long to end by itself.
const ENDED_WITHIN: Duration = Duration::from_secs(3);
/// A connection may end a moment before its Codex is known to have.
const KNOWN_TO_HAVE_ENDED: Duration = Duration::from_millis(500);

/// Where the hosts' connections lead.
#[derive(Debug)]
pub(crate) enum Upstreams {
    /// To a Codex of ours.
    Own(Box<CodexServer>),
    /// To one that runs already. A host whose connection it ends is let go of, as without us.
    Running {
        /// Where it listens.
        address: UpstreamAddress,
        /// What is shown to it.
        token: Option<String>,
    },
}

/// What it all ends with, beside Codex and the last host.
pub(crate) enum EndsAfter {
    /// A signal, which goes to Codex: that ends in its own way, and everything else after it.
    Signal,
    /// A process, which gets the signals and decides.
    Process {
        /// Its id.
        id: Option<u32>,
        /// Over once it has ended.
        ended: BoxFuture<'static, ()>,
    },
}

/// Serves hosts until Codex has ended for good, what it ends after has come, or all hosts have left and none can
/// come any more.
///
/// # Errors
/// What the system says when Codex can't be waited for; `unsupportedUpstream` if it can't be started again, or ends
/// too often.
pub(crate) async fn serve(
    process: Arc<CodexProcess>,
    upstreams: Upstreams,
    doors: mpsc::Receiver<Door>,
    ends_after: EndsAfter,
) -> Result<Option<ExitStatus>, anyhow::Error> {
    match &upstreams {
        Upstreams::Own(codex) => {
            process.metrics.presence.codex_started(codex.child.id());
            process.listens_at(codex.address(), None);
        }
        Upstreams::Running { address, token } => process.listens_at(address.clone(), token.clone()),
    }
    let _control = ControlDoor::open(&process);
    let serving = Serving {
        session: Session::new(process),
        upstreams,
        doors,
        arriving: BTreeMap::new(),
        connecting: FuturesUnordered::new(),
        orphaned: FuturesUnordered::new(),
        ends: VecDeque::new(),
        starting: None,
        none_can_come: false,
    };
    serving.run(ends_after).await
}

struct Serving {
    session: Session,
    upstreams: Upstreams,
    doors: mpsc::Receiver<Door>,
    /// Hosts that are not connected to Codex yet.
    arriving: BTreeMap<HostId, Door>,
    connecting: FuturesUnordered<BoxFuture<'static, (HostId, Result<Door, LoadoutError>)>>,
    /// Hosts whose connection has ended: soon it shows whether Codex has.
    orphaned: FuturesUnordered<BoxFuture<'static, HostId>>,
    /// When Codex has ended, or could not be started.
    ends: VecDeque<Instant>,
    /// The next Codex, where there is none now.
    starting: Option<Starting>,
    none_can_come: bool,
}

/// A Codex is started again.
struct Starting {
    /// How the one before has ended.
    last: ExitStatus,
    next: BoxFuture<'static, Result<CodexServer, LoadoutError>>,
}

impl Serving {
    async fn run(mut self, ends_after: EndsAfter) -> Result<Option<ExitStatus>, anyhow::Error> {
        let (process, mut until) = match ends_after {
            EndsAfter::Signal => (None, std::future::pending().boxed()),
            EndsAfter::Process { id, ended } => (Some(id), ended),
        };
        let mut signals = Signals::new()?;
        let mut ending = Ending::default();
        loop {
            if self.is_over() {
                until = std::future::ready(()).boxed();
            }
            tokio::select! {
                () = self.session.next() => self.look_for_orphans(),
                door = self.doors.recv(), if !self.none_can_come && !ending.has_begun => match door {
                    Some(door) => self.welcome(door),
                    None => self.none_can_come = true,
                },
                Some((host, connected)) = self.connecting.next() => self.on_connected(host, connected),
                Some(host) = self.orphaned.next() => self.session.end(host),
                status = ended(&mut self.upstreams), if self.starting.is_none() => {
                    let status = status?;
                    if ending.has_begun {
                        return self.finish(Some(status)).await;
                    }
                    if let Err(error) = self.on_ended(status).await {
                        self.finish(Some(status)).await?;
                        return Err(error.into());
                    }
                }
                (last, started) = started(&mut self.starting) => {
                    if let Err(error) = self.on_started(last, started) {
                        self.finish(Some(last)).await?;
                        return Err(error.into());
                    }
                }
                signal = signals.next() => match (process, &self.upstreams) {
                    (Some(process), _) => forward(process, signal),
                    (None, Upstreams::Own(_)) if self.starting.is_some() => {
                        return self.finish(None).await;
                    }
                    (None, Upstreams::Own(codex)) => {
                        ending.has_begun = true;
                        forward(codex.child.id(), signal);
                    }
                    (None, Upstreams::Running { .. }) => return self.finish(None).await,
                },
                () = &mut until, if !ending.has_begun => match &self.upstreams {
                    Upstreams::Own(codex) if self.starting.is_none() => {
                        terminate(codex.child.id());
                        ending = Ending::within(ENDED_WITHIN);
                    }
                    _ => return self.finish(None).await,
                },
                () = &mut ending.is_late => if let Upstreams::Own(codex) = &mut self.upstreams {
                    codex.child.start_kill()?;
                    ending.is_late = std::future::pending().boxed();
                },
            }
        }
    }

    /// Whether all hosts have left, and none can come any more.
    fn is_over(&self) -> bool {
        let none_comes = self.arriving.is_empty() && self.connecting.is_empty();
        self.none_can_come && none_comes && self.session.ids().is_empty()
    }

    /// A host has come.
    fn welcome(&mut self, door: Door) {
        let host = self.session.next_id();
        self.arriving.insert(host, door);
        if self.starting.is_none() {
            self.connect(host);
        }
    }

    fn connect(&mut self, host: HostId) {
        let connecting = match &self.upstreams {
            Upstreams::Own(codex) => (codex.address(), None),
            Upstreams::Running { address, token } => (address.clone(), token.clone()),
        };
        let (address, token) = connecting;
        let connecting = async move { connect(&address, token.as_deref()).await };
        self.connecting
            .push(connecting.map(move |connected| (host, connected)).boxed());
    }

    fn on_connected(&mut self, host: HostId, connected: Result<Door, LoadoutError>) {
        let codex = match connected {
            Ok(codex) => codex,
            Err(error) => {
                tracing::warn!(%error, host = host.0, "no connection to Codex");
                if let Upstreams::Own(codex) = &mut self.upstreams
                    && !matches!(codex.child.try_wait(), Ok(None))
                {
                    // It goes on with the next one.
                    return;
                }
                match self.arriving.remove(&host) {
                    Some(door) => door.writer.close(),
                    None => self.session.end(host),
                }
                return;
            }
        };
        match self.arriving.remove(&host) {
            Some(door) => self.session.add(host, door, codex, EndsWith::Itself),
            None => self.session.attach_again(host, codex),
        }
    }

    /// Where a host's connection has ended and Codex has not, the host is let go of: Codex did not want it.
    fn look_for_orphans(&mut self) {
        for host in self.session.newly_lost() {
            let soon = tokio::time::sleep(KNOWN_TO_HAVE_ENDED);
            self.orphaned.push(soon.map(move |()| host).boxed());
        }
    }

    /// Codex has ended by itself. It is started again, unless it has ended too often; what it owed is answered.
    async fn on_ended(&mut self, status: ExitStatus) -> Result<(), LoadoutError> {
        tracing::error!(%status, "Codex has ended");
        self.orphaned.clear();
        self.connecting.clear();
        self.start_again(status, &status)?;
        self.session.lose_codex().await;
        Ok(())
    }

    /// Begins to start Codex again, later each time.
    fn start_again(&mut self, last: ExitStatus, why: &impl Display) -> Result<(), LoadoutError> {
        let now = Instant::now();
        self.ends.push_back(now);
        self.ends
            .retain(|end| now.duration_since(*end) < DEATHS_WITHIN);
        if self.ends.len() >= DEATHS {
            return Err(ended_too_often(why));
        }
        let after = match self.ends.len().checked_sub(2) {
            Some(doubled) => AGAIN_AFTER * (1 << doubled),
            None => Duration::ZERO,
        };
        let codex = self.session.codex().clone();
        let next = async move {
            tokio::time::sleep(after).await;
            CodexServer::start(&codex).await
        };
        let next = next.boxed();
        self.starting = Some(Starting { last, next });
        Ok(())
    }

    /// The next Codex runs, and the hosts are told; or it does not, which is one end more.
    fn on_started(
        &mut self,
        last: ExitStatus,
        started: Result<CodexServer, LoadoutError>,
    ) -> Result<(), LoadoutError> {
        self.starting = None;
        let next = match started {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(%error, "Codex was not started again");
                let begun = self.ends.back();
                if begun.is_some_and(|begun| begun.elapsed() >= DEATHS_WITHIN) {
                    // It does nothing at all, and hosts are not to wait that long again.
                    return Err(error);
                }
                return self.start_again(last, &error.message);
            }
        };
        let Upstreams::Own(codex) = &mut self.upstreams else {
            return Ok(());
        };
        **codex = next;
        self.session.process.metrics.codex_restarted();
        self.session.process.listens_at(codex.address(), None);
        let pid = codex.child.id();
        self.session.process.metrics.presence.codex_started(pid);
        for host in self.session.ids() {
            self.session.tell(host, notices::codex_started_again());
            self.connect(host);
        }
        for host in self.arriving.keys().copied().collect::<Vec<_>>() {
            self.connect(host);
        }
        Ok(())
    }

    /// Everything ends: what hosts are still to be told is written.
    async fn finish(
        mut self,
        status: Option<ExitStatus>,
    ) -> Result<Option<ExitStatus>, anyhow::Error> {
        if status.is_some() {
            self.session.lose_codex().await;
        }
        self.session.end_all();
        self.session.all_written().await;
        Ok(status)
    }
}

fn ended_too_often(last: &impl Display) -> LoadoutError {
    let within = DEATHS_WITHIN.as_secs();
    let message = format!(
        "Codex has ended {DEATHS} times within {within} seconds, and is not started any more (last: {last})"
    );
    LoadoutError::new(ErrorKind::UnsupportedUpstream, message)
        .with_hint("What it said on stderr before, or `codex-loadout doctor`, tells why; then start this program again.")
}

/// The end of everything.
struct Ending {
    has_begun: bool,
    /// When Codex is no longer waited for.
    is_late: BoxFuture<'static, ()>,
}

impl Default for Ending {
    fn default() -> Self {
        Self {
            has_begun: false,
            is_late: std::future::pending().boxed(),
        }
    }
}

impl Ending {
    fn within(time: Duration) -> Self {
        Self {
            has_begun: true,
            is_late: tokio::time::sleep(time).boxed(),
        }
    }
}

/// Waits until the next Codex runs, or does not.
async fn started(
    starting: &mut Option<Starting>,
) -> (ExitStatus, Result<CodexServer, LoadoutError>) {
    match starting {
        Some(Starting { last, next }) => (*last, next.await),
        None => std::future::pending().await,
    }
}

/// Waits until a Codex of ours has ended.
async fn ended(upstreams: &mut Upstreams) -> io::Result<ExitStatus> {
    match upstreams {
        Upstreams::Own(codex) => codex.child.wait().await,
        Upstreams::Running { .. } => std::future::pending().await,
    }
}
