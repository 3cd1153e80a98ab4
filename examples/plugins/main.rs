//! Real Claude plugins: what Codex makes of them by itself, and what it has of them once they are converted.
//!
//! ```text
//! cargo run --release --example plugins -- [FOLDER]
//! ```
//!
//! Each folder in `FOLDER` is a corpus: a marketplace, a plugin, or a folder of plugins. Without one it is
//! `../shared/corpora` beside the repository, if that is there.
//!
//! It fails when a plugin can't be converted, when Codex misses a part of a bundle, and when something that
//! only Claude Code understands is left in a text without a warning.

mod corpus;
mod cost;
mod installed;
mod leftovers;
mod tally;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use codex_loadout::connection::UpstreamCommand;
use codex_loadout::conversion::{Outcome, Request, convert_all, verify};
use codex_loadout_converter::Conversion;
use codex_loadout_converter::options::Aliases;
use codex_loadout_converter::target::Codex;
use lab::{Model, Table};

use corpus::Corpus;
use installed::Installed;
use leftovers::Leftovers;
use tally::{KINDS, Tally};

/// What became of a corpus, by kind.
#[derive(Default)]
struct Row {
    plugins: usize,
    /// In the source.
    source: Tally,
    /// What Codex has of the plugins as they are.
    native: Tally,
    /// Plugins that Codex refuses to install as they are.
    refused: usize,
    converted: Tally,
    /// Of the converted, those of which something is lost.
    lossy: Tally,
    /// Of the converted, those that Codex has.
    seen: Tally,
    leftovers: Leftovers,
    /// What else is not as it should be.
    problems: Vec<String>,
}

impl Row {
    fn add(&mut self, other: Self) {
        self.plugins += other.plugins;
        self.refused += other.refused;
        for (sum, more) in [
            (&mut self.source, other.source),
            (&mut self.native, other.native),
            (&mut self.converted, other.converted),
            (&mut self.lossy, other.lossy),
            (&mut self.seen, other.seen),
        ] {
            sum.add(more);
        }
        self.leftovers.add(other.leftovers);
        self.problems.extend(other.problems);
    }

    fn cells(&self, name: &str) -> Vec<String> {
        let kinds = KINDS.map(|kind| {
            let [native, converted, source] =
                [self.native, self.converted, self.source].map(|tally| tally.of(kind));
            format!("{native} → {converted} of {source}")
        });
        let mut cells = vec![name.to_owned(), self.plugins.to_string()];
        cells.extend(kinds);
        cells.push(self.leftovers.changed.to_string());
        cells
    }
}

