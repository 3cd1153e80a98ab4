//! `codex-loadout convert`: folders in, bundles and reports out.

mod folder;
mod gemini;
mod modes;
mod output;
mod run;
mod verify;

pub use folder::{FolderError, FoundPlugin, find_plugins};
pub use gemini::verify_with_gemini;
pub use modes::Modes;
pub use output::{OutputError, Replace, folder_name, write};
pub use run::{Converted, Outcome, Request, convert_all};
pub use verify::{Missing, Verified, verify};
