//! The catalog that a selection is resolved on.

use std::path::Path;
use std::sync::Arc;

use codex_loadout_protocol::{ErrorKind, LoadoutError};

use super::choice::Selected;
use crate::catalog::{Catalog, CatalogCache};
use crate::connection::Asker;
use crate::resolver;

/// What there is in a folder. If a name of the selection is unknown there, Codex is made to look again:
/// its list follows the disk with a delay.
///
/// # Errors
/// `unsupportedUpstream` if Codex does not tell.
pub async fn catalog_for(
    selected: &Selected,
    catalogs: &CatalogCache,
    asker: &Asker,
    codex_home: &Path,
    cwd: &Path,
) -> Result<Arc<Catalog>, LoadoutError> {
    let catalog = catalogs.get(asker, codex_home, cwd).await?;
    let selection = &selected.expanded.selection;
    match resolver::resolve_beside(selection, &catalog, &selected.request_servers) {
        Err(error) if error.kind == ErrorKind::UnknownCapability => {
            Ok(catalogs.get_anew(asker, codex_home, cwd).await?)
        }
        // What else is wrong is told by whoever resolves it.
        _ => Ok(catalog),
    }
}
