//! Whole texts, in and out.

mod corpora;
mod gate;
mod paths;
mod properties;
mod tables;
mod world;
