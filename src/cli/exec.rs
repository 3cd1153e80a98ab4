//! What of Codex's verbs comes to threads: with the loadout that holds there, or not at all.
//!
//! `codex exec` gets it. A thread is made for it by an `app-server` of our own, with the loadout on record, and Codex
//! then runs that thread as `codex exec resume` does, with the loadout's config on the command line: its output,
//! exit code and signals are Codex's own. One that is ephemeral gets the loadout's config alone: there is nothing to
//! resume.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use codex_loadout_protocol::audit::{AuditEvent, CLI};
use codex_loadout_protocol::binding::Rule;
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use serde_json::{Map, Value, json};

use super::daemon::Daemon;
use super::doors::{Door, ExecLine, door};
use super::hand_over;
use super::interactive;
use super::options::resolved;
use super::socket_proxy;
use crate::catalog::CatalogCache;
use crate::connection::{BriefCodex, UpstreamCommand, control_socket};
use crate::loadouts::{Launch, LaunchCarriers, Loadouts, Recorded, Selected, read_params};
use crate::lowering::MergeMode;
use crate::messages::thread::{RESUME, START};
use crate::paths;
use crate::profiles::{LaunchLine, Requested};
use crate::records::{Happening, Lineage, ThreadRecord, asked_by};
use crate::wire::Frame;

/// Hands a line to Codex: with the loadout that holds for it, or refuses it.
pub(super) fn run(codex: Option<PathBuf>, line: LaunchLine) -> Result<ExitCode> {
    let launch = LaunchCarriers::new(&line, &paths::carried())?;
    let (arguments, own) = (line.arguments, line.own);
    let found = door(&arguments);
    if found == Door::None {
        return hand_over::run(codex, &arguments);
    }
    let loadouts = Loadouts::of_this_user()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let command = UpstreamCommand::find(codex.clone())?;
    let there = Doors {
        loadouts: &loadouts,
        launch: &launch,
        command: &command,
    };
    if let Door::Interactive(config, cwd) = &found
        && runtime.block_on(there.concerns_interface(cwd.as_deref()))?
    {
        let config = config.clone();
        let run = interactive::run(command, &arguments, config, loadouts.clone(), launch);
        let code = runtime.block_on(run)?;
        loadouts.empty_root_pool();
        runtime.shutdown_background();
        return Ok(code);
    }
    if let Door::Proxy(socket) = &found {
        let socket = socket
            .clone()
            .unwrap_or_else(|| control_socket(&paths::codex_home()));
        let run = socket_proxy::run(command, &socket, loadouts.clone(), launch);
        if let Some(code) = runtime.block_on(run)? {
            loadouts.empty_root_pool();
            runtime.shutdown_background();
            return Ok(code);
        }
        return hand_over::run(codex, &arguments);
    }
    if let Door::Daemon(verb, config) = &found {
        let daemon = Daemon::new(command, config.clone(), own);
        return match runtime.block_on(daemon.run(verb))? {
            Some(code) => Ok(code),
            None => hand_over::run(codex, &arguments),
        };
    }
    let with_loadout = runtime.block_on(asked_by(Some(CLI.into()), there.line(&found)))?;
    loadouts.empty_root_pool();
    loadouts.hand_over()?;
    drop(runtime);
    hand_over::run(codex, with_loadout.as_deref().unwrap_or(&arguments))
}

struct Doors<'a> {
    loadouts: &'a Arc<Loadouts>,
    launch: &'a LaunchCarriers,
    command: &'a UpstreamCommand,
}

