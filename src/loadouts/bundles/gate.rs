//! What may be fetched, and what of a bundle may run: by the policy files, and by Codex's own requirements.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use codex_loadout_protocol::{ErrorKind, LoadoutError};
use codex_loadout_sources::policy::{ADMIN_POLICY, POLICY_FILE, Policy, PolicyError, Refusal};
use codex_loadout_sources::{Fetched, Gate, Source};
use url::Url;

use crate::catalog::{MarketplaceRestriction, marketplace_restriction};
use crate::loadouts::state::{Loadouts, blocking};

/// What holds for bundles at this moment.
#[derive(Debug)]
pub(in crate::loadouts) struct SourceGate {
    policy: Policy,
    /// Whether a lock has commit and digest of what is fetched.
    is_locked: bool,
}

impl Loadouts {
    /// What holds for bundles now.
    ///
    /// # Errors
    /// `blockedByPolicy` if a policy file is there and can't be read: then nothing may be fetched, or run.
    pub(in crate::loadouts) async fn source_gate(&self) -> Result<Arc<SourceGate>, LoadoutError> {
        let of_user = self.state_home().join(POLICY_FILE);
        blocking(move || {
            Ok(Arc::new(SourceGate::read(
                Path::new(ADMIN_POLICY),
                &of_user,
            )?))
        })
        .await
    }
}

impl SourceGate {
    /// Reads the policy files. Blocking.
    ///
    /// # Errors
    /// `blockedByPolicy` if one is there and can't be read.
    fn read(admin: &Path, of_user: &Path) -> Result<Self, LoadoutError> {
        Ok(Self {
            policy: Policy::read(Some(admin), Some(of_user)).map_err(unreadable)?,
            is_locked: false,
        })
    }

    /// The same for what a lock has commit and digest of: that is pinned.
    pub(super) fn for_locked(self: &Arc<Self>) -> Arc<Self> {
        Arc::new(Self {
            policy: self.policy.clone(),
            is_locked: true,
        })
    }

    /// For one fetching. Blocking: what Codex's own requirements say of marketplaces is read.
    pub(super) fn asked(&self) -> Asked<'_> {
        self.asked_with(marketplace_restriction())
    }

    fn asked_with(&self, codex: Option<MarketplaceRestriction>) -> Asked<'_> {
        Asked {
            gate: self,
            codex,
            allowed: Mutex::default(),
        }
    }

    /// Whether what was fetched is signed as it has to be; who signed it.
    ///
    /// # Errors
    /// `blockedByPolicy` if it is not.
    pub(super) fn check(&self, fetched: &Fetched) -> Result<Option<String>, LoadoutError> {
        super::signed::signer(&self.policy, fetched)
    }

    /// What happens where a source can't be reached.
    pub(super) fn offline(&self) -> codex_loadout_sources::policy::Offline {
        self.policy.offline()
    }

    /// The policy file that lets no bundle run hooks.
    pub(super) fn hooks_denied_by(&self) -> Option<String> {
        self.policy
            .hooks()
            .err()
            .map(|refusal| shown(&refusal.path))
    }

    /// The policy file that lets no bundle start MCP servers.
    pub(super) fn servers_denied_by(&self) -> Option<String> {
        self.policy
            .servers()
            .err()
            .map(|refusal| shown(&refusal.path))
    }

    /// The policy file by which the profiles of projects do not count.
    pub(in crate::loadouts) fn project_profiles_denied_by(&self) -> Option<String> {
        let denied = self.policy.project_profiles().err();
        denied.map(|refusal| shown(&refusal.path))
    }
}

/// Asked for each step of one fetching.
pub(super) struct Asked<'a> {
    gate: &'a SourceGate,
    /// What Codex's own requirements say of marketplaces.
    codex: Option<MarketplaceRestriction>,
    /// What was allowed last: redirects lead on from there.
    allowed: Mutex<Option<Source>>,
}

