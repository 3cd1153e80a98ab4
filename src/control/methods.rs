//! The table.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use codex_loadout_protocol::audit::{CapabilityAuditListParams, MAX_LIMIT};
use codex_loadout_protocol::binding::{
    CapabilityBinding, CapabilityBindingDeleteParams, CapabilityBindingListParams,
    CapabilityBindingWriteResult, CapabilityResolveResult, Carrier, Deleted, Rule,
};
use codex_loadout_protocol::method::{
    CAPABILITY_AUDIT_LIST, CAPABILITY_BINDING_DELETE, CAPABILITY_BINDING_LIST,
    CAPABILITY_BINDING_WRITE, CAPABILITY_LIST, CAPABILITY_PROFILE_DELETE, CAPABILITY_PROFILE_LIST,
    CAPABILITY_PROFILE_READ, CAPABILITY_PROFILE_WRITE, CAPABILITY_RESOLVE, Capability,
    CapabilityListParams, Page, THREAD_CAPABILITY_LIST, THREAD_CAPABILITY_PROVE,
    THREAD_CAPABILITY_READ, ThreadCapabilityListParams, ThreadCapabilityReadParams,
    ThreadCapabilityReadResult, ThreadLoadout,
};
use codex_loadout_protocol::profile::{
    CapabilityProfileDeleteParams, CapabilityProfileListParams, CapabilityProfileReadParams,
    CapabilityProfileResult, CapabilityProfileWriteParams, ProfileEntry,
};
use codex_loadout_protocol::selection::FIELD;
use codex_loadout_protocol::{CapabilitySelection, ErrorItem, ErrorKind, LoadoutError};
use jsonrpsee::RpcModule;
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::types::{ErrorObjectOwned, Params};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::answer::wait_for_upstream;
use super::proving::prove;
use crate::catalog::CatalogCache;
use crate::connection::{CodexCommand, RpcClient, RpcError};
use crate::loadouts::{AppliedConfigs, Chosen, LaunchCarriers, Loadouts, Recorded, catalog_for};
use crate::messages::initialize::UpstreamInfo;
use crate::profiles::Requested;
use crate::resolver::{self, capabilities};

/// What the methods work on.
#[derive(Debug)]
pub(crate) struct Context {
    /// The loadouts of the user.
    pub loadouts: Arc<Loadouts>,
    /// Asks Codex.
    pub rpc: Arc<RpcClient>,
    /// What there is.
    pub catalogs: Arc<CatalogCache>,
    /// What the loaded threads of this connection were told.
    pub applied: Arc<AppliedConfigs>,
    /// Which Codex it is, once it has said so.
    pub upstream: watch::Receiver<Option<UpstreamInfo>>,
    /// What is said of all threads of this process.
    pub launch: Arc<LaunchCarriers>,
    /// The Codex of the host, for another one of the same kind.
    pub codex: CodexCommand,
    /// What the host calls itself, once it has said so.
    pub host: Arc<OnceLock<String>>,
}

impl Context {
    async fn upstream(&self) -> Result<UpstreamInfo, LoadoutError> {
        wait_for_upstream(self.upstream.clone()).await
    }
}

/// A relative folder is taken from the proxy's own.
pub(super) fn folder(cwd: Option<String>) -> Result<PathBuf, LoadoutError> {
    let cwd = cwd.map_or_else(|| PathBuf::from("."), PathBuf::from);
    std::path::absolute(cwd).map_err(|error| invalid("cwd", &error.to_string()))
}

/// Builds the table.
pub(super) fn table(context: Context) -> RpcModule<Context> {
    let mut module = RpcModule::new(context);
    register(&mut module).unwrap_or_else(|error| {
        // It fails only for a name that is taken, and these are all different.
        tracing::error!(%error, "a method of ours is not served");
    });
    module
}

