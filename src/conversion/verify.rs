//! A bundle, held against what the real Codex makes of it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use codex_loadout_converter::Conversion as Bundle;
use codex_loadout_protocol::method::CapabilityKind;
use codex_loadout_protocol::{CapabilitySelection, Seen};
use serde::Serialize;
use serde_json::{Value, json};

use crate::catalog::{Catalog, Conversion, InstalledPlugin, Parts};
use crate::connection::{BriefCodex, UpstreamCommand};
use crate::lowering::{CodexFeatures, Files, lower, trial_request};
use crate::messages::thread::START;
use crate::proof::endpoint::Endpoint;
use crate::resolver::resolve;
use crate::throwaway::ThrowawayHome;

/// Codex gives up on a server that does not answer after 10 seconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// So many skills are mentioned in one turn: each puts its whole text into it.
const MENTIONS: usize = 50;
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Tells about a thread's MCP servers, each by its name (Codex 0.144 to 0.169).
const SERVER_STATUS: &str = "mcpServer/startupStatus/updated";

/// Something that the report promises and Codex does not have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Missing {
    /// What it is.
    pub kind: CapabilityKind,
    /// The name it should have.
    pub name: String,
}

/// What Codex makes of a bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// What it does not have.
    pub missing: Vec<Missing>,
    /// Skills that come by their names, and that its list has no room for.
    pub unlisted: Vec<String>,
}

/// Loads bundles in a throwaway home, each in a thread of its own, and tells of each what is not there
/// under its name.
///
/// Nothing of a bundle is run: in the place of its MCP servers stand ones that do nothing, under the
/// same names.
///
/// # Errors
/// If Codex can't be started, or refuses a bundle.
pub async fn verify(
    codex: &UpstreamCommand,
    bundles: &[(&Path, &Bundle)],
) -> Result<Vec<Verified>> {
    let endpoint = Endpoint::open().await;
    let endpoint = endpoint.context("no endpoint can be opened on loopback")?;
    let home = ThrowawayHome::new(&endpoint.url()).context("no throwaway home can be made")?;
    let command = codex
        .clone()
        .with("HOME", home.path())
        .with("CODEX_HOME", home.codex_home());
    let host = BriefCodex::start(&command, &["app-server".into()]).await?;
    let verifying = Verifying {
        home,
        host,
        endpoint,
    };
    let mut all = Vec::new();
    for (number, (place, bundle)) in bundles.iter().enumerate() {
        // Codex runs in another folder.
        let place = std::path::absolute(place)?;
        let verified = verifying.one(&number.to_string(), &place, bundle).await;
        all.push(verified.with_context(|| format!("`{}` can't be verified", place.display()))?);
    }
    verifying.host.end().await;
    Ok(all)
}

struct Verifying {
    home: ThrowawayHome,
    host: BriefCodex,
    endpoint: Endpoint,
}

impl Verifying {
    async fn one(&self, number: &str, place: &Path, bundle: &Bundle) -> Result<Verified> {
        let parts = Arc::new(Parts::of(bundle));
        let request = self.request(number, place, bundle, &parts)?;
        let said = self.host.said().len();
        let names: Vec<&str> = parts.skills.iter().map(|skill| &*skill.name).collect();
        // What stands in no list comes when it is mentioned.
        let mentioned = parts.skills.iter().filter(|skill| skill.mention_only);
        let mentioned: Vec<&str> = mentioned.map(|skill| &*skill.name).collect();
        let mut seen = self.seen(&request, &mentioned, &names).await?;
        let servers = self.servers(said);
        // Codex cuts a long list: a skill that is not in it is missing only if it does not come by its name, either.
        let is_there = |name: &&str| has(&seen.skills, name) || has(&seen.injected_skills, name);
        let unlisted: Vec<&str> = names
            .iter()
            .copied()
            .filter(|name| !is_there(name))
            .collect();
        for mentioned in unlisted.chunks(MENTIONS) {
            let more = self.seen(&request, mentioned, &names).await?;
            seen.injected_skills.extend(more.injected_skills);
        }
        let unlisted = unlisted
            .iter()
            .filter(|name| has(&seen.injected_skills, name));
        Ok(Verified {
            unlisted: unlisted.map(|name| (*name).to_owned()).collect(),
            missing: missing(&parts, &seen, &servers),
        })
    }

