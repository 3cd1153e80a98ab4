//! The checks of `codex-loadout doctor`, on every supported Codex.
//!
//! ```text
//! cargo run --example versions            every pinned Codex, 400 MB each, installed once
//! cargo run --example versions -- 0.169.0
//! ```
//!
//! The rows about an administrator need a mount namespace (`unshare -m`); they are left out where there is none.
//!
//! Each cell says what the model saw: exactly the loadout, or less, or more. A cell may say that the
//! request was refused instead: never wider, where that Codex can't do better.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use codex_loadout::doctor::{Check, Finding};
use lab::{Table, VERSIONS, can_be_under_administrator, codex, proxy, under_administrator};
use serde::Deserialize;

/// How wide a check's name may get.
const NAME: usize = 40;
/// How wide a finding may get.
const CELL: usize = 24;

#[derive(Deserialize)]
struct Findings {
    data: Vec<Check>,
}

/// What an administrator may say of every thread, and where.
const ADMINISTRATORS: [(&str, &str, &str); 3] = [
    (
        "hooks off by policy",
        "requirements.toml",
        "[features]\nhooks = false\n",
    ),
    (
        "plugins forced by managed_config.toml",
        "managed_config.toml",
        "[features]\nplugins = true\n",
    ),
    (
        "plugins forced by requirements.toml",
        "requirements.toml",
        "[features]\nplugins = true\n",
    ),
];

fn examine(proxy: &Path, version: &str) -> Result<Vec<Check>> {
    let mut checks = checks(Command::new(proxy), version)?;
    let folder = tempfile::tempdir()?;
    if !can_be_under_administrator(folder.path()) {
        return Ok(checks);
    }
    for (name, file, text) in ADMINISTRATORS {
        let folder = tempfile::tempdir()?;
        let mut inside = Command::new("unshare");
        inside.args(under_administrator(folder.path())?).arg(proxy);
        std::fs::write(folder.path().join("admin").join(file), text)?;
        let found = self::checks(inside, version)?;
        let worst = found.into_iter().max_by_key(|check| check.finding);
        checks.extend(worst.map(|worst| Check {
            check: name.to_owned(),
            ..worst
        }));
    }
    Ok(checks)
}

fn checks(mut proxy: Command, version: &str) -> Result<Vec<Check>> {
    let output = proxy
        .args(["doctor", "--json", "--codex"])
        .arg(codex(version)?)
        .stderr(Stdio::inherit())
        .output()?;
    let found: Findings = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("the doctor found nothing on Codex {version}"))?;
    Ok(found.data)
}

fn cell(check: &Check) -> String {
    match check.finding {
        Finding::Exact => "exact".to_owned(),
        Finding::Narrower => "narrower".to_owned(),
        Finding::Refused => "refused".to_owned(),
        Finding::Wider => format!("WIDER: {}", check.detail),
    }
}

#[expect(clippy::print_stdout, reason = "an example shows what it found")]
fn main() -> Result<ExitCode> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let versions: Vec<&'static str> = VERSIONS
        .into_iter()
        .filter(|version| wanted.is_empty() || wanted.iter().any(|name| name == version))
        .collect();
    let proxy = proxy()?;
    let found: Vec<Vec<Check>> = versions
        .iter()
        .map(|version| examine(&proxy, version))
        .collect::<Result<_>>()?;
    let columns: Vec<(&'static str, usize)> = std::iter::once(("", NAME))
        .chain(versions.iter().map(|version| (*version, CELL)))
        .collect();
    let mut table = Table::new(&columns);
    for (row, check) in found.first().into_iter().flatten().enumerate() {
        let cells = found
            .iter()
            .map(|checks| checks.get(row).map(cell).unwrap_or_default());
        table.row(std::iter::once(check.check.clone()).chain(cells));
    }
    println!("\n{table}");
    let wider = |check: &Check| check.finding == Finding::Wider;
    Ok(if found.iter().flatten().any(wider) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
