//! Profiles.

use codex_loadout_protocol::LoadoutError;
use codex_loadout_protocol::binding::Deleted;
use codex_loadout_protocol::method::{
    CAPABILITY_PROFILE_DELETE, CAPABILITY_PROFILE_LIST, CAPABILITY_PROFILE_READ,
    CAPABILITY_PROFILE_WRITE, Page,
};
use codex_loadout_protocol::profile::{
    CapabilityProfileDeleteParams, CapabilityProfileListParams, CapabilityProfileReadParams,
    CapabilityProfileResult, CapabilityProfileWriteParams, ProfileEntry,
};
use jsonrpsee::RpcModule;
use jsonrpsee::core::RegisterMethodError;

use super::context::Context;
use super::paging::{Wanted, page};
use super::params::{folder, parsed, refused};

pub(super) fn register(module: &mut RpcModule<Context>) -> Result<(), RegisterMethodError> {
    module.register_async_method(CAPABILITY_PROFILE_LIST, |params, context, _| async move {
        profiles(parsed(&params)?, &context).await.map_err(refused)
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
    Ok(())
}

async fn profiles(
    params: CapabilityProfileListParams,
    context: &Context,
) -> Result<Page<ProfileEntry>, LoadoutError> {
    let CapabilityProfileListParams { cwd, cursor, limit } = params;
    let profiles = context.loadouts.profiles(&folder(cwd)?).await?;
    let key = |entry: &ProfileEntry| (entry.name.clone(), entry.layer, entry.path.clone());
    page(
        CAPABILITY_PROFILE_LIST,
        profiles,
        key,
        Wanted { cursor, limit },
    )
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
