//! Whole texts, in and out.

mod corpora;
mod properties;
mod tables;
mod world;
