//! The MCP servers of a home: one script, and the log in which every start leaves a line.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};

/// The server's program, for Node.
pub(super) const SCRIPT: &str = include_str!("mcp.mjs");
/// Where it lies in the home.
pub(super) const SCRIPT_PATH: &str = "lab/mcp.mjs";
/// Where it logs its starts.
pub(super) const LOG_PATH: &str = "lab/mcp.log";

/// Process id and name of every server ever started, in order.
pub(super) fn started(home: &Path) -> Result<Vec<(u32, String)>> {
    let log = match fs::read_to_string(home.join(LOG_PATH)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        log => log.context("the log of MCP servers")?,
    };
    log.lines()
        .map(|line| {
            let (id, name) = line
                .split_once(' ')
                .with_context(|| format!("not a line of the MCP log: {line:?}"))?;
            Ok((id.parse()?, name.to_owned()))
        })
        .collect()
}

/// Those of them that live.
pub(super) fn alive(home: &Path) -> Result<BTreeSet<u32>> {
    let script = home.join(SCRIPT_PATH);
    let script = script.to_string_lossy();
    let ids = started(home)?.into_iter().map(|(id, _)| id);
    // The script's path tells a server from another process that got its id later.
    Ok(ids
        .filter(|id| command_line(*id).contains(&*script))
        .collect())
}

/// Not `ps`, which slim containers do not have.
#[cfg(target_os = "linux")]
fn command_line(id: u32) -> String {
    let bytes = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(not(target_os = "linux"))]
fn command_line(id: u32) -> String {
    let output = std::process::Command::new("ps")
        .args(["-o", "args=", "-p", &id.to_string()])
        .output();
    output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default()
}
