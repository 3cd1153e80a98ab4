//! One plugin, from its tree to its bundle: names first, then texts, then files.

mod assembly;
mod inventory;
mod scripts;
pub(crate) mod supports;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;

use codex_loadout_bundle::Tree;
use serde_json::{Map, Value};

use crate::bundle_checks;
use crate::components::hooks::{self, BundleHook};
use crate::components::{self, servers};
use crate::context::Context;
use crate::discovery::{Discovered, discover};
use crate::error::ConversionError;
use crate::names::{Names, PluginNames};
use crate::naming::{self, Naming};
use crate::options::Options;
use crate::report::{Account, Code, Finding, Location, Outcome, Report, Summary};
use crate::source::Source;
use crate::target::{ManifestFacts, Target};
use inventory::Inventory;

/// What a conversion gives.
#[derive(Debug, Clone)]
pub struct Conversion {
    /// The bundle; empty if the report has failures.
    pub bundle: Tree,
    /// What became of each part.
    pub report: Report,
    /// Agents to register with a thread.
    pub agents: Vec<AgentRole>,
    /// MCP servers by the name they run under, as the bundle's own file has them. They may hold secrets: never print them.
    pub servers: Map<String, Value>,
    /// The handlers of its hooks.
    pub hooks: Vec<BundleHook>,
    /// The bundle's manifest.
    pub manifest: Map<String, Value>,
    /// What texts of other plugins can refer to.
    pub names: PluginNames,
}

/// An agent to register with a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentRole {
    /// Its role: `plugin:agent`.
    pub role: String,
    /// What it is for.
    pub description: String,
    /// Its file in the bundle.
    pub path: String,
}

/// What a plugin offers to be referred to, by the name of the plugin: a first look, so that neighbours can be converted knowing of each other.
///
/// # Errors
/// As [`convert`].
pub fn names(
    source: &Source,
    options: &Options,
    target: &dyn Target,
) -> Result<(String, PluginNames), ConversionError> {
    let found = found(source, target)?;
    let naming = naming::name(source, &found.plugin, options, target);
    let mut names = naming.names;
    names.servers = servers::names(&found.plugin, options, target);
    Ok((found.plugin.name, names))
}

/// Converts one plugin.
///
/// # Errors
/// If what says of what the plugin consists can't be read. What can be read but not used is a failure in the report.
pub fn convert(
    source: &Source,
    options: &Options,
    target: &dyn Target,
) -> Result<Conversion, ConversionError> {
    let found = found(source, target)?;
    let plugin = &found.plugin;
    let mut naming = naming::name(source, plugin, options, target);
    naming.names.servers = servers::names(plugin, options, target);
    // Of a marketplace's plugins, each is among the neighbours of the others: a copy for each would be too many.
    let known = &options.neighbours;
    let names: Cow<'_, Names> = if known.plugins.get(&plugin.name) == Some(&naming.names) {
        Cow::Borrowed(known)
    } else {
        let mut names = known.clone();
        names
            .plugins
            .insert(plugin.name.clone(), naming.names.clone());
        Cow::Owned(names)
    };
    let moved = std::mem::take(&mut naming.moved);
    let context = Context {
        source,
        plugin,
        options,
        target,
        names: &names,
        moved: &moved,
    };
    convert_parts(&context, &naming, &found)
}

/// The plugin's parts, its name as the target takes it.
fn found(source: &Source, target: &dyn Target) -> Result<Discovered, ConversionError> {
    let mut found = discover(source, target.manifest_file())?;
    let name = target.plugin_name(&found.plugin.name);
    if name != found.plugin.name {
        found.findings.push(Finding::new(
            Code::ManifestValueChanged,
            Location::new(crate::discovery::CLAUDE_MANIFEST, 1),
            format!("the plugin `{}` is called `{name}`", found.plugin.name),
        ));
        found.plugin.name = name;
    }
    Ok(found)
}

