//! Bundles that are added here.

use std::sync::Arc;

use codex_loadout_protocol::LoadoutError;
use codex_loadout_protocol::bundle::{
    Bundle, CAPABILITY_BUNDLE_ADD, CAPABILITY_BUNDLE_LIST, CAPABILITY_BUNDLE_READ,
    CAPABILITY_BUNDLE_REMOVE, CAPABILITY_BUNDLE_TRUST, CAPABILITY_BUNDLE_UPDATE,
    CAPABILITY_BUNDLE_VERIFY, CapabilityBundleListParams, CapabilityBundleNameParams,
};
use codex_loadout_protocol::method::Page;
use jsonrpsee::RpcModule;
use jsonrpsee::core::RegisterMethodError;

use super::context::Context;
use super::paging::{Wanted, page};
use super::params::{folder, parsed, refused};
use crate::loadouts::Waiting;

pub(super) fn register(module: &mut RpcModule<Context>) -> Result<(), RegisterMethodError> {
    module.register_async_method(CAPABILITY_BUNDLE_LIST, |params, context, _| async move {
        bundles(parsed(&params)?, &context).await.map_err(refused)
    })?;
    module.register_async_method(CAPABILITY_BUNDLE_READ, |params, context, _| async move {
        let CapabilityBundleNameParams { name } = parsed(&params)?;
        context.loadouts.bundle(&name).await.map_err(refused)
    })?;
    module.register_async_method(CAPABILITY_BUNDLE_ADD, |params, context, _| async move {
        let wanted = parsed(&params)?;
        let cwd = folder(None).map_err(refused)?;
        let waiting = Waiting::default();
        let added = context.loadouts.add_bundle(wanted, &cwd, &waiting);
        added.await.map_err(refused)
    })?;
    module.register_async_method(CAPABILITY_BUNDLE_UPDATE, |params, context, _| async move {
        let wanted = parsed(&params)?;
        let waiting = Waiting::default();
        let updated = context.loadouts.update_bundles(&wanted, &waiting);
        updated.await.map_err(refused)
    })?;
    module.register_async_method(CAPABILITY_BUNDLE_REMOVE, |params, context, _| async move {
        let CapabilityBundleNameParams { name } = parsed(&params)?;
        let cwd = folder(None).map_err(refused)?;
        let removed = context.loadouts.remove_bundle(&name, &cwd);
        removed.await.map_err(refused)
    })?;
    module.register_async_method(CAPABILITY_BUNDLE_VERIFY, |params, context, _| async move {
        let wanted = parsed(&params)?;
        let verified = context.loadouts.verify_bundles(&wanted);
        verified.await.map_err(refused)
    })?;
    module.register_async_method(CAPABILITY_BUNDLE_TRUST, |params, context, _| async move {
        let wanted = parsed(&params)?;
        context.loadouts.trust_bundle(wanted).await.map_err(refused)
    })?;
    Ok(())
}

async fn bundles(
    params: CapabilityBundleListParams,
    context: &Arc<Context>,
) -> Result<Page<Bundle>, LoadoutError> {
    let CapabilityBundleListParams { cursor, limit } = params;
    let bundles = context.loadouts.bundles().await?;
    let key = |bundle: &Bundle| bundle.name.clone();
    page(
        CAPABILITY_BUNDLE_LIST,
        bundles,
        key,
        Wanted { cursor, limit },
    )
}
