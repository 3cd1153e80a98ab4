//! A request that starts, resumes or forks a thread, with the loadout lowered into it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use codex_loadout_protocol::receipt::Warning;
use codex_loadout_protocol::{CapabilitySelection, ErrorItem, ErrorKind, LoadoutError, Receipt};
use serde_json::{Map, Value};

use super::applied::AppliedConfig;
use super::choice::Selected;
use super::keeper::{Loadouts, blocking, parse_root, unix_now};
use super::root_assignment::RootAssignment;
use super::root_pool;
use crate::bundle::Digest;
use crate::catalog::Catalog;
use crate::crash_point::crash_point;
use crate::lowering::{
    CodexFeatures, Files, HostConfig, Lowered, MergeMode, developer_instructions,
    held_against_policy, lower, roots_json,
};
use crate::messages::initialize::UpstreamInfo;
use crate::messages::thread::RESUMABLE;
use crate::paths;
use crate::profiles::take_out;
use crate::records::{LoadoutRecord, root_file};
use crate::resolver::{self, Plan, RequestServers};
use crate::wire::{Frame, RawObject, replace_params};

/// `selectedCapabilityRoots`, Codex's own experimental field.
const ROOTS: &str = "selectedCapabilityRoots";

/// The code of the warning that a thread has no root.
const WITHOUT_ROOT: &str = "withoutRoot";

/// The developer's instructions, as a field of start, resume and fork.
pub(crate) const INSTRUCTIONS: &str = "developerInstructions";
/// The same, as a key of `config`.
const INSTRUCTIONS_KEY: &str = "developer_instructions";

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

/// A new loadout, snapshotted and lowered, without a root.
#[derive(Debug)]
pub(crate) struct Draft {
    record: LoadoutRecord,
    lowered: Lowered,
    /// What lies in the store.
    loadout: Digest,
}

impl Draft {
    /// Whether it is just the loadout that a thread has already.
    #[must_use]
    pub(crate) fn is_same(&self, record: &LoadoutRecord) -> bool {
        self.record.receipt.digest == record.receipt.digest
            && self.record.plan == record.plan
            && self.record.selection == record.selection
    }
}

/// What a thread that gets another loadout brings along.
#[derive(Debug)]
pub(crate) struct Inherited {
    /// Where the loadout is to lie for it.
    pub place: RootAssignment,
    /// The developer's instructions that its host gave it.
    pub host_instructions: Option<String>,
}

/// What is tried out.
#[derive(Debug)]
pub(crate) enum Trial {
    /// What a selection gives now.
    Selection(Box<Selected>),
    /// What is on record.
    Recorded(Box<LoadoutRecord>),
}

