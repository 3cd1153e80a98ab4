//! The table.

use std::path::PathBuf;
use std::sync::Arc;

use codex_loadout_protocol::audit::{CapabilityAuditListParams, MAX_LIMIT};
use codex_loadout_protocol::method::{
    CAPABILITY_AUDIT_LIST, CAPABILITY_LIST, CAPABILITY_RESOLVE, Capability, CapabilityListParams,
    CapabilityResolveResult, Page, THREAD_CAPABILITY_LIST, THREAD_CAPABILITY_READ,
    ThreadCapabilityListParams, ThreadCapabilityReadParams, ThreadCapabilityReadResult,
    ThreadLoadout,
};
use codex_loadout_protocol::selection::FIELD;
use codex_loadout_protocol::{CapabilitySelection, ErrorItem, ErrorKind, LoadoutError};
use jsonrpsee::RpcModule;
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::types::{ErrorObjectOwned, Params};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::sync::watch;

use super::answer::wait_for_upstream;
use crate::catalog::CatalogCache;
use crate::connection::Asker;
use crate::interceptors::initialize::UpstreamInfo;
use crate::loadouts::{AppliedConfigs, Loadouts, Recorded, catalog_for};
use crate::resolver::{self, capabilities};

/// What the methods work on.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) loadouts: Arc<Loadouts>,
    pub(super) asker: Arc<Asker>,
    pub(super) catalogs: Arc<CatalogCache>,
    /// What the loaded threads of this connection were told.
    pub(super) applied: Arc<AppliedConfigs>,
    pub(super) upstream: watch::Receiver<Option<UpstreamInfo>>,
}

impl Context {
    async fn upstream(&self) -> Result<UpstreamInfo, LoadoutError> {
        wait_for_upstream(self.upstream.clone()).await
    }
}

/// A relative folder is taken from the proxy's own.
fn folder(cwd: Option<String>) -> Result<PathBuf, LoadoutError> {
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
    let (asker, home) = (&context.asker, &upstream.codex_home);
    let catalog = context.catalogs.get_with_offered(asker, home, &cwd).await?;
    Ok(Page::whole(capabilities(&catalog)))
}

/// The selection is read like that of a start, so that what is wrong is told in the same words.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResolveParams {
    capability_selection: Box<RawValue>,
    #[serde(default)]
    cwd: Option<String>,
}

async fn resolve(
    params: ResolveParams,
    context: &Context,
) -> Result<CapabilityResolveResult, LoadoutError> {
    let selection = CapabilitySelection::from_json(params.capability_selection.get())?;
    let upstream = context.upstream().await?;
    let cwd = folder(params.cwd)?;
    let (catalogs, asker) = (&context.catalogs, &context.asker);
    let catalog = catalog_for(&selection, catalogs, asker, &upstream.codex_home, &cwd).await?;
    let receipt = context
        .loadouts
        .resolve(&selection, &catalog, upstream.version)
        .await?;
    Ok(CapabilityResolveResult {
        capability_selection: receipt,
    })
}

async fn read(
    params: ThreadCapabilityReadParams,
    context: &Context,
) -> Result<ThreadCapabilityReadResult, LoadoutError> {
    let upstream = context.upstream().await?;
    let receipt = match context
        .loadouts
        .recorded(&params.thread_id, &upstream.codex_home)
        .await?
    {
        Recorded::Loadout(record) => Some(record.loadout.receipt),
        Recorded::Native => None,
    };
    let mut read = ThreadCapabilityReadResult {
        capability_selection: receipt,
        stale: false,
    };
    let Some(binding) = context.applied.get(&params.thread_id) else {
        return Ok(read);
    };
    let catalog = context
        .catalogs
        .get(&context.asker, &upstream.codex_home, &binding.cwd)
        .await?;
    let now = context
        .loadouts
        .told_now(&binding.loadout, &catalog, &upstream)?;
    read.stale = !binding.untold(&now.config).is_empty();
    if let Some(receipt) = &mut read.capability_selection {
        receipt.hooks = resolver::hooks(&binding.loadout.plan, &catalog);
    }
    Ok(read)
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
