//! Requests that open a thread: what becomes of them before Codex gets them.

use std::path::{Path, PathBuf};

use codex_loadout_protocol::audit::AuditEvent;
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};

use super::rebind::{Change, Rebind, Then};
use super::request_handlers::{Carried, Pending, RequestHandlers};
use crate::blocking::{self, READ_WITHIN};
use crate::catalog::Catalog;
use crate::loadouts::{
    AppliedConfig, Inherited, Recorded, RootAssignment, Selected, check_environments, cwd_of,
    read_params, request_servers,
};
use crate::messages::initialize::UpstreamInfo;
use crate::messages::thread;
use crate::profiles::{Requested, in_request, take_out};
use crate::records::session_file::{self, SessionFileError};
use crate::records::{Lineage, LoadoutRecord, ThreadRecord};
use crate::resolver::RequestServers;
use crate::router::Prepared;
use crate::wire::{Frame, RawObject, replace_params};

impl RequestHandlers {
    pub(super) async fn start(
        &self,
        carried: &mut Carried,
        frame: &Frame,
    ) -> Result<Prepared, LoadoutError> {
        let params = read_params(frame)?;
        let requested = in_request(&params)?;
        let asked = requested.clone();
        let cwd = cwd_of(&params).map_or_else(own_cwd, Ok)?;
        let host = self.host.get().map(String::as_str);
        let chosen = self
            .loadouts
            .choose(requested, &self.launch, host, &cwd)
            .await?;
        let Some(mut selected) = chosen.selected else {
            return native(frame, &asked);
        };
        selected.request_servers = request_servers(&params)?;
        let upstream = self.upstream().await?;
        let catalog = self.catalog_for(&selected, &upstream, &cwd).await?;
        let launch = match self.experimental.get() {
            Some(false) => {
                let launch = self
                    .loadouts
                    .start_without_root(frame, selected, &catalog, &upstream);
                launch.await?
            }
            _ => {
                let launch = self.loadouts.start(frame, selected, &catalog, &upstream);
                launch.await?
            }
        };
        Ok(self.forward(
            carried,
            launch.request,
            Pending::Start(launch.record, launch.applied, AuditEvent::Start),
        ))
    }

    pub(super) async fn resume(
        &self,
        carried: &mut Carried,
        frame: &Frame,
    ) -> Result<Prepared, LoadoutError> {
        if !thread::has_object_of_params(frame) {
            return self.with_odd_params(frame).await;
        }
        let params = read_params(frame)?;
        let upstream = self.upstream().await?;
        let Some(thread_id) = source_thread(&params).await? else {
            return Ok(Prepared::Pass(frame.bytes().clone()));
        };
        carried.lock = Some(self.process.locks.lock(&thread_id).await);
        let recorded = self
            .loadouts
            .recorded(&thread_id, &upstream.codex_home)
            .await;
        let requested = in_request(&params)?;
        if requested.rules.is_empty() {
            // No field: the recorded loadout, or Codex's own way.
            return match recorded? {
                Recorded::Native => native(frame, &requested),
                Recorded::Loadout(record) => {
                    let catalog = self.catalog_of_thread(&upstream, &params, &record).await?;
                    self.resume_recorded(carried, frame, *record, &catalog, &upstream)
                        .await
                }
            };
        }
        let standing = self.standing(recorded, &thread_id, &upstream).await?;
        if standing.is_native && requested.selection().is_none() {
            return without_field(frame);
        }
        let place = self.place(&thread_id, &standing).await?;
        let before = standing.before;
        let family = self.unloaded_with(&thread_id, &upstream).await?;
        let (change, request, pending) = match requested.selection() {
            None => {
                let request = replace_params(frame.bytes(), &take_out(params))?;
                let thread = thread_id.clone();
                (
                    Change::Native { thread, place },
                    request,
                    Pending::Drop { thread_id },
                )
            }
            Some(_) => {
                let cwd = match &before {
                    Some(record) => self.cwd_of_thread(&params, record).await,
                    None => cwd_of(&params).map_or_else(own_cwd, Ok)?,
                };
                let mut selected = self.selected(requested, &cwd).await?.unwrap_or_default();
                selected.request_servers = own_servers(before.as_ref(), &params)?;
                let catalog = self.catalog_for(&selected, &upstream, &cwd).await?;
                check_environments(&params)?;
                let draft = self.loadouts.draft(selected, &catalog, &upstream).await?;
                if let Some(record) = &before
                    && draft.is_same(&record.loadout)
                {
                    // Hosts that know no thread's state say the same each time.
                    let record = record.clone();
                    return self
                        .resume_recorded(carried, frame, record, &catalog, &upstream)
                        .await;
                }
                let inherited = inherited(before.as_ref(), place.clone());
                let (launch, loadout) = self.loadouts.anew(frame, draft, inherited).await?;
                let record = renewed(thread_id, before, launch.record);
                let pending =
                    Pending::Resume(record.clone(), Some(launch.applied), AuditEvent::Update);
                let record = Box::new(record);
                (
                    Change::To {
                        loadout,
                        record,
                        place,
                    },
                    launch.request,
                    pending,
                )
            }
        };
        let rebind = Rebind {
            unload: family.unload,
            along: family.along,
            change: Some(change),
            load: family.load,
            then: Then::Forward(request, Box::new(pending)),
        };
        Ok(self.when_quiet(carried, rebind))
    }