impl Trial {
    /// The selection that it is made of.
    #[must_use]
    pub(crate) fn selected(&self) -> Selected {
        match self {
            Self::Selection(selected) => (**selected).clone(),
            Self::Recorded(loadout) => {
                let mut selected = Selected::default();
                selected.expanded.selection = loadout.selection.clone();
                selected.request_servers = loadout.plan.request_servers();
                selected
            }
        }
    }
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
        catalog: &Catalog,
        upstream: &UpstreamInfo,
    ) -> Result<Launch, LoadoutError> {
        let mut params = take_out(read_params(request)?);
        check_environments(&params)?;
        crash_point("start: before publish");
        let Draft {
            mut record,
            lowered,
            ..
        } = self.draft(selected, catalog, upstream).await?;
        crash_point("start: after publish");
        // Refused before a root is made for it.
        let config = merged_config(&params, &lowered)?;
        let of_host = roots_of_host(&params, lowered.mode)?;
        record.host_instructions = instructions_of_host(&params);
        let (record, path) = self.with_root(record).await?;
        params.set(ROOTS, roots_json(&path, of_host));
        launch(request, params, Some(config), record, lowered)
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
        catalog: &Catalog,
        upstream: &UpstreamInfo,
    ) -> Result<Launch, LoadoutError> {
        let params = take_out(read_params(request)?);
        check_environments(&params)?;
        let Draft {
            mut record,
            lowered,
            ..
        } = self.draft(selected, catalog, upstream).await?;
        let config = merged_config(&params, &lowered)?;
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
        launch(request, params, Some(config), record, lowered)
    }

    /// Snapshots and lowers a new loadout.
    ///
    /// # Errors
    /// Whatever is wrong with the selection.
    pub(crate) async fn draft(
        self: &Arc<Self>,
        selected: Selected,
        catalog: &Catalog,
        upstream: &UpstreamInfo,
    ) -> Result<Draft, LoadoutError> {
        let Selected {
            expanded,
            rule,
            warnings,
            request_servers,
        } = selected;
        let published = self.publish(&expanded.selection, catalog, &request_servers);
        let published = published.await;
        let (plan, loadout) = published.map_err(|error| expanded.locate(error))?;
        let selection = expanded.selection;
        let lowered = self.lower(&plan, catalog, upstream)?;
        let managed = held_against_policy(&plan, catalog, &lowered)?;
        let mut receipt = self.receipt_on(&plan, catalog, upstream.version);
        receipt.warnings.extend(warnings);
        let record = LoadoutRecord {
            root: None,
            receipt: Receipt { managed, ..receipt },
            selection,
            rule,
            plan,
            host_instructions: None,
            list_is_due: false,
            codex_home: upstream.codex_home.clone(),
            cwd: catalog.cwd.clone(),
            recorded_at: unix_now(),
        };
        Ok(Draft {
            record,
            lowered,
            loadout,
        })
    }

    /// A loadout for a thread of our own, with a root that is to be discarded.
    ///
    /// # Errors
    /// Whatever is wrong with the selection, or `loadoutLost` if what is on record can't be brought back.
    pub(crate) async fn trial(
        self: &Arc<Self>,
        trial: Trial,
        catalog: &Catalog,
        upstream: &UpstreamInfo,
    ) -> Result<(LoadoutRecord, Lowered, PathBuf), LoadoutError> {
        let (record, lowered) = match trial {
            Trial::Selection(selected) => {
                let Draft {
                    record, lowered, ..
                } = self.draft(*selected, catalog, upstream).await?;
                (record, lowered)
            }
            Trial::Recorded(mut record) => {
                record.root = None;
                let loadouts = self.clone();
                let mut record =
                    blocking(move || loadouts.restore(&record).map(|_| *record)).await?;
                let lowered = self.lower(&record.plan, catalog, upstream)?;
                record.receipt.managed = held_against_policy(&record.plan, catalog, &lowered)?;
                (record, lowered)
            }
        };
        let (record, root) = self.with_root(record).await?;
        Ok((record, lowered, root))
    }

    /// Gives a loadout a root of its own, described beside it: before Codex knows the thread, so that
    /// whatever is cut short later, the thread's loadout can be found.
    async fn with_root(
        self: &Arc<Self>,
        mut record: LoadoutRecord,
    ) -> Result<(LoadoutRecord, PathBuf), LoadoutError> {
        match self.root_pool.take(self.store()?, &record) {
            Some(root) => record.root = Some(root),
            None => {
                let loadouts = self.clone();
                record = blocking(move || root_pool::create(loadouts.store()?, record)).await?;
            }
        }
        let root = parse_root(record.root.as_deref().unwrap_or_default())?;
        Ok((record, self.store()?.root_path(&root)))
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
        let loadouts = self.clone();
        let restored = blocking(move || {
            let healed = loadouts.restore(&record)?;
            let mut record = record;
            if record.plan.skill_list.is_none() {
                record.plan.skill_list = Some(loadouts.skill_list_on_disk(&record.plan));
                record.list_is_due = true;
            }
            Ok((healed, record))
        });
        let (healed, mut record) = restored.await?;
        self.note_healed(Some(thread), &healed).await;
        for source in healed {
            let message = format!(
                "the snapshot of `{}` had been changed; it was brought back from its source",
                source.display()
            );
            record
                .receipt
                .warnings
                .push(Warning::new("healed", message));
        }
        if record.plan.take_up(request_servers(&params)?) {
            let now = self.receipt_on(&record.plan, catalog, upstream.version);
            record.receipt.digest = now.digest;
            record.receipt.mcp_servers = now.mcp_servers;
        }
        let lowered = self.lower(&record.plan, catalog, upstream)?;
        record.receipt.managed = held_against_policy(&record.plan, catalog, &lowered)?;
        for server in &lowered.gone_servers {
            let message = format!(
                "MCP server `{server}` is no longer in the config; the thread goes on without it"
            );
            record
                .receipt
                .warnings
                .push(Warning::new("serverGone", message));
        }
        record.receipt.warnings.dedup();
        record.receipt.hooks = resolver::hooks(&record.plan, catalog);
        record.cwd.clone_from(&catalog.cwd);
        let config = merged_config(&params, &lowered)?;
        // Codex lets this kind of fork inherit its loaded source's config, and refuses another.
        let config = Some(config).filter(|_| !is_prediction(&params));
        launch(request, params, config, record, lowered)
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
        let launch = launch(request, params, Some(config), record, lowered)?;
        Ok((launch, loadout))
    }

    /// Another loadout for a thread that is there; at the thread's own root, it does not lie yet. `checked` is asked
    /// before a root is made for it.
    ///
    /// # Errors
    /// What is not right for `checked`, and `unsupportedUpstream` if there is no root for it.
    pub(crate) async fn renew(
        self: &Arc<Self>,
        draft: Draft,
        inherited: Inherited,
        checked: impl FnOnce(&Lowered) -> Result<(), LoadoutError>,
    ) -> Result<(LoadoutRecord, Lowered, Digest), LoadoutError> {
        let Draft {
            mut record,
            lowered,
            loadout,
        } = draft;
        let Inherited {
            place,
            host_instructions,
        } = inherited;
        record.list_is_due = true;
        record.host_instructions = host_instructions;
        let mut bundles = record.plan.bundles.iter();
        if place == RootAssignment::Nowhere && bundles.any(|bundle| bundle.mount.is_some()) {
            return Err(no_root());
        }
        checked(&lowered)?;
        match place {
            RootAssignment::Nowhere => {}
            RootAssignment::At(root) => record.root = Some(root),
            RootAssignment::New => record = self.with_root(record).await?.0,
        }
        Ok((record, lowered, loadout))
    }

    /// Lets a thread's root lead to another loadout, and says beside it to which.
    ///
    /// # Errors
    /// `conversionFailed` if the link can't be replaced.
    pub(crate) async fn point_root(
        self: &Arc<Self>,
        loadout: Digest,
        record: &LoadoutRecord,
    ) -> Result<(), LoadoutError> {
        let (loadouts, record) = (self.clone(), record.clone());
        blocking(move || {
            let Some(root) = &record.root else {
                return Ok(());
            };
            let store = loadouts.store()?;
            root_file::write(&store.roots(), root, &record)?;
            Ok(store.point_root(&parse_root(root)?, loadout).map(|_| ())?)
        })
        .await
    }

    /// Empties the root of a thread that goes back to native, and says so beside it: Codex keeps naming it.
    ///
    /// # Errors
    /// `conversionFailed` if the link can't be replaced.
    pub(crate) async fn empty_root(
        self: &Arc<Self>,
        root: String,
        codex_home: &Path,
    ) -> Result<(), LoadoutError> {
        let (loadouts, codex_home) = (self.clone(), codex_home.to_owned());
        blocking(move || {
            let store = loadouts.store()?;
            let empty = store.publish_loadout(&[])?;
            root_file::write_native(&store.roots(), &root, &codex_home)?;
            Ok(store.point_root(&parse_root(&root)?, empty).map(|_| ())?)
        })
        .await
    }

    /// What a loaded thread with this loadout would be told now.
    ///
    /// # Errors
    /// `unsupportedUpstream` if this Codex lacks a lever that the plan needs.
    pub(crate) fn lowered_now(
        &self,
        loadout: &LoadoutRecord,
        catalog: &Catalog,
        upstream: &UpstreamInfo,
    ) -> Result<Lowered, LoadoutError> {
        self.lower(&loadout.plan, catalog, upstream)
    }

    /// The same for one that is loaded with it next.
    ///
    /// # Errors
    /// As there, and `policyConflict` or `blockedByPolicy` if an administrator's config does not have it.
    pub(crate) fn lowered_at_load(
        &self,
        loadout: &LoadoutRecord,
        catalog: &Catalog,
        upstream: &UpstreamInfo,
    ) -> Result<Lowered, LoadoutError> {
        let lowered = self.lower(&loadout.plan, catalog, upstream)?;
        held_against_policy(&loadout.plan, catalog, &lowered)?;
        Ok(lowered)
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

    fn lower(
        &self,
        plan: &Plan,
        catalog: &Catalog,
        upstream: &UpstreamInfo,
    ) -> Result<Lowered, LoadoutError> {
        let store = self.store()?;
        let lowered = lower(
            plan,
            catalog,
            CodexFeatures::of(upstream.version),
            Files {
                snapshot: &|bundle| self.snapshot(plan, bundle),
                role: &|file| std::fs::read_to_string(file).ok(),
                roles: Some(&store.roles()),
                program: paths::this_program(),
            },
        )?;
        for (file, text) in &lowered.role_files {
            store.keep_role(file, text)?;
        }
        Ok(lowered)
    }
}

