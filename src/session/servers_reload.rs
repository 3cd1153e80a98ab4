//! A server comes into the config while threads live: they are told to leave it out before Codex gives it to
//! them, which it does when it reloads its servers (0.157 to 0.169), also to turns that nobody announces.

use std::sync::Arc;

use codex_loadout_protocol::LoadoutError;
use serde_json::Value;

use super::rebind::{DesiredConfig, Rebind, Then};
use super::request_handlers::{Carried, RequestHandlers};
use super::turns::cause_of;
use crate::loadouts::read_params;
use crate::lowering::{held_against_policy, servers_written};
use crate::router::Prepared;
use crate::wire::Frame;

impl RequestHandlers {
    /// Whether the request may go to Codex as things are; if not, what has to be told to which threads first.
    pub(super) async fn before_servers_reload(
        &self,
        carried: &mut Carried,
        frame: &Frame,
    ) -> Result<Prepared, LoadoutError> {
        let upstream = self.upstream().await?;
        let params = read_params(frame)?.to_string();
        let params: Value = serde_json::from_str(&params).unwrap_or_default();
        let written = servers_written(&params);
        let mut load = Vec::new();
        for (thread, applied) in self.applied.all() {
            let plan = &applied.loadout.plan;
            let catalog = self.catalog_with(plan, &upstream, &applied.cwd).await?;
            let mut catalog = (*catalog).clone();
            catalog.add_servers(&written);
            let lowered = self.lowered_now(&applied, &catalog, &upstream).await?;
            let news = applied.untold(&lowered.config);
            if !news.is_empty() {
                held_against_policy(&applied.loadout.plan, &catalog, &lowered)?;
                let cause = Some(cause_of(&applied, &news));
                load.push(DesiredConfig {
                    thread,
                    applied: Arc::unwrap_or_clone(applied),
                    lowered: Some(lowered),
                    cause,
                });
            }
        }
        // What comes in beside this request is looked for before the next turn.
        self.applied
            .change_all(|applied| applied.servers_reload = true);
        if load.is_empty() {
            return Ok(Prepared::Pass(frame.bytes().clone()));
        }
        let unload: Vec<String> = load.iter().map(|told| told.thread.clone()).collect();
        let rebind = Rebind {
            along: self.taken_along(&unload, &upstream).await?,
            unload,
            change: None,
            load,
            then: Then::Pass,
        };
        Ok(self.when_quiet(carried, rebind))
    }
}
