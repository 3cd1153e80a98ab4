//! `codex-loadout profile`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, Subcommand};
use codex_loadout_protocol::CapabilitySelection;
use codex_loadout_protocol::method::Page;
use codex_loadout_protocol::profile::{CapabilityProfileWriteParams, Profile, ProfileEntry};
use codex_loadout_protocol::selection::ProfileNames;
use serde_json::json;

use super::options::{Output, resolved};
use super::print::{columns, deleted, pretty};
use super::selection_file::read_stdin;
use crate::loadouts::{Loadouts, read_selection};
use crate::profiles::folders;

#[derive(Debug, Subcommand)]
pub(super) enum ProfileVerb {
    /// List the profiles that there are for a folder
    List(ProfileList),
    /// Show a profile, and what it comes to
    Show(ProfileShow),
    /// Write a profile of yours, or replace it
    Write(ProfileWrite),
    /// Delete a profile of yours
    Delete(ProfileDelete),
}

#[derive(Debug, Args)]
pub(super) struct ProfileList {
    #[command(flatten)]
    pub(super) place: Place,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct ProfileShow {
    /// Its name
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    #[command(flatten)]
    pub(super) place: Place,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct ProfileWrite {
    /// Its name
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    /// A file with the profile in TOML, or a selection in JSON; `-` reads stdin
    #[arg(value_name = "FILE", default_value = "-")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct ProfileDelete {
    /// Its name
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    #[command(flatten)]
    pub(super) output: Output,
}

/// A folder, where no Codex is asked.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// The folder whose project counts [default: this one]
    #[arg(long, value_name = "DIR")]
    pub(super) cwd: Option<PathBuf>,
}

pub(super) fn folder(place: &Place) -> Result<PathBuf> {
    resolved(place.cwd.as_deref().unwrap_or(Path::new(".")))
}

pub(super) async fn profile(verb: ProfileVerb) -> Result<String> {
    let loadouts = Loadouts::of_this_user()?;
    match verb {
        ProfileVerb::List(arguments) => {
            let profiles = loadouts.profiles(&folder(&arguments.place)?).await?;
            if arguments.output.json {
                return pretty(&Page::whole(profiles));
            }
            let rows: Vec<Vec<String>> = profiles.into_iter().map(profile_row).collect();
            Ok(columns(&["PROFILE", "OF", "COUNTS", "", "FILE"], &rows))
        }
        ProfileVerb::Show(arguments) => {
            let cwd = folder(&arguments.place)?;
            let profile = loadouts.profile(arguments.name, &cwd).await?;
            shown(&profile, arguments.output.json)
        }
        ProfileVerb::Write(arguments) => {
            let json = arguments.output.json;
            let from = arguments.file.clone();
            let wanted = read_profile(arguments)?;
            let is_file = wanted.text.is_some() && from != Path::new("-");
            let from = is_file.then_some(from);
            let cwd = std::env::current_dir()?;
            let profile = loadouts.write_profile(wanted, from, &cwd).await?;
            match json {
                true => shown(&profile, true),
                false => Ok(format!("{}\n", profile.path)),
            }
        }
        ProfileVerb::Delete(arguments) => {
            let cwd = std::env::current_dir()?;
            loadouts.delete_profile(arguments.name, &cwd).await?;
            deleted(arguments.output.json)
        }
    }
}

fn profile_row(profile: ProfileEntry) -> Vec<String> {
    let counts = match (&profile.error, profile.active) {
        (Some(_), _) => "broken",
        (None, true) => "yes",
        (None, false) => "no",
    };
    vec![
        profile.name,
        profile.layer.as_str().to_owned(),
        counts.to_owned(),
        profile.error.or(profile.description).unwrap_or_default(),
        profile.path,
    ]
}

fn shown(profile: &Profile, json: bool) -> Result<String> {
    if json {
        return pretty(&json!({ "profile": profile }));
    }
    let selection = pretty(&profile.selection)?;
    let text = profile.text.trim_end();
    Ok(format!(
        "{} ({}) {}\n\n{text}\n\nwith all that it begins with: {selection}",
        profile.name,
        profile.layer.as_str(),
        profile.path
    ))
}

/// A profile in TOML stays as it is written, with the line of its schema; a selection in JSON becomes one.
fn read_profile(arguments: ProfileWrite) -> Result<CapabilityProfileWriteParams> {
    let text = match read_stdin(&arguments.file)? {
        Some(text) => text,
        None => folders::read(&arguments.file)?,
    };
    let name = arguments.name;
    if text
        .trim_start_matches('\u{feff}')
        .trim_start()
        .starts_with('{')
    {
        let selection = read_selection(&text)?;
        return Ok(CapabilityProfileWriteParams {
            name,
            extends: selection.profile.clone(),
            selection: Some(CapabilitySelection {
                profile: ProfileNames::default(),
                ..selection
            }),
            ..CapabilityProfileWriteParams::default()
        });
    }
    Ok(CapabilityProfileWriteParams {
        name,
        text: Some(text),
        ..CapabilityProfileWriteParams::default()
    })
}