impl Doors<'_> {
    /// The line that Codex is to run in the place of this one. `None`: this one.
    async fn line(&self, door: &Door) -> Result<Option<Vec<OsString>>> {
        match door {
            Door::None | Door::Interactive(..) | Door::Proxy(_) | Door::Daemon(..) => Ok(None),
            Door::New(verb) => match self.chosen(Path::new(".")).await? {
                Some(selected) => Err(no_way(verb, &selected).into()),
                None => Ok(None),
            },
            Door::Thread(verb, thread) => {
                self.refuse_recorded(verb, thread.as_deref()).await?;
                Ok(None)
            }
            Door::Exec(exec) => {
                let cwd = exec.cwd().unwrap_or_else(|| PathBuf::from("."));
                match self.chosen(&cwd).await? {
                    Some(selected) if exec.is_ephemeral() => {
                        Ok(Some(self.ephemeral(exec, selected, &cwd).await?))
                    }
                    Some(selected) => Ok(Some(self.started(exec, selected, &cwd).await?)),
                    None => Ok(None),
                }
            }
            Door::ExecResume(exec) => {
                let thread = exec.thread.as_deref().unwrap_or_default();
                let recorded = self.recorded(thread).await?;
                match recorded {
                    Some(record) => Ok(Some(self.resumed(exec, record).await?)),
                    None => Ok(None),
                }
            }
        }
    }

    /// Whether the terminal interface may come to a thread with a loadout: one holds for those that it starts, or there
    /// are some that it may open.
    async fn concerns_interface(&self, cwd: Option<&Path>) -> Result<bool> {
        if self.chosen(cwd.unwrap_or(Path::new("."))).await?.is_some() {
            return Ok(true);
        }
        Ok(match self.loadouts.existing_records().await? {
            Some(records) => !records.threads().await?.is_empty(),
            None => false,
        })
    }

    /// What holds for a thread that is started in a folder.
    async fn chosen(&self, cwd: &Path) -> Result<Option<Selected>> {
        if !self.loadouts.may_be_chosen(self.launch) {
            return Ok(None);
        }
        let cwd = resolved(cwd)?;
        let requested = Requested::default();
        let chosen = self.loadouts.choose(requested, self.launch, None, &cwd);
        Ok(chosen.await?.selected)
    }

    /// The record of a thread that has a loadout.
    async fn recorded(&self, thread: &str) -> Result<Option<ThreadRecord>> {
        if uuid::Uuid::parse_str(thread).is_err() {
            self.refuse_recorded("`codex exec resume`", None).await?;
            return Ok(None);
        }
        let home = paths::codex_home();
        Ok(match self.loadouts.recorded(thread, &home).await? {
            Recorded::Loadout(record) => Some(*record),
            Recorded::Native => None,
        })
    }

    /// Refuses to come to a thread with a loadout by a verb that can't keep it, and to one that is not named by its id
    /// where there are such threads.
    async fn refuse_recorded(&self, verb: &str, thread: Option<&str>) -> Result<()> {
        let id = thread.filter(|thread| uuid::Uuid::parse_str(thread).is_ok());
        let Some(id) = id else {
            let records = self.loadouts.existing_records().await?;
            let has_threads = match records {
                Some(records) => !records.threads().await?.is_empty(),
                None => false,
            };
            if !has_threads {
                return Ok(());
            }
            let message =
                format!("{verb} may come to a thread that has a loadout, and would run it without");
            return Err(LoadoutError::new(ErrorKind::UnsupportedUpstream, message)
                .with_hint("Name the thread by its id: `codex-loadout threads` shows those that have a loadout.")
                .into());
        };
        if self.recorded_by_id(id).await? {
            let message = format!("thread `{id}` has a loadout, and {verb} would run it without");
            return Err(LoadoutError::new(ErrorKind::UnsupportedUpstream, message)
                .with_hint("Run it by `codex-loadout exec resume ID`, or by a host on `codex-loadout app-server`.")
                .with_items(vec![ErrorItem::named(id)])
                .into());
        }
        Ok(())
    }

    async fn recorded_by_id(&self, id: &str) -> Result<bool> {
        let recorded = self.loadouts.recorded(id, &paths::codex_home()).await?;
        Ok(matches!(recorded, Recorded::Loadout(_)))
    }

    async fn codex(&self, exec: &ExecLine) -> Result<BriefCodex> {
        if let Some((option, same)) = exec.option_without_loadout() {
            let option = option.to_string_lossy();
            let message =
                format!("`codex exec {option}` can't be given the loadout that holds for it");
            return Err(LoadoutError::new(ErrorKind::UnsupportedUpstream, message)
                .with_hint(format!("Instead, {same}. Or run without the loadout: `codex-loadout resolve` says by what it holds."))
                .with_items(vec![ErrorItem::named(option)])
                .into());
        }
        let arguments = [exec.config_options(), vec!["app-server".into()]].concat();
        Ok(BriefCodex::start(self.command, &arguments).await?)
    }

    /// The line that runs an ephemeral thread with a loadout: it has no root, and reads its skills by their paths.
    async fn ephemeral(
        &self,
        exec: &ExecLine,
        selected: Selected,
        cwd: &Path,
    ) -> Result<Vec<OsString>> {
        let cwd = resolved(cwd)?;
        let codex = self.codex(exec).await?;
        let launched = async {
            let catalogs = Arc::new(CatalogCache::default());
            let (rpc, upstream) = (codex.rpc(), codex.info());
            let home = &upstream.codex_home;
            let catalog = self
                .loadouts
                .catalog_for(&selected, &catalogs, rpc, home, &cwd);
            let catalog = catalog.await?;
            let request = frame(START, &json!({ "cwd": cwd }));
            let launch = self
                .loadouts
                .start_without_root(&request, selected, &catalog, upstream);
            launch.await
        };
        let launched = launched.await;
        codex.end().await;
        let launch = launched?;
        let cause = launch.record.cause("exec --ephemeral");
        let happening = Happening::new(AuditEvent::Start, cause);
        let digest = launch.record.receipt.digest.to_string();
        self.loadouts.note(happening.with_digest(digest)).await;
        Ok(exec.with(config_flags(&params_of(&launch)?)))
    }

    /// Makes a thread with a loadout, on record, and gives the line that runs it.
    async fn started(
        &self,
        exec: &ExecLine,
        selected: Selected,
        cwd: &Path,
    ) -> Result<Vec<OsString>> {
        let cwd = resolved(cwd)?;
        let codex = self.codex(exec).await?;
        let source = exec.thread_source();
        let made = self.make_thread(&codex, selected, &cwd, source).await;
        codex.end().await;
        let (thread, config) = made?;
        Ok(exec.resumed(&thread, config))
    }

    async fn make_thread(
        &self,
        codex: &BriefCodex,
        selected: Selected,
        cwd: &Path,
        source: Option<String>,
    ) -> Result<(String, Vec<OsString>)> {
        let (rpc, upstream) = (codex.rpc(), codex.info());
        let catalogs = Arc::new(CatalogCache::default());
        let home = &upstream.codex_home;
        let loadouts = &self.loadouts;
        let catalog = loadouts.catalog_for(&selected, &catalogs, rpc, home, cwd);
        let catalog = catalog.await?;
        // Read-only, so that Codex marks no project as trusted for it: the run says its own.
        let mut params = json!({ "cwd": cwd, "sandbox": "read-only", "threadSource": source });
        let request = frame(START, &params);
        let launch = self.loadouts.start(&request, selected, &catalog, upstream);
        let launch = launch.await?;
        let sent = params_of(&launch)?;
        params["selectedCapabilityRoots"] = sent["selectedCapabilityRoots"].clone();
        // Its servers start once, when it runs.
        let mode = MergeMode::of(launch.record.plan.mode);
        let bare = self
            .loadouts
            .bare(&frame(START, &params), mode, &catalog, upstream)?;
        let bare: Value = serde_json::from_slice(&bare)?;
        let started: Value = match rpc.ask(START, &bare["params"]).await {
            Ok(started) => started,
            Err(error) => {
                self.loadouts.discard(launch.record).await;
                return Err(LoadoutError::from(error).into());
            }
        };
        let thread = started["thread"]["id"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let cause = launch.record.cause("exec");
        let record = ThreadRecord {
            thread_id: thread.clone(),
            lineage: Lineage::Started,
            inherited_from: None,
            loadout: launch.record,
        };
        let records = self.loadouts.records().await?;
        records
            .put_thread(&record, AuditEvent::Start, &cause)
            .await?;
        // A thread without a turn has a session file only once it was archived.
        let named = json!({ "threadId": thread });
        for method in ["thread/archive", "thread/unarchive"] {
            let _: Value = rpc.ask(method, &named).await.map_err(LoadoutError::from)?;
        }
        Ok((thread, config_flags(&sent)))
    }

    /// The line that runs a recorded thread with its loadout.
    async fn resumed(&self, exec: &ExecLine, record: ThreadRecord) -> Result<Vec<OsString>> {
        let codex = self.codex(exec).await?;
        let config = self.config_again(&codex, exec, record).await;
        codex.end().await;
        let thread = exec.thread.as_deref().unwrap_or_default();
        Ok(exec.resumed(thread, config?))
    }

    async fn config_again(
        &self,
        codex: &BriefCodex,
        exec: &ExecLine,
        record: ThreadRecord,
    ) -> Result<Vec<OsString>> {
        let upstream = codex.info();
        let cwd = match exec.cwd() {
            Some(cwd) => resolved(&cwd)?,
            None => record.loadout.cwd.clone(),
        };
        let catalogs = Arc::new(CatalogCache::default());
        let catalog = catalogs.get(codex.rpc(), &upstream.codex_home, &cwd);
        let catalog = catalog.await.map_err(LoadoutError::from)?;
        let request = frame(RESUME, &json!({ "threadId": record.thread_id }));
        let again = self.loadouts.again(
            &request,
            &record.thread_id,
            record.loadout.clone(),
            &catalog,
            upstream,
        );
        let launch = again.await?;
        let config = config_flags(&params_of(&launch)?);
        if let Some(root) = &launch.record.root {
            let home = &upstream.codex_home;
            self.loadouts
                .lead_to_root(&record.thread_id, home, root)
                .await?;
        }
        let record = ThreadRecord {
            loadout: launch.record,
            ..record
        };
        let records = self.loadouts.records().await?;
        records
            .put_thread(&record, AuditEvent::Resume, "exec resume")
            .await?;
        Ok(config)
    }
}

