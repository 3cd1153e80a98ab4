//! Parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    codex_loadout::cli::main()
}
