//! Before a thread reads what its host sends: whether that names a skill that is not of its loadout, and
//! whether servers or plugins came in that no request of the host's announced.

use std::path::PathBuf;
use std::sync::Arc;

use codex_loadout_protocol::LoadoutError;
use serde_json::Value;

use super::rebind::{DesiredConfig, Rebind, Then};
use super::request_handlers::{Carried, RequestHandlers};
use crate::catalog::Catalog;
use crate::loadouts::{AppliedConfig, check_environments, cwd_of, read_params};
use crate::lowering::{Lowered, SkillRule, held_against_policy, new_skill_rules, summary};
use crate::messages::initialize::UpstreamInfo;
use crate::messages::mentions::Mentions;
use crate::router::Prepared;
use crate::wire::Frame;

impl RequestHandlers {
    /// Whether a thread may read this as things are; if not, what has to be told to which threads first.
    pub(super) async fn before_turn(
        &self,
        carried: &mut Carried,
        frame: &Frame,
    ) -> Result<Prepared, LoadoutError> {
        let params = read_params(frame)?;
        let pass = || Prepared::Pass(frame.bytes().clone());
        let Some(thread) = params.get_string("threadId") else {
            return Ok(pass());
        };
        let applied = self.applied.get(&thread);
        if applied.is_some_and(|applied| applied.loadout.root.is_some()) {
            check_environments(&params)?;
        }
        let upstream = self.upstream().await?;
        let cwd = cwd_of(&params);
        if cwd.is_some() {
            self.applied
                .change(&thread, |applied| applied.next_cwd.clone_from(&cwd));
        }
        let stale = self
            .stale(&thread, Mentions::of(frame).as_ref(), &upstream)
            .await?;
        if stale.is_empty() {
            return Ok(pass());
        }
        let threads: Vec<String> = stale.iter().map(|told| told.thread.clone()).collect();
        tracing::info!(?threads, "something has come in: bound anew");
        let rebind = Rebind {
            along: self.taken_along(&threads, &upstream).await?,
            unload: threads,
            change: None,
            load: stale,
            then: Then::Turn(thread),
        };
        Ok(self.when_quiet(carried, rebind))
    }

    /// The thread and those it spawned, as far as they would be shown, or given, what is not of their loadout.
    pub(super) async fn stale(
        &self,
        thread: &str,
        mentions: Option<&Mentions>,
        upstream: &UpstreamInfo,
    ) -> Result<Vec<DesiredConfig>, LoadoutError> {
        let mut stale = Vec::new();
        for member in self.applied.family(thread) {
            let Some(applied) = self.applied.get(&member) else {
                continue;
            };
            let healed = self.loadouts.check_snapshots(&applied.loadout).await?;
            self.loadouts.note_healed(Some(&member), &healed).await;
            let unchecked = applied.servers_reload || applied.loadout.plan.follows_user();
            if applied.config.is_some() && mentions.is_none() && !unchecked {
                continue;
            }
            let plan = &applied.loadout.plan;
            let catalog = self.catalog_with(plan, upstream, &applied.cwd).await?;
            let is_checked = |checked: &Arc<Catalog>| Arc::ptr_eq(checked, &catalog);
            if applied.next_cwd.is_none() && applied.checked.as_ref().is_some_and(is_checked) {
                continue;
            }
            let lowered = self.lowered_now(&applied, &catalog, upstream).await?;
            let news = news(&applied, &lowered, &catalog, mentions);
            if news.is_empty() {
                let told = applied.config.as_deref();
                let told_all =
                    told.is_some_and(|told| new_skill_rules(told, &lowered.config).is_empty());
                self.applied.change(&member, |applied| {
                    applied.servers_reload = false;
                    applied.checked =
                        Some(catalog).filter(|_| told_all && applied.next_cwd.is_none());
                });
                continue;
            }
            held_against_policy(&applied.loadout.plan, &catalog, &lowered)?;
            let cause = cause_of(&applied, &news);
            stale.push(DesiredConfig {
                thread: member,
                applied: Arc::unwrap_or_clone(applied),
                lowered: Some(lowered),
                cause: Some(cause),
            });
        }
        Ok(stale)
    }

    /// What a thread would be told now.
    pub(super) async fn lowered_now(
        &self,
        applied: &AppliedConfig,
        catalog: &Catalog,
        upstream: &UpstreamInfo,
    ) -> Result<Lowered, LoadoutError> {
        let mut lowered = self
            .loadouts
            .lowered_now(&applied.loadout, catalog, upstream)?;
        if let Some(next) = &applied.next_cwd {
            let plan = &applied.loadout.plan;
            let there = self.catalog_with(plan, upstream, next).await?;
            let there = self
                .loadouts
                .lowered_now(&applied.loadout, &there, upstream)?;
            lowered.and(there);
        }
        Ok(lowered)
    }

    /// The host asks for other settings; Codex tells later whether it agrees, and the next turn may
    /// begin before that is heard.
    pub(crate) fn settings_asked(&self, thread: &str, request: &Frame) {
        let cwd = read_params(request).ok().and_then(|params| cwd_of(&params));
        if cwd.is_some() {
            self.applied
                .change(thread, |applied| applied.next_cwd = cwd);
        }
    }

    /// Codex told a thread's settings.
    pub(crate) fn settings_of(&self, thread: &str, notification: &Frame) {
        let Ok(message) = serde_json::from_slice::<Value>(notification.bytes()) else {
            return;
        };
        let settings = message["params"]["threadSettings"].clone();
        self.applied.change(thread, |applied| {
            if let Some(cwd) = settings["cwd"].as_str() {
                applied.cwd = PathBuf::from(cwd);
                applied.next_cwd = None;
            }
            applied.settings = Some(settings);
        });
    }
}

/// What a thread was not told and has to be: all but skills, and of skills those that the request names. Codex
/// lists none by itself, so no other one can be seen.
fn news(
    applied: &AppliedConfig,
    now: &Lowered,
    catalog: &Catalog,
    mentions: Option<&Mentions>,
) -> Vec<String> {
    let mut news = applied.untold(&now.config);
    let (Some(told), Some(mentions)) = (&applied.config, mentions) else {
        return news;
    };
    let skills = catalog.skills.iter().chain(&catalog.newcomers);
    for rule in new_skill_rules(told, &now.config) {
        let named = skills.clone().find(|skill| {
            let is_it = match &rule {
                SkillRule::Name(name) => skill.name == *name,
                SkillRule::Path(path) => skill.path == *path,
            };
            is_it && mentions.name_skill(&skill.name, &skill.path)
        });
        news.extend(named.map(|skill| format!("skill `{}`", skill.name)));
    }
    news
}

/// Why a thread is told anew.
pub(super) fn cause_of(applied: &AppliedConfig, news: &[String]) -> String {
    let news = format!("new: {}", summary(news));
    match &applied.next_cwd {
        Some(next) => format!("{news}; it may be moving to `{}`", next.display()),
        None => news,
    }
}
