//! `codex-loadout convert`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use codex_loadout_converter::Report;
use codex_loadout_converter::options::Aliases;
use codex_loadout_converter::report::Summary;
use codex_loadout_converter::target::{Codex, Gemini, Target};
use codex_loadout_protocol::{ErrorKind, LoadoutError};
use serde::Serialize;

use super::options::Output;
use super::print::pretty;
use super::terminal::say_error;
use crate::connection::UpstreamCommand;
use crate::conversion::{
    Converted, Missing, Outcome, Request, Verified, convert_all, verify, verify_with_gemini,
};

#[derive(Debug, Args)]
pub(super) struct Convert {
    /// A plugin's folder, a marketplace's (all its plugins), or a folder of skills
    #[arg(value_name = "PLUGIN")]
    pub(super) plugin: PathBuf,
    /// Where the bundles go: DIR/<plugin> each
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
    /// How to print what became of each part
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    pub(super) report: ReportForm,
    /// Replace earlier bundles of the same plugins; what is none is never touched
    #[arg(long)]
    pub(super) force: bool,
    /// Let a warning fail its plugin
    ///
    /// A warning is what the report lists as lossy or dropped: a part that is less than it was, or may
    /// be. Its notes, of what is only written in another way, are none.
    #[arg(long)]
    pub(super) strict: bool,
    /// A TOML file with other names for skills: `[plugins.NAME.skills]`, then `old = "new"`
    #[arg(long, value_name = "FILE")]
    pub(super) aliases: Option<PathBuf>,
    /// What the bundles are for
    #[arg(long, value_name = "PLATFORM", value_enum, default_value_t)]
    pub(super) target: Platform,
    /// Load each bundle in a throwaway home, and look for every skill, agent and MCP server
    ///
    /// Takes the installed Codex, with a model endpoint on loopback, or the installed Gemini CLI. MCP
    /// servers are not run: for Codex, others that do nothing stand in their places, under their names.
    #[arg(long)]
    pub(super) verify: bool,
    /// The Codex for `--verify` [default: $CODEX_LOADOUT_CODEX, then `codex` on PATH]
    #[arg(long, value_name = "PATH", requires = "verify")]
    pub(super) codex: Option<PathBuf>,
    /// The Gemini CLI for `--verify` [default: `gemini` on PATH]
    #[arg(
        long,
        value_name = "PATH",
        requires = "verify",
        default_value = "gemini",
        hide_default_value = true
    )]
    pub(super) gemini: PathBuf,
    #[command(flatten)]
    pub(super) output: Output,
}

/// What a plugin can be converted for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Platform {
    /// Bundles of Codex
    #[default]
    Codex,
    /// Extensions of the Gemini CLI
    Gemini,
}

impl Platform {
    pub(super) fn target(self) -> &'static dyn Target {
        match self {
            Self::Codex => &Codex,
            Self::Gemini => &Gemini,
        }
    }
}

/// How to print a report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportForm {
    /// For people
    #[default]
    Text,
    /// For programs, as `--json`
    Json,
}

/// What is printed for programs.
#[derive(Debug, Serialize)]
struct Printed<'a> {
    plugins: Vec<PrintedPlugin<'a>>,
    /// Of all plugins together.
    summary: Summary,
    /// What to do where nothing was converted and no plugin says why.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
}

/// Said where nothing was converted.
const NOTHING: &str = "nothing of it can be converted";
/// What to do then.
const NOTHING_HINT: &str = "Name the folder in which a plugin's own files lie. One that comes by an address has to be fetched first; of what only Claude Code has, nothing comes.";

#[derive(Debug, Serialize)]
struct PrintedPlugin<'a> {
    name: &'a str,
    /// `converted`, `failed` (see the report), `broken` (see the error) or `elsewhere`.
    status: &'static str,
    /// The bundle's folder.
    bundle: Option<&'a Path>,
    report: Option<&'a Report>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    /// With `--verify`: what Codex does not have.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<&'a [Missing]>,
    /// With `--verify`: skills that Codex has, and that its list has no room for.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    unlisted: &'a [String],
}