/// All parts, put together and looked over.
fn convert_parts(
    context: &Context<'_>,
    naming: &Naming<'_>,
    found: &Discovered,
) -> Result<Conversion, ConversionError> {
    let plugin = context.plugin;
    let target = context.target;
    let mut parts = Vec::new();
    parts.extend(
        naming
            .skills
            .iter()
            .map(|skill| components::skills::convert(skill, context)),
    );
    parts.extend(
        naming
            .commands
            .iter()
            .map(|command| components::commands::convert(command, context)),
    );
    let mut agents = Vec::new();
    for agent in &naming.agents {
        let (converted, definition) = components::agents::convert(agent, context);
        agents.push(AgentRole {
            role: definition.role,
            description: definition.description,
            path: agent.bundle_file.clone(),
        });
        parts.push(converted);
    }
    let mut warnings: Vec<Finding> = found.findings.clone();
    warnings.extend(naming.findings.iter().cloned());
    warnings.extend(scripts::check(context));
    let supports = supports::convert(&mut parts, &mut warnings, naming, context);
    let hooks = hooks::convert(context);
    let servers = servers::convert(context);
    let (manifest, changes) = target.manifest(&ManifestFacts {
        name: &plugin.name,
        description: plugin.description.as_deref(),
        claude: &plugin.manifest,
        own: plugin.own_manifest.as_ref(),
        skills: !naming.skills.is_empty() || !naming.commands.is_empty(),
        servers: &servers.servers,
        hooks: hooks.file.is_some(),
    });
    let at = || Location::new(crate::discovery::CLAUDE_MANIFEST, 1);
    warnings.extend(
        changes
            .into_iter()
            .map(|change| Finding::new(Code::ManifestValueChanged, at(), change)),
    );

    let made = assembly::BundleParts {
        parts: &parts,
        supports: &supports,
        hooks: &hooks,
        servers: &servers.servers,
        manifest: &manifest,
    };
    let (bundle, mut failures) = assembly::assemble(&made, naming, context);
    let (failed, noted): (Vec<Finding>, Vec<Finding>) =
        bundle_checks::check(&bundle, &supports, naming, context)
            .into_iter()
            .partition(|finding| finding.code.fails());
    failures.extend(failed);
    warnings.extend(noted);

    let inventory = Inventory::new(found, plugin);
    let mut accounts: Vec<Account> = parts.into_iter().map(|part| part.account).collect();
    accounts.extend(hooks.accounts);
    accounts.extend(servers.accounts);
    accounts.extend(components::others::convert(context));
    accounts.extend(found.accounts.iter().cloned());
    accounts.extend(naming.accounts.iter().cloned());
    let accounts = inventory.settle(accounts)?;

    let report = report(context, accounts, warnings, failures, &bundle);
    let usable = report.failures.is_empty();
    Ok(Conversion {
        bundle: if usable { bundle } else { Tree::default() },
        report,
        agents,
        servers: servers.servers,
        hooks: hooks.handlers,
        manifest,
        names: naming.names.clone(),
    })
}

/// Puts the report together: outcomes follow from what was found, and so do failures.
fn report(
    context: &Context<'_>,
    mut components: Vec<Account>,
    mut warnings: Vec<Finding>,
    mut failures: Vec<Finding>,
    bundle: &Tree,
) -> Report {
    let mut summary = Summary::default();
    for account in &mut components {
        account
            .warnings
            .sort_by(|a, b| (&a.location, a.code).cmp(&(&b.location, b.code)));
        account.warnings.dedup();
        if account.outcome != Outcome::Dropped {
            let loses = account.warnings.iter().any(|finding| finding.code.loses());
            account.outcome = if loses {
                Outcome::Lossy
            } else {
                Outcome::Converted
            };
        }
        match account.outcome {
            Outcome::Converted => summary.converted += 1,
            Outcome::Lossy => summary.lossy += 1,
            Outcome::Dropped => summary.dropped += 1,
        }
    }
    components.sort_by(|a, b| (a.kind, &a.name, &a.source).cmp(&(b.kind, &b.name, &b.source)));
    let by_place = |findings: &mut Vec<Finding>| {
        findings.sort_by(|a, b| (&a.location, a.code).cmp(&(&b.location, b.code)));
        findings.dedup();
    };
    by_place(&mut warnings);
    let found = || {
        components
            .iter()
            .flat_map(|account| &account.warnings)
            .chain(&warnings)
    };
    let strict = context.options.strict;
    failures.extend(
        found()
            .filter(|finding| finding.code.fails() || strict && finding.code.loses())
            .cloned(),
    );
    by_place(&mut failures);
    Report {
        plugin: context.plugin.name.clone(),
        version: context.plugin.version.clone(),
        source_digest: context.source.tree.digest(),
        digest: failures.is_empty().then(|| bundle.digest()),
        summary,
        components,
        warnings,
        failures,
    }
}

/// Texts that were converted: file of the source, and what it became.
pub(crate) type Texts = BTreeMap<String, supports::Support>;