    /// A resume of a thread with the loadout that it has.
    async fn resume_recorded(
        &self,
        carried: &mut Carried,
        frame: &Frame,
        record: ThreadRecord,
        catalog: &Catalog,
        upstream: &UpstreamInfo,
    ) -> Result<Prepared, LoadoutError> {
        let thread = &record.thread_id;
        let launch = self
            .loadouts
            .again(frame, thread, record.loadout, catalog, upstream)
            .await?;
        let applied = self
            .unless_loaded(thread, &launch.record, launch.applied, upstream)
            .await?;
        let record = ThreadRecord {
            loadout: launch.record,
            ..record
        };
        Ok(self.forward(
            carried,
            launch.request,
            Pending::Resume(record, applied, AuditEvent::Resume),
        ))
    }

    /// What a request asks for, for a thread in a folder. What counts for new threads alone does not count here.
    pub(super) async fn selected(
        &self,
        requested: Requested,
        cwd: &Path,
    ) -> Result<Option<Selected>, LoadoutError> {
        match requested.rules.into_iter().next() {
            Some(rule) => self.loadouts.select(rule, cwd).await,
            None => Ok(None),
        }
    }

    /// What a thread has that is to get another loadout. One that is lost may be replaced or dropped:
    /// the host says so.
    pub(super) async fn standing(
        &self,
        recorded: Result<Recorded, LoadoutError>,
        thread_id: &str,
        upstream: &UpstreamInfo,
    ) -> Result<CurrentLoadout, LoadoutError> {
        let is_native = match recorded {
            Ok(Recorded::Loadout(record)) => {
                return Ok(CurrentLoadout {
                    is_native: false,
                    root: record.loadout.root.clone(),
                    before: Some(*record),
                });
            }
            Ok(Recorded::Native) => true,
            Err(error) if error.kind == ErrorKind::LoadoutLost => false,
            Err(error) => return Err(error),
        };
        // One that had a loadout once has its root still.
        let root = self
            .loadouts
            .root_of(thread_id, &upstream.codex_home)
            .await?;
        Ok(CurrentLoadout {
            is_native: is_native || root.is_none(),
            before: None,
            root,
        })
    }

    /// Codex silently ignores the config of a resume of a thread that is loaded: that stays bound as it was.
    async fn unless_loaded(
        &self,
        thread_id: &str,
        loadout: &LoadoutRecord,
        applied: AppliedConfig,
        upstream: &UpstreamInfo,
    ) -> Result<Option<AppliedConfig>, LoadoutError> {
        if !self.is_loaded(thread_id).await? {
            self.lead_to_root(thread_id, loadout, upstream).await?;
            return Ok(Some(applied));
        }
        if self.applied.get(thread_id).is_some() {
            // Whether Codex moves it to this folder is heard later.
            self.applied.change(thread_id, |known| {
                known.next_cwd = (known.cwd != applied.cwd).then(|| applied.cwd.clone());
            });
            return Ok(None);
        }
        Ok(Some(AppliedConfig {
            config: None,
            ..applied
        }))
    }

