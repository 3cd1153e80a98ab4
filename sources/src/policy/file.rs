//! The text of a policy file.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::error::PolicyError;
use super::rule::{Rule, RuleText};
use crate::signature::AllowedSigners;
use crate::toml_text::{line_at, plain, read};

const HINT: &str =
    "Correct the file: until then nothing is added or fetched. `docs/policy.md` shows every key.";

/// What one policy file says.
#[derive(Debug, Clone)]
pub struct PolicyFile {
    /// Where it lies.
    pub(super) path: PathBuf,
    /// Where it is there, nothing else may be used.
    pub(super) allow: Option<Vec<Rule>>,
    pub(super) deny: Vec<Rule>,
    pub(super) require_pins: bool,
    /// Where it is there, what is fetched has to be signed by one of them.
    pub(super) require_signatures: Option<AllowedSigners>,
    pub(super) denies_hooks: bool,
    pub(super) denies_servers: bool,
    pub(super) offline: Offline,
    pub(super) denies_project_profiles: bool,
}

/// What happens where a source can't be reached, or must not be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offline {
    /// What was fetched before is used.
    #[default]
    UseCached,
    /// The request fails.
    Fail,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    #[serde(default)]
    sources: SourcesText,
    #[serde(default)]
    signatures: SignaturesText,
    #[serde(default)]
    hooks: Permission,
    #[serde(default)]
    servers: Permission,
    #[serde(default)]
    offline: Offline,
    #[serde(default = "yes")]
    project_profiles: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourcesText {
    allow: Option<Vec<Spanned<RuleText>>>,
    #[serde(default)]
    deny: Vec<Spanned<RuleText>>,
    #[serde(default)]
    require_pins: bool,
    #[serde(default)]
    require_signatures: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignaturesText {
    #[serde(default)]
    allowed_signers: Vec<Spanned<String>>,
    allowed_signers_file: Option<Spanned<PathBuf>>,
}

#[derive(Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Permission {
    #[default]
    Allow,
    Deny,
}

fn yes() -> bool {
    true
}

impl PolicyFile {
    /// Reads a policy's text. A file of signers that it names is asked for by its path.
    ///
    /// # Errors
    /// File, line and key of what is wrong.
    pub fn parse(
        path: &Path,
        text: &str,
        signers_file: impl Fn(&Path) -> Result<String, String>,
    ) -> Result<Self, PolicyError> {
        let error = |line, key: Option<String>, message| PolicyError {
            path: path.to_owned(),
            line,
            key,
            message,
            hint: HINT.to_owned(),
        };
        let text = text.trim_start_matches('\u{feff}');
        let read: Text = read(text).map_err(|fault| error(fault.line, fault.key, fault.message))?;
        let wrong = |at: usize, key: String, message: String| {
            error(Some(line_at(text, at)), Some(key), plain(&message))
        };
        let rules = |list: Vec<Spanned<RuleText>>, key: &str| {
            let rule = |(index, rule): (usize, Spanned<RuleText>)| {
                let at = rule.span().start;
                Rule::try_from(rule.into_inner())
                    .map_err(|why| wrong(at, format!("sources.{key}[{index}]"), why))
            };
            list.into_iter()
                .enumerate()
                .map(rule)
                .collect::<Result<Vec<_>, _>>()
        };
        let mut signers = AllowedSigners::default();
        for (index, line) in read.signatures.allowed_signers.iter().enumerate() {
            signers.add(line.get_ref()).map_err(|fault| {
                wrong(
                    line.span().start,
                    format!("signatures.allowed_signers[{index}]"),
                    fault.message,
                )
            })?;
        }
        if let Some(file) = read.signatures.allowed_signers_file {
            let wrong = |message| {
                wrong(
                    file.span().start,
                    "signatures.allowed_signers_file".to_owned(),
                    message,
                )
            };
            let whole = path.parent().unwrap_or(Path::new("/")).join(file.get_ref());
            let lines = signers_file(&whole).map_err(wrong)?;
            signers
                .add_all(&lines)
                .map_err(|fault| wrong(format!("`{}`, {fault}", whole.display())))?;
        }
        if read.sources.require_signatures && signers.is_empty() {
            let message = "no signer is named by `allowed_signers` or `allowed_signers_file` of `[signatures]`";
            return Err(error(
                None,
                Some("sources.require_signatures".to_owned()),
                message.to_owned(),
            ));
        }
        Ok(Self {
            path: path.to_owned(),
            allow: read
                .sources
                .allow
                .map(|list| rules(list, "allow"))
                .transpose()?,
            deny: rules(read.sources.deny, "deny")?,
            require_pins: read.sources.require_pins,
            require_signatures: read.sources.require_signatures.then_some(signers),
            denies_hooks: read.hooks == Permission::Deny,
            denies_servers: read.servers == Permission::Deny,
            offline: read.offline,
            denies_project_profiles: !read.project_profiles,
        })
    }
}
