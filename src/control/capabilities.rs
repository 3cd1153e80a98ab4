//! What could be selected, and what a selection comes to.

use codex_loadout_protocol::binding::{CapabilityResolveResult, Carrier, Rule};
use codex_loadout_protocol::method::{
    CAPABILITY_LIST, CAPABILITY_RESOLVE, Capability, CapabilityListParams, Page,
};
use codex_loadout_protocol::{CapabilitySelection, LoadoutError};
use jsonrpsee::RpcModule;
use jsonrpsee::core::RegisterMethodError;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::context::Context;
use super::paging::{Wanted, page};
use super::params::{folder, parsed, refused};
use crate::loadouts::Chosen;
use crate::profiles::Requested;
use crate::resolver::capabilities;

pub(super) fn register(module: &mut RpcModule<Context>) -> Result<(), RegisterMethodError> {
    module.register_async_method(CAPABILITY_LIST, |params, context, _| async move {
        list(parsed(&params)?, &context).await.map_err(refused)
    })?;
    module.register_async_method(CAPABILITY_RESOLVE, |params, context, _| async move {
        resolve(parsed(&params)?, &context).await.map_err(refused)
    })?;
    Ok(())
}

async fn list(
    params: CapabilityListParams,
    context: &Context,
) -> Result<Page<Capability>, LoadoutError> {
    let codex = context.upstream.connection().await?;
    let cwd = folder(params.cwd)?;
    let (rpc, home) = (&codex.rpc, &codex.info.codex_home);
    let catalog = context.catalogs.get_with_offered(rpc, home, &cwd).await?;
    let (loadouts, catalogs) = (&context.loadouts, &context.catalogs);
    let catalog = loadouts.with_bundles(catalogs, catalog).await?;
    let key = |entry: &Capability| (entry.kind, entry.id.clone(), entry.source.clone());
    let wanted = Wanted {
        cursor: params.cursor,
        limit: params.limit,
    };
    page(CAPABILITY_LIST, capabilities(&catalog), key, wanted)
}

/// The selection is read like that of a start, so that what is wrong is told in the same words.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResolveParams {
    #[serde(default)]
    capability_selection: Option<Box<RawValue>>,
    #[serde(default)]
    cwd: Option<String>,
    #[serde(default)]
    host: Option<String>,
    #[serde(default)]
    task: Option<String>,
}

async fn resolve(
    params: ResolveParams,
    context: &Context,
) -> Result<CapabilityResolveResult, LoadoutError> {
    let of_field = params.capability_selection.as_deref().map(RawValue::get);
    let rule = match of_field {
        Some(text) => Some(Rule::without_key(
            Carrier::Field,
            Some(CapabilitySelection::from_json(text)?),
        )),
        None => None,
    };
    let requested = Requested {
        rules: rule.into_iter().collect(),
        task: params.task,
    };
    let cwd = folder(params.cwd)?;
    let host = params.host.or_else(|| context.host.get().cloned());
    let Chosen { selected, decision } = context
        .loadouts
        .choose(requested, &context.launch, host.as_deref(), &cwd)
        .await?;
    let Some(selected) = selected else {
        return Ok(CapabilityResolveResult {
            capability_selection: None,
            decision,
        });
    };
    let selection = &selected.expanded.selection;
    let codex = context.upstream.connection().await?;
    let (rpc, home) = (&codex.rpc, &codex.info.codex_home);
    let loadouts = &context.loadouts;
    let catalog = loadouts.catalog_for(&selected, &context.catalogs, rpc, home, &cwd);
    let catalog = catalog.await?;
    let resolved = loadouts
        .resolve(selection, &catalog, codex.info.version)
        .await;
    let mut receipt = resolved.map_err(|error| selected.expanded.locate(error))?;
    receipt.warnings.extend(selected.warnings);
    Ok(CapabilityResolveResult {
        capability_selection: Some(receipt),
        decision,
    })
}