impl Gate for Asked<'_> {
    fn allows(&self, source: &Source) -> Result<(), String> {
        let SourceGate { policy, is_locked } = self.gate;
        let source = without_links(source);
        if let Some(codex) = &self.codex
            && !codex.allows(&source_names(&source))
        {
            let file = &codex.file;
            return Err(format!(
                "`{file}` restricts marketplaces to sources that are allowed there"
            ));
        }
        let judged = policy.allows(&source);
        let pinned = judged.and_then(|()| policy.requires_pin(&source, *is_locked));
        pinned.map_err(|refusal| refusal.sentence)?;
        *self.allowed.lock().unwrap_or_else(PoisonError::into_inner) = Some(source);
        Ok(())
    }

    fn allows_redirect(&self, url: &Url) -> Result<(), String> {
        let allowed = self.allowed.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(source) = &*allowed else {
            return Err("nothing that was asked for leads there".to_owned());
        };
        let judged = self.gate.policy.allows_redirect(source, url);
        judged.map_err(|refusal| refusal.sentence)
    }

    fn wants_signature(&self, source: &Source) -> bool {
        let wanted = self.gate.policy.requires_signature(source);
        wanted.is_ok_and(|signers| !signers.is_empty())
    }
}

/// A path of this machine as it is without links: one could lead past a rule.
fn without_links(source: &Source) -> Source {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut source = source.clone();
    match &mut source {
        Source::Folder { path } => *path = real(path),
        Source::Archive { location, .. } if !location.contains("://") => {
            *location = shown(&real(Path::new(&*location)));
        }
        Source::Git { url, .. } => {
            let here = url.strip_prefix("file://").map(str::to_owned);
            if let Some(path) = here.filter(|path| path.starts_with('/')) {
                *url = format!("file://{}", real(Path::new(&path)).display());
            }
        }
        Source::Archive { .. } | Source::Npm { .. } => {}
    }
    source
}

/// What Codex's requirements may call a source.
fn source_names(source: &Source) -> Vec<String> {
    let address = match source {
        Source::Folder { path } => shown(path),
        Source::Git { url, .. } => url.clone(),
        Source::Archive { location, .. } => location.clone(),
        Source::Npm { package, .. } => package.clone(),
    };
    let of_github = address.strip_prefix("https://github.com/");
    let of_github = of_github.map(str::to_owned);
    [Some(address), of_github].into_iter().flatten().collect()
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn unreadable(error: PolicyError) -> LoadoutError {
    LoadoutError::new(ErrorKind::BlockedByPolicy, error.to_string()).with_hint(error.hint)
}

pub(super) fn refused(refusal: Refusal) -> LoadoutError {
    LoadoutError::new(ErrorKind::BlockedByPolicy, refusal.sentence).with_hint(refusal.hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_policy_and_codex_say_holds() {
        let home = tempfile::tempdir().unwrap();
        let of_user = home.path().join(POLICY_FILE);
        let nowhere = home.path().join("none");
        let gate = || SourceGate::read(&nowhere, &of_user);
        let source = |url: &str| Source::Git {
            url: url.to_owned(),
            reference: None,
            path: None,
        };
        let (acme, other) = (
            source("https://github.com/acme/x.git"),
            source("https://github.com.evil.example/acme/x"),
        );
        assert!(gate().unwrap().asked().allows(&other).is_ok());
        std::fs::write(
            &of_user,
            "hooks = \"deny\"\n[sources]\nallow = [{ host = \"github.com\", owner = \"acme\" }]\n",
        )
        .unwrap();
        let read = gate().unwrap();
        assert!(read.asked().allows(&acme).is_ok());
        let why = read.asked().allows(&other).unwrap_err();
        assert!(why.contains("policy.toml"), "{why}");
        assert_eq!(read.hooks_denied_by(), Some(shown(&of_user)));
        assert_eq!(read.servers_denied_by(), None);
        let codex = MarketplaceRestriction {
            file: "requirements.toml".to_owned(),
            allowed: vec!["acme/y".to_owned()],
        };
        let restricted = || read.asked_with(Some(codex.clone()));
        let why = restricted().allows(&acme).unwrap_err();
        assert!(why.contains("requirements.toml"));
        let allowed = source("https://github.com/acme/y.git");
        assert!(restricted().allows(&allowed).is_ok());
        std::fs::write(&of_user, "[sources]\nallow = 5\n").unwrap();
        assert_eq!(gate().unwrap_err().kind, ErrorKind::BlockedByPolicy);
    }
}