/// The request's `params`.
///
/// # Errors
/// `invalidSelection` if they are no object.
pub(crate) fn read_params(request: &Frame) -> Result<RawObject<'_>, LoadoutError> {
    let text = std::str::from_utf8(request.bytes()).unwrap_or_default();
    let message = RawObject::parse(text, "message")?;
    let Some(params) = message.get("params") else {
        return Ok(RawObject::default());
    };
    // The text outlives the message it was found in: both are of the frame's bytes.
    let start = params.as_ptr() as usize - text.as_ptr() as usize;
    let params = text.get(start..start + params.len()).unwrap_or_default();
    Ok(RawObject::parse(params, "params")?)
}

/// The thread's folder: the request's `cwd`, a relative one taken from Codex's own, or that.
#[must_use]
pub(crate) fn cwd_of(params: &RawObject<'_>) -> Option<PathBuf> {
    let cwd = PathBuf::from(params.get_string("cwd")?);
    std::path::absolute(&cwd).ok()
}

/// What a request says of its thread that a resume can say again, `config` included.
#[must_use]
pub(crate) fn resumable_params(params: &RawObject<'_>) -> Map<String, Value> {
    let given = RESUMABLE.iter().chain(&["config"]).filter_map(|field| {
        let value: Value = serde_json::from_str(params.get(field)?).ok()?;
        (!value.is_null()).then(|| ((*field).to_owned(), value))
    });
    given.collect()
}

