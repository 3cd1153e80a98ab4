//! Forks: with their source's loadout, or with one of their own.
//!
//! Codex gives a fork its source's root. One that is to have another loadout is
//! made with as little as can be, and split (`fork_split`) before the host hears of
//! it.

use std::path::PathBuf;

use codex_loadout_protocol::audit::AuditEvent;
use codex_loadout_protocol::selection::FIELD;
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};

use super::fork_split::ForkSplit;
use super::opening::{inherited, native, own_cwd, own_servers, source_thread, without_field};
use super::request_handlers::{Carried, Pending, RequestHandlers};
use crate::loadouts::{
    AppliedConfig, Recorded, RootAssignment, Selected, check_environments, cwd_of, is_prediction,
    read_params, resumable_params,
};
use crate::lowering::MergeMode;
use crate::messages::initialize::UpstreamInfo;
use crate::messages::thread;
use crate::profiles::{in_request, take_out};
use crate::records::ThreadRecord;
use crate::router::Prepared;
use crate::wire::{Frame, RawObject};

impl RequestHandlers {
    pub(super) async fn fork(
        &self,
        carried: &mut Carried,
        frame: &Frame,
    ) -> Result<Prepared, LoadoutError> {
        if !thread::has_object_of_params(frame) {
            return self.with_odd_params(frame).await;
        }
        let params = read_params(frame)?;
        let upstream = self.upstream().await?;
        let Some(source) = source_thread(&params).await? else {
            return Ok(Prepared::Pass(frame.bytes().clone()));
        };
        carried.lock = Some(self.process.locks.lock(&source).await);
        let recorded = self
            .loadouts
            .recorded(&source, &upstream.codex_home)
            .await?;
        let requested = in_request(&params)?;
        let asks = !requested.rules.is_empty();
        let record = match recorded {
            Recorded::Native if !asks => return native(frame, &requested),
            Recorded::Native => None,
            Recorded::Loadout(record) => Some(*record),
        };
        if let Some(record) = &record
            && self.applied.get(&source).is_none()
        {
            self.lead_to_root(&source, &record.loadout, &upstream)
                .await?;
        }
        match record {
            Some(record) if !asks => {
                let catalog = self.catalog_of_thread(&upstream, &params, &record).await?;
                let launch = self
                    .loadouts
                    .again(frame, &source, record.loadout, &catalog, &upstream)
                    .await?;
                let pending = Pending::Fork {
                    source,
                    loadout: launch.record,
                    applied: launch.applied,
                };
                Ok(self.forward(carried, launch.request, pending))
            }
            record => {
                let cwd = match &record {
                    Some(record) => self.cwd_of_thread(&params, record).await,
                    None => cwd_of(&params).map_or_else(own_cwd, Ok)?,
                };
                let mut selected = self.selected(requested, &cwd).await?;
                if let Some(selected) = &mut selected {
                    selected.request_servers = own_servers(record.as_ref(), &params)?;
                }
                let wanted = ForkRequest {
                    frame,
                    selected,
                    params,
                    cwd,
                };
                match record {
                    Some(record) if record.loadout.root.is_some() => {
                        self.fork_with_another_loadout(carried, wanted, record, &upstream)
                            .await
                    }
                    record => {
                        self.fork_of_rootless(carried, wanted, record, &upstream)
                            .await
                    }
                }
            }
        }
    }

    /// A fork of a thread without a root has none either, and its loadout has to do without.
    async fn fork_of_rootless(
        &self,
        carried: &mut Carried,
        wanted: ForkRequest<'_>,
        record: Option<ThreadRecord>,
        upstream: &UpstreamInfo,
    ) -> Result<Prepared, LoadoutError> {
        let Some(selected) = wanted.selected else {
            return without_field(wanted.frame);
        };
        let catalog = self.catalog_for(&selected, upstream, &wanted.cwd).await?;
        check_environments(&wanted.params)?;
        let draft = self.loadouts.draft(selected, &catalog, upstream).await?;
        let inherited = inherited(record.as_ref(), RootAssignment::Nowhere);
        let (launch, _) = self.loadouts.anew(wanted.frame, draft, inherited).await?;
        // It inherits nothing: the loadout is its own.
        let pending = Pending::Start(launch.record, launch.applied, AuditEvent::Fork);
        Ok(self.forward(carried, launch.request, pending))
    }

    /// A fork with another loadout than its source's, or without one.
    async fn fork_with_another_loadout(
        &self,
        carried: &mut Carried,
        wanted: ForkRequest<'_>,
        source: ThreadRecord,
        upstream: &UpstreamInfo,
    ) -> Result<Prepared, LoadoutError> {
        check_can_be_split(&wanted.params)?;
        let cwd = wanted.cwd;
        let catalog = match &wanted.selected {
            Some(selected) => self.catalog_for(selected, upstream, &cwd).await?,
            None => self.catalog(upstream, &cwd).await?,
        };
        let bare = |mode| self.loadouts.bare(wanted.frame, mode, &catalog, upstream);
        let (request, split) = match wanted.selected {
            Some(selected) => {
                check_environments(&wanted.params)?;
                let draft = self.loadouts.draft(selected, &catalog, upstream).await?;
                let inherited = inherited(Some(&source), RootAssignment::New);
                let (launch, _) = self.loadouts.anew(wanted.frame, draft, inherited).await?;
                let request = bare(MergeMode::of(launch.record.plan.mode))?;
                let split = ForkSplit {
                    source: source.thread_id.clone(),
                    root: launch.record.root.clone().unwrap_or_default(),
                    loadout: Some(launch.record),
                    applied: launch.applied,
                };
                (request, split)
            }
            None => {
                let request = bare(MergeMode::Open)?;
                let split = ForkSplit {
                    source: source.thread_id.clone(),
                    root: self.loadouts.new_empty_root(&upstream.codex_home).await?,
                    loadout: None,
                    applied: AppliedConfig {
                        host_params: resumable_params(&take_out(wanted.params)),
                        ..AppliedConfig::new(source.loadout.into(), cwd)
                    },
                };
                (request, split)
            }
        };
        // So that whoever comes after a crash knows which root it was to have.
        let mark = uuid::Uuid::now_v7().to_string();
        let records = self.loadouts.records().await?;
        records
            .begin_forking(&split.root, &source.thread_id, &mark)
            .await?;
        Ok(self.forward(carried, request, Pending::ForkSplit(Box::new(split))))
    }
}

/// What the host wants of a fork.
struct ForkRequest<'a> {
    frame: &'a Frame,
    params: RawObject<'a>,
    selected: Option<Selected>,
    /// The fork's folder.
    cwd: PathBuf,
}

/// Codex has to let go of a fork and load it again: it can't what it does not write down, nor what
/// goes on with its source's config.
fn check_can_be_split(params: &RawObject<'_>) -> Result<(), LoadoutError> {
    let kept_in_memory = params.get("ephemeral") == Some("true");
    if !kept_in_memory && !is_prediction(params) {
        return Ok(());
    }
    Err(LoadoutError::new(
        ErrorKind::UnsupportedUpstream,
        "a fork that Codex keeps in memory has its source's root, so it can't have another loadout",
    )
    .with_hint("Fork without `capabilitySelection`, or without `ephemeral`.")
    .with_items(vec![ErrorItem::named(FIELD)]))
}
