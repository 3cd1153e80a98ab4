//! Where a marketplace's entry leads, in Claude's and in Codex's words.

use codex_loadout_converter::marketplace::Entry;
use serde_json::Value;
use url::Url;

use crate::address::{self, escaped};
use crate::error::{FetchError, FetchErrorKind};
use crate::parse::{SourceError, check_git_url, check_npm_package, github};

use crate::source::Source;

/// The place that an entry leads to, `from` the marketplace's own. `reason` says why it is not in the marketplace.
///
/// # Errors
/// If it leads to files of this machine, or the entry says too little.
pub(super) fn source(entry: &Entry, reason: &str, from: &Source) -> Result<Source, FetchError> {
    let wrong = |why: &str, hint: &str| {
        FetchError::new(
            FetchErrorKind::Unreadable,
            format!(
                "the plugin `{}` can't be fetched: {why}",
                escaped(&entry.name)
            ),
            hint,
        )
    };
    let refused = |error: SourceError| wrong(&error.message, &error.hint);
    let source = match entry.entry.get("source") {
        Some(Value::String(url)) if url.contains("://") || url.starts_with("git@") => {
            git(url, None, None).map_err(refused)?
        }
        Some(Value::Object(source)) => {
            let word = |key: &str| {
                let word = source.get(key).and_then(Value::as_str);
                word.map(str::trim).filter(|word| !word.is_empty())
            };
            let needed = |key: &str| {
                word(key).ok_or_else(|| {
                    wrong(
                        &format!("its source has no `{key}`"),
                        "tell the marketplace's owner",
                    )
                })
            };
            // The commit is the closer word for what is meant.
            let reference = word("sha")
                .or_else(|| word("commit"))
                .or_else(|| word("ref"));
            match word("source").unwrap_or_default() {
                "github" => git(
                    &github(needed("repo")?).map_err(refused)?,
                    reference,
                    word("path"),
                )
                .map_err(refused)?,
                "url" | "git" | "git-subdir" => {
                    git(&full(needed("url")?), reference, word("path")).map_err(refused)?
                }
                "npm" => {
                    npm(needed("package")?, word("version"), word("registry")).map_err(refused)?
                }
                _ => {
                    return Err(wrong(
                        &escaped(reason),
                        "add the plugin from the place that its entry names",
                    ));
                }
            }
        }
        _ => return Err(wrong(&escaped(reason), "tell the marketplace's owner")),
    };
    if is_of_this_machine(&source) && !is_of_this_machine(from) {
        return Err(FetchError::hostile(format!(
            "the plugin `{}` leads to `{source}`: a marketplace of elsewhere may not lead into this machine",
            escaped(&entry.name)
        )));
    }
    Ok(source)
}

/// `owner/repo` where an address is expected is meant for GitHub.
fn full(url: &str) -> String {
    let is_short = url.split('/').count() == 2 && !url.contains(':') && !url.starts_with('.');
    match is_short.then(|| github(url).ok()).flatten() {
        Some(full) => full,
        None => url.to_owned(),
    }
}

fn git(url: &str, reference: Option<&str>, path: Option<&str>) -> Result<Source, SourceError> {
    let url = url.strip_prefix("git+").unwrap_or(url);
    check_git_url(url)?;
    if url.starts_with("file:") {
        return Err(SourceError::new(
            format!("`{}` is a file of this machine", escaped(url)),
            "a marketplace names its own folders by relative paths; add another one by itself",
        ));
    }
    if let Some(reference) = reference {
        crate::parse::check_reference(reference)?;
    }
    let path = path.map(crate::parse::inside).transpose()?;
    Ok(Source::Git {
        url: url.to_owned(),
        reference: reference.map(str::to_owned),
        path: path.filter(|path| !path.is_empty()),
    })
}

fn npm(
    package: &str,
    version: Option<&str>,
    registry: Option<&str>,
) -> Result<Source, SourceError> {
    check_npm_package(package, version)?;
    if let Some(registry) = registry {
        let url = Url::parse(registry)
            .ok()
            .filter(|url| url.query().is_none());
        let refusal = url.as_ref().map(address::refusal);
        if !matches!(refusal, Some(None)) {
            return Err(SourceError::new(
                format!(
                    "`{}` is no registry's address",
                    escaped(&address::shown(registry))
                ),
                "a registry is named by an https address without a password",
            ));
        }
    }
    Ok(Source::Npm {
        package: package.to_owned(),
        version: version.map(str::to_owned),
        registry: registry.map(str::to_owned),
    })
}

/// Whether a place is of this machine, or a server on it.
fn is_of_this_machine(source: &Source) -> bool {
    let address = match source {
        Source::Folder { .. } => return true,
        Source::Archive { location, .. } if !location.contains("://") => return true,
        Source::Archive { location, .. } => location,
        Source::Git { url, .. } => url,
        Source::Npm { registry, .. } => match registry {
            Some(registry) => registry,
            None => return false,
        },
    };
    let host = address.split_once("://").is_none().then(|| {
        let host = address.split(':').next().unwrap_or_default();
        host.rsplit('@').next().unwrap_or_default()
    });
    match host {
        Some(host) => {
            Url::parse(&format!("ssh://{host}/")).is_ok_and(|url| address::is_loopback(&url))
        }
        None => Url::parse(address)
            .is_ok_and(|url| url.scheme() == "file" || address::is_loopback(&url)),
    }
}
