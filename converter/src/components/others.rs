//! What most platforms have no counterpart of: each part dropped, and why.

use super::settings;
use crate::context::Context;
use crate::discovery::dropped;
use crate::report::{Account, Code, Kind, Location, Outcome};
use crate::source::OtherSource;

/// An account for each.
pub(crate) fn convert(context: &Context<'_>) -> Vec<Account> {
    context
        .plugin
        .others
        .iter()
        .map(|other| account(other, context))
        .collect()
}

fn account(other: &OtherSource, context: &Context<'_>) -> Account {
    let at = Location::new(&other.file, other.line);
    let kind = Kind::Other(other.kind);
    if other.kind == "dependency" {
        return dependency(other, at, context);
    }
    let variable = settings::variable(&other.name);
    if other.kind == "userConfig" && context.is_asked_for(&variable) {
        return kept(other, at, variable);
    }
    let (code, reason) = loss(other.kind);
    dropped(kind, &other.name, at, code, reason)
}

/// Why a kind is dropped.
fn loss(kind: &str) -> (Code, &'static str) {
    match kind {
        "bin" => (
            Code::UnsupportedBin,
            "programs of a plugin are not on the path; the file is in the bundle",
        ),
        "channel" => (Code::UnsupportedChannel, "there are no channels"),
        "eval" => (Code::UnsupportedEval, "there are no evals of a plugin"),
        "lspServer" => (Code::UnsupportedLspServer, "there are no language servers"),
        "monitor" => (Code::UnsupportedMonitor, "there are no monitors"),
        "outputStyle" => (
            Code::UnsupportedOutputStyle,
            "there are no output styles; the file is in the bundle, and a host can give its text as developer instructions",
        ),
        "settings" => (Code::UnsupportedSettings, "a plugin can't change settings"),
        "theme" => (Code::UnsupportedTheme, "there are no themes of a plugin"),
        "userConfig" => (
            Code::UnsupportedUserConfig,
            "users are not asked for values of a plugin",
        ),
        _ => (Code::UnsupportedWorkflow, "there are no workflows"),
    }
}

/// A plugin that this one needs is there if it is a neighbour; a host selects it, too.
fn dependency(other: &OtherSource, at: Location, context: &Context<'_>) -> Account {
    let plugin = other.name.split('@').next().unwrap_or_default();
    let kind = Kind::Other("dependency");
    if !context.names.plugins.contains_key(plugin) {
        let reason = "the plugin is not among those that can be referred to: select it, too";
        return dropped(kind, &other.name, at, Code::DependencyMissing, reason);
    }
    kept(other, at, plugin.to_owned())
}

fn kept(other: &OtherSource, at: Location, target: String) -> Account {
    Account {
        kind: Kind::Other(other.kind),
        name: other.name.clone(),
        source: at,
        outcome: Outcome::Converted,
        target: Some(target),
        path: None,
        reason: None,
        warnings: Vec::new(),
    }
}