/// Converts a corpus, and lets Codex look at both sides of it.
async fn measure(corpus: &Corpus, model: &Model, codex: &Path) -> Result<Row> {
    let mut row = Row {
        plugins: corpus.plugins.len(),
        ..Row::default()
    };
    let plugins = corpus.plugins.iter();
    let plugins = plugins.map(|plugin| (plugin.entry.clone(), &plugin.source.tree));
    let native = Installed::of(plugins.collect(), model).await?;
    row.native = native.tally;
    row.refused = native.refused.len();

    let out = tempfile::tempdir()?;
    let converted = convert_all(&Request {
        folder: corpus.folder.clone(),
        out: out.path().to_owned(),
        replace: false,
        strict: false,
        aliases: Aliases::default(),
        target: &Codex,
    })?;
    let mut bundles: Vec<(&Path, &Conversion)> = Vec::new();
    for one in &converted {
        match &one.outcome {
            Outcome::Written { place, conversion } => bundles.push((place, conversion)),
            Outcome::Failed(report) => {
                row.source.add(Tally::of_source(report));
                row.problems.push(format!("{}: {report}", one.name));
            }
            Outcome::Broken { message, .. } => {
                row.problems.push(format!("{}: {message}", one.name));
            }
            Outcome::Elsewhere { .. } => {}
        }
    }
    for (_, bundle) in &bundles {
        row.source.add(Tally::of_source(&bundle.report));
        row.converted.add(Tally::of_converted(&bundle.report));
        row.lossy.add(Tally::of_lossy(&bundle.report));
    }
    let codex = UpstreamCommand::find(Some(codex.to_owned()))?;
    row.seen = row.converted;
    for ((_, bundle), verified) in bundles.iter().zip(verify(&codex, &bundles).await?) {
        for missing in verified.missing {
            let problem = format!("Codex misses the {:?} `{}`", missing.kind, missing.name);
            row.problems.push(problem);
            row.seen.take(&bundle.report, &missing);
        }
    }

    // Hooks are no part of that check: Codex lists those of plugins that are installed.
    let trees = bundles.iter().map(|(_, bundle)| {
        let entry = corpus::entry_of(&bundle.report.plugin);
        (entry, &bundle.bundle)
    });
    let bundled = Installed::of(trees.collect(), model).await?;
    row.problems.extend(bundled.refused);
    row.seen.hooks = bundled.tally.hooks;
    if row.seen.hooks != row.converted.hooks {
        row.problems.push(format!(
            "{}: Codex has {} of {} hooks",
            corpus.name, row.seen.hooks, row.converted.hooks
        ));
    }
    let known = corpus.names()?;
    for (_, bundle) in &bundles {
        row.leftovers.add(leftovers::of(bundle, corpus, &known));
    }
    Ok(row)
}

fn folder() -> Result<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    let folder = std::env::args_os().nth(1).map_or(beside, PathBuf::from);
    folder
        .canonicalize()
        .ok()
        .filter(|folder| folder.is_dir())
        .with_context(|| {
            format!(
                "no plugins at `{}`: name a folder of marketplaces, plugins or folders of plugins, \
                 as in `cargo run --release --example plugins -- ~/plugins`",
                folder.display()
            )
        })
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example shows what it found")]
async fn main() -> Result<ExitCode> {
    let corpora = corpus::all(&folder()?)?;
    let codex = lab::codex(lab::DEFAULT_VERSION)?;
    let model = Model::start().await?;
    let mut table = Table::new(&[
        ("corpus", 24),
        ("plugins", 7),
        ("skills", 18),
        ("commands", 18),
        ("agents", 18),
        ("hooks", 18),
        ("MCP servers", 18),
        ("sentences changed", 17),
    ]);
    let mut total = Row::default();
    for corpus in &corpora {
        let row = measure(corpus, &model, &codex)
            .await
            .with_context(|| corpus.name.clone())?;
        table.row(row.cells(&corpus.name));
        total.add(row);
    }
    table.row(total.cells("all"));
    println!(
        "\nWhat Codex {} has natively → what it can be given once converted, of what is in the source:\n\n{table}",
        lab::DEFAULT_VERSION
    );
    println!("{}", tally::table(&total));
    println!(
        "Plugins that Codex refuses to install as they are: {}",
        total.refused
    );
    println!(
        "Claude's own words in texts, outside of blocks of code: {} in the source, {} left with a warning, {} left without",
        total.leftovers.source,
        total.leftovers.reported,
        total.leftovers.unreported.len()
    );
    println!("\n{}", cost::measure(&corpora)?);
    total.problems.append(&mut total.leftovers.unreported);
    if total.leftovers.changed > 0 {
        let problem = format!(
            "{} sentences are not as their authors wrote them",
            total.leftovers.changed
        );
        total.problems.push(problem);
    }
    if total.problems.is_empty() {
        println!(
            "Every plugin is converted, Codex has every part of every bundle, and nothing of Claude Code's is left in a text unsaid."
        );
        return Ok(ExitCode::SUCCESS);
    }
    println!("\nNot as it should be:");
    for problem in total.problems {
        println!("- {problem}");
    }
    Ok(ExitCode::FAILURE)
}