fn register(module: &mut RpcModule<Context>) -> Result<(), RegisterMethodError> {
    module.register_async_method(CAPABILITY_LIST, |params, context, _| async move {
        list(parsed(&params)?, &context).await.map_err(refused)
    })?;
    module.register_async_method(CAPABILITY_RESOLVE, |params, context, _| async move {
        resolve(parsed(&params)?, &context).await.map_err(refused)
    })?;
    module.register_async_method(THREAD_CAPABILITY_READ, |params, context, _| async move {
        read(parsed(&params)?, &context).await.map_err(refused)
    })?;
    module.register_async_method(THREAD_CAPABILITY_LIST, |params, context, _| async move {
        threads(parsed(&params)?, &context).await.map_err(refused)
    })?;
    module.register_async_method(CAPABILITY_PROFILE_LIST, |params, context, _| async move {
        let CapabilityProfileListParams { cwd } = parsed(&params)?;
        profiles(cwd, &context).await.map_err(refused)
    })?;
    module.register_async_method(CAPABILITY_PROFILE_READ, |params, context, _| async move {
        let CapabilityProfileReadParams { name, cwd } = parsed(&params)?;
        profile(name, cwd, &context).await.map_err(refused)
    })?;
    module.register_async_method(CAPABILITY_PROFILE_WRITE, |params, context, _| async move {
        let wanted = parsed(&params)?;
        write_profile(wanted, &context).await.map_err(refused)
    })?;
    module.register_async_method(CAPABILITY_PROFILE_DELETE, |params, context, _| async move {
        let CapabilityProfileDeleteParams { name } = parsed(&params)?;
        delete_profile(name, &context).await.map_err(refused)
    })?;
    module.register_async_method(CAPABILITY_BINDING_LIST, |params, context, _| async move {
        let CapabilityBindingListParams {} = parsed(&params)?;
        let bindings = context.loadouts.user_bindings().await;
        bindings.map(Page::whole).map_err(refused)
    })?;
    module.register_async_method(CAPABILITY_BINDING_WRITE, |params, context, _| async move {
        write_binding(parsed(&params)?, &context)
            .await
            .map_err(refused)
    })?;
    module.register_async_method(CAPABILITY_BINDING_DELETE, |params, context, _| async move {
        delete_binding(parsed(&params)?, &context)
            .await
            .map_err(refused)
    })?;
    module.register_async_method(THREAD_CAPABILITY_PROVE, |params, context, _| async move {
        prove(parsed(&params)?, &context).await.map_err(refused)
    })?;
    module.register_async_method(CAPABILITY_AUDIT_LIST, |params, context, _| async move {
        let wanted: CapabilityAuditListParams = parsed(&params)?;
        check_page(&wanted).map_err(refused)?;
        context.loadouts.audit(&wanted).await.map_err(refused)
    })?;
    Ok(())
}

fn check_page(wanted: &CapabilityAuditListParams) -> Result<(), LoadoutError> {
    if wanted
        .limit
        .is_some_and(|limit| !(1..=MAX_LIMIT).contains(&limit))
    {
        return Err(invalid(
            "limit",
            &format!("a page has 1 to {MAX_LIMIT} entries"),
        ));
    }
    let cursor = wanted.cursor.as_deref();
    if cursor.is_some_and(|cursor| uuid::Uuid::parse_str(cursor).is_err()) {
        return Err(invalid(
            "cursor",
            "it is no `nextCursor` of an earlier page",
        ));
    }
    Ok(())
}

async fn list(
    params: CapabilityListParams,
    context: &Context,
) -> Result<Page<Capability>, LoadoutError> {
    let upstream = context.upstream().await?;
    let cwd = folder(params.cwd)?;
    let (rpc, home) = (&context.rpc, &upstream.codex_home);
    let catalog = context.catalogs.get_with_offered(rpc, home, &cwd).await?;
    Ok(Page::whole(capabilities(&catalog)))
}

/// The selection is read like that of a start, so that what is wrong is told in the same words.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResolveParams {
    #[serde(default)]
    capability_selection: Option<Box<RawValue>>,
    #[serde(default)]
    cwd: Option<String>,
    #[serde(default)]
    host: Option<String>,
    #[serde(default)]
    task: Option<String>,
}

async fn resolve(
    params: ResolveParams,
    context: &Context,
) -> Result<CapabilityResolveResult, LoadoutError> {
    let of_field = params.capability_selection.as_deref().map(RawValue::get);
    let rule = match of_field {
        Some(text) => Some(Rule::without_key(
            Carrier::Field,
            Some(CapabilitySelection::from_json(text)?),
        )),
        None => None,
    };
    let requested = Requested {
        rules: rule.into_iter().collect(),
        task: params.task,
    };
    let cwd = folder(params.cwd)?;
    let host = params.host.or_else(|| context.host.get().cloned());
    let Chosen { selected, decision } = context
        .loadouts
        .choose(requested, &context.launch, host.as_deref(), &cwd)
        .await?;
    let Some(selected) = selected else {
        return Ok(CapabilityResolveResult {
            capability_selection: None,
            decision,
        });
    };
    let selection = &selected.expanded.selection;
    let upstream = context.upstream().await?;
    let (catalogs, rpc) = (&context.catalogs, &context.rpc);
    let catalog = catalog_for(&selected, catalogs, rpc, &upstream.codex_home, &cwd).await?;
    let resolved = context
        .loadouts
        .resolve(selection, &catalog, upstream.version)
        .await;
    let mut receipt = resolved.map_err(|error| selected.expanded.locate(error))?;
    receipt.warnings.extend(selected.warnings);
    Ok(CapabilityResolveResult {
        capability_selection: Some(receipt),
        decision,
    })
}

