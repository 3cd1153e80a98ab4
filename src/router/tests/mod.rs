//! What is said to the router, and what it wants done, line by line.

mod carriers;
mod control;
mod limits;
mod pass_through;
mod transcripts;

use std::collections::HashMap;

use bytes::Bytes;

use super::{Effect, Host, Hosts, Prepared, Request, Router, Settled};
use crate::threads::{HostId, Threads};
use crate::wire::Frame;

const OWN_IDS: &str = "codex-loadout/x/";
/// Sorts before the threads below that are named `t…`, as a UUID v7 of an earlier moment would.
const MARK: &str = "m1";

/// The host of a script where none is named.
const HOST: HostId = HostId(1);

struct Script {
    hosts: Hosts<()>,
    threads: Threads<()>,
    /// Requests that are worked on, by host and number.
    worked_on: HashMap<(HostId, u64), Request<()>>,
    /// Whose the next event is.
    at: HostId,
}

impl Default for Script {
    fn default() -> Self {
        let mut hosts = Hosts::default();
        hosts.add(Host::new(HOST, OWN_IDS));
        Self {
            hosts,
            threads: Threads::default(),
            worked_on: HashMap::new(),
            at: HOST,
        }
    }
}

impl Script {
    /// A connection whose host asked for experimental API, or not.
    fn new(experimental: bool) -> Self {
        let mut script = Self::default();
        script.initialize(experimental);
        script
    }

    fn initialize(&mut self, experimental: bool) {
        let hello = format!(
            r#"{{"id":0,"method":"initialize","params":{{"capabilities":{{"experimentalApi":{experimental}}}}}}}"#
        );
        let of = match self.at {
            HOST => String::new(),
            HostId(number) => format!("{number}: "),
        };
        assert_eq!(self.host(&hello), [format!("{of}to Codex: {hello}")]);
        let answer =
            r#"{"id":0,"result":{"userAgent":"lab/0.169.0 (Linux)","codexHome":"/h/.codex"}}"#;
        assert_eq!(
            self.codex(answer),
            [
                format!("{of}connected to 0.169.0"),
                format!("{of}to host: {answer}")
            ]
        );
    }

    /// Another host, that goes on when Codex ends.
    fn join(&mut self) -> Vec<String> {
        self.hosts
            .add(Host::new(self.at, OWN_IDS).that_outlives_codex());
        self.initialize(true);
        Vec::new()
    }

    fn leave(&mut self) -> Vec<String> {
        self.hosts.remove(self.at, &mut self.threads);
        Vec::new()
    }

