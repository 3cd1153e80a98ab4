//! Events in any order, as bytes choose them: nothing panics, and each request of a host's has exactly one answer.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;

use super::{Effect, Host, Hosts, Prepared, Rebound, Request, Router, Settled};
use crate::threads::{HostId, Threads};
use crate::wire::{Frame, FrameKind, Id};

const HOSTS: u64 = 3;
const THREADS: u8 = 4;
/// Sorts before the threads, which are named `t…`.
const MARK: &str = "m1";
const SELECTION: &str = r#","capabilitySelection":{}"#;
const METHODS: [(&str, &str); 12] = [
    ("thread/start", SELECTION),
    ("thread/start", ""),
    ("thread/resume", ""),
    ("thread/resume", SELECTION),
    ("thread/fork", ""),
    ("thread/fork", SELECTION),
    ("thread/capability/update", SELECTION),
    ("capability/list", ""),
    ("turn/start", ""),
    ("config/mcpServer/reload", ""),
    ("thread/unsubscribe", ""),
    ("model/list", ""),
];
const NOTIFICATIONS: [&str; 8] = [
    "turn/started",
    "turn/completed",
    "thread/started",
    "thread/closed",
    "thread/deleted",
    "thread/status/changed",
    "item/completed",
    "mcpServer/startupStatus/updated",
];

/// Plays what these bytes choose to the end.
pub(crate) fn run(bytes: &[u8]) {
    let mut play = Play::new(bytes);
    while !play.choices.is_empty() {
        play.event();
    }
    play.finish();
}

/// What is to be done next for a claimed request.
enum Work {
    Prepare(Request<()>),
    Rebind(Request<()>),
    Settle(Request<()>),
    Split(Request<()>),
    Adopt(Vec<String>),
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, request) = match self {
            Self::Prepare(request) => ("prepare", request),
            Self::Rebind(request) => ("rebind", request),
            Self::Settle(request) => ("settle", request),
            Self::Split(request) => ("split", request),
            Self::Adopt(children) => return write!(f, "adopt {children:?}"),
        };
        write!(f, "{what} {:?} {}", request.kind, request.frame.id_json())
    }
}

struct Play<'a> {
    choices: &'a [u8],
    hosts: Hosts<()>,
    threads: Threads<()>,
    work: Vec<(HostId, Work)>,
    late: Vec<(HostId, u64)>,
    /// Requests that Codex has.
    at_codex: Vec<(HostId, Id)>,
    /// Answers that hosts wait for.
    owed: BTreeMap<(u64, Id), usize>,
    /// How often Codex may yet get a request.
    passes: BTreeMap<(u64, Id), usize>,
    sent: u64,
    /// What has happened, for whoever looks into a failure.
    story: Vec<String>,
}

impl<'a> Play<'a> {
    fn new(choices: &'a [u8]) -> Self {
        let mut play = Self {
            choices,
            hosts: Hosts::default(),
            threads: Threads::default(),
            work: Vec::new(),
            late: Vec::new(),
            at_codex: Vec::new(),
            owed: BTreeMap::new(),
            passes: BTreeMap::new(),
            sent: 0,
            story: Vec::new(),
        };
        for number in 1..=HOSTS {
            let host = HostId(number);
            let new = Host::new(host, &format!("own/{number}/"));
            play.hosts.add(new.that_outlives_codex());
            let capabilities = r#""capabilities":{"experimentalApi":true}"#;
            play.request(host, "initialize", capabilities);
        }
        play
    }

    fn choose(&mut self, among: u8) -> u8 {
        let Some((first, rest)) = self.choices.split_first() else {
            return 0;
        };
        self.choices = rest;
        first % among.max(1)
    }

    fn host(&mut self) -> HostId {
        HostId(1 + u64::from(self.choose(HOSTS as u8)))
    }

    fn thread(&mut self) -> String {
        format!("t{}", self.choose(THREADS))
    }

