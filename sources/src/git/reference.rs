//! Which commit a name stands for.

use super::program::Git;
use crate::address::escaped;
use crate::context::FetchContext;
use crate::error::{FetchError, FetchErrorKind};

/// What is to be got.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// A commit, or the tag that stands for one; or the beginning of a commit's hash.
    name: String,
    is_sha256: bool,
}

impl Wanted {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is a whole hash: that can be asked for by itself.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.name.len(), 40 | 64)
    }

    pub(super) fn is_sha256(&self) -> bool {
        self.is_sha256
    }
}

/// Asks the repository what a name stands for; without one, its own choice.
///
/// # Errors
/// If there is no such name: those that are spelled alike are named.
pub(super) fn find(
    git: &Git,
    reference: Option<&str>,
    cx: &FetchContext<'_>,
) -> Result<Wanted, FetchError> {
    cx.tell("asking the repository", None, None);
    let mut names = vec!["HEAD", "refs/heads/*", "refs/tags/*"];
    names.extend(reference.filter(|name| name.starts_with("refs/")));
    let listed = git.ls_remote(&names, cx)?;
    let listed = String::from_utf8_lossy(&listed);
    let names: Vec<(&str, &str)> = listed
        .lines()
        .filter(|line| !line.starts_with("ref:"))
        .filter_map(|line| line.split_once('\t'))
        .collect();
    choose(&names, reference, &git.shown())
}

/// `names` are hashes with their names. Of a branch and a tag of one name, `git clone` takes the branch; so does this.
fn choose(
    names: &[(&str, &str)],
    reference: Option<&str>,
    place: &str,
) -> Result<Wanted, FetchError> {
    let is_sha256 = names.first().is_some_and(|(id, _)| id.len() == 64);
    let hash = |name: &str| names.iter().find(|(_, it)| *it == name).map(|(id, _)| *id);
    let wanted = |name: &str| {
        let name = name.to_owned();
        Ok(Wanted { name, is_sha256 })
    };
    let Some(reference) = reference else {
        return match hash("HEAD") {
            Some(id) => wanted(id),
            None => Err(FetchError::new(
                FetchErrorKind::NotFound,
                format!("`{place}` is empty, or its own branch is not there"),
                "name a branch, a tag or a commit with `--ref`",
            )
            .with_items(alike(names, "main"))),
        };
    };
    let spelled = [
        reference.to_owned(),
        format!("refs/heads/{reference}"),
        format!("refs/tags/{reference}"),
    ];
    let is_hash = reference.len() >= 7 && reference.bytes().all(|c| c.is_ascii_hexdigit());
    match spelled.iter().find_map(|name| hash(name)) {
        Some(id) => wanted(id),
        None if is_hash => wanted(&reference.to_ascii_lowercase()),
        None => Err(FetchError::new(
            FetchErrorKind::NotFound,
            format!(
                "`{place}` has no branch and no tag `{}`",
                escaped(reference)
            ),
            "name one that it has, or a commit by its whole hash",
        )
        .with_items(alike(names, reference))),
    }
}

/// Branches and tags that are spelled like a name, the likest first.
fn alike(names: &[(&str, &str)], reference: &str) -> Vec<String> {
    let short = names.iter().filter_map(|(_, name)| {
        let name = name
            .strip_prefix("refs/heads/")
            .or_else(|| name.strip_prefix("refs/tags/"))?;
        (!name.ends_with("^{}")).then_some(name)
    });
    let mut scored: Vec<(f64, &str)> = short
        .map(|name| (strsim::jaro_winkler(name, reference), name))
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored
        .into_iter()
        .take(5)
        .map(|(_, name)| escaped(name))
        .collect()
}

/// The commit that a hash stands for, of those that were got.
pub(super) fn commit(git: &Git, name: &str, cx: &FetchContext<'_>) -> Result<String, FetchError> {
    let asked = format!("{name}^{{commit}}");
    let said = git.run(
        &[
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &asked,
        ],
        4096,
        cx,
    );
    let said = match said {
        Ok(said) => String::from_utf8_lossy(&said).trim().to_owned(),
        Err(error)
            if matches!(
                error.kind,
                FetchErrorKind::Cancelled | FetchErrorKind::TimedOut
            ) =>
        {
            return Err(error);
        }
        Err(_) => String::new(),
    };
    if matches!(said.len(), 40 | 64) {
        return Ok(said);
    }
    Err(FetchError::new(
        FetchErrorKind::NotFound,
        format!(
            "`{}` has no commit `{}`, or several that begin so",
            git.shown(),
            escaped(name)
        ),
        "name the commit by its whole hash; it has to be on a branch or a tag",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_name_stands_for() {
        let id = |c: char| c.to_string().repeat(40);
        let (head, dev, tag) = (id('a'), id('b'), id('c'));
        let names = [
            (head.as_str(), "HEAD"),
            (&head, "refs/heads/main"),
            (&dev, "refs/heads/dev"),
            (&tag, "refs/tags/v1"),
            (&tag, "refs/tags/dev"),
            (&head, "refs/tags/v1^{}"),
        ];
        for (reference, expected) in [
            (None, Ok(head.as_str())),
            (Some("main"), Ok(&head)),
            (Some("dev"), Ok(&dev)),
            (Some("v1"), Ok(&tag)),
            (Some("refs/tags/dev"), Ok(&tag)),
            (Some("ABCDEF1"), Ok("abcdef1")),
            (Some("v2"), Err("v1")),
            (Some("mian"), Err("main")),
        ] {
            let got = choose(&names, reference, "x");
            match expected {
                Ok(name) => assert_eq!(got.unwrap().name, name),
                Err(alike) => assert_eq!(
                    got.unwrap_err().items.first().map(String::as_str),
                    Some(alike)
                ),
            }
        }
        assert!(
            choose(&[], None, "x")
                .unwrap_err()
                .message
                .contains("empty")
        );
    }
}