    /// One event, and what comes of it.
    fn event(&mut self, event: impl FnOnce(&mut Router<'_, (), ()>)) -> Vec<String> {
        let mut effects = Vec::new();
        self.hosts
            .route(self.at, &mut self.threads, &mut effects, event);
        let lines = effects.into_iter().map(|(host, effect)| {
            let line = self.line(effect);
            match host {
                HOST => line,
                HostId(number) => format!("{number}: {line}"),
            }
        });
        lines.collect()
    }

    /// How many requests of the host were claimed.
    fn claimed(&mut self) -> u64 {
        let mut claimed = 0;
        self.event(|router| claimed = router.host.claimed);
        claimed
    }

    fn work_on(&mut self, request: Request<()>) -> u64 {
        let number = request.number;
        self.worked_on.insert((request.host, number), request);
        number
    }

    fn worked_on(&mut self, number: u64) -> Request<()> {
        self.worked_on.remove(&(self.at, number)).unwrap()
    }

    fn host(&mut self, text: &str) -> Vec<String> {
        self.event(|router| {
            if let Some(frame) = router.pass_on_unread(frame(text)) {
                router.on_host(frame);
            }
        })
    }

    fn codex(&mut self, text: &str) -> Vec<String> {
        self.event(|router| router.on_upstream(frame(text)))
    }

    fn late(&mut self, number: u64) -> Vec<String> {
        self.event(|router| router.on_late(number))
    }

    fn prepared(&mut self, number: u64, prepared: Prepared) -> Vec<String> {
        let request = self.worked_on(number);
        self.event(|router| router.on_prepared(request, prepared))
    }

    fn forward(&mut self, number: u64, request: &str) -> Vec<String> {
        let prepared = Prepared::Forward {
            request: bytes(request),
            mark: MARK.to_owned(),
            holds: false,
        };
        self.prepared(number, prepared)
    }

    fn settled(&mut self, number: u64, answer: &str, settled: Settled) -> Vec<String> {
        let request = self.worked_on(number);
        self.event(|router| router.on_settled(request, bytes(answer), settled))
    }

    fn made(&mut self, number: u64) -> Vec<String> {
        let request = self.worked_on(number);
        self.event(|router| router.on_made(request))
    }

    fn adopted(&mut self, child: &str) -> Vec<String> {
        self.event(|router| router.on_adopted(&[child.to_owned()]))
    }

    fn all_forwarded(&mut self) -> bool {
        let mut all = false;
        self.event(|router| all = router.all_forwarded());
        all
    }

    fn gone(&mut self) -> Vec<String> {
        self.event(|router| router.on_upstream_gone())
    }

    /// A thread with a loadout, made on this connection.
    fn thread(&mut self, ticket: u64, id: &str) {
        let request = format!(
            r#"{{"id":{ticket},"method":"thread/start","params":{{"capabilitySelection":{{}}}}}}"#
        );
        assert_eq!(
            self.host(&request),
            [format!("prepare {ticket} Start: {request}")]
        );
        let sent = format!(r#"{{"id":{ticket},"method":"thread/start","params":{{}}}}"#);
        assert_eq!(
            self.forward(ticket, &sent),
            [
                format!("to Codex: {sent}"),
                format!("late {ticket} after 60 s")
            ]
        );
        let answer = format!(r#"{{"id":{ticket},"result":{{"thread":{{"id":"{id}"}}}}}}"#);
        assert_eq!(self.codex(&answer), [format!("settle {ticket}: {answer}")]);
        assert_eq!(
            self.settled(ticket, "receipt", Settled::Loadout),
            ["to host: receipt"]
        );
    }
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn frame(text: &str) -> Frame {
    Frame::new(bytes(text))
}

impl Script {
    fn line(&mut self, effect: Effect<()>) -> String {
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        match effect {
            Effect::ToHost(frame) => format!("to host: {}", text(&frame)),
            Effect::ToControl { number, answer } => {
                format!("to control {number}: {}", text(&answer))
            }
            Effect::ToUpstream(frame) => format!("to Codex: {}", text(&frame)),
            Effect::Prepare(request) => {
                let what = format!("{:?}: {}", request.kind, text(request.frame.bytes()));
                format!("prepare {} {what}", self.work_on(*request))
            }
            Effect::Settle { request, response } => {
                format!(
                    "settle {}: {}",
                    self.work_on(*request),
                    text(response.bytes())
                )
            }
            Effect::Split(request) => format!("split {}", self.work_on(*request)),
            Effect::Rebind(request) => format!("rebind {}", self.work_on(*request)),
            Effect::Abandoned(request) => format!("abandoned {}", request.number),
            Effect::Adopt { parent, children } => {
                format!("adopt {} of {parent}", children.join(","))
            }
            Effect::Late { number, after } => format!("late {number} after {} s", after.as_secs()),
            Effect::SettingsAsked { thread, .. } => format!("settings asked for {thread}"),
            Effect::ServerStatus { thread, .. } => format!("server status of {thread}"),
            Effect::ServersListed { thread, .. } => {
                format!(
                    "servers of {} listed",
                    thread.as_deref().unwrap_or("all threads")
                )
            }
            Effect::TurnEnded { thread } => format!("turn of {thread} ended"),
            Effect::Settings { thread, .. } => format!("settings of {thread}"),
            Effect::Forget { thread } => format!("forget {thread}"),
            Effect::Answered { number, .. } => format!("answered {number}"),
            Effect::CatalogMayHaveChanged => "catalog may have changed".to_owned(),
            Effect::Connected(info) => format!("connected to {}", info.version),
        }
    }
}
