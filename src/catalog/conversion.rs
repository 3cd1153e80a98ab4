//! A plugin that was made for Claude, as a bundle for Codex.

use std::collections::BTreeMap;
use std::path::PathBuf;

use codex_loadout_converter::names::Names;
use codex_loadout_converter::target::Codex;
use codex_loadout_converter::{self as converter, BundleRoot, Options, Source};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::bundle::{KEPT_AT, PROGRAM_AT, Tree};
use crate::hook_adapter;

/// What a plugin's conversion depends on besides its folder. It is kept, so that the same bundle
/// can be made of the same folder again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConversionInput {
    /// The plugin's name, should its files give none.
    pub plugin: String,
    /// Where the plugin may keep data of its own.
    pub data_folder: PathBuf,
    /// Its entry in its marketplace, if it is taken from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<Map<String, Value>>,
    /// What its texts can refer to in the other chosen plugins.
    pub neighbours: Names,
    /// The names its MCP servers run under, where they are not its own.
    pub renamed_servers: BTreeMap<String, String>,
}

/// Converts a plugin's tree, for the place it will be kept at.
///
/// # Errors
/// One sentence for each reason why there is no bundle of it.
pub(crate) fn convert(
    tree: Tree,
    input: &ConversionInput,
) -> Result<converter::Conversion, Vec<String>> {
    let source = Source {
        tree,
        folder: input.plugin.clone(),
        entry: input.entry.clone(),
        marketplace: None,
    };
    let options = Options {
        root: BundleRoot::At(KEPT_AT.to_owned()),
        adapter: Some((PROGRAM_AT.to_owned(), hook_adapter::VERB.to_owned())),
        data_folder: Some(input.data_folder.to_string_lossy().into_owned()),
        neighbours: input.neighbours.clone(),
        renamed_servers: input.renamed_servers.clone(),
        ..Options::default()
    };
    let converted =
        converter::convert(&source, &options, &Codex).map_err(|error| vec![error.to_string()])?;
    let failures = &converted.report.failures;
    if failures.is_empty() {
        return Ok(converted);
    }
    Err(failures
        .iter()
        .map(|failure| format!("{}: {}", failure.location, failure.message))
        .collect())
}
