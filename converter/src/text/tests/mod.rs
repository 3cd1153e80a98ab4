//! Whole texts, in and out.
