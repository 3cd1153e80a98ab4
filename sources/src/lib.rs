//! Bundles from anywhere: where they come from, what may be fetched, what is pinned, what it can run.
//!
//! In reading order: [`Source`] says where a bundle comes from, [`parse`] reads what a user types, a [`FetchContext`] is
//! what fetching is given, and [`fetch`] opens the place (`folder`), asks the [`Gate`] before each step, finds
//! in a marketplace there what is meant (`marketplace`), and takes it (`place`). Of what came, [`Fetched::content`] says
//! what it is, [`executables`] what it can run, [`difference`] what is new in it. [`lock`] is how a project says it all to
//! another machine, [`policy`] what an administrator and a user let happen, [`signature`] who signed something.
//!
//! *Architecture invariant:* nothing here knows Codex's configuration, a thread or the state folder. What is fetched
//! comes back as a value, a tree; nothing of it is ever run.

mod address;
mod archive;
mod content;
mod context;
mod difference;
mod error;
mod executables;
mod fetch;
mod folder;
mod git;
mod http;
mod limits;
pub mod lock;
mod marketplace;
mod npm;
mod parse;
mod place;
pub mod policy;
mod process;
mod redact;
pub mod signature;
mod source;
mod toml_text;

pub use address::escaped;
pub use archive::read_archive;
pub use content::{Content, ContentKind};
pub use context::{FetchContext, Gate, Progress};
pub use difference::{Difference, ExecutableChange, difference};
pub use error::{FetchError, FetchErrorKind};
pub use executables::{Executable, ExecutableKind, executables};
pub use fetch::{Fetched, SignedFile, fetch};
pub use limits::Limits;
pub use parse::{AddOptions, SourceError, parse};
pub use source::{Origin, Source};
