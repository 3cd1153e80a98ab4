//! What threads have.

use std::cmp::Reverse;
use std::sync::Arc;

use codex_loadout_protocol::method::{
    Page, THREAD_CAPABILITY_LIST, THREAD_CAPABILITY_PROVE, THREAD_CAPABILITY_READ,
    THREAD_CAPABILITY_UPDATE, ThreadCapabilityListParams, ThreadCapabilityReadParams,
    ThreadCapabilityReadResult, ThreadLoadout,
};
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use jsonrpsee::RpcModule;
use jsonrpsee::core::RegisterMethodError;
use serde::Deserialize;
use serde_json::{Value, json};

use super::context::{CodexConnection, Context, UpdatesThreads};
use super::paging::{Wanted, page};
use super::params::{parsed, refused};
use super::proving::prove;
use crate::catalog::Catalog;
use crate::connection::{RpcClient, RpcError};
use crate::loadouts::{AppliedConfig, Recorded};
use crate::resolver;

pub(super) fn register(
    module: &mut RpcModule<Context>,
    updates: Option<Arc<dyn UpdatesThreads>>,
) -> Result<(), RegisterMethodError> {
    module.register_async_method(THREAD_CAPABILITY_READ, |params, context, _| async move {
        read(parsed(&params)?, &context).await.map_err(refused)
    })?;
    module.register_async_method(THREAD_CAPABILITY_LIST, |params, context, _| async move {
        threads(parsed(&params)?, &context).await.map_err(refused)
    })?;
    module.register_async_method(THREAD_CAPABILITY_PROVE, |params, context, _| async move {
        prove(parsed(&params)?, &context).await.map_err(refused)
    })?;
    if let Some(updates) = updates {
        module.register_async_method(THREAD_CAPABILITY_UPDATE, move |params, _, _| {
            let updates = updates.clone();
            async move {
                let params = params.as_str().unwrap_or("{}").to_owned();
                updates.update(params).await.map_err(refused)
            }
        })?;
    }
    Ok(())
}

async fn read(
    params: ThreadCapabilityReadParams,
    context: &Context,
) -> Result<ThreadCapabilityReadResult, LoadoutError> {
    let at_control = context.updates.is_some();
    let codex = context.upstream.connection().await?;
    let recorded = context
        .loadouts
        .recorded(&params.thread_id, &codex.info.codex_home)
        .await?;
    let mut read = match recorded {
        Recorded::Loadout(record) => ThreadCapabilityReadResult {
            profile_changed: context.loadouts.profile_changed(&record.loadout).await?,
            update_available: context
                .loadouts
                .bundle_changed(&record.loadout.plan)
                .await?,
            capability_selection: Some(record.loadout.receipt.into_inner()),
            stale: false,
            loaded: at_control.then_some(false),
        },
        Recorded::Native => {
            known_to_codex(&params.thread_id, &codex.rpc).await?;
            let loaded = match at_control {
                true => Some(is_loaded(&params.thread_id, &codex.rpc).await?),
                false => None,
            };
            ThreadCapabilityReadResult {
                capability_selection: None,
                stale: false,
                loaded,
                profile_changed: None,
                update_available: None,
            }
        }
    };
    let Some(applied) = context.applied.get(&params.thread_id) else {
        return Ok(read);
    };
    let (catalog, stale) = on_now(&applied, &codex, context).await?;
    (read.loaded, read.stale) = (at_control.then_some(true), stale);
    if let Some(receipt) = &mut read.capability_selection {
        receipt.hooks = resolver::hooks(&applied.loadout.plan, &catalog);
    }
    Ok(read)
}

/// What there is where a thread works, and whether that would tell the thread something else than it was told.
async fn on_now(
    applied: &AppliedConfig,
    codex: &CodexConnection,
    context: &Context,
) -> Result<(Arc<Catalog>, bool), LoadoutError> {
    let home = &codex.info.codex_home;
    let catalog = context.catalogs.get(&codex.rpc, home, &applied.cwd).await?;
    let now = context
        .loadouts
        .lowered_now(&applied.loadout, &catalog, &codex.info)?;
    let stale = !applied.untold(&now.config).is_empty();
    Ok((catalog, stale))
}

/// Whether Codex has a thread loaded.
///
/// # Errors
/// `unsupportedUpstream` if it does not say.
pub(crate) async fn is_loaded(thread: &str, rpc: &RpcClient) -> Result<bool, LoadoutError> {
    #[derive(Deserialize)]
    struct Loaded {
        data: Vec<String>,
    }
    let loaded: Loaded = rpc.ask("thread/loaded/list", &json!({})).await?;
    Ok(loaded.data.iter().any(|id| id == thread))
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

async fn threads(
    params: ThreadCapabilityListParams,
    context: &Context,
) -> Result<Page<ThreadLoadout>, LoadoutError> {
    let threads = context.loadouts.threads(&params).await?;
    // The newest first.
    let key = |thread: &ThreadLoadout| Reverse((thread.recorded_at, thread.thread_id.clone()));
    let wanted = Wanted {
        cursor: params.cursor,
        limit: params.limit,
    };
    let mut page = page(THREAD_CAPABILITY_LIST, threads, key, wanted)?;
    let at_control = context.updates.is_some();
    for thread in page.data.iter_mut().filter(|_| at_control) {
        let applied = context.applied.get(&thread.thread_id);
        thread.loaded = Some(applied.is_some());
        if let Some(applied) = applied {
            let stale = async {
                let codex = context.upstream.connection().await?;
                Ok::<_, LoadoutError>(on_now(&applied, &codex, context).await?.1)
            };
            // What can't be found out is left out: the list is of what is recorded.
            thread.stale = stale.await.ok();
        }
    }
    Ok(page)
}
