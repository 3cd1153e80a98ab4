//! Claude plugins as bundles of another agent platform (Codex), with every part accounted for.
//!
//! In goes a plugin's tree as a value, out come the bundle's tree and a [`Report`] that has one
//! account for each component of the source. The same input gives the same output.
//!
//! *Architecture invariant:* nothing here touches a file, a clock, a process or the network, and
//! nothing of a plugin is ever run. Only [`target`] knows what a platform's files look like.
//!
//! In reading order: what comes in ([`source`], `discovery`), what is asked for ([`options`]), the
//! parts (`components`), their texts (`text`), the platform ([`target`]), what comes out ([`report`]).

pub mod source;

pub mod options;

mod paths;

pub mod names;

pub mod report;

pub mod target;

mod context;

mod text;

mod components;

mod detect;

mod discovery;

mod naming;

mod convert;

mod gates;

pub mod marketplace;

mod frontmatter;

pub mod error;

pub use components::hooks::{BundleHook, HookOrigin};
pub use convert::{AgentRole, Conversion, convert, names};
pub use detect::is_made_for_claude;
pub use error::ConversionError;
pub use options::{BundleRoot, Options};
pub use report::Report;
pub use source::Source;
