//! Names of npm packages and of their versions.

use super::SourceError;
use crate::address::escaped;

/// Looks at a package's name and what is said of its version.
///
/// # Errors
/// If npm would not take one.
pub(crate) fn check(package: &str, version: Option<&str>) -> Result<(), SourceError> {
    let is_name = |name: &str| {
        !name.is_empty()
            && !name.starts_with(['.', '_'])
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "._~-".contains(c))
    };
    let is_package = match package.strip_prefix('@') {
        Some(scoped) => scoped
            .split_once('/')
            .is_some_and(|(scope, name)| is_name(scope) && is_name(name)),
        None => is_name(package),
    };
    if !is_package || package.len() > 214 {
        return Err(SourceError::new(
            format!("`{}` is no name of an npm package", escaped(package)),
            "write npm:package, npm:@scope/package or npm:package@version",
        ));
    }
    let is_version = |version: &str| {
        let is_tag = version.starts_with(|c: char| c.is_ascii_alphabetic())
            && version
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        is_tag || nodejs_semver::Range::parse(version).is_ok()
    };
    match version {
        Some(version) if version.len() > 256 || !is_version(version) => Err(SourceError::new(
            format!("`{}` is no version, range or tag of npm", escaped(version)),
            "write a version (1.2.3), a range (^1.2) or a tag (latest)",
        )),
        _ => Ok(()),
    }
}
