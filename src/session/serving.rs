//! Many hosts on a Codex that listens at a socket: each has a connection to it of its own. Hosts come and go; a
//! Codex of ours that ends is started again, and the hosts are told.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use codex_loadout_protocol::LoadoutError;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::connection::{EndsWith, Session};
use super::host_session::Door;
use super::process::CodexProcess;
use super::signals::{Signals, forward, terminate};
use crate::connection::{CodexServer, Connection, UpstreamAddress, connect};
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

/// Where a signal goes that asks this program to end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OnSignal {
    /// To Codex: it ends in its own way, and everything else after it.
    EndCodex,
    /// To the process with this id, which decides.
    Forward(Option<u32>),
}

/// Serves hosts until Codex has ended for good, a signal ended it, `until` is over, or all hosts have left and none can
/// come any more.
///
/// # Errors
/// What the system says when Codex can't be waited for, or can't be started again.
pub(crate) async fn serve(
    process: Arc<CodexProcess>,
    upstreams: Upstreams,
    doors: mpsc::Receiver<Door>,
    on_signal: OnSignal,
    until: BoxFuture<'static, ()>,
) -> Result<Option<ExitStatus>, anyhow::Error> {
    if let Upstreams::Own(codex) = &upstreams {
        process.metrics.presence.codex_started(codex.child.id());
    }
    let serving = Serving {
        session: Session::new(process),
        upstreams,
        doors,
        arriving: BTreeMap::new(),
        connecting: FuturesUnordered::new(),
        orphaned: FuturesUnordered::new(),
        ends: VecDeque::new(),
        none_can_come: false,
    };
    serving.run(on_signal, until).await
}

struct Serving {
    session: Session,
    upstreams: Upstreams,
    doors: mpsc::Receiver<Door>,
    /// Hosts that are not connected to Codex yet.
    arriving: BTreeMap<HostId, Door>,
    connecting: FuturesUnordered<BoxFuture<'static, (HostId, Result<Connection, LoadoutError>)>>,
    /// Hosts whose connection has ended: soon it shows whether Codex has.
    orphaned: FuturesUnordered<BoxFuture<'static, HostId>>,
    /// When Codex has ended.
    ends: VecDeque<Instant>,
    none_can_come: bool,
}

impl Serving {
    async fn run(
        mut self,
        on_signal: OnSignal,
        mut until: BoxFuture<'static, ()>,
    ) -> Result<Option<ExitStatus>, anyhow::Error> {
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
                status = ended(&mut self.upstreams) => {
                    let status = status?;
                    if ending.has_begun || !self.start_again(status).await? {
                        return self.finish(Some(status)).await;
                    }
                }
                signal = signals.next() => match (on_signal, &self.upstreams) {
                    (OnSignal::Forward(process), _) => forward(process, signal),
                    (OnSignal::EndCodex, Upstreams::Own(codex)) => {
                        ending.has_begun = true;
                        forward(codex.child.id(), signal);
                    }
                    (OnSignal::EndCodex, Upstreams::Running { .. }) => return self.finish(None).await,
                },
                () = &mut until, if !ending.has_begun => match &self.upstreams {
                    Upstreams::Own(codex) => {
                        terminate(codex.child.id());
                        ending = Ending::within(ENDED_WITHIN);
                    }
                    Upstreams::Running { .. } => return self.finish(None).await,
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
        self.connect(host);
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

    fn on_connected(&mut self, host: HostId, connected: Result<Connection, LoadoutError>) {
        let codex = match connected {
            Ok((reader, writer, written)) => Door {
                reader,
                writer,
                written,
            },
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

    /// Codex has ended by itself. Starts it again, and tells the hosts; `false`: it has ended too often.
    async fn start_again(&mut self, status: ExitStatus) -> Result<bool, anyhow::Error> {
        let now = Instant::now();
        self.ends.push_back(now);
        self.ends
            .retain(|end| now.duration_since(*end) < DEATHS_WITHIN);
        tracing::error!(%status, "Codex has ended");
        if self.ends.len() >= DEATHS {
            tracing::error!("Codex ends again and again, and is not started any more");
            return Ok(false);
        }
        self.orphaned.clear();
        self.connecting.clear();
        self.session.lose_codex().await;
        if let Some(doubled) = self.ends.len().checked_sub(2) {
            tokio::time::sleep(AGAIN_AFTER * (1 << doubled)).await;
        }
        let Upstreams::Own(codex) = &mut self.upstreams else {
            return Ok(false);
        };
        **codex = CodexServer::start(self.session.codex()).await?;
        self.session.process.metrics.codex_restarted();
        let pid = codex.child.id();
        self.session.process.metrics.presence.codex_started(pid);
        for host in self.session.ids() {
            self.session.tell(host, notices::codex_started_again());
            self.connect(host);
        }
        for host in self.arriving.keys().copied().collect::<Vec<_>>() {
            self.connect(host);
        }
        Ok(true)
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

/// Waits until a Codex of ours has ended.
async fn ended(upstreams: &mut Upstreams) -> io::Result<ExitStatus> {
    match upstreams {
        Upstreams::Own(codex) => codex.child.wait().await,
        Upstreams::Running { .. } => std::future::pending().await,
    }
}
