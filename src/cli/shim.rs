//! `codex-loadout shim`: what stands in for a `codex` that a host starts by name or finds in a folder of npm's.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use serde_json::json;

use super::options::Output;
use super::print::pretty;
use crate::connection::UpstreamCommand;

/// The word by which a shim says that it is called as `codex`.
pub(super) const STAND_IN: &str = "loadout-stand-in";

/// Where npm's package has Codex's programs, for hosts that look there (0.144 to 0.169, and SDKs before).
const IN_PACKAGE: [&str; 2] = ["bin/codex", "codex/codex"];

#[derive(Debug, Args)]
pub(super) struct Shim {
    /// Where to write it
    #[arg(value_name = "DIR")]
    pub(super) folder: PathBuf,
    /// Write `node_modules/@openai/codex`, for hosts that want the root of an SDK
    #[arg(long)]
    pub(super) npm: bool,
    /// The real Codex [default: $CODEX_LOADOUT_CODEX, then `codex` on PATH]
    #[arg(long, value_name = "PATH")]
    pub(super) codex: Option<PathBuf>,
    #[command(flatten)]
    pub(super) output: Output,
}

pub(super) fn shim(arguments: &Shim) -> Result<String> {
    let command = UpstreamCommand::find(arguments.codex.clone())?;
    let codex = std::path::absolute(&command.path)?;
    let own = std::env::current_exe()?;
    let script = script(&own, &codex);
    let folder = std::path::absolute(&arguments.folder)?;
    let (written, set) = match arguments.npm {
        false => {
            let file = folder.join("codex");
            write(&file, &script)?;
            let set = format!(
                "put `{0}` first on PATH of a host that runs `codex` (happy, codex-plugin-cc), or name `{1}` where a host asks for the path of codex",
                folder.display(),
                file.display()
            );
            (vec![file], set)
        }
        true => {
            let written = npm(&folder, &script, &codex)?;
            let set = format!(
                "name `{}` where a host asks for the root of the Codex SDK (VS Code), or put its `node_modules` in the place of yours",
                folder.display()
            );
            (written, set)
        }
    };
    let written: Vec<String> = written
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    if arguments.output.json {
        let codex = codex.display().to_string();
        return pretty(&json!({ "written": written, "codex": codex, "set": set }));
    }
    Ok(format!(
        "{}\nruns {}\n{set}\n",
        written.join("\n"),
        codex.display()
    ))
}

fn script(own: &Path, codex: &Path) -> String {
    format!(
        "#!/bin/sh\n# Written by codex-loadout: codex, with loadouts.\nexec {} {STAND_IN} --codex {} \"$@\"\n",
        quoted(own),
        quoted(codex)
    )
}

/// A path as one word of the shell's.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// `node_modules/@openai/codex`, and the package of this platform beside it.
fn npm(folder: &Path, script: &str, codex: &Path) -> Result<Vec<PathBuf>> {
    let modules = folder.join("node_modules");
    let version = version_of(codex)?;
    let package = modules.join("@openai/codex");
    let manifest = json!({ "name": "@openai/codex", "version": version, "type": "module",
        "bin": { "codex": "bin/codex.js" }, "files": ["bin"] });
    write_text(&package.join("package.json"), &format!("{manifest:#}\n"))?;
    let launcher = package.join("bin/codex.js");
    write(&launcher, LAUNCHER)?;
    let shim = package.join("bin/codex");
    write(&shim, script)?;
    let mut written = vec![launcher, shim];
    if let Some((platform, triple)) = platform() {
        let package = modules.join(format!("@openai/codex-{platform}"));
        let manifest = json!({ "name": format!("@openai/codex-{platform}"), "version": version });
        write_text(&package.join("package.json"), &format!("{manifest:#}\n"))?;
        for place in IN_PACKAGE {
            let file = package.join("vendor").join(triple).join(place);
            write(&file, script)?;
            written.push(file);
        }
    }
    Ok(written)
}

/// What npm's `codex` does: runs the program beside it, and ends as that does.
const LAUNCHER: &str = r#"#!/usr/bin/env node
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const codex = fileURLToPath(new URL("./codex", import.meta.url));
const child = spawn(codex, process.argv.slice(2), { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => child.kill(signal));
}
child.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
child.on("exit", (code, signal) => {
  if (signal) {
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  } else {
    process.exit(code ?? 1);
  }
});
"#;

/// npm's name of this platform, and the folder of its programs.
fn platform() -> Option<(&'static str, &'static str)> {
    Some(match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => ("linux-x64", "x86_64-unknown-linux-musl"),
        ("linux", "aarch64") => ("linux-arm64", "aarch64-unknown-linux-musl"),
        ("macos", "x86_64") => ("darwin-x64", "x86_64-apple-darwin"),
        ("macos", "aarch64") => ("darwin-arm64", "aarch64-apple-darwin"),
        _ => return None,
    })
}

fn version_of(codex: &Path) -> Result<String> {
    let told = std::process::Command::new(codex)
        .arg("--version")
        .output()
        .with_context(|| format!("`{}` can't be run", codex.display()))?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let version = told.split_whitespace().last().unwrap_or_default();
    Ok(version.to_owned())
}

/// The folder can't be written to.
fn unwritable(path: &Path, error: &std::io::Error) -> LoadoutError {
    let message = format!("`{}` can't be written: {error}", path.display());
    LoadoutError::new(ErrorKind::StateUnavailable, message)
        .with_hint("Name a folder that you may write to.")
        .with_items(vec![ErrorItem::named(path.display().to_string())])
}

fn write_text(path: &Path, text: &str) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(path);
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.persist(path)?;
        Ok(())
    };
    Ok(write().map_err(|error| unwritable(path, &error))?)
}

/// Writes what can be run.
fn write(path: &Path, text: &str) -> Result<()> {
    write_text(path, text)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
            .map_err(|error| unwritable(path, &error))?;
    }
    Ok(())
}
