//! Who says which loadout a thread gets: what a request carries, the launch line, the environment and
//! bindings, and the profiles that these name.
//!
//! *Architecture invariant:* pure, but for [`folders`], which reads and writes the files of profiles.

mod carried;
mod decide;
mod expand;
mod file;
pub(crate) mod folders;
mod launch_line;
mod merge;
mod misplaced;
mod spelling;

pub(crate) use carried::{Requested, in_request, take_out};
pub(crate) use decide::{Surroundings, decide};
pub(crate) use expand::{Expanded, Found, Shelf, expand, unknown_profile};
pub(crate) use file::{ProfileFile, SCHEMA_LINE, is_profile_name, parse, print};
pub(crate) use launch_line::{LaunchLine, Reference, read_launch_line, read_reference};
pub(crate) use merge::merge;
pub(crate) use misplaced::misplaced;
