//! A request that starts, resumes or forks a thread, with the loadout lowered into it.

use std::sync::Arc;

use bytes::Bytes;
use codex_loadout_protocol::receipt::Warning;
use codex_loadout_protocol::{CapabilitySelection, LoadoutError};
use serde_json::Value;

use super::applied::AppliedConfig;
use super::choice::Selected;
use super::draft::{Draft, Inherited};
use super::request_params::{
    INSTRUCTIONS, ROOTS, check_environments, config_of_host, instructions_of_host, is_prediction,
    merged_config, read_params, request_servers, resumable_params, roots_of_host,
};
use super::state::{Loadouts, blocking};
use crate::bundle::Digest;
use crate::catalog::Catalog;
use crate::crash_point::crash_point;
use crate::lowering::{
    Lowered, MergeMode, developer_instructions, held_against_policy, roots_json,
};
use crate::messages::initialize::UpstreamInfo;
use crate::profiles::take_out;
use crate::records::LoadoutRecord;
use crate::resolver;
use crate::wire::{Frame, RawObject, replace_params};

/// The code of the warning that a thread has no root.
const WITHOUT_ROOT: &str = "withoutRoot";

/// A request ready to go to Codex, and what is to be recorded when it succeeds.
#[derive(Debug)]
pub(crate) struct Launch {
    /// The request as Codex gets it.
    pub request: Bytes,
    /// The loadout it carries.
    pub record: LoadoutRecord,
    /// What the thread is told when it is loaded.
    pub applied: AppliedConfig,
}

impl Loadouts {
    /// A start with a new loadout: snapshots it, gives it a root of its own, lowers it.
    ///
    /// # Errors
    /// Whatever is wrong with the selection or the request around it.
    pub(crate) async fn start(
        self: &Arc<Self>,
        request: &Frame,
        selected: Selected,
        catalog: &Arc<Catalog>,
        upstream: &UpstreamInfo,
    ) -> Result<Launch, LoadoutError> {
        let mut params = take_out(read_params(request)?);
        check_environments(&params)?;
        crash_point("start: before publish");
        let Draft {
            mut record,
            worked_out,
        } = self.draft(selected, catalog, upstream).await?;
        crash_point("start: after publish");
        // Refused before a root is made for it.
        let config = worked_out.merged_with(config_of_host(&params))?;
        let of_host = roots_of_host(&params, worked_out.lowered.mode)?;
        record.host_instructions = instructions_of_host(&params);
        let (record, path) = self.with_root(record).await?;
        params.set(ROOTS, roots_json(&path, of_host));
        launch(request, params, Some(config), record, &worked_out.lowered)
    }

