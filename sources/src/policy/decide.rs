//! What the policy says to a source, to what leads on from it, and to what would run.

use std::path::{Component, Path};

use url::Url;

use super::Policy;
use super::address::{Address, Place};
use super::error::{PolicyOwner, Refusal};
use super::file::{Offline, PolicyFile};
use super::rule::{Reach, Rule};
use crate::Source;
use crate::signature::AllowedSigners;
use crate::toml_text::plain;

const ALLOW: &str = "sources.allow";
const DENY: &str = "sources.deny";
const PINS: &str = "sources.require_pins";
const SIGNATURES: &str = "sources.require_signatures";

impl Policy {
    /// Whether a bundle may come from there.
    ///
    /// Paths of this machine have to be canonical, or a link could lead past a rule. A package that names no registry is
    /// one of npm's own: if another is asked for it, the source has to say so.
    ///
    /// # Errors
    /// The first layer that refuses it.
    pub fn allows(&self, source: &Source) -> Result<(), Refusal> {
        for (owner, file) in self.with_rules() {
            let place = Place::of(source).and_then(canonical).map_err(|why| {
                refusal(
                    *owner,
                    file,
                    ALLOW,
                    format!("can't judge this source: {why}"),
                )
            })?;
            file.judge(*owner, &describe(&place), |rule, reach| {
                rule.matches(&place, reach)
            })?;
        }
        Ok(())
    }

    /// Whether the fetching of an allowed source may be led on to another address, by a redirect or a registry.
    ///
    /// # Errors
    /// The first layer that refuses it.
    pub fn allows_redirect(&self, source: &Source, to: &Url) -> Result<(), Refusal> {
        for (owner, file) in self.with_rules() {
            let judged = Address::parse(to.as_str()).and_then(|to| Ok((to, Place::of(source)?)));
            let (to, from) = judged.map_err(|why| {
                refusal(
                    *owner,
                    file,
                    ALLOW,
                    format!("can't judge where it is led to: {why}"),
                )
            })?;
            let is_the_registry = matches!(&from, Place::Npm { registry, .. }
                if registry.host == to.host && registry.port == to.port && to.is_authenticated);
            let what = format!(
                "where it is led to: {}",
                describe(&Place::Remote(to.clone()))
            );
            file.judge(*owner, &what, |rule, reach| {
                rule.matches_address(&to, reach)
                    || (is_the_registry && reach == Reach::Narrow && rule.matches(&from, reach))
            })?;
        }
        Ok(())
    }

    /// Whether what is to be fetched is named exactly enough; `is_locked` where a lock has commit and digest of it.
    ///
    /// # Errors
    /// A layer requires a pin, and there is none.
    pub fn requires_pin(&self, source: &Source, is_locked: bool) -> Result<(), Refusal> {
        let Some(missing) = missing_pin(source).filter(|_| !is_locked) else {
            return Ok(());
        };
        match self.layers.iter().find(|(_, file)| file.require_pins) {
            None => Ok(()),
            Some((owner, file)) => Err(refusal(
                *owner,
                file,
                PINS,
                format!("requires pins: {missing}, or a lock"),
            )),
        }
    }

    /// The lists of signers of which each has to know who signed what comes from there; none where it may be unsigned.
    ///
    /// # Errors
    /// Signatures are required, and nothing of this kind can have one.
    pub fn requires_signature(&self, source: &Source) -> Result<Vec<&AllowedSigners>, Refusal> {
        let mut lists = Vec::new();
        for (owner, file) in &self.layers {
            let Some(signers) = &file.require_signatures else {
                continue;
            };
            match source {
                Source::Git { .. } | Source::Archive { .. } => lists.push(signers),
                Source::Folder { .. } | Source::Npm { .. } => {
                    let why = "requires signatures, which git repositories and archives can have, and folders and packages can't";
                    return Err(refusal(*owner, file, SIGNATURES, why.to_owned()));
                }
            }
        }
        Ok(lists)
    }

    /// Whether hooks of bundles may run.
    ///
    /// # Errors
    /// A layer denies them.
    pub fn hooks(&self) -> Result<(), Refusal> {
        self.refused_by(
            |file| file.denies_hooks,
            "hooks",
            "lets no hook of a bundle run",
        )
    }

    /// Whether MCP servers of bundles may run.
    ///
    /// # Errors
    /// A layer denies them.
    pub fn servers(&self) -> Result<(), Refusal> {
        self.refused_by(
            |file| file.denies_servers,
            "servers",
            "lets no MCP server of a bundle run",
        )
    }

