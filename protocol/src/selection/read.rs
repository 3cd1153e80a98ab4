//! A selection read from JSON or TOML, and what is said of one that can't be read.

use std::fmt;

use serde::Deserializer;

use super::limits::{MAX_TEXT, too_large};
use super::{CapabilitySelection, FIELD};
use crate::alike::alike;
use crate::error::{ErrorItem, ErrorKind, LoadoutError};

impl CapabilitySelection {
    /// Reads a selection from the JSON text of the field.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSelection`], naming the path of the offending field.
    pub fn from_json(text: &str) -> Result<Self, LoadoutError> {
        if text.len() > MAX_TEXT {
            return Err(too_large(format!("more than {MAX_TEXT} bytes")));
        }
        // serde reads a struct from a JSON list as well, field by field.
        if !text.trim_start().starts_with('{') {
            return Err(LoadoutError::new(
                ErrorKind::InvalidSelection,
                format!("`{FIELD}` is not valid: expected an object"),
            )
            .with_hint("Send an object (a profile by its name is `{\"profile\": \"NAME\"}`), or leave the field out for Codex's own behaviour.")
            .with_items(vec![ErrorItem::named(FIELD)]));
        }
        let selection = Self::read(&mut serde_json::Deserializer::from_str(text))
            .map_err(|error| error.at(FIELD))?;
        selection.check_size()?;
        Ok(selection)
    }

    /// Reads a selection.
    ///
    /// # Errors
    /// [`MemberError`], where it can't be read.
    pub fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, MemberError>
    where
        D::Error: fmt::Display,
    {
        serde_path_to_error::deserialize(deserializer).map_err(|error| {
            let path = match error.path().to_string().as_str() {
                // Where the text ends or is no JSON, there is no field to name.
                "." | "?" => String::new(),
                path => path.trim_end_matches(".?").to_owned(),
            };
            let cause = error.into_inner().to_string();
            // serde_json ends its messages with a position in the field's own
            // text, which means nothing to whoever wrote the whole request.
            let cause = cause.split(" at line ").next().unwrap_or(&cause).to_owned();
            MemberError::new(path, cause)
        })
    }
}

/// Where a selection that can't be read is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberError {
    /// The path of the member in the selection; empty for the selection itself.
    pub path: String,
    /// What is wrong there.
    pub cause: String,
    /// What its author may have meant.
    pub did_you_mean: Vec<String>,
}

impl MemberError {
    /// The refusal of a selection that stands at this place.
    #[must_use]
    pub fn at(self, place: &str) -> LoadoutError {
        let path = match self.path.as_str() {
            "" => place.to_owned(),
            path => format!("{place}.{path}"),
        };
        let item = ErrorItem {
            name: path.clone(),
            did_you_mean: self.did_you_mean,
            ..ErrorItem::default()
        };
        let message = format!("`{path}` is not valid: {}", self.cause);
        LoadoutError::new(ErrorKind::InvalidSelection, message)
            .with_hint(SCHEMA_HINT)
            .with_items(vec![item])
    }

    fn new(path: String, mut cause: String) -> Self {
        let last = path.rsplit('.').next().unwrap_or_default();
        let words: &[&str] = match last {
            "mode" => &["replace", "restrict", "extend"],
            "onUntrusted" => &["error", "omit"],
            "managed" => &["refuse", "include"],
            "hostServers" => &["keep", "drop"],
            "list" => &["full", "name", "manual"],
            _ => &[],
        };
        // What is no string at all, serde_json does not answer with the words that there are.
        if !words.is_empty() && !cause.starts_with("unknown ") {
            cause = format!("expected one of `{}`", words.join("`, `"));
        }
        let quoted: Vec<&str> = cause.split('`').skip(1).step_by(2).collect();
        let did_you_mean = match quoted.split_first() {
            // serde quotes what it found, and then what it knows.
            Some((found, known)) if cause.starts_with("unknown ") => {
                alike(found, known.iter().copied())
            }
            _ => Vec::new(),
        };
        Self {
            path,
            cause,
            did_you_mean,
        }
    }
}

/// Where the shape of a selection is told.
pub const SCHEMA_HINT: &str =
    "`codex-loadout schema CapabilitySelection` prints the shape of each field.";