    fn event(&mut self) {
        let host = self.host();
        match self.choose(9) {
            0 | 1 => {
                let (method, more) = METHODS[usize::from(self.choose(METHODS.len() as u8))];
                let thread = self.thread();
                self.request(host, method, &format!(r#""threadId":"{thread}"{more}"#));
            }
            2 | 3 => {
                let at = self.choose(self.work.len().min(255) as u8);
                self.work_at(usize::from(at));
            }
            4 => {
                let at = self.choose(self.at_codex.len().min(255) as u8);
                self.answer_at(usize::from(at));
            }
            5 | 6 => self.notify(host),
            7 => {
                let at = usize::from(self.choose(self.late.len().min(255) as u8));
                if at < self.late.len() {
                    let (host, number) = self.late.swap_remove(at);
                    self.route(host, |router| router.on_late(number));
                }
            }
            _ => match self.choose(16) {
                0 => self.lose_codex(),
                1 => self.take_id_again(host),
                _ => self.route(host, |router| {
                    router.on_host(frame(r#"{"id":7,"result":{}}"#));
                    router.pass_on_unread(frame(r#"{"method":"initialized"}"#));
                }),
            },
        }
    }

    fn request(&mut self, host: HostId, method: &str, params: &str) {
        self.sent += 1;
        let id = self.sent;
        self.request_as(host, &Id::from_json(id.to_string()), method, params);
    }

    fn request_as(&mut self, host: HostId, id: &Id, method: &str, params: &str) {
        let key = (host.0, id.clone());
        *self.owed.entry(key.clone()).or_default() += 1;
        *self.passes.entry(key).or_default() += 1;
        let request = format!(
            r#"{{"id":{},"method":"{method}","params":{{{params}}}}}"#,
            id.as_json()
        );
        self.tell(host, &request);
        self.route(host, |router| router.on_host(frame(&request)));
    }

    fn tell(&mut self, host: HostId, what: &str) {
        self.story.push(format!("host {}: {what}", host.0));
    }

    /// A host uses the id of a request of its own that is worked on.
    fn take_id_again(&mut self, host: HostId) {
        let of_host = self.work.iter().find_map(|(of, work)| match work {
            Work::Prepare(request) if *of == host => Some(request.frame.id()),
            _ => None,
        });
        if let Some(id) = of_host {
            self.request_as(host, &id, "model/list", "");
        }
    }

    fn notify(&mut self, host: HostId) {
        let method = NOTIFICATIONS[usize::from(self.choose(NOTIFICATIONS.len() as u8))];
        let (thread, other) = (self.thread(), self.thread());
        let more = match method {
            "item/completed" => format!(r#","item":{{"receiverThreadIds":["{other}"]}}"#),
            "turn/started" | "turn/completed" => format!(r#","turn":{{"id":"{other}"}}"#),
            "thread/started" => format!(r#","thread":{{"id":"{thread}"}}"#),
            _ => String::new(),
        };
        let message =
            format!(r#"{{"method":"{method}","params":{{"threadId":"{thread}"{more}}}}}"#);
        self.tell(host, &format!("Codex {message}"));
        self.route(host, |router| router.on_upstream(frame(&message)));
    }

    /// Codex answers one of the requests that it has.
    fn answer_at(&mut self, at: usize) {
        if at >= self.at_codex.len() {
            return;
        }
        let (host, id) = self.at_codex.remove(at);
        let thread = self.thread();
        let answer = match self.choose(4) {
            0 => r#""error":{"code":-32600,"message":"no"}"#.to_owned(),
            _ => format!(r#""result":{{"thread":{{"id":"{thread}"}},"turn":{{"id":"{thread}"}}}}"#),
        };
        let answer = format!(r#"{{"id":{},{answer}}}"#, id.as_json());
        self.tell(host, &format!("Codex {answer}"));
        self.route(host, |router| router.on_upstream(frame(&answer)));
    }

    fn work_at(&mut self, at: usize) {
        if at >= self.work.len() {
            return;
        }
        let (host, work) = self.work.remove(at);
        self.tell(host, &work.to_string());
        match work {
            Work::Prepare(request) => {
                let prepared = self.prepared(&request, 6);
                self.tell(host, &format!("{prepared:?}"));
                self.route(host, |router| router.on_prepared(request, prepared));
            }
            Work::Rebind(request) => {
                let rebound = Rebound {
                    bound: vec![self.thread()],
                    dropped: vec![self.thread()],
                    ..Rebound::only(self.prepared(&request, 4))
                };
                self.route(host, |router| router.on_rebound(request, rebound));
            }
            Work::Settle(request) if self.choose(8) == 7 && request.answered.is_some() => {
                self.route(host, |router| router.on_made(request));
            }
            Work::Settle(request) | Work::Split(request) => {
                let settled = match self.choose(3) {
                    0 => Settled::Native,
                    1 => Settled::Loadout,
                    _ => Settled::Hidden,
                };
                let answer = reply(&request);
                self.route(host, |router| router.on_settled(request, answer, settled));
            }
            Work::Adopt(children) => {
                self.route(host, |router| router.on_adopted(&children));
            }
        }
    }

    fn prepared(&mut self, request: &Request<()>, among: u8) -> Prepared {
        match self.choose(among) {
            0 => Prepared::Reply(reply(request)),
            1 => Prepared::Pass(request.frame.bytes().clone()),
            holds @ (2 | 3) => Prepared::Forward {
                request: request.frame.bytes().clone(),
                mark: MARK.to_owned(),
                holds: holds == 3,
            },
            patient => Prepared::Rebind {
                threads: vec![self.thread()],
                patient: patient == 5,
            },
        }
    }

    /// What is worked on comes to an end, and Codex is no more.
    fn lose_codex(&mut self) {
        self.story.push("Codex ends".to_owned());
        let mut is_first = true;
        loop {
            let works = !self.work.is_empty();
            while !self.work.is_empty() {
                self.work_at(0);
            }
            self.at_codex.clear();
            for number in 1..=HOSTS {
                self.route(HostId(number), |router| router.on_upstream_gone());
            }
            if !works && !std::mem::take(&mut is_first) {
                break;
            }
        }
        self.at_codex.clear();
        self.threads.lose_all();
    }

    fn finish(&mut self) {
        loop {
            if !self.work.is_empty() {
                self.work_at(0);
            } else if !self.at_codex.is_empty() {
                self.answer_at(0);
            } else if let Some((host, number)) = self.late.pop() {
                self.route(host, |router| router.on_late(number));
            } else {
                break;
            }
        }
        assert!(!self.threads.any_is_held());
        let owed: Vec<_> = self.owed.iter().filter(|(_, count)| **count > 0).collect();
        let story = self.story.join("\n");
        assert!(owed.is_empty(), "without an answer: {owed:?}\n{story}");
        for number in 1..=HOSTS {
            let mut all = false;
            self.route(HostId(number), |router| all = router.all_forwarded());
            assert!(all, "host {number}: something waits for ever\n{story}");
        }
    }

    fn route(&mut self, host: HostId, event: impl FnOnce(&mut Router<'_, (), ()>)) {
        let mut effects = Vec::new();
        self.hosts
            .route(host, &mut self.threads, &mut effects, event);
        for (host, effect) in effects {
            self.carry_out(host, effect);
        }
    }

    fn carry_out(&mut self, host: HostId, effect: Effect<()>) {
        let work = match effect {
            Effect::ToHost(bytes) => {
                let message = Frame::new(bytes);
                if message.kind() == FrameKind::Response {
                    let owed = self.owed.get_mut(&(host.0, message.id()));
                    let owed = owed.filter(|count| **count > 0);
                    let (story, bytes) = (self.story.join("\n"), message.bytes());
                    assert!(owed.is_some(), "one answer too many: {bytes:?}\n{story}");
                    if let Some(owed) = owed {
                        *owed -= 1;
                    }
                }
                return;
            }
            Effect::ToUpstream(bytes) => {
                let message = Frame::new(bytes);
                if message.kind() == FrameKind::Request {
                    let passes = self.passes.get_mut(&(host.0, message.id()));
                    let passes = passes.filter(|count| **count > 0);
                    let (story, bytes) = (self.story.join("\n"), message.bytes());
                    assert!(passes.is_some(), "sent twice: {bytes:?}\n{story}");
                    if let Some(passes) = passes {
                        *passes -= 1;
                    }
                    self.at_codex.push((host, message.id()));
                }
                return;
            }
            Effect::Late { number, .. } => return self.late.push((host, number)),
            Effect::Prepare(request) => Work::Prepare(*request),
            Effect::Settle { request, .. } => Work::Settle(*request),
            Effect::Split(request) => Work::Split(*request),
            Effect::Rebind(request) => Work::Rebind(*request),
            Effect::Adopt { children, .. } => Work::Adopt(children),
            _ => return,
        };
        self.work.push((host, work));
    }
}

fn reply(request: &Request<()>) -> Bytes {
    Bytes::from(format!(
        r#"{{"id":{},"result":{{}}}}"#,
        request.frame.id_json()
    ))
}

fn frame(text: &str) -> Frame {
    Frame::new(Bytes::copy_from_slice(text.as_bytes()))
}
