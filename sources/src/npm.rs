//! Packages of an npm registry. Npm itself is not run, and so no script of a package is.

use std::collections::BTreeMap;
use std::io::Write;

use data_encoding::BASE64;
use nodejs_semver::{Range, Version};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Sha256, Sha512};
use url::Url;

use crate::address::{self, escaped};
use crate::archive::{self, Hashing, kept_file};
use crate::context::FetchContext;
use crate::error::{FetchError, FetchErrorKind};
use crate::fetch::Opened;
use crate::http;
use crate::source::Source;

const REGISTRY: &str = "https://registry.npmjs.org";
/// What a registry says of a package with thousands of versions has a few megabytes.
const METADATA: u64 = 64 << 20;
/// The short form of it.
const SHORT: &str = "application/vnd.npm.install-v1+json, application/json;q=0.8";

/// What a registry says of a package, as far as it is needed.
#[derive(Deserialize)]
struct Package {
    #[serde(default, rename = "dist-tags")]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    versions: BTreeMap<String, Value>,
}

/// Opens a package.
///
/// # Errors
/// If the registry has no such package or version, or the file is not what the registry says.
pub(crate) fn open(
    package: &str,
    version: Option<&str>,
    registry: Option<&str>,
    cx: &FetchContext<'_>,
) -> Result<Opened, FetchError> {
    crate::parse::check_npm_package(package, version)
        .map_err(|error| FetchError::new(FetchErrorKind::Unsafe, error.message, error.hint))?;
    let base = registry.or(cx.npm_registry).unwrap_or(REGISTRY);
    let asked = Url::parse(&format!(
        "{}/{}",
        base.trim_end_matches('/'),
        package.replace('/', "%2f")
    ))
    .map_err(|_| FetchError::hostile(format!("`{}` is no address", address::shown(base))))?;
    cx.tell("asking the registry", None, None);
    let mut said = Vec::new();
    http::download(&asked, SHORT, METADATA, &mut said, cx)?;
    let said: Package = serde_json::from_slice(&said)
        .map_err(|error| odd(package, &format!("its answer is no package's: {error}")))?;
    let chosen = choose(package, &said, version)?;
    let dist = |key: &str| {
        let dist = said.versions.get(&chosen)?.get("dist")?;
        dist.get(key)?.as_str()
    };
    let file = dist("tarball").and_then(|text| Url::parse(text).ok());
    let file = file.ok_or_else(|| odd(package, "it names no file for it"))?;
    let expected = dist("integrity")
        .into_iter()
        .flat_map(str::split_ascii_whitespace);
    let expected = expected.filter_map(|it| it.strip_prefix("sha512-")).next();
    let expected = expected.ok_or_else(|| odd(package, "it gives no SHA-512 for the file"))?;
    cx.ask_redirect(&asked, &file)?;

    let mut kept = kept_file(cx)?;
    let mut checked = Hashing::<Sha256>::new(&mut kept);
    let mut hashing = Hashing::<Sha512>::new(&mut checked);
    http::download(&file, "*/*", cx.limits.transfer, &mut hashing, cx)?;
    let found = BASE64.encode(&hashing.digest());
    if found != expected {
        return Err(archive::mismatch(file.as_str(), &format!("sha512-{found}")));
    }
    let sha256 = data_encoding::HEXLOWER.encode(&checked.digest());
    kept.flush()
        .map_err(FetchError::io("keeping what was downloaded"))?;
    let resolved = Source::Npm {
        package: package.to_owned(),
        version: Some(chosen.clone()),
        registry: registry.map(str::to_owned),
    };
    let mut opened = Opened::new(Box::new(archive::place(kept, cx)?), None, resolved);
    opened.sha256 = Some(sha256);
    opened.version = Some(chosen);
    Ok(opened)
}

/// The version that is meant: a tag's, or the highest of a range; of these, the latest if it is one of them, as npm does.
fn choose(package: &str, said: &Package, asked: Option<&str>) -> Result<String, FetchError> {
    let asked = asked.unwrap_or("latest");
    let is_there = |version: &&String| said.versions.contains_key(*version);
    if let Some(version) = said.tags.get(asked).filter(is_there) {
        return Ok(version.clone());
    }
    let versions: Vec<Version> = said
        .versions
        .keys()
        .filter_map(|it| Version::parse(it).ok())
        .collect();
    if let Ok(range) = Range::parse(asked) {
        let latest = said.tags.get("latest").filter(is_there);
        let latest = latest.and_then(|latest| Version::parse(latest).ok());
        let latest = latest.filter(|latest| range.satisfies(latest));
        let best = latest.as_ref().or_else(|| range.max_satisfying(&versions));
        if let Some(best) = best {
            return Ok(best.to_string());
        }
    }
    let mut newest = versions;
    newest.sort();
    let items = newest
        .iter()
        .rev()
        .take(5)
        .map(|it| escaped(&it.to_string()));
    Err(FetchError::new(
        FetchErrorKind::NotFound,
        format!(
            "the package `{package}` has no version `{}`",
            escaped(asked)
        ),
        "name a version, a range or a tag that it has",
    )
    .with_items(
        items
            .chain(said.tags.keys().take(5).map(|tag| escaped(tag)))
            .collect(),
    ))
}

fn odd(package: &str, why: &str) -> FetchError {
    FetchError::new(
        FetchErrorKind::Unreachable,
        format!(
            "the registry does not give the package `{package}`: {}",
            escaped(why)
        ),
        "look whether the registry's address is right",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_version_is_meant() {
        let said = Package {
            tags: [
                ("latest", "1.2.0"),
                ("next", "2.0.0-beta.1"),
                ("gone", "9.9.9"),
            ]
            .map(|(tag, version)| (tag.to_owned(), version.to_owned()))
            .into(),
            versions: ["1.0.0", "1.2.0", "1.10.0", "2.0.0-beta.1", "0.9.0"]
                .map(|version| (version.to_owned(), Value::Null))
                .into(),
        };
        for (asked, expected) in [
            (None, Some("1.2.0")),
            (Some("latest"), Some("1.2.0")),
            (Some("next"), Some("2.0.0-beta.1")),
            (Some("1.0.0"), Some("1.0.0")),
            (Some("^1"), Some("1.2.0")),
            (Some("~1.10"), Some("1.10.0")),
            (Some("<1"), Some("0.9.0")),
            (Some("*"), Some("1.2.0")),
            (Some("^2"), None),
            (Some("gone"), None),
        ] {
            let got = choose("p", &said, asked);
            assert_eq!(got.as_deref().ok(), expected, "{asked:?}");
        }
        let error = choose("p", &said, Some("^2")).unwrap_err();
        assert_eq!(
            error.items,
            [
                "2.0.0-beta.1",
                "1.10.0",
                "1.2.0",
                "1.0.0",
                "0.9.0",
                "gone",
                "latest",
                "next"
            ]
        );
    }
}