async fn read(
    params: ThreadCapabilityReadParams,
    context: &Context,
) -> Result<ThreadCapabilityReadResult, LoadoutError> {
    let upstream = context.upstream().await?;
    let recorded = context
        .loadouts
        .recorded(&params.thread_id, &upstream.codex_home)
        .await?;
    let mut read = match recorded {
        Recorded::Loadout(record) => ThreadCapabilityReadResult {
            profile_changed: context.loadouts.profile_changed(&record.loadout).await?,
            capability_selection: Some(record.loadout.receipt),
            stale: false,
        },
        Recorded::Native => {
            known_to_codex(&params.thread_id, &context.rpc).await?;
            ThreadCapabilityReadResult {
                capability_selection: None,
                stale: false,
                profile_changed: None,
            }
        }
    };
    let Some(applied) = context.applied.get(&params.thread_id) else {
        return Ok(read);
    };
    let catalog = context
        .catalogs
        .get(&context.rpc, &upstream.codex_home, &applied.cwd)
        .await?;
    let now = context
        .loadouts
        .lowered_now(&applied.loadout, &catalog, &upstream)?;
    read.stale = !applied.untold(&now.config).is_empty();
    if let Some(receipt) = &mut read.capability_selection {
        receipt.hooks = resolver::hooks(&applied.loadout.plan, &catalog);
    }
    Ok(read)
}

/// Whether Codex has a thread at all.
///
/// # Errors
/// `threadNotFound` if it has not.
pub(crate) async fn known_to_codex(thread: &str, rpc: &RpcClient) -> Result<Value, LoadoutError> {
    let question = json!({ "threadId": thread });
    match rpc.ask("thread/read", &question).await {
        Err(RpcError::Refused { .. }) => {
            let message = format!("Codex has no thread `{thread}`");
            Err(LoadoutError::new(ErrorKind::ThreadNotFound, message)
                .with_hint("`thread/list` shows those that it has.")
                .with_items(vec![ErrorItem::named(thread)]))
        }
        answer => Ok(answer?),
    }
}

async fn profiles(
    cwd: Option<String>,
    context: &Context,
) -> Result<Page<ProfileEntry>, LoadoutError> {
    let profiles = context.loadouts.profiles(&folder(cwd)?).await?;
    Ok(Page::whole(profiles))
}

async fn profile(
    name: String,
    cwd: Option<String>,
    context: &Context,
) -> Result<CapabilityProfileResult, LoadoutError> {
    let profile = context.loadouts.profile(name, &folder(cwd)?).await?;
    Ok(CapabilityProfileResult { profile })
}

async fn write_profile(
    wanted: CapabilityProfileWriteParams,
    context: &Context,
) -> Result<CapabilityProfileResult, LoadoutError> {
    let cwd = folder(None)?;
    let profile = context.loadouts.write_profile(wanted, None, &cwd).await?;
    Ok(CapabilityProfileResult { profile })
}

async fn delete_profile(name: String, context: &Context) -> Result<Deleted, LoadoutError> {
    let cwd = folder(None)?;
    context.loadouts.delete_profile(name, &cwd).await?;
    Ok(Deleted { deleted: true })
}

async fn write_binding(
    wanted: CapabilityBinding,
    context: &Context,
) -> Result<CapabilityBindingWriteResult, LoadoutError> {
    let cwd = folder(None)?;
    let binding = context.loadouts.write_binding(wanted, &cwd).await?;
    Ok(CapabilityBindingWriteResult { binding })
}

async fn delete_binding(
    params: CapabilityBindingDeleteParams,
    context: &Context,
) -> Result<Deleted, LoadoutError> {
    let cwd = folder(None)?;
    let CapabilityBindingDeleteParams { scope, key } = params;
    context.loadouts.delete_binding(scope, &key, &cwd).await?;
    Ok(Deleted { deleted: true })
}

async fn threads(
    params: ThreadCapabilityListParams,
    context: &Context,
) -> Result<Page<ThreadLoadout>, LoadoutError> {
    Ok(Page::whole(context.loadouts.threads(&params).await?))
}

fn parsed<T: DeserializeOwned>(params: &Params<'_>) -> Result<T, ErrorObjectOwned> {
    let text = match params.as_str() {
        None | Some("null") => "{}",
        Some(text) => text,
    };
    let deserializer = &mut serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." {
            "params".to_owned()
        } else {
            path
        };
        refused(invalid(&path, &error.into_inner().to_string()))
    })
}

fn invalid(path: &str, why: &str) -> LoadoutError {
    let why = why.split(" at line ").next().unwrap_or(why);
    LoadoutError::new(
        ErrorKind::InvalidSelection,
        format!("`{path}` is not valid: {why}"),
    )
    .with_hint(format!(
        "`codex-loadout schema` prints the shape of the parameters of every method; a selection goes into `{FIELD}`."
    ))
    .with_items(vec![ErrorItem::named(path)])
}

fn refused(error: LoadoutError) -> ErrorObjectOwned {
    let code = i32::try_from(error.kind.code()).unwrap_or(i32::MIN);
    ErrorObjectOwned::owned(code, error.message.clone(), Some(error.data()))
}
