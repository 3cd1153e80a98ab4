//! Whole texts, in and out.

mod corpora;
mod gate;
mod properties;
mod tables;
mod world;
