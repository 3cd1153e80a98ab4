//! The checks of `codex-loadout doctor`, on every supported Codex.
//!
//! ```text
//! cargo run --example versions            every pinned Codex, 400 MB each, installed once
//! cargo run --example versions -- 0.169.0
//! ```
//!
//! Each cell says what the model saw: exactly the loadout, or less, or more. A cell may say that the
//! request was refused instead: never wider, where that Codex can't do better.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use codex_loadout::doctor::{Check, Finding};
use lab::{Table, VERSIONS, codex, proxy};
use serde::Deserialize;

/// How wide a check's name may get.
const NAME: usize = 40;
/// How wide a finding may get.
const CELL: usize = 24;

#[derive(Deserialize)]
struct Findings {
    data: Vec<Check>,
}

fn examine(proxy: &Path, version: &str) -> Result<Vec<Check>> {
    let output = Command::new(proxy)
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
