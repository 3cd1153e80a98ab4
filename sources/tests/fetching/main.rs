//! What is fetched, from folders, repositories and servers that the tests make, and what is refused.

mod folders;
mod git;
mod support;
