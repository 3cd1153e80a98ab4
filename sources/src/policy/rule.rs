//! One rule of `sources.allow` or `sources.deny`, and what it matches.

use std::path::{Component, Path};

use globset::{Glob, GlobBuilder, GlobMatcher};
use serde::Deserialize;

use super::address::{Address, Place, normal_host};

/// As a policy file says it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleText {
    host: Option<String>,
    owner: Option<String>,
    path: Option<String>,
    npm: Option<String>,
    registry: Option<String>,
}

/// What a rule is about.
#[derive(Debug, Clone)]
pub(super) enum Rule {
    /// Repositories and archives of a host, or of one owner there.
    Host {
        host: HostPattern,
        owner: Option<String>,
    },
    /// Folders and files of this machine.
    Path(GlobMatcher),
    /// Packages of a registry: npm's own, or the one named.
    Npm {
        package: GlobMatcher,
        any_case: GlobMatcher,
        registry: Option<HostPattern>,
    },
}

/// A host, the subdomains of one, or any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HostPattern {
    kind: HostKind,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostKind {
    Any,
    /// With the dot before it.
    Below(String),
    Exactly(String),
}

/// How much a rule takes in: in doubt, an allowing rule less and a denying one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Narrow,
    Wide,
}

impl TryFrom<RuleText> for Rule {
    type Error = String;

    fn try_from(text: RuleText) -> Result<Self, String> {
        match text {
            RuleText {
                host: Some(host),
                owner,
                path: None,
                npm: None,
                registry: None,
            } => {
                let is_one_part =
                    |owner: &String| !owner.is_empty() && !owner.contains(['/', '*', '%']);
                if !owner.as_ref().is_none_or(is_one_part) {
                    return Err(
                        "`owner` is the first part of the path, such as `acme`, without a wildcard"
                            .to_owned(),
                    );
                }
                Ok(Self::Host {
                    host: HostPattern::parse(&host)?,
                    owner,
                })
            }
            RuleText {
                path: Some(path),
                host: None,
                owner: None,
                npm: None,
                registry: None,
            } => {
                let leaves = Path::new(&path)
                    .components()
                    .any(|part| part == Component::ParentDir);
                if !path.starts_with('/') || leaves {
                    return Err(
                        "`path` is absolute and without `..`, such as `/srv/bundles/**`".to_owned(),
                    );
                }
                Ok(Self::Path(glob(&path, false)?))
            }
            RuleText {
                npm: Some(package),
                registry,
                host: None,
                owner: None,
                path: None,
            } => Ok(Self::Npm {
                any_case: glob(&package, true)?,
                package: glob(&package, false)?,
                registry: registry.as_deref().map(HostPattern::parse).transpose()?,
            }),
            _ => Err(
                "a rule has `host` and perhaps `owner`, or `path`, or `npm` and perhaps `registry`"
                    .to_owned(),
            ),
        }
    }
}

fn glob(pattern: &str, any_case: bool) -> Result<GlobMatcher, String> {
    GlobBuilder::new(pattern)
        .literal_separator(true)
        .backslash_escape(true)
        .case_insensitive(any_case)
        .build()
        .map(|glob: Glob| glob.compile_matcher())
        .map_err(|error| format!("`{pattern}` is no pattern: {}", error.kind()))
}

impl HostPattern {
    fn parse(text: &str) -> Result<Self, String> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                let port = port
                    .parse()
                    .map_err(|_| format!("`{text}` has no valid port"))?;
                (host, Some(port))
            }
            _ => (text, None),
        };
        let kind = match (host, host.strip_prefix("*.")) {
            ("*", _) => HostKind::Any,
            (_, Some(parent)) => HostKind::Below(format!(".{}", rule_host(parent, text)?)),
            _ => HostKind::Exactly(rule_host(host, text)?),
        };
        Ok(Self { kind, port })
    }

    fn matches(&self, address: &Address, reach: Reach) -> bool {
        let is_port = match (self.port, reach) {
            (None, Reach::Wide) => true,
            (None, Reach::Narrow) => address.is_usual_port,
            (Some(port), _) => port == address.port,
        };
        is_port
            && match &self.kind {
                HostKind::Any => true,
                HostKind::Below(parent) => {
                    address.host.len() > parent.len() && address.host.ends_with(parent)
                }
                HostKind::Exactly(host) => address.host == *host,
            }
    }
}

fn rule_host(host: &str, whole: &str) -> Result<String, String> {
    normal_host(host).map_err(|_| {
        format!(
            "`{whole}` is no host: write `github.com`, `*.example.com` or `git.example.com:8443`"
        )
    })
}

impl Rule {
    /// Whether a place is what this rule is about.
    pub(super) fn matches(&self, place: &Place, reach: Reach) -> bool {
        match (self, place) {
            (Self::Host { .. }, Place::Remote(address)) => self.matches_address(address, reach),
            (Self::Host { .. }, Place::Npm { registry, .. }) => {
                reach == Reach::Wide && self.matches_address(registry, reach)
            }
            (Self::Path(glob), Place::Local(path)) => glob.is_match(path),
            (
                Self::Npm {
                    package: exact,
                    any_case,
                    registry: asked,
                },
                Place::Npm {
                    package,
                    registry,
                    named,
                },
            ) => {
                let is_package = match reach {
                    Reach::Narrow => exact.is_match(package),
                    Reach::Wide => any_case.is_match(package),
                };
                let is_registry = match (asked, reach) {
                    (Some(asked), _) => {
                        asked.matches(registry, reach)
                            && (reach == Reach::Wide || registry.is_authenticated)
                    }
                    (None, Reach::Wide) => true,
                    (None, Reach::Narrow) => !named,
                };
                is_package && is_registry
            }
            _ => false,
        }
    }

    /// Whether an address on the way to a source is what this rule is about.
    pub(super) fn matches_address(&self, address: &Address, reach: Reach) -> bool {
        let Self::Host { host, owner } = self else {
            return false;
        };
        let is_owner = match (owner, &address.owner, reach) {
            (None, ..) => true,
            (Some(owner), Some(its), Reach::Narrow) => owner == its,
            (Some(owner), Some(its), Reach::Wide) => owner.to_lowercase() == its.to_lowercase(),
            (Some(_), None, _) => false,
        };
        let is_sure = reach == Reach::Wide || address.is_authenticated;
        is_sure && is_owner && host.matches(address, reach)
    }
}
