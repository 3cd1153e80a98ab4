//! `thread/capability/update`: another loadout for a thread that lives.

use std::sync::Arc;

use codex_loadout_protocol::binding::{Carrier, Rule};
use codex_loadout_protocol::method::ThreadCapabilityUpdateParams;
use codex_loadout_protocol::selection::FIELD;
use codex_loadout_protocol::{CapabilitySelection, ErrorItem, ErrorKind, LoadoutError};

use super::opening::{inherited, own_servers, renewed};
use super::rebind::{Change, DesiredConfig, Rebind, Then};
use super::reload::Family;
use super::request_handlers::{Carried, RequestHandlers};
use crate::control::known_to_codex;
use crate::loadouts::{AppliedConfig, read_params};
use crate::records::LoadoutRecord;
use crate::router::Prepared;
use crate::wire::{Frame, RawObject};

impl RequestHandlers {
    /// Works out what a thread is to be told, and leaves it to the router to say when.
    pub(super) async fn update(
        &self,
        carried: &mut Carried,
        frame: &Frame,
    ) -> Result<Prepared, LoadoutError> {
        let params = read_params(frame)?;
        let ThreadCapabilityUpdateParams {
            thread_id,
            capability_selection: selection,
        } = read_update(&params)?;
        carried.lock = Some(self.process.locks.lock(&thread_id).await);
        let upstream = self.upstream().await?;
        let recorded = self
            .loadouts
            .recorded(&thread_id, &upstream.codex_home)
            .await;
        let standing = self.standing(recorded, &thread_id, &upstream).await?;
        let cwd = match self.applied.get(&thread_id) {
            Some(applied) => applied.cwd.clone(),
            None => self.cwd_in_codex(&thread_id).await?,
        };
        if selection.is_none() && standing.is_native {
            let rebind = Rebind {
                unload: Vec::new(),
                along: Vec::new(),
                change: None,
                load: Vec::new(),
                then: Then::Tell(None),
            };
            return Ok(self.when_quiet(carried, rebind));
        }
        let place = self.place(&thread_id, &standing).await?;
        let before = standing.before;
        let Family {
            unload,
            along,
            mut load,
        } = self.unloaded_with(&thread_id, &upstream).await?;
        let loaded = unload.contains(&thread_id);
        let told = |loadout: &LoadoutRecord, lowered| {
            let applied = self.applied.get(&thread_id).map_or_else(
                || AppliedConfig::new(loadout.clone().into(), cwd.clone()),
                Arc::unwrap_or_clone,
            );
            DesiredConfig {
                thread: thread_id.clone(),
                applied: AppliedConfig {
                    loadout: loadout.clone().into(),
                    ..applied
                },
                lowered,
                cause: None,
            }
        };
        let (change, itself, receipt) = match selection {
            None => {
                let itself = before.as_ref().map(|record| told(&record.loadout, None));
                let thread = thread_id.clone();
                (Change::Native { thread, place }, itself, None)
            }
            Some(selection) => {
                let rule = Rule::without_key(Carrier::Field, Some(selection));
                let mut selected = self.loadouts.select(rule, &cwd).await?.unwrap_or_default();
                selected.request_servers = own_servers(before.as_ref(), &RawObject::default())?;
                let catalog = self.catalog_for(&selected, &upstream, &cwd).await?;
                let draft = self.loadouts.draft(selected, &catalog, &upstream).await?;
                let inherited = inherited(before.as_ref(), place.clone());
                let (loadout, lowered, digest) =
                    self.loadouts.renew(draft, inherited, |_| Ok(())).await?;
                let itself = told(&loadout, Some(lowered));
                let receipt = Box::new(loadout.receipt.clone().into_inner());
                let record = Box::new(renewed(thread_id.clone(), before, loadout));
                let loadout = digest;
                let change = Change::To {
                    loadout,
                    record,
                    place,
                };
                (change, Some(itself), Some(receipt))
            }
        };
        if loaded && let Some(itself) = itself {
            load.insert(0, itself);
        }
        let rebind = Rebind {
            unload,
            along,
            change: Some(change),
            load,
            then: Then::Tell(receipt),
        };
        Ok(self.when_quiet(carried, rebind))
    }

    /// The folder Codex keeps for a thread.
    async fn cwd_in_codex(&self, thread_id: &str) -> Result<std::path::PathBuf, LoadoutError> {
        let answer = known_to_codex(thread_id, &self.rpc).await?;
        let cwd = answer["thread"]["cwd"].as_str().unwrap_or_default();
        Ok(std::path::PathBuf::from(cwd))
    }
}

fn read_update(params: &RawObject<'_>) -> Result<ThreadCapabilityUpdateParams, LoadoutError> {
    let invalid = |field: &str, why: &str| {
        LoadoutError::new(ErrorKind::InvalidSelection, format!("`{field}` {why}"))
            .with_hint("Send `threadId`, and `capabilitySelection` with a selection or `null`.")
            .with_items(vec![ErrorItem::named(field)])
    };
    if let Some((field, _)) = params
        .iter()
        .find(|(field, _)| *field != "threadId" && *field != FIELD)
    {
        return Err(invalid(field, "is no parameter of this method"));
    }
    let thread_id = params
        .get_string("threadId")
        .ok_or_else(|| invalid("threadId", "is missing"))?;
    let capability_selection = match params.get(FIELD) {
        None => return Err(invalid(FIELD, "is missing")),
        Some("null") => None,
        Some(text) => Some(CapabilitySelection::from_json(text)?),
    };
    Ok(ThreadCapabilityUpdateParams {
        thread_id,
        capability_selection,
    })
}