    /// Whether profiles of projects are used.
    ///
    /// # Errors
    /// A layer turns them off.
    pub fn project_profiles(&self) -> Result<(), Refusal> {
        self.refused_by(
            |file| file.denies_project_profiles,
            "project_profiles",
            "turns profiles of projects off",
        )
    }

    /// What happens where a source can't be reached.
    #[must_use]
    pub fn offline(&self) -> Offline {
        let each = self.layers.iter().map(|(_, file)| file.offline);
        each.max().unwrap_or_default()
    }

    fn with_rules(&self) -> impl Iterator<Item = &(PolicyOwner, PolicyFile)> {
        let has_rules = |file: &PolicyFile| file.allow.is_some() || !file.deny.is_empty();
        self.layers.iter().filter(move |(_, file)| has_rules(file))
    }

    fn refused_by(
        &self,
        denies: impl Fn(&PolicyFile) -> bool,
        key: &str,
        what: &str,
    ) -> Result<(), Refusal> {
        match self.layers.iter().find(|(_, file)| denies(file)) {
            None => Ok(()),
            Some((owner, file)) => Err(refusal(*owner, file, key, what.to_owned())),
        }
    }
}

impl PolicyFile {
    fn judge(
        &self,
        owner: PolicyOwner,
        what: &str,
        matches: impl Fn(&Rule, Reach) -> bool,
    ) -> Result<(), Refusal> {
        if let Some(index) = self.deny.iter().position(|rule| matches(rule, Reach::Wide)) {
            let rule = format!("{DENY}[{index}]");
            return Err(refusal(owner, self, &rule, format!("denies {what}")));
        }
        match &self.allow {
            Some(rules) if !rules.iter().any(|rule| matches(rule, Reach::Narrow)) => Err(refusal(
                owner,
                self,
                ALLOW,
                format!("does not allow {what}"),
            )),
            _ => Ok(()),
        }
    }
}

fn refusal(owner: PolicyOwner, file: &PolicyFile, rule: &str, what: String) -> Refusal {
    let path = file.path.display();
    let (whose, hint) = match owner {
        PolicyOwner::Administrator => ("The administrator's policy", "Ask your administrator"),
        PolicyOwner::User => ("Your policy", "Look there"),
    };
    let hint = format!("{hint}: `{rule}` in `{path}` decides it.");
    Refusal {
        owner,
        path: file.path.clone(),
        rule: rule.to_owned(),
        sentence: format!("{whose} `{path}` {what} (`{rule}`)."),
        hint,
    }
}

/// A place in words: never with what stands before `@` in an address.
fn describe(place: &Place) -> String {
    match place {
        Place::Local(path) => format!("the path `{}`", plain(&path.to_string_lossy())),
        Place::Remote(address) => {
            let mut text = format!("the host `{}`", plain(&address.host));
            if !address.is_usual_port {
                text.push_str(&format!(", port {}", address.port));
            }
            if let Some(owner) = &address.owner {
                text.push_str(&format!(", owner `{}`", plain(owner)));
            }
            if !address.is_authenticated {
                text.push_str(", without encryption");
            }
            text
        }
        Place::Npm {
            package, registry, ..
        } => format!(
            "the package `{}` of `{}`",
            plain(package),
            plain(&registry.host)
        ),
    }
}

fn canonical(place: Place) -> Result<Place, String> {
    let is_canonical = |path: &Path| {
        path.is_absolute() && !path.components().any(|part| part == Component::ParentDir)
    };
    match &place {
        Place::Local(path) if !is_canonical(path) => {
            Err("its path is not absolute, or has `..` in it".to_owned())
        }
        _ => Ok(place),
    }
}

/// What a source lacks to be the same always.
fn missing_pin(source: &Source) -> Option<&'static str> {
    match source {
        // What a folder has is digested each time it is added.
        Source::Folder { .. } => None,
        Source::Git { reference, .. } => {
            let is_commit = reference.as_deref().is_some_and(crate::lock::is_commit);
            (!is_commit).then_some("a repository needs a full commit as its ref")
        }
        Source::Archive { sha256, .. } => {
            sha256.is_none().then_some("an archive needs its SHA-256")
        }
        Source::Npm { version, .. } => {
            let is_exact = version
                .as_deref()
                .is_some_and(|it| nodejs_semver::Version::parse(it).is_ok());
            (!is_exact).then_some("a package needs an exact version")
        }
    }
}
