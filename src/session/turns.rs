//! Before a turn: whether its thread is kept to its loadout as things are.

use std::path::PathBuf;
use std::sync::Arc;

use codex_loadout_protocol::LoadoutError;
use serde_json::Value;

use super::beginnings::Entered;
use super::rebind::{Rebind, Then, Told};
use super::work::Work;
use crate::catalog::Catalog;
use crate::interceptors::initialize::UpstreamInfo;
use crate::interceptors::thread::GOAL_SET;
use crate::loadouts::{Binding, check_environments, cwd_of, read_params};
use crate::lowering::{Lowered, drift, held_against_policy, summary};
use crate::router::{Prepared, Ticket};
use crate::wire::Frame;

impl Work {
    /// Whether a turn may begin as things are; if not, what has to be told to which threads first.
    pub(super) async fn before_turn(
        &self,
        ticket: Ticket,
        frame: &Frame,
    ) -> Result<Prepared, LoadoutError> {
        let params = read_params(frame)?;
        let pass = || Prepared::Pass(frame.bytes().clone());
        let Some(thread) = params.get_string("threadId") else {
            return Ok(pass());
        };
        let binding = self.bindings.get(&thread);
        if binding.is_some_and(|binding| binding.loadout.root.is_some()) {
            check_environments(&params)?;
        }
        self.take_back(&thread).await?;
        let upstream = self.upstream().await?;
        let cwd = cwd_of(&params);
        if cwd.is_some() {
            self.bindings
                .change(&thread, |binding| binding.next_cwd.clone_from(&cwd));
        }
        let entered = self.beginnings.enter().await;
        let stale = self.stale(&thread, &upstream).await?;
        if stale.is_empty() {
            self.begins(&thread, entered, frame.method());
            return Ok(pass());
        }
        drop(entered);
        let threads: Vec<String> = stale.iter().map(|told| told.thread.clone()).collect();
        tracing::info!(?threads, "something has changed underneath: bound anew");
        let rebind = Rebind {
            request: frame.id(),
            along: self.taken_along(&threads, &upstream).await?,
            unload: threads,
            change: None,
            load: stale,
            then: Then::Turn(thread, frame.bytes().clone()),
        };
        Ok(self.when_quiet(ticket, rebind))
    }

    /// The thread and those it spawned, as far as they are not kept to their loadout as things are.
    pub(super) async fn stale(
        &self,
        thread: &str,
        upstream: &UpstreamInfo,
    ) -> Result<Vec<Told>, LoadoutError> {
        self.stale_of(self.bindings.family(thread), upstream).await
    }

    pub(super) async fn stale_of(
        &self,
        members: Vec<String>,
        upstream: &UpstreamInfo,
    ) -> Result<Vec<Told>, LoadoutError> {
        let mut stale = Vec::new();
        for member in members {
            let Some(binding) = self.bindings.get(&member) else {
                continue;
            };
            let healed = self.loadouts.check_snapshots(&binding.loadout).await?;
            self.loadouts.note_healed(Some(&member), &healed).await;
            let catalog = self.catalog(upstream, &binding.cwd).await?;
            if binding.next_cwd.is_none() && is_checked(&binding, &catalog) {
                continue;
            }
            let lowered = self.told_now(&binding, &catalog, upstream).await?;
            if binding.covers(&lowered.config) {
                if binding.next_cwd.is_none() {
                    self.bindings.change(&member, |binding| {
                        binding.checked = Some(catalog);
                        binding.servers_reload = false;
                    });
                }
                continue;
            }
            held_against_policy(&binding.loadout.plan, &catalog, &lowered)?;
            let cause = cause_of(&binding, &lowered);
            stale.push(Told {
                thread: member,
                binding,
                lowered: Some(lowered),
                cause: Some(cause),
            });
        }
        Ok(stale)
    }

    /// What a thread would be told now.
    async fn told_now(
        &self,
        binding: &Binding,
        catalog: &Catalog,
        upstream: &UpstreamInfo,
    ) -> Result<Lowered, LoadoutError> {
        let mut lowered = self
            .loadouts
            .told_now(&binding.loadout, catalog, upstream)?;
        if let Some(next) = &binding.next_cwd {
            let there = self.catalog(upstream, next).await?;
            let there = self.loadouts.told_now(&binding.loadout, &there, upstream)?;
            lowered.and(there);
        }
        let kept_out = binding.kept_out.iter();
        lowered.keep_out(kept_out.filter(|name| !binding.loadout.may_show(name)));
        Ok(lowered)
    }

    /// What a turn that begins now may have besides skills, and its thread was not told of; empty unless
    /// Codex was asked to reload servers since.
    pub(super) async fn reloaded(&self, binding: &Binding) -> Result<Vec<String>, LoadoutError> {
        let Some(told) = binding.config.as_ref().filter(|_| binding.servers_reload) else {
            return Ok(Vec::new());
        };
        let upstream = self.upstream().await?;
        let catalog = self.catalog(&upstream, &binding.cwd).await?;
        let now = self.told_now(binding, &catalog, &upstream).await?;
        let mut places = drift(told, &now.config);
        places.retain(|place| !place.starts_with("skills"));
        Ok(places)
    }

    /// The host asks for other settings; Codex tells later whether it agrees, and the next turn may
    /// begin before that is heard.
    pub fn settings_asked(&self, thread: &str, request: &Frame) {
        let cwd = read_params(request).ok().and_then(|params| cwd_of(&params));
        if cwd.is_some() {
            self.bindings
                .change(thread, |binding| binding.next_cwd = cwd);
        }
    }

    /// Codex told a thread's settings.
    pub fn settings_of(&self, thread: &str, notification: &Frame) {
        let Ok(message) = serde_json::from_slice::<Value>(notification.bytes()) else {
            return;
        };
        let settings = message["params"]["threadSettings"].clone();
        self.bindings.change(thread, |binding| {
            if let Some(cwd) = settings["cwd"].as_str() {
                binding.cwd = PathBuf::from(cwd);
                binding.next_cwd = None;
            }
            binding.settings = Some(settings);
        });
    }

    /// A request that begins a turn of a thread goes to Codex.
    pub(super) fn begins(&self, thread: &str, entered: Entered, method: &str) {
        if method == GOAL_SET {
            self.goal_turns.insert(thread.to_owned());
        } else {
            self.goal_turns.remove(thread);
        }
        self.beginnings.begin(thread, entered);
    }

    /// A turn has begun.
    pub fn turn_began(&self, thread: &str) {
        self.beginnings.began(thread);
    }

    /// A thread is no longer loaded.
    pub fn unloaded(&self, thread: &str) {
        self.bindings.remove(thread);
        self.goal_turns.remove(thread);
        self.with_goals.remove(thread);
    }
}

/// Why a thread is told anew.
fn cause_of(binding: &Binding, now: &Lowered) -> String {
    let drift = match &binding.config {
        Some(told) => format!("new: {}", summary(&drift(told, &now.config))),
        None => "loaded without its loadout".to_owned(),
    };
    match &binding.next_cwd {
        Some(next) => format!("{drift}; it may be moving to `{}`", next.display()),
        None => drift,
    }
}

fn is_checked(binding: &Binding, catalog: &Arc<Catalog>) -> bool {
    binding
        .checked
        .as_ref()
        .is_some_and(|checked| Arc::ptr_eq(checked, catalog))
}