pub(super) async fn run(arguments: Convert) -> Result<(String, bool)> {
    let request = Request {
        aliases: aliases(arguments.aliases.as_deref())?,
        folder: arguments.plugin,
        out: arguments.out,
        replace: arguments.force,
        strict: arguments.strict,
        target: arguments.target.target(),
    };
    let converted = convert_all(&request).map_err(|error| {
        LoadoutError::new(ErrorKind::ConversionFailed, error.to_string()).with_hint(
            "Name the folder of a plugin, of a marketplace, or one with plugins or skills in it.",
        )
    })?;
    let verified = if arguments.verify {
        let bundles: Vec<_> = converted.iter().filter_map(bundle_of).collect();
        Some(match arguments.target {
            Platform::Codex => verify(&UpstreamCommand::find(arguments.codex)?, &bundles).await?,
            Platform::Gemini => verify_with_gemini(&arguments.gemini, &bundles).await?,
        })
    } else {
        None
    };
    // Of the written ones alone, in their order.
    let mut found = verified.iter().flatten();
    let verified: Vec<Option<&Verified>> = converted
        .iter()
        .map(|one| bundle_of(one).and_then(|_| found.next()))
        .collect();
    let holds = !converted.iter().any(|one| one.outcome.has_failed())
        && verified.iter().flatten().all(|one| one.missing.is_empty());
    let is_something = |sum: &Summary| sum.converted + sum.lossy > 0;
    let is_empty = !converted
        .iter()
        .filter_map(bundle_of)
        .any(|(_, bundle)| is_something(&bundle.report.summary));
    let hint = (is_empty && holds).then_some(NOTHING_HINT);
    let holds = holds && !is_empty;
    let rows = || converted.iter().zip(&verified);
    if arguments.output.json || arguments.report == ReportForm::Json {
        let text = pretty(&Printed {
            plugins: rows()
                .map(|(one, verified)| printed(one, *verified))
                .collect(),
            summary: total(&converted),
            hint,
        })?;
        return Ok((text, holds));
    }
    let mut text = String::new();
    for (one, verified) in rows() {
        let said = for_people(one, *verified, request.target.name());
        match one.outcome.has_failed() {
            true => say_error(said.trim_end()),
            false => text.push_str(&said),
        }
    }
    if let Some(hint) = hint {
        say_error(&format!("{NOTHING}\n  hint: {hint}"));
    }
    Ok((text, holds))
}

fn aliases(file: Option<&Path>) -> Result<Aliases> {
    let Some(file) = file else {
        return Ok(Aliases::default());
    };
    let unreadable = || format!("`{}` can't be read", file.display());
    let text = fs::read_to_string(file).with_context(unreadable)?;
    toml::from_str(&text)
        .with_context(unreadable)
        .map_err(|error| {
            let refused = LoadoutError::new(ErrorKind::InvalidSelection, format!("{error:#}"));
            refused
                .with_hint("Write a table `[plugins.NAME.skills]` with lines `old = \"new\"`.")
                .into()
        })
}

fn bundle_of(one: &Converted) -> Option<(&Path, &codex_loadout_converter::Conversion)> {
    match &one.outcome {
        Outcome::Written { place, conversion } => Some((place, conversion)),
        _ => None,
    }
}

fn total(converted: &[Converted]) -> Summary {
    let reports = converted.iter().filter_map(|one| one.outcome.report());
    reports.fold(Summary::default(), |sum, report| Summary {
        converted: sum.converted + report.summary.converted,
        lossy: sum.lossy + report.summary.lossy,
        dropped: sum.dropped + report.summary.dropped,
    })
}

fn printed<'a>(one: &'a Converted, verified: Option<&'a Verified>) -> PrintedPlugin<'a> {
    let (status, bundle, error, hint) = match &one.outcome {
        Outcome::Written { place, .. } => ("converted", Some(place.as_path()), None, None),
        Outcome::Failed(_) => ("failed", None, None, None),
        Outcome::Broken { message, hint } => ("broken", None, Some(message), Some(hint)),
        Outcome::Elsewhere { reason } => ("elsewhere", None, Some(reason), None),
    };
    PrintedPlugin {
        name: &one.name,
        status,
        bundle,
        report: one.outcome.report(),
        error: error.map(String::as_str),
        hint: hint.map(String::as_str),
        missing: verified.map(|verified| &*verified.missing),
        unlisted: verified.map_or(&[], |verified| &verified.unlisted),
    }
}

fn for_people(one: &Converted, verified: Option<&Verified>, platform: &str) -> String {
    let mut text = match &one.outcome {
        Outcome::Written { place, conversion } => {
            format!("{}  bundle: {}\n", conversion.report, place.display())
        }
        Outcome::Failed(report) => report.to_string(),
        Outcome::Broken { message, hint } => {
            format!(
                "{}: can't be converted\n  {message}\n  hint: {hint}\n",
                one.name
            )
        }
        Outcome::Elsewhere { reason } => format!("{}: not here: {reason}\n", one.name),
    };
    if let Some(unlisted) = verified
        .map(|verified| verified.unlisted.len())
        .filter(|count| *count > 0)
    {
        text.push_str(&format!(
            "  note: {unlisted} skills are over {platform}'s budget for its list: they come by their names, `$plugin:skill`\n"
        ));
    }
    match verified.map(|verified| &*verified.missing) {
        Some([]) => text.push_str(&format!(
            "  {platform} has every skill, agent and MCP server of it\n"
        )),
        Some(missing) => {
            for missing in missing {
                let kind = serde_json::to_value(missing.kind).unwrap_or_default();
                let kind = kind.as_str().unwrap_or_default();
                text.push_str(&format!(
                    "  {platform} misses the {kind} `{}`\n",
                    missing.name
                ));
            }
        }
        None => {}
    }
    text
}
