//! What has to be known before anything is decided.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use codex_loadout_protocol::LoadoutError;
use serde::Deserialize;
use serde_json::json;

use super::opening::CurrentLoadout;
use super::request_handlers::RequestHandlers;
use crate::catalog::Catalog;
use crate::loadouts::{RootAssignment, Selected, cwd_of};
use crate::messages::initialize::UpstreamInfo;
use crate::records::ThreadRecord;
use crate::resolver::Plan;
use crate::wire::RawObject;

impl RequestHandlers {
    pub(super) async fn catalog(
        &self,
        upstream: &UpstreamInfo,
        cwd: &Path,
    ) -> Result<Arc<Catalog>, LoadoutError> {
        Ok(self
            .catalogs
            .get(&self.rpc, &upstream.codex_home, cwd)
            .await?)
    }

    /// The catalog that a selection is resolved on.
    pub(super) async fn catalog_for(
        &self,
        selected: &Selected,
        upstream: &UpstreamInfo,
        cwd: &Path,
    ) -> Result<Arc<Catalog>, LoadoutError> {
        self.learn_listed(upstream).await;
        let home = &upstream.codex_home;
        let (catalogs, rpc) = (&self.catalogs, &self.rpc);
        self.loadouts
            .catalog_for(selected, catalogs, rpc, home, cwd)
            .await
    }

    pub(super) async fn catalog_of_thread(
        &self,
        upstream: &UpstreamInfo,
        params: &RawObject<'_>,
        record: &ThreadRecord,
    ) -> Result<Arc<Catalog>, LoadoutError> {
        let cwd = self.cwd_of_thread(params, record).await;
        self.catalog_with(&record.loadout.plan, upstream, &cwd)
            .await
    }

    /// The catalog of a folder for a thread that has this plan: with the bundles whose hooks are in it.
    pub(super) async fn catalog_with(
        &self,
        plan: &Plan,
        upstream: &UpstreamInfo,
        cwd: &Path,
    ) -> Result<Arc<Catalog>, LoadoutError> {
        let catalog = self.catalog(upstream, cwd).await?;
        let loadouts = &self.loadouts;
        loadouts
            .with_bundles_of(plan, &self.catalogs, catalog)
            .await
    }

    /// The folder a thread will have: the request's, else the one Codex keeps for it, else the recorded one.
    pub(super) async fn cwd_of_thread(
        &self,
        params: &RawObject<'_>,
        record: &ThreadRecord,
    ) -> PathBuf {
        #[derive(Deserialize)]
        struct Answer {
            thread: Thread,
        }
        #[derive(Deserialize)]
        struct Thread {
            cwd: PathBuf,
        }
        if let Some(cwd) = cwd_of(params) {
            return cwd;
        }
        let question = json!({ "threadId": record.thread_id });
        match self.rpc.ask::<Answer>("thread/read", &question).await {
            Ok(answer) => answer.thread.cwd,
            Err(error) => {
                tracing::debug!(%error, "the recorded folder is used");
                record.loadout.cwd.clone()
            }
        }
    }

    /// Where another loadout for a thread can lie: swapping what lies at a root changes every thread
    /// that has it.
    pub(super) async fn place(
        &self,
        thread: &str,
        standing: &CurrentLoadout,
    ) -> Result<RootAssignment, LoadoutError> {
        let Some(root) = &standing.root else {
            return Ok(RootAssignment::Nowhere);
        };
        let before = standing.before.as_ref();
        Ok(match self.loadouts.is_shared(thread, before, root).await? {
            true => RootAssignment::New,
            false => RootAssignment::At(root.clone()),
        })
    }
}
