//! Who says which loadout a thread gets: what a request carries, the launch line, the environment and
//! bindings, and the profiles that these name.
//!
//! *Architecture invariant:* pure, but for [`folders`], which reads and writes the files of profiles.

mod carried;
mod decide;
mod expand;
mod file;
pub mod folders;
mod launch_line;
mod merge;
mod misplaced;
mod spelling;

pub use carried::{Requested, in_request, take_out};
pub use decide::{Surroundings, decide};
pub use expand::{Expanded, Found, Shelf, expand, unknown_profile};
pub use file::{ProfileFile, SCHEMA_LINE, is_profile_name, parse, print};
pub use launch_line::{LaunchLine, Reference, read_launch_line, read_reference};
pub use merge::merge;
pub use misplaced::misplaced;
pub use spelling::in_field_spelling;
