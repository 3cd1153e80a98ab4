//! Which loadout a thread has: its record, or what Codex's own session file says.

use std::path::Path;

use codex_loadout_protocol::audit::AuditEvent;
use codex_loadout_protocol::method::{ThreadCapabilityListParams, ThreadLoadout};
use codex_loadout_protocol::receipt::Warning;
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError, Receipt};

use super::lost::lost;
use super::root_assignment::session_meta;
use super::state::Loadouts;
use crate::records::root_file::Purpose;
use crate::records::{Lineage, LoadoutRecord, RecordsError, ThreadRecord, root_file, rootless};

/// The code of the warning that a record was made again.
const RECOVERED: &str = "recovered";

/// What is known of a thread.
#[derive(Debug)]
pub(crate) enum Recorded {
    /// It has a loadout.
    Loadout(Box<ThreadRecord>),
    /// It never had one.
    Native,
}

impl Recorded {
    /// The record of a thread that has to have one.
    ///
    /// # Errors
    /// `unknownCapability` if it has none.
    pub(crate) fn or_unknown(self, thread: &str) -> Result<ThreadRecord, LoadoutError> {
        match self {
            Self::Loadout(record) => Ok(*record),
            Self::Native => Err(LoadoutError::new(
                ErrorKind::UnknownCapability,
                format!("no loadout is recorded for thread `{thread}`"),
            )
            .with_hint(
                "`thread/capability/list` (or `codex-loadout threads`) shows those that have one.",
            )
            .with_items(vec![ErrorItem::named(thread)])),
        }
    }
}

impl Loadouts {
    /// Finds a thread's loadout. A record that is missing is made again from the root that Codex's
    /// session file names, and that is said in the receipt's warnings.
    ///
    /// # Errors
    /// `loadoutLost` if the thread had a loadout that can't be found or read: it must not run wider.
    pub(crate) async fn recorded(
        &self,
        thread_id: &str,
        codex_home: &Path,
    ) -> Result<Recorded, LoadoutError> {
        let unknown = match self.existing_records().await {
            Ok(None) => return self.recover(thread_id, codex_home).await,
            Ok(Some(records)) => match records.thread(thread_id).await {
                Ok(Some(record)) => return Ok(Recorded::Loadout(Box::new(record))),
                Ok(None) => return self.recover(thread_id, codex_home).await,
                Err(error @ RecordsError::Unreadable { .. }) => return Err(error.into()),
                Err(error) => error.into(),
            },
            Err(error) => error,
        };
        match self.is_native_for_sure(thread_id, codex_home).await? {
            true => Ok(Recorded::Native),
            false => Err(unknown),
        }
    }

    /// Whether a thread has no loadout, whatever the records say that can't be read: neither its session file
    /// nor those of the threads it came out of name a root of ours, and none of them has a loadout without one.
    async fn is_native_for_sure(
        &self,
        thread_id: &str,
        codex_home: &Path,
    ) -> Result<bool, LoadoutError> {
        let mut seen = vec![thread_id.to_owned()];
        while let Some(thread) = seen.last().cloned() {
            if rootless::may_be(self.state_home(), &thread) {
                return Ok(false);
            }
            let Some((_, meta)) = session_meta(&thread, codex_home).await? else {
                return Ok(false);
            };
            if self.own_root(&meta)?.is_some() {
                return Ok(false);
            }
            match meta.parent.or(meta.forked_from) {
                Some(origin) if !seen.contains(&origin) => seen.push(origin),
                _ => return Ok(true),
            }
        }
        Ok(false)
    }

    /// The recorded threads, newest first: all, or those whose loadout was made from a profile or holds
    /// a plugin (by id or bare name).
    ///
    /// # Errors
    /// `loadoutLost` if the records can't be read.
    pub(crate) async fn threads(
        &self,
        wanted: &ThreadCapabilityListParams,
    ) -> Result<Vec<ThreadLoadout>, LoadoutError> {
        let Some(records) = self.existing_records().await? else {
            return Ok(Vec::new());
        };
        let records = records
            .threads()
            .await?
            .into_iter()
            .filter(|record| is_wanted(&record.loadout.receipt, wanted));
        let threads = records.map(|record| ThreadLoadout {
            thread_id: record.thread_id,
            cwd: record.loadout.cwd.to_string_lossy().into_owned(),
            recorded_at: record.loadout.recorded_at,
            capability_selection: record.loadout.receipt.into_inner(),
            loaded: None,
            stale: None,
        });
        Ok(threads.collect())
    }

