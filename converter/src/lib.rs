//! Claude plugins as bundles of another agent platform, with every part accounted for.
//!
//! In goes a plugin's tree as a value, out come the bundle's tree and a [`Report`] that has one
//! account for each component of the source. The same input gives the same output.
//!
//! *Architecture invariant:* nothing here touches a file, a clock, a process or the network, and
//! nothing of a plugin is ever run. Only [`target`] knows what a platform's files look like: Codex's, the Gemini CLI's.
//!
//! In reading order: what comes in ([`source`], [`marketplace`], `discovery`), what is asked for ([`options`]),
//! what all is called (`naming`), the parts (`components`) with their `frontmatter` and `text`, the platform
//! ([`target`]), how it comes together (`convert`, `bundle_checks`), what comes out ([`report`], [`error`]).

pub mod source;

pub mod marketplace;

mod detect;

mod discovery;

mod paths;

mod word_list;

#[cfg(test)]
mod test_table;

pub mod options;

pub mod names;

mod naming;

mod context;

mod components;

mod frontmatter;

mod text;

pub mod target;

mod convert;

mod bundle_checks;

pub mod report;

pub mod error;

pub use components::hooks::{BundleHook, HookOrigin};
pub use convert::{AgentRole, Conversion, convert, names};
pub use detect::is_made_for_claude;
pub use discovery::LARGEST_MANIFEST;
pub use error::ConversionError;
pub use options::{BundleRoot, Options};
pub use report::Report;
pub use source::Source;
