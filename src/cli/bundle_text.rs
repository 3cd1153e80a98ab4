//! Bundles for people: what there is, what can run, what an update changes.

use codex_loadout_protocol::bundle::{
    Bundle, BundleLink, BundleUpdate, BundleVersion, CapabilityBundleResult, Executable,
    ExecutableKind,
};

pub(super) fn row(bundle: &Bundle) -> Vec<String> {
    let approved = match (bundle.current.executes.is_empty(), bundle.approved) {
        (true, _) => "runs nothing",
        (false, true) => "yes",
        (false, false) => "no",
    };
    vec![
        bundle.id.clone(),
        bundle.current.version.clone().unwrap_or_default(),
        approved.to_owned(),
        from(&bundle.origin),
        bundle.current.digest.clone(),
    ]
}

/// Where a bundle comes from, in one line.
fn from(origin: &serde_json::Map<String, serde_json::Value>) -> String {
    let read: Option<codex_loadout_sources::Origin> =
        serde_json::from_value(origin.clone().into()).ok();
    let Some(origin) = read else {
        return String::new();
    };
    match origin.plugin {
        Some(plugin) => format!("{}, plugin {plugin}", origin.source),
        None => origin.source.to_string(),
    }
}

pub(super) fn for_people(shown: &CapabilityBundleResult) -> String {
    let Bundle {
        id,
        origin,
        link,
        approved,
        approval_digest,
        current,
        ..
    } = &shown.bundle;
    let mut text = format!("{id}\n  from      {}\n", from(origin));
    let BundleVersion {
        version,
        digest,
        commit,
        skills,
        agents,
        executes,
        signer,
        ..
    } = current;
    let mut line = |title: &str, value: &str| text.push_str(&format!("  {title:9} {value}\n"));
    for (title, value) in [
        ("version", version),
        ("commit", commit),
        ("signed by", signer),
    ] {
        if let Some(value) = value {
            line(title, value);
        }
    }
    line("digest", digest);
    match link {
        Some(BundleLink::Link) => line("linked", "new threads get what the folder holds"),
        Some(BundleLink::Live) => line("linked", "all threads get what the folder holds"),
        None => {}
    }
    for (title, names) in [("skills", skills), ("agents", agents)] {
        if !names.is_empty() {
            line(title, &names.join(", "));
        }
    }
    if !executes.is_empty() {
        let verb = if *approved {
            "approved"
        } else {
            "not approved"
        };
        text.push_str(&format!("  can run   ({verb})\n{}", runs(executes)));
        if !shown.executes_since.is_empty() {
            let since = runs(&shown.executes_since);
            text.push_str(&format!("  new since it was approved last\n{since}"));
        }
        if !approved {
            text.push_str(&format!(
                "  approve with `codex-loadout bundle trust {approval_digest}`\n"
            ));
        }
    }
    for warning in &shown.warnings {
        text.push_str(&format!("  warning: {warning}\n"));
    }
    text
}

/// What can run, a line each.
pub(super) fn runs(executes: &[Executable]) -> String {
    let lines = executes.iter().map(|runs| {
        let kind = match runs.kind {
            ExecutableKind::Hook => "hook",
            ExecutableKind::McpServer => "MCP server",
            ExecutableKind::Script => "script",
        };
        match runs.detail.is_empty() {
            true => format!("    {kind} {}\n", runs.name),
            false => format!("    {kind} {}: {}\n", runs.name, runs.detail),
        }
    });
    lines.collect()
}

/// What an update changes: what can run first.
pub(super) fn changed(update: &BundleUpdate) -> String {
    let changes = &update.changes;
    let mut text = format!("`{}` {} -> {}\n", update.name, update.from, update.to);
    if !changes.executes_added.is_empty() {
        text.push_str(&format!(
            "  ! CAN RUN NOW, and could not before:\n{}",
            runs(&changes.executes_added)
        ));
    }
    if !changes.executes_changed.is_empty() {
        text.push_str(&format!(
            "  ! RUNS OTHERWISE:\n{}",
            runs(&changes.executes_changed)
        ));
    }
    if !changes.executes_removed.is_empty() {
        text.push_str(&format!(
            "  can no longer run:\n{}",
            runs(&changes.executes_removed)
        ));
    }
    for (title, names) in [
        ("new skills", &changes.skills_added),
        ("skills gone", &changes.skills_removed),
        ("new files", &changes.files_added),
        ("files gone", &changes.files_removed),
        ("files changed", &changes.files_changed),
    ] {
        if !names.is_empty() {
            text.push_str(&format!("  {title}: {}\n", names.join(", ")));
        }
    }
    text
}

/// What became of a bundle.
pub(super) fn told(update: &BundleUpdate) -> String {
    if update.from == update.to {
        return format!("`{}` is as it was\n", update.name);
    }
    let done = match (update.applied, update.approved) {
        (false, _) => "  not updated: say `--yes`, or answer on a terminal\n".to_owned(),
        (true, true) => "  updated\n".to_owned(),
        (true, false) => format!(
            "  updated; approve what it can run with `codex-loadout bundle trust {}`\n",
            update.to
        ),
    };
    let warnings = update
        .warnings
        .iter()
        .map(|warning| format!("  warning: {warning}\n"));
    changed(update) + &done + &warnings.collect::<String>()
}