    /// A start on a connection where nobody asked Codex for its experimental API, which a root takes. The thread
    /// reads its skills by their paths.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub(crate) async fn start_without_root(
        self: &Arc<Self>,
        request: &Frame,
        selected: Selected,
        catalog: &Arc<Catalog>,
        upstream: &UpstreamInfo,
    ) -> Result<Launch, LoadoutError> {
        let params = take_out(read_params(request)?);
        check_environments(&params)?;
        let Draft {
            mut record,
            worked_out,
        } = self.draft(selected, catalog, upstream).await?;
        let config = worked_out.merged_with(config_of_host(&params))?;
        record.host_instructions = instructions_of_host(&params);
        if record
            .plan
            .bundles
            .iter()
            .any(|bundle| bundle.mount.is_some())
        {
            let warning = Warning::new(
                WITHOUT_ROOT,
                "the host did not ask for `experimentalApi`, so the thread has no root: its skills are read by their paths, and `$name` puts nothing in",
            );
            record.receipt.warnings.push(warning);
        }
        launch(request, params, Some(config), record, &worked_out.lowered)
    }

    /// A resume or fork of this thread with its recorded loadout, lowered anew onto the user's set of this
    /// moment.
    ///
    /// # Errors
    /// `loadoutLost` if its snapshots can't be brought back, or what is wrong with the request around it.
    pub(crate) async fn again(
        self: &Arc<Self>,
        request: &Frame,
        thread: &str,
        record: LoadoutRecord,
        catalog: &Catalog,
        upstream: &UpstreamInfo,
    ) -> Result<Launch, LoadoutError> {
        let params = take_out(read_params(request)?);
        check_environments(&params)?;
        let mut record = self.restored(thread, record).await?;
        if record.plan.take_up(request_servers(&params)?) {
            let now = self.receipt_on(&record.plan, catalog, upstream.version);
            record.receipt.digest = now.digest;
            record.receipt.mcp_servers = now.mcp_servers;
        }
        let lowered = self.lower(&record.plan, catalog, upstream)?;
        record.receipt.managed = held_against_policy(&record.plan, catalog, &lowered)?;
        let gone = lowered.gone_servers.iter().map(|server| {
            let message = format!(
                "MCP server `{server}` is no longer in the config; the thread goes on without it"
            );
            Warning::new("serverGone", message)
        });
        record.receipt.warnings.extend(gone);
        record.receipt.warnings.dedup();
        record.receipt.hooks = resolver::hooks(&record.plan, catalog);
        record.cwd.clone_from(&catalog.cwd);
        let config = merged_config(&params, &lowered)?;
        // Codex lets this kind of fork inherit its loaded source's config, and refuses another.
        let config = Some(config).filter(|_| !is_prediction(&params));
        launch(request, params, config, record, &lowered)
    }

    /// A record whose snapshots are brought back, with a warning for each that had been changed, and the list of
    /// skills that older records lack.
    async fn restored(
        self: &Arc<Self>,
        thread: &str,
        mut record: LoadoutRecord,
    ) -> Result<LoadoutRecord, LoadoutError> {
        let loadouts = self.clone();
        let restored = blocking(move || {
            let healed = loadouts.restore(&record)?;
            if record.plan.skill_list.is_none() {
                record.plan.skill_list = Some(loadouts.skill_list_on_disk(&record.plan));
                record.list_is_due = true;
            }
            Ok((healed, record))
        });
        let (healed, mut record) = restored.await?;
        self.note_healed(Some(thread), &healed).await;
        let warnings = healed.iter().map(|source| {
            let message = format!(
                "the snapshot of `{}` had been changed; it was brought back from its source",
                source.display()
            );
            Warning::new("healed", message)
        });
        record.receipt.warnings.extend(warnings);
        Ok(record)
    }

    /// A resume or fork with another loadout than the recorded one.
    ///
    /// # Errors
    /// As [`Self::renew`].
    pub(crate) async fn anew(
        self: &Arc<Self>,
        request: &Frame,
        draft: Draft,
        inherited: Inherited,
    ) -> Result<(Launch, Digest), LoadoutError> {
        let params = take_out(read_params(request)?);
        let checked = |lowered: &Lowered| merged_config(&params, lowered).map(|_| ());
        let inherited = Inherited {
            host_instructions: instructions_of_host(&params).or(inherited.host_instructions),
            ..inherited
        };
        let (record, lowered, loadout) = self.renew(draft, inherited, checked).await?;
        let config = merged_config(&params, &lowered)?;
        let launch = launch(request, params, Some(config), record, &lowered)?;
        Ok((launch, loadout))
    }

    /// A fork as Codex is to make it that gets its loadout right afterwards: with nothing of the user's
    /// meanwhile, and without starting a server twice. `mode` is that of the loadout to come.
    ///
    /// # Errors
    /// `invalidSelection` if the host's own config would widen that.
    pub(crate) fn bare(
        &self,
        request: &Frame,
        mode: MergeMode,
        catalog: &Catalog,
        upstream: &UpstreamInfo,
    ) -> Result<Bytes, LoadoutError> {
        let mut params = take_out(read_params(request)?);
        check_environments(&params)?;
        let nothing = resolver::resolve(&CapabilitySelection::default(), catalog)?;
        let lowered = Lowered {
            mode,
            // They start once, with the loadout.
            drops_host_servers: true,
            ..self.lower(&nothing, catalog, upstream)?
        };
        let config = merged_config(&params, &lowered)?;
        params.set("config", config);
        Ok(replace_params(request.bytes(), &params)?)
    }
}

/// The request with a loadout in it; `params` are without what is ours. Without `config`, it keeps its own.
fn launch(
    request: &Frame,
    mut params: RawObject<'_>,
    config: Option<String>,
    mut record: LoadoutRecord,
    lowered: &Lowered,
) -> Result<Launch, LoadoutError> {
    if let Some(of_host) = instructions_of_host(&params) {
        record.host_instructions = Some(of_host);
    }
    let instructions = instructions(&record, lowered);
    let applied = applied(&params, &record, lowered);
    if let Some(config) = config {
        params.set("config", config);
        if let Some(instructions) = instructions {
            params.set(INSTRUCTIONS, Value::from(instructions).to_string());
        }
    }
    Ok(Launch {
        request: replace_params(request.bytes(), &params)?,
        record,
        applied,
    })
}

/// The developer's instructions that a thread is loaded with: what its host gave it, else what the user's
/// config says, and the list of skills. `None`: Codex's own way.
#[must_use]
pub(crate) fn instructions(record: &LoadoutRecord, lowered: &Lowered) -> Option<String> {
    let list = lowered.skill_list.as_deref()?;
    let of_user = lowered.user_instructions.as_deref();
    developer_instructions(record.host_instructions.as_deref(), of_user, list)
}

fn applied(params: &RawObject<'_>, record: &LoadoutRecord, lowered: &Lowered) -> AppliedConfig {
    AppliedConfig {
        config: Some(lowered.config.clone()),
        host_params: resumable_params(params),
        ..AppliedConfig::new(Arc::new(record.clone()), record.cwd.clone())
    }
}
