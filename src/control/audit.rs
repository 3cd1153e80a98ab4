//! The audit.

use codex_loadout_protocol::LoadoutError;
use codex_loadout_protocol::audit::{CapabilityAuditListParams, MAX_LIMIT};
use codex_loadout_protocol::method::CAPABILITY_AUDIT_LIST;
use jsonrpsee::RpcModule;
use jsonrpsee::core::RegisterMethodError;

use super::context::Context;
use super::params::{invalid, parsed, refused};

pub(super) fn register(module: &mut RpcModule<Context>) -> Result<(), RegisterMethodError> {
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