    /// What these threads spawned, and so on, as far as it is on record.
    ///
    /// # Errors
    /// `loadoutLost` if the records can't be read.
    pub(crate) async fn spawned_by(&self, threads: &[String]) -> Result<Vec<String>, LoadoutError> {
        match self.existing_records().await? {
            Some(records) => Ok(records.spawned_by(threads).await?),
            None => Ok(Vec::new()),
        }
    }

    async fn recover(&self, thread_id: &str, codex_home: &Path) -> Result<Recorded, LoadoutError> {
        // Native threads are looked up here as well: of most, one folder and one line are read.
        let Some((_, meta)) = session_meta(thread_id, codex_home).await? else {
            return Ok(Recorded::Native);
        };
        let mut root = self.own_root(&meta)?;
        if let (Some(_), Some(source)) = (&root, &meta.forked_from)
            && let Some(own) = self.finish_fork(thread_id, source, codex_home).await?
        {
            root = Some(own);
        }
        let inherited_from = meta.parent.or(meta.forked_from);
        let Some(root) = root else {
            // A child spawned on Codex 0.144 names its parent, but no root.
            return match inherited_from.filter(|parent| parent != thread_id) {
                Some(parent) => self.inherited(thread_id, &parent, codex_home).await,
                None => Ok(Recorded::Native),
            };
        };
        let mut loadout = match root_file::read(&self.store()?.roots(), &root)? {
            Some(Purpose::Loadout(loadout)) => *loadout,
            Some(Purpose::Native) => return Ok(Recorded::Native),
            None => return Err(lost("its record is gone")),
        };
        loadout.receipt.inherited_from.clone_from(&inherited_from);
        self.recovered(thread_id, inherited_from, loadout).await
    }

    /// The loadout of the thread that this one came out of, if that has one.
    async fn inherited(
        &self,
        thread_id: &str,
        parent: &str,
        codex_home: &Path,
    ) -> Result<Recorded, LoadoutError> {
        let found = Box::pin(self.recorded(parent, codex_home)).await?;
        let Recorded::Loadout(record) = found else {
            return Ok(Recorded::Native);
        };
        let mut loadout = record.loadout;
        loadout.receipt.inherited_from = Some(parent.to_owned());
        self.recovered(thread_id, Some(parent.to_owned()), loadout)
            .await
    }

    async fn recovered(
        &self,
        thread_id: &str,
        inherited_from: Option<String>,
        mut loadout: LoadoutRecord,
    ) -> Result<Recorded, LoadoutError> {
        let message = "the record of this thread was missing; its loadout was recovered through Codex's session file";
        if !loadout
            .receipt
            .warnings
            .iter()
            .any(|warning| warning.code == RECOVERED)
        {
            loadout
                .receipt
                .warnings
                .push(Warning::new(RECOVERED, message));
        }
        let record = ThreadRecord {
            thread_id: thread_id.to_owned(),
            lineage: Lineage::Recovered,
            inherited_from,
            loadout,
        };
        let cause = "Codex's session file names its root, or its parent";
        self.records()
            .await?
            .put_thread(&record, AuditEvent::Recovered, cause)
            .await?;
        Ok(Recorded::Loadout(Box::new(record)))
    }

    /// Gives a spawned or forked thread the loadout of the one it came out of.
    ///
    /// # Errors
    /// `loadoutLost` if it can't be recorded.
    pub(crate) async fn inherit(
        &self,
        child: &str,
        lineage: Lineage,
        parent: &str,
        mut loadout: LoadoutRecord,
    ) -> Result<ThreadRecord, LoadoutError> {
        loadout.receipt.inherited_from = Some(parent.to_owned());
        // A spawned thread begins with the list that its parent was loaded with.
        loadout.list_is_due &= lineage != Lineage::Spawned;
        let record = ThreadRecord {
            thread_id: child.to_owned(),
            lineage,
            inherited_from: Some(parent.to_owned()),
            loadout,
        };
        let (event, cause) = match lineage {
            Lineage::Spawned => (AuditEvent::Spawn, format!("spawned by {parent}")),
            _ => (AuditEvent::Fork, format!("fork of {parent}")),
        };
        self.records()
            .await?
            .put_thread(&record, event, &cause)
            .await?;
        Ok(record)
    }
}

fn is_wanted(receipt: &Receipt, wanted: &ThreadCapabilityListParams) -> bool {
    let has_plugin = |name: &String| {
        receipt
            .plugins
            .iter()
            .any(|plugin| plugin.id == *name || plugin.id.split('@').next() == Some(name))
    };
    wanted
        .profile
        .as_ref()
        .is_none_or(|profile| receipt.profile.contains(profile))
        && wanted.plugin.as_ref().is_none_or(has_plugin)
}
