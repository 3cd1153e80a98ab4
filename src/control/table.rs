//! The table: one file a subject.

use jsonrpsee::RpcModule;
use jsonrpsee::core::RegisterMethodError;

use super::context::Context;
use super::{audit, bindings, bundles, capabilities, profiles, threads};

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
    capabilities::register(module)?;
    threads::register(module)?;
    profiles::register(module)?;
    bindings::register(module)?;
    bundles::register(module)?;
    audit::register(module)
}
