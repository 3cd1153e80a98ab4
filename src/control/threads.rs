//! What threads have.

use std::cmp::Reverse;

use codex_loadout_protocol::method::{
    Page, THREAD_CAPABILITY_LIST, THREAD_CAPABILITY_PROVE, THREAD_CAPABILITY_READ,
    ThreadCapabilityListParams, ThreadCapabilityReadParams, ThreadCapabilityReadResult,
    ThreadLoadout,
};
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use jsonrpsee::RpcModule;
use jsonrpsee::core::RegisterMethodError;
use serde_json::{Value, json};

use super::context::Context;
use super::paging::{Wanted, page};
use super::params::{parsed, refused};
use super::proving::prove;
use crate::connection::{RpcClient, RpcError};
use crate::loadouts::Recorded;
use crate::resolver;

pub(super) fn register(module: &mut RpcModule<Context>) -> Result<(), RegisterMethodError> {
    module.register_async_method(THREAD_CAPABILITY_READ, |params, context, _| async move {
        read(parsed(&params)?, &context).await.map_err(refused)
    })?;
    module.register_async_method(THREAD_CAPABILITY_LIST, |params, context, _| async move {
        threads(parsed(&params)?, &context).await.map_err(refused)
    })?;
    module.register_async_method(THREAD_CAPABILITY_PROVE, |params, context, _| async move {
        prove(parsed(&params)?, &context).await.map_err(refused)
    })?;
    Ok(())
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
    page(THREAD_CAPABILITY_LIST, threads, key, wanted)
}
