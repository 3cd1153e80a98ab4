//! `profile`, `binding`, `trust`, `schema`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use codex_loadout_protocol::binding::{BindingScope, CapabilityBinding};
use codex_loadout_protocol::method::Page;
use codex_loadout_protocol::profile::{CapabilityProfileWriteParams, Profile, ProfileEntry};
use codex_loadout_protocol::selection::ProfileNames;
use serde_json::json;

use super::arguments::{BindingVerb, Place, ProfileVerb, ProfileWrite, ScopeOfBinding, TrustVerb};
use super::selection_file::read_stdin;
use super::table::columns;
use super::verbs::{pretty, resolved};
use crate::loadouts::{Loadouts, read_selection};
use crate::profiles::folders;

fn folder(place: &Place) -> Result<PathBuf> {
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
            let wanted = read_profile(arguments)?;
            let cwd = std::env::current_dir()?;
            let profile = loadouts.write_profile(wanted, &cwd).await?;
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
            selection: Some(codex_loadout_protocol::CapabilitySelection {
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

pub(super) async fn binding(verb: BindingVerb) -> Result<String> {
    let loadouts = Loadouts::of_this_user()?;
    let cwd = std::env::current_dir()?;
    match verb {
        BindingVerb::List(arguments) => {
            let bindings = loadouts.user_bindings().await?;
            if arguments.output.json {
                return pretty(&Page::whole(bindings));
            }
            let row = |binding: CapabilityBinding| {
                let scope = binding.scope.as_str().to_owned();
                vec![scope, binding.key, binding.profile.0.join(", ")]
            };
            let rows: Vec<Vec<String>> = bindings.into_iter().map(row).collect();
            Ok(columns(&["FOR", "KEY", "PROFILE"], &rows))
        }
        BindingVerb::Write(arguments) => {
            let (scope, key) = scope_of(arguments.scope);
            let binding = CapabilityBinding {
                scope,
                key,
                profile: ProfileNames(arguments.profile),
            };
            let binding = loadouts.write_binding(binding, &cwd).await?;
            if arguments.output.json {
                return pretty(&json!({ "binding": binding }));
            }
            let CapabilityBinding {
                scope,
                key,
                profile,
            } = binding;
            let title = format!("{} {key}", scope.as_str());
            Ok(format!("{}: {}\n", title.trim(), profile.0.join(", ")))
        }
        BindingVerb::Delete(arguments) => {
            let (scope, key) = scope_of(arguments.scope);
            loadouts.delete_binding(scope, &key, &cwd).await?;
            deleted(arguments.output.json)
        }
    }
}

fn scope_of(scope: ScopeOfBinding) -> (BindingScope, String) {
    let given = [
        (BindingScope::Task, scope.task),
        (BindingScope::Project, scope.project),
        (BindingScope::Host, scope.host),
    ];
    let given = given
        .into_iter()
        .find_map(|(scope, key)| Some((scope, key?)));
    given.unwrap_or((BindingScope::Default, String::new()))
}

pub(super) async fn trust(verb: TrustVerb) -> Result<String> {
    let TrustVerb::Project(arguments) = verb;
    let trusts = !arguments.remove;
    let loadouts = Loadouts::of_this_user()?;
    let project = loadouts.trust_project(&arguments.folder, trusts).await?;
    let project = project.display().to_string();
    if arguments.output.json {
        return pretty(&json!({ "project": project, "trusted": trusts }));
    }
    let verb = if trusts { "count" } else { "do not count" };
    Ok(format!("the profiles of `{project}` {verb}\n"))
}

fn deleted(json: bool) -> Result<String> {
    match json {
        true => pretty(&json!({ "deleted": true })),
        false => Ok("deleted\n".to_owned()),
    }
}
