//! The policy as fetching asks it, before each step.

use std::sync::{Mutex, PoisonError};

use url::Url;

use super::{Policy, Refusal};
use crate::{Gate, Source};

/// Asks a policy for the places and addresses that one fetching comes to.
#[derive(Debug)]
pub struct PolicyGate<'a> {
    policy: &'a Policy,
    npm_registry: Option<&'a str>,
    is_locked: bool,
    /// What was allowed last: where it is led on to is judged with it.
    source: Mutex<Option<Source>>,
    refusal: Mutex<Option<Refusal>>,
}

impl<'a> PolicyGate<'a> {
    /// For one fetching. `npm_registry` is the one of packages that name none, as the fetching is told; `is_locked` says
    /// that a lock has the digest of what will come.
    #[must_use]
    pub fn new(policy: &'a Policy, npm_registry: Option<&'a str>, is_locked: bool) -> Self {
        Self {
            policy,
            npm_registry,
            is_locked,
            source: Mutex::default(),
            refusal: Mutex::default(),
        }
    }

    /// What ended the fetching, if the policy did.
    #[must_use]
    pub fn into_refusal(self) -> Option<Refusal> {
        self.refusal
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The source as it is fetched: with the registry that is really asked, and the real path of a folder.
    fn real(&self, source: &Source) -> Source {
        let mut source = source.clone();
        let real_path = |path: &std::path::Path| path.canonicalize().ok();
        match &mut source {
            Source::Npm {
                registry: registry @ None,
                ..
            } => *registry = self.npm_registry.map(str::to_owned),
            Source::Folder { path } => *path = real_path(path).unwrap_or_else(|| path.clone()),
            Source::Archive { location, .. } if !location.contains("://") => {
                let real =
                    real_path(location.as_ref()).and_then(|path| path.to_str().map(str::to_owned));
                *location = real.unwrap_or_else(|| location.clone());
            }
            Source::Archive { .. } | Source::Git { .. } | Source::Npm { .. } => {}
        }
        source
    }

    fn keep(&self, refusal: Refusal) -> String {
        let sentence = refusal.sentence.clone();
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal);
        sentence
    }
}

impl Gate for PolicyGate<'_> {
    fn allows(&self, source: &Source) -> Result<(), String> {
        let source = self.real(source);
        self.policy
            .allows(&source)
            .and_then(|()| self.policy.requires_pin(&source, self.is_locked))
            .map_err(|refusal| self.keep(refusal))?;
        *self.source.lock().unwrap_or_else(PoisonError::into_inner) = Some(source);
        Ok(())
    }

    fn allows_redirect(&self, url: &Url) -> Result<(), String> {
        let source = self
            .source
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match source {
            Some(source) => self
                .policy
                .allows_redirect(&source, url)
                .map_err(|refusal| self.keep(refusal)),
            None => Err("nothing was allowed that could lead there".to_owned()),
        }
    }
}
