//! Bindings.

use codex_loadout_protocol::LoadoutError;
use codex_loadout_protocol::binding::{
    CapabilityBinding, CapabilityBindingDeleteParams, CapabilityBindingListParams,
    CapabilityBindingWriteResult, Deleted,
};
use codex_loadout_protocol::method::{
    CAPABILITY_BINDING_DELETE, CAPABILITY_BINDING_LIST, CAPABILITY_BINDING_WRITE, Page,
};
use jsonrpsee::RpcModule;
use jsonrpsee::core::RegisterMethodError;

use super::context::Context;
use super::paging::{Wanted, page};
use super::params::{folder, parsed, refused};

pub(super) fn register(module: &mut RpcModule<Context>) -> Result<(), RegisterMethodError> {
    module.register_async_method(CAPABILITY_BINDING_LIST, |params, context, _| async move {
        bindings(parsed(&params)?, &context).await.map_err(refused)
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
    Ok(())
}

async fn bindings(
    params: CapabilityBindingListParams,
    context: &Context,
) -> Result<Page<CapabilityBinding>, LoadoutError> {
    let CapabilityBindingListParams { cursor, limit } = params;
    let bindings = context.loadouts.user_bindings().await?;
    let key = |binding: &CapabilityBinding| (binding.scope, binding.key.clone());
    page(
        CAPABILITY_BINDING_LIST,
        bindings,
        key,
        Wanted { cursor, limit },
    )
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
