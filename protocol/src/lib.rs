//! The wire types that codex-loadout adds to the Codex app-server protocol.
//!
//! No IO and no async here: a host can depend on this crate to speak the
//! extension, and the proxy depends on it to parse what a host sent.
//!
//! Reading order: [`selection`] is what a host asks for, [`profile`] is one with a
//! name, [`binding`] says where which profile counts, [`receipt`] is what a host
//! gets back, [`error`] is how a refusal looks, [`method`] holds the methods of
//! our own and their parameters and results, [`bundle`] those for bundles that are added here, [`audit`] is what is kept of what
//! happened, [`seen`] reads what a model was
//! really shown, [`schema`] turns all of it into
//! JSON Schema.

pub mod selection;

pub mod profile;

pub mod binding;

pub mod receipt;

pub mod error;

pub mod alike;

pub mod method;

pub mod audit;

pub mod bundle;

pub mod seen;

pub mod schema;

pub use error::{ErrorItem, ErrorKind, LoadoutError};
pub use receipt::Receipt;
pub use seen::Seen;
pub use selection::CapabilitySelection;
