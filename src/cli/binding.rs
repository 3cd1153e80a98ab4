//! `codex-loadout binding`.

use anyhow::Result;
use clap::{Args, Subcommand};
use codex_loadout_protocol::binding::{BindingScope, CapabilityBinding};
use codex_loadout_protocol::method::Page;
use codex_loadout_protocol::selection::ProfileNames;
use serde_json::json;

use super::options::Output;
use super::print::{columns, deleted, pretty};
use crate::loadouts::Loadouts;

#[derive(Debug, Subcommand)]
pub(super) enum BindingVerb {
    /// List the bindings, the narrowest first
    List(BindingList),
    /// Bind a task, a folder, a host, or all your threads, to a profile
    Write(BindingWrite),
    /// Delete a binding
    Delete(BindingDelete),
}

#[derive(Debug, Args)]
pub(super) struct BindingList {
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct BindingWrite {
    /// The profile; several are merged left to right
    #[arg(value_name = "PROFILE", required = true)]
    pub(super) profile: Vec<String>,
    #[command(flatten)]
    pub(super) scope: ScopeOfBinding,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct BindingDelete {
    #[command(flatten)]
    pub(super) scope: ScopeOfBinding,
    #[command(flatten)]
    pub(super) output: Output,
}

/// What a binding is for.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct ScopeOfBinding {
    /// Threads that are started for this task: `config.capability_task`, or CODEX_LOADOUT_TASK
    #[arg(long, value_name = "KEY")]
    pub(super) task: Option<String>,
    /// Threads in this folder, and in what lies in it
    #[arg(long, value_name = "DIR")]
    pub(super) project: Option<String>,
    /// Threads of this host, by its `clientInfo.name`
    #[arg(long, value_name = "NAME")]
    pub(super) host: Option<String>,
    /// All your threads
    #[arg(long)]
    pub(super) default: bool,
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