    /// What the model is shown in a new thread in which these skills are mentioned.
    async fn seen(&self, request: &Value, mentioned: &[&str], names: &[&str]) -> Result<Seen> {
        let asked = self.endpoint.asked().len();
        let started: Value = self.host.rpc().ask(START, request).await?;
        let mentions: String = mentioned.iter().map(|name| format!(" ${name}")).collect();
        let turn = json!({ "threadId": started["thread"]["id"],
            "input": [{ "type": "text", "text": format!("Say done.{mentions}") }] });
        let _: Value = self.host.rpc().ask("turn/start", &turn).await?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(first) = self.endpoint.asked().get(asked) {
                return Ok(Seen::knowing(&first.body, names));
            }
            ensure!(Instant::now() < deadline, "Codex ran no turn");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The thread's request, made as any other thread's with this plugin.
    fn request(
        &self,
        number: &str,
        place: &Path,
        bundle: &Bundle,
        parts: &Arc<Parts>,
    ) -> Result<Value> {
        let name = &bundle.report.plugin;
        let plugin = InstalledPlugin {
            added: None,
            id: format!("{name}@bundle"),
            name: name.clone(),
            version: bundle.report.version.clone().unwrap_or_default(),
            enabled: false,
            installed: false,
            entry: None,
            blocked: None,
            root: place.to_owned(),
            within: None,
            description: None,
            native: Parts::default(),
            data_folder: self.home.path().join("data"),
            converted: Some(Conversion::Done(parts.clone())),
        };
        let selection = json!({ "plugins": [plugin.id] }).to_string();
        let catalog = Catalog {
            cwd: self.home.project(),
            plugins: vec![plugin],
            ..Catalog::default()
        };
        let plan = resolve(&CapabilitySelection::from_json(&selection)?, &catalog)?;
        let levers = CodexFeatures::of(self.host.info().version);
        let files = Files {
            snapshot: &|_| place.to_owned(),
            ..Files::default()
        };
        let mut lowered = lower(&plan, &catalog, levers, files)?;
        lowered.idle_servers();
        lowered.leave_list_to_codex();
        let root = self.home.root_of(number, place)?;
        Ok(trial_request(
            lowered,
            Some(&root),
            &catalog.cwd,
            &self.endpoint.url(),
        ))
    }

    /// The MCP servers that Codex has told of since.
    fn servers(&self, since: usize) -> BTreeSet<String> {
        let said = self.host.said();
        let told = said.iter().skip(since);
        told.filter(|frame| frame.method() == SERVER_STATUS)
            .filter_map(|frame| {
                let message: Value = serde_json::from_slice(frame.bytes()).ok()?;
                Some(message["params"]["name"].as_str()?.to_owned())
            })
            .collect()
    }
}

fn has(names: &[String], name: &str) -> bool {
    names.iter().any(|own| own == name)
}

fn missing(parts: &Parts, seen: &Seen, servers: &BTreeSet<String>) -> Vec<Missing> {
    let skills = parts.skills.iter().map(|skill| {
        let there = has(&seen.skills, &skill.name) || has(&seen.injected_skills, &skill.name);
        (CapabilityKind::Skill, &skill.name, there)
    });
    let agents = parts.agents.iter().map(|agent| {
        let there = seen.agents.contains(&agent.name);
        (CapabilityKind::Agent, &agent.name, there)
    });
    let servers = parts
        .servers
        .keys()
        .map(|name| (CapabilityKind::McpServer, name, servers.contains(name)));
    let mut missing: Vec<Missing> = skills
        .chain(agents)
        .chain(servers)
        .filter(|(.., there)| !there)
        .map(|(kind, name, _)| Missing {
            kind,
            name: name.clone(),
        })
        .collect();
    missing.sort();
    missing
}
