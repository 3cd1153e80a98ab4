//! Whole texts, in and out.

mod leftovers;
mod paths;
mod properties;
mod tables;
mod world;