    /// Before Codex reads a thread's session file: the record decides which root that names.
    pub(super) async fn lead_to_root(
        &self,
        thread_id: &str,
        loadout: &LoadoutRecord,
        upstream: &UpstreamInfo,
    ) -> Result<(), LoadoutError> {
        if let Some(root) = &loadout.root {
            let home = &upstream.codex_home;
            self.loadouts.lead_to_root(thread_id, home, root).await?;
        }
        Ok(())
    }
}

/// What a thread has that is to get another loadout.
#[derive(Debug)]
pub(super) struct CurrentLoadout {
    /// Whether it has no loadout.
    pub(super) is_native: bool,
    /// Its record.
    pub(super) before: Option<ThreadRecord>,
    /// Its root, also if its record is lost, or an empty one is left of a loadout.
    pub(super) root: Option<String>,
}

/// What a thread brings along to another loadout.
pub(super) fn inherited(before: Option<&ThreadRecord>, place: RootAssignment) -> Inherited {
    Inherited {
        place,
        host_instructions: before.and_then(|record| record.loadout.host_instructions.clone()),
    }
}

/// The MCP servers that a thread's host has defined: in this request, else before.
pub(super) fn own_servers(
    before: Option<&ThreadRecord>,
    params: &RawObject<'_>,
) -> Result<RequestServers, LoadoutError> {
    let mut servers = before.map_or_else(RequestServers::new, |record| {
        record.loadout.plan.request_servers()
    });
    servers.extend(request_servers(params)?);
    Ok(servers)
}

/// A thread's record with another loadout.
pub(super) fn renewed(
    thread_id: String,
    before: Option<ThreadRecord>,
    loadout: LoadoutRecord,
) -> ThreadRecord {
    let (lineage, inherited_from) = before.map_or((Lineage::Started, None), |record| {
        (record.lineage, record.inherited_from)
    });
    ThreadRecord {
        thread_id,
        lineage,
        inherited_from,
        loadout,
    }
}

/// The thread that is resumed or forked: by id, or by the path of its session file. `None`: Codex says what
/// is wrong.
///
/// # Errors
/// `invalidSelection` for a path that Codex might read and that is not read here: the thread could have a
/// loadout.
pub(super) async fn source_thread(params: &RawObject<'_>) -> Result<Option<String>, LoadoutError> {
    // Codex takes the path where both are given.
    let by_path = match params.get_string("path") {
        Some(path) => thread_at(PathBuf::from(path)).await?,
        None => None,
    };
    Ok(by_path.or_else(|| params.get_string("threadId").filter(|id| !id.is_empty())))
}

pub(super) async fn thread_at(path: PathBuf) -> Result<Option<String>, LoadoutError> {
    let unfit = |reason: String| {
        LoadoutError::new(ErrorKind::InvalidSelection, reason)
            .with_hint("Send the `path` of a session file of Codex's, or the thread's `threadId`.")
            .with_items(vec![ErrorItem::named("path")])
    };
    let file = path.clone();
    match blocking::within(READ_WITHIN, move || session_file::read_meta(&file)).await {
        Ok(Ok(meta)) => Ok(Some(meta.thread_id)),
        // It can't be read, or is nothing of Codex's.
        Ok(Err(SessionFileError::Unreadable { .. } | SessionFileError::NoMeta { .. })) => Ok(None),
        Ok(Err(error @ SessionFileError::Unfit { .. })) => Err(unfit(error.to_string())),
        Err(error) => {
            let message = format!("`{}` can't be read: {error}", path.display());
            Err(unfit(message))
        }
    }
}

/// The request as Codex gets it where the thread has no loadout: as it came, if nothing in it is ours.
pub(super) fn native(frame: &Frame, requested: &Requested) -> Result<Prepared, LoadoutError> {
    match *requested == Requested::default() {
        true => Ok(Prepared::Pass(frame.bytes().clone())),
        false => without_field(frame),
    }
}

/// The request without what is ours: native.
pub(super) fn without_field(frame: &Frame) -> Result<Prepared, LoadoutError> {
    let params = take_out(read_params(frame)?);
    Ok(Prepared::Pass(replace_params(frame.bytes(), &params)?))
}

pub(super) fn own_cwd() -> Result<PathBuf, LoadoutError> {
    std::env::current_dir().map_err(|error| {
        LoadoutError::new(
            ErrorKind::InvalidSelection,
            format!("the request has no `cwd`, and Codex's own folder can't be found: {error}"),
        )
        .with_hint("Send an absolute `cwd`.")
    })
}
