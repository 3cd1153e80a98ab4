//! The audit.

use codex_loadout_protocol::LoadoutError;
use codex_loadout_protocol::audit::CapabilityAuditListParams;
use codex_loadout_protocol::method::CAPABILITY_AUDIT_LIST;
use jsonrpsee::RpcModule;
use jsonrpsee::core::RegisterMethodError;

use super::context::Context;
use super::paging::{check_limit, no_cursor};
use super::params::{parsed, refused};

pub(super) fn register(module: &mut RpcModule<Context>) -> Result<(), RegisterMethodError> {
    module.register_async_method(CAPABILITY_AUDIT_LIST, |params, context, _| async move {
        let wanted: CapabilityAuditListParams = parsed(&params)?;
        check_page(&wanted).map_err(refused)?;
        context.loadouts.audit(&wanted).await.map_err(refused)
    })?;
    Ok(())
}

fn check_page(wanted: &CapabilityAuditListParams) -> Result<(), LoadoutError> {
    check_limit(wanted.limit)?;
    let cursor = wanted.cursor.as_deref();
    match cursor.is_none_or(|cursor| uuid::Uuid::parse_str(cursor).is_ok()) {
        true => Ok(()),
        false => Err(no_cursor()),
    }
}
