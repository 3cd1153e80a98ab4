//! What is fetched, from folders, repositories and servers that the tests make, and what is refused.

#![expect(clippy::unwrap_used, reason = "this is a test")]

mod downloads;
mod folders;
mod git;
mod support;
