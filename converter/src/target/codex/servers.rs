//! MCP servers as Codex takes them.
//!
//! Codex 0.157 to 0.169 expand no variable in a definition, send no `headers`, and give a process a
//! short list of variables; what a definition says with Claude's words is said here with Codex's.

mod fields;
mod http;
mod stdio;

use crate::components::servers::definition::{ServerDraft, Transport};
use crate::report::Finding;

pub(super) fn convert(
    draft: &mut ServerDraft<'_, '_>,
    transport: Transport,
) -> Result<(), Finding> {
    match transport {
        Transport::Stdio => stdio::convert(draft)?,
        Transport::Http => http::convert(draft)?,
    }
    fields::carry(draft, transport);
    Ok(())
}