/// The request with a loadout in it; `params` are without what is ours. Without `config`, it keeps its own.
fn launch(
    request: &Frame,
    mut params: RawObject<'_>,
    config: Option<String>,
    mut record: LoadoutRecord,
    lowered: Lowered,
) -> Result<Launch, LoadoutError> {
    if let Some(of_host) = instructions_of_host(&params) {
        record.host_instructions = Some(of_host);
    }
    let instructions = instructions(&record, &lowered);
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

/// What the host's request gives its thread of them: in the field, else in `config`.
fn instructions_of_host(params: &RawObject<'_>) -> Option<String> {
    params.get_string(INSTRUCTIONS).or_else(|| {
        let config = RawObject::parse(params.get("config")?, "config").ok()?;
        config.get_string(INSTRUCTIONS_KEY)
    })
}

fn applied(params: &RawObject<'_>, record: &LoadoutRecord, lowered: Lowered) -> AppliedConfig {
    AppliedConfig {
        config: Some(lowered.config),
        host_params: resumable_params(params),
        ..AppliedConfig::new(Arc::new(record.clone()), record.cwd.clone())
    }
}

fn merged_config(params: &RawObject<'_>, lowered: &Lowered) -> Result<String, LoadoutError> {
    merge_config(params.get("config").unwrap_or_default(), lowered)
}

/// The config to send: the host's own text, with ours on top.
///
/// # Errors
/// `invalidSelection` if the host's would widen the loadout.
pub(crate) fn merge_config(of_host: &str, lowered: &Lowered) -> Result<String, LoadoutError> {
    let config = RawObject::parse(of_host, "config")?;
    HostConfig::parse(&config)?.merged_with(lowered)
}

/// The MCP servers that a request defines in its `config`.
///
/// # Errors
/// `invalidSelection` if its `config` can't be read.
pub(crate) fn request_servers(params: &RawObject<'_>) -> Result<RequestServers, LoadoutError> {
    let config = RawObject::parse(params.get("config").unwrap_or_default(), "config")?;
    Ok(HostConfig::parse(&config)?.servers())
}

/// The host's own roots, which would widen a guarded loadout.
fn roots_of_host(params: &RawObject<'_>, mode: MergeMode) -> Result<Vec<Value>, LoadoutError> {
    let text = params.get(ROOTS).unwrap_or("null");
    let roots: Option<Vec<Value>> = serde_json::from_str(text).map_err(|_| {
        LoadoutError::new(
            ErrorKind::InvalidSelection,
            format!("`{ROOTS}` is not a list"),
        )
        .with_hint("Send it in the shape of Codex's own schema.")
        .with_items(vec![ErrorItem::named(ROOTS)])
    })?;
    let roots = roots.unwrap_or_default();
    if mode == MergeMode::Guarded && !roots.is_empty() {
        return Err(LoadoutError::new(
            ErrorKind::InvalidSelection,
            format!("`{ROOTS}` would widen the loadout"),
        )
        .with_hint("Leave it out, or use the mode `extend`.")
        .with_items(vec![ErrorItem::named(ROOTS)]));
    }
    Ok(roots)
}

/// The loadout's files lie on this machine: a thread that runs elsewhere, or nowhere, can't see them.
pub(crate) fn check_environments(params: &RawObject<'_>) -> Result<(), LoadoutError> {
    let environments: Option<Vec<Value>> = params
        .get("environments")
        .and_then(|text| serde_json::from_str(text).ok());
    let Some(environments) = environments else {
        return Ok(());
    };
    let id = |environment: &Value| {
        environment
            .get("environmentId")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let others: Vec<String> = environments
        .iter()
        .map(id)
        .filter(|id| id != "local")
        .collect();
    if others.is_empty() && !environments.is_empty() {
        return Ok(());
    }
    Err(LoadoutError::new(
        ErrorKind::EnvironmentUnsupported,
        "a loadout can only be seen in the environment `local`",
    )
    .with_hint("Leave `environments` out, or start the thread without `capabilitySelection`.")
    .with_items(others.into_iter().map(ErrorItem::named).collect()))
}

/// Whether a fork is of the kind that takes no `config` but its loaded source's.
#[must_use]
pub(crate) fn is_prediction(params: &RawObject<'_>) -> bool {
    params
        .get("experimentalPredictionMode")
        .is_some_and(|mode| !matches!(mode, "null" | "false"))
}

fn no_root() -> LoadoutError {
    LoadoutError::new(ErrorKind::UnsupportedUpstream, "this thread was started without a loadout, and Codex gives a thread no root later")
        .with_hint("Start a new thread with the selection, or leave plugins and skills that need a snapshot out of it.")
}

/// Whether a path lies under the folder of roots of this state home.
pub(super) fn is_our_root(state_home: &Path, path: &Path) -> bool {
    path.starts_with(state_home.join("roots"))
}
