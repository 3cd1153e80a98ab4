//! The table: one file a subject.

use std::sync::Arc;

use jsonrpsee::RpcModule;
use jsonrpsee::core::RegisterMethodError;

use super::context::{Context, UpdatesThreads};
use super::{audit, bindings, bundles, capabilities, profiles, threads};

/// Builds the table.
pub(super) fn table(context: Context) -> RpcModule<Context> {
    let updates = context.updates.clone();
    let mut module = RpcModule::new(context);
    register(&mut module, updates).unwrap_or_else(|error| {
        // It fails only for a name that is taken, and these are all different.
        tracing::error!(%error, "a method of ours is not served");
    });
    module
}

fn register(
    module: &mut RpcModule<Context>,
    updates: Option<Arc<dyn UpdatesThreads>>,
) -> Result<(), RegisterMethodError> {
    capabilities::register(module)?;
    threads::register(module, updates)?;
    profiles::register(module)?;
    bindings::register(module)?;
    bundles::register(module)?;
    audit::register(module)
}
