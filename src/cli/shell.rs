//! `codex-loadout completions` and `codex-loadout man`: what clap knows of the command line, for shells and readers.

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use super::arguments::Arguments;

/// The name that both are for.
const PROGRAM: &str = "codex-loadout";

/// A script for a shell.
pub(super) fn completions(shell: Shell) -> Result<String> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), PROGRAM, &mut script);
    Ok(String::from_utf8(script)?)
}

/// A page for `man`, in roff.
pub(super) fn man_page() -> Result<String> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Arguments::command()).render(&mut page)?;
    Ok(String::from_utf8(page)?)
}
