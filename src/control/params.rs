//! Parameters read, and errors told, in one way for all methods.

use std::path::PathBuf;

use codex_loadout_protocol::selection::FIELD;
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use jsonrpsee::types::{ErrorObjectOwned, Params};
use serde::de::DeserializeOwned;

/// A relative folder is taken from the proxy's own.
pub(super) fn folder(cwd: Option<String>) -> Result<PathBuf, LoadoutError> {
    let cwd = cwd.map_or_else(|| PathBuf::from("."), PathBuf::from);
    std::path::absolute(cwd).map_err(|error| invalid("cwd", &error.to_string()))
}

pub(super) fn parsed<T: DeserializeOwned>(params: &Params<'_>) -> Result<T, ErrorObjectOwned> {
    let text = match params.as_str() {
        None | Some("null") => "{}",
        Some(text) => text,
    };
    let deserializer = &mut serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." {
            "params".to_owned()
        } else {
            path
        };
        refused(invalid(&path, &error.into_inner().to_string()))
    })
}

pub(super) fn invalid(path: &str, why: &str) -> LoadoutError {
    let why = why.split(" at line ").next().unwrap_or(why);
    LoadoutError::new(
        ErrorKind::InvalidSelection,
        format!("`{path}` is not valid: {why}"),
    )
    .with_hint(format!(
        "`codex-loadout schema` prints the shape of the parameters of every method; a selection goes into `{FIELD}`."
    ))
    .with_items(vec![ErrorItem::named(path)])
}

pub(super) fn refused(error: LoadoutError) -> ErrorObjectOwned {
    let code = i32::try_from(error.kind.code()).unwrap_or(i32::MIN);
    ErrorObjectOwned::owned(code, error.message.clone(), Some(error.data()))
}
