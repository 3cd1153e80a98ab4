//! MCP servers as Codex takes them.

mod fields;
mod http;
mod stdio;

use crate::components::servers::definition::{Draft, Transport};
use crate::report::Finding;

pub(super) fn convert(draft: &mut Draft<'_, '_>, transport: Transport) -> Result<(), Finding> {
    match transport {
        Transport::Stdio => stdio::convert(draft)?,
        Transport::Http => http::convert(draft)?,
    }
    fields::carry(draft, transport);
    Ok(())
}
