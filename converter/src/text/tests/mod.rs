//! Whole texts, in and out.

mod gate;
mod paths;
mod properties;
mod tables;
mod world;