fn frame(method: &str, params: &Value) -> Frame {
    let request = json!({ "id": 0, "method": method, "params": params });
    Frame::new(Bytes::from(request.to_string()))
}

/// What a request that was made for `app-server` says.
fn params_of(launch: &Launch) -> Result<Value> {
    let request = Frame::new(launch.request.clone());
    Ok(serde_json::from_str(&read_params(&request)?.to_string())?)
}

/// A request's config as options of the command line.
fn config_flags(params: &Value) -> Vec<OsString> {
    let mut config: Map<String, Value> = params["config"].as_object().cloned().unwrap_or_default();
    if let Some(instructions) = params
        .get("developerInstructions")
        .filter(|text| text.is_string())
    {
        config.insert("developer_instructions".to_owned(), instructions.clone());
    }
    let mut flags = Vec::new();
    for (key, value) in config {
        let value = toml::Value::try_from(value).map(|value| value.to_string());
        if let Ok(value) = value {
            flags.extend(["-c".into(), format!("{key}={value}").into()]);
        }
    }
    flags
}

fn no_way(verb: &str, selected: &Selected) -> LoadoutError {
    let by = selected.rule.as_ref().map(Rule::title).unwrap_or_default();
    let message = format!("{verb} can't be given the loadout that holds for it (by {by})");
    LoadoutError::new(ErrorKind::UnsupportedUpstream, message)
        .with_hint("`codex-loadout exec` and `codex-loadout app-server` can. To run without a loadout, take that away, or run Codex itself.")
}
