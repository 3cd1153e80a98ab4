//! `codex-loadout schema`.

use std::collections::BTreeMap;

use anyhow::Result;
use clap::Args;
use codex_loadout_protocol::schema::all;
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use serde_json::value::RawValue;

use super::options::Output;
use super::print::pretty;

#[derive(Debug, Args)]
pub(super) struct Schema {
    /// One type alone, such as `CapabilitySelection`; `selection` is that, and `profile` a profile's file
    #[arg(value_name = "TYPE")]
    pub(super) name: Option<String>,
    #[command(flatten)]
    pub(super) output: Output,
}

/// The schema is JSON for whoever asks.
pub(super) fn schema(arguments: &Schema) -> Result<String> {
    let all = all().into_iter().map(|(file, text)| {
        let name = file.strip_suffix(".json").unwrap_or(file);
        (name, text)
    });
    let all: BTreeMap<&str, String> = all.collect();
    let Some(name) = &arguments.name else {
        let all = all.into_iter().map(|(name, text)| {
            let schema = RawValue::from_string(text.trim_end().to_owned())?;
            Ok((name, schema))
        });
        return pretty(&all.collect::<Result<BTreeMap<&str, Box<RawValue>>, serde_json::Error>>()?);
    };
    let name = match name.as_str() {
        "selection" => "CapabilitySelection",
        "profile" => "ProfileFile",
        name => name,
    };
    match all.get(name) {
        Some(text) => Ok(text.clone()),
        None => {
            let known: Vec<String> = all.keys().map(|&name| name.to_owned()).collect();
            let message = format!("there is no type `{name}`");
            let item = ErrorItem {
                candidates: known,
                ..ErrorItem::named(name)
            };
            Err(LoadoutError::new(ErrorKind::UnknownCapability, message)
                .with_hint("`codex-loadout schema` prints all of them.")
                .with_items(vec![item])
                .into())
        }
    }
}
