//! Names of files that come from others.

use std::collections::BTreeMap;

use crate::address::{escaped, is_unsafe};
use crate::error::FetchError;
use crate::limits::Limits;

/// Version control is no part of a bundle, and changes all the time.
pub(crate) fn is_skipped(part: &str) -> bool {
    part.eq_ignore_ascii_case(".git")
}

/// Looks at a path, `/` between the parts, as it would lie on a disk.
///
/// # Errors
/// If it leads out of the folder it lies in, on any system, or can't be shown or kept as it is.
pub(crate) fn check(path: &str, limits: &Limits) -> Result<(), FetchError> {
    let hostile = |why: &str| Err(FetchError::hostile(format!("`{}` {why}", escaped(path))));
    if path.len() > limits.path {
        let begin: String = path.chars().take(60).collect();
        return Err(FetchError::hostile(format!(
            "the path `{}…` is longer than {} bytes",
            escaped(&begin),
            limits.path
        )));
    }
    if path.chars().any(is_unsafe) {
        return hostile("has characters in its name that act on a terminal");
    }
    if path.contains('\u{fffd}') {
        return hostile("has a name that is not UTF-8");
    }
    if path.contains('\\') {
        return hostile("has a backslash in its name: elsewhere it would be another path");
    }
    if path.starts_with('/') {
        return hostile("is an absolute path");
    }
    for part in path.split('/') {
        match part {
            "" | "." => return hostile("has an empty part"),
            ".." => return hostile("leads out of its folder"),
            _ if part.len() > 255 => return hostile("has a name of more than 255 bytes"),
            _ => {}
        }
        let drive = part.as_bytes();
        if drive.get(1) == Some(&b':') && drive.first().is_some_and(u8::is_ascii_alphabetic) {
            return hostile("begins as a drive of Windows does");
        }
    }
    Ok(())
}

/// Looks whether two paths, or two folders on the way to them, would be one on a disk that does not tell cases apart.
///
/// # Errors
/// If two would, naming both.
pub(crate) fn check_cases<'a>(paths: impl Iterator<Item = &'a str>) -> Result<(), FetchError> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for path in paths {
        let ends = path.match_indices('/').map(|(at, _)| at);
        for end in ends.chain(std::iter::once(path.len())) {
            let Some(whole) = path.get(..end) else {
                continue;
            };
            match seen.insert(whole.to_lowercase(), whole) {
                Some(other) if other != whole => {
                    return Err(FetchError::hostile(format!(
                        "`{}` and `{}` differ in upper and lower case only: on other disks they are one",
                        escaped(other),
                        escaped(whole)
                    )));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// A path in words of a user or a manifest: relative, staying inside. `None` where it does not; empty for the place itself.
pub(crate) fn inside(path: &str) -> Option<String> {
    if path.starts_with('/') || path.contains('\\') {
        return None;
    }
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !matches!(*part, "" | "."))
        .collect();
    let stays = parts.iter().all(|part| *part != "..");
    (stays && !path.chars().any(is_unsafe)).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_do_harm() {
        let long = "a/".repeat(600) + "b";
        let wide = "x".repeat(256);
        for (path, why) in [
            ("../x", "leads out"),
            ("a/../../x", "leads out"),
            ("/etc/passwd", "absolute"),
            ("C:/x", "drive"),
            ("c:x", "drive"),
            ("a\\..\\x", "backslash"),
            ("a\nb", "terminal"),
            ("a\u{1b}[31mb", "terminal"),
            ("a\u{202e}b", "terminal"),
            ("a\0b", "terminal"),
            ("a//b", "empty part"),
            ("a/./b", "empty part"),
            ("", "empty part"),
            ("a/\u{fffd}", "UTF-8"),
            (long.as_str(), "longer than"),
            (wide.as_str(), "255"),
        ] {
            let error = check(path, &Limits::default()).unwrap_err();
            assert!(error.message.contains(why), "{path:?}: {error}");
            assert!(!error.message.contains(char::is_control), "{error:?}");
        }
        for path in ["a", "a/b c/d.md", "ü/…", "a..b", "...", "ab:c", "-x"] {
            assert!(check(path, &Limits::default()).is_ok(), "{path}");
        }
    }

    #[test]
    fn cases_are_told_apart_in_folders_too() {
        for (paths, fine) in [
            (vec!["a/b", "a/c", "b"], true),
            (vec!["a/b", "A/c"], false),
            (vec!["README.md", "readme.md"], false),
            (vec!["Ä", "ä"], false),
        ] {
            assert_eq!(
                check_cases(paths.iter().copied()).is_ok(),
                fine,
                "{paths:?}"
            );
        }
    }

    #[test]
    fn words_for_a_folder() {
        for (path, expected) in [
            ("./a/b/", Some("a/b")),
            ("", Some("")),
            (".", Some("")),
            ("a/../b", None),
            ("/a", None),
            ("a\\b", None),
            ("a\nb", None),
        ] {
            assert_eq!(inside(path).as_deref(), expected, "{path:?}");
        }
    }
}
