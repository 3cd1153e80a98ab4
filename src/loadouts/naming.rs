//! The catalog that a selection is resolved on.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use codex_loadout_protocol::{CapabilitySelection, ErrorKind, LoadoutError};

use super::choice::Selected;
use crate::catalog::{Catalog, CatalogCache};
use crate::connection::RpcClient;
use crate::resolver;

/// The plugins that a selection names, by themselves or before what they have: `plugin:skill`.
fn plugins_named(selection: &CapabilitySelection) -> BTreeSet<String> {
    let plugins = selection
        .plugins
        .iter()
        .flatten()
        .map(|plugin| plugin.id.as_str());
    let skills = selection
        .skills
        .iter()
        .flatten()
        .map(|skill| skill.name.as_str());
    let agents = selection.agents.iter().flatten().map(String::as_str);
    let owners = skills
        .chain(agents)
        .filter_map(|name| name.split_once(':'))
        .map(|(plugin, _)| plugin);
    plugins.chain(owners).map(str::to_owned).collect()
}

/// What there is in a folder. If a name of the selection is unknown there, Codex is made to look again:
/// its list follows the disk with a delay.
///
/// # Errors
/// `unsupportedUpstream` if Codex does not tell.
pub(crate) async fn catalog_for(
    selected: &Selected,
    catalogs: &CatalogCache,
    rpc: &RpcClient,
    codex_home: &Path,
    cwd: &Path,
) -> Result<Arc<Catalog>, LoadoutError> {
    let catalog = catalogs.get(rpc, codex_home, cwd).await?;
    let selection = &selected.expanded.selection;
    match resolver::resolve_beside(selection, &catalog, &selected.request_servers) {
        Err(error) if error.kind == ErrorKind::UnknownCapability => {
            let plugins = plugins_named(selection);
            Ok(catalogs.get_anew(rpc, codex_home, cwd, plugins).await?)
        }
        // What else is wrong is told by whoever resolves it.
        _ => Ok(catalog),
    }
}
