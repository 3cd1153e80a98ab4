//! What lies at a place, known by names and links before its contents are read.

use std::collections::BTreeMap;

use super::intake::Intake;
use super::{names, no_folder};
use crate::address::escaped;
use crate::error::FetchError;
use crate::limits::Limits;

/// So many links lead on to each other at most, as on Linux.
const LINKS_IN_A_ROW: usize = 40;

/// Folders that plugins consist of.
const PARTS: [&str; 6] = [
    "skills", "commands", "agents", "hooks", "plugins", "scripts",
];

/// A file whose content is still to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct File {
    /// Its number at the place.
    pub(crate) number: usize,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// Whether it can be run.
    pub(crate) executable: bool,
}

#[derive(Debug)]
enum Node {
    Folder(Folder),
    File(File),
    Link(String),
}

type Folder = BTreeMap<String, Node>;

/// The names at a place.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    root: Folder,
}

impl Listing {
    /// Adds a file.
    ///
    /// # Errors
    /// If something lies there already, or would have to be a folder and is none.
    pub(crate) fn add_file(&mut self, path: &str, file: File) -> Result<(), FetchError> {
        self.add(path, Node::File(file))
    }

    /// Adds a link, with what it says.
    ///
    /// # Errors
    /// As [`Self::add_file`].
    pub(crate) fn add_link(&mut self, path: &str, target: String) -> Result<(), FetchError> {
        self.add(path, Node::Link(target))
    }

    fn add(&mut self, path: &str, node: Node) -> Result<(), FetchError> {
        let twice = || {
            FetchError::hostile(format!(
                "`{}` is there twice, or lies below a file",
                escaped(path)
            ))
        };
        let (folders, name) = match path.rsplit_once('/') {
            Some((folders, name)) => (Some(folders), name),
            None => (None, path),
        };
        let mut folder = &mut self.root;
        for part in folders.into_iter().flat_map(|folders| folders.split('/')) {
            let next = folder
                .entry(part.to_owned())
                .or_insert_with(|| Node::Folder(Folder::new()));
            let Node::Folder(next) = next else {
                return Err(twice());
            };
            folder = next;
        }
        if folder.contains_key(name) {
            return Err(twice());
        }
        folder.insert(name.to_owned(), node);
        Ok(())
    }

    /// Takes the one folder away that everything lies in, if that is so: archives are packed that way. A folder that
    /// is part of a plugin stays.
    pub(crate) fn strip_only_folder(&mut self) {
        let is_part = |name: &str| name.starts_with('.') || PARTS.contains(&name);
        match self.root.pop_first() {
            Some((name, Node::Folder(inner))) if self.root.is_empty() && !is_part(&name) => {
                self.root = inner;
            }
            Some((name, node)) => {
                self.root.insert(name, node);
            }
            None => {}
        }
    }

    /// The file at a path, links followed.
    pub(crate) fn file(&self, path: &str) -> Option<File> {
        match self.resolve(&[], path, &mut 0).ok()? {
            (_, Found::File(file)) => Some(file),
            (_, Found::Folder(_)) => None,
        }
    }

    /// Whether there is such a folder, links followed.
    pub(crate) fn has_folder(&self, path: &str) -> bool {
        matches!(self.resolve(&[], path, &mut 0), Ok((_, Found::Folder(_))))
    }

    /// Everything in a folder, by its path in there, links resolved: they may lead anywhere at the place.
    ///
    /// # Errors
    /// If there is no such folder, a link leads out or round in a circle, a name may do harm, or it is too much.
    pub(crate) fn take(
        &self,
        folder: &str,
        limits: &Limits,
    ) -> Result<Vec<(String, File)>, FetchError> {
        let there = self.resolve(&[], folder, &mut 0);
        let Ok((real, Found::Folder(found))) = there else {
            return Err(no_folder(folder));
        };
        let mut taking = Taking {
            listing: self,
            intake: Intake::new(limits),
            taken: Vec::new(),
        };
        taking.folder(found, "", &mut vec![real])?;
        names::check_cases(taking.taken.iter().map(|(path, _)| path.as_str()))?;
        Ok(taking.taken)
    }

    /// Where a path leads that is seen from a folder (its real path): the real path, and what is there.
    fn resolve<'a>(
        &'a self,
        from: &[String],
        path: &str,
        hops: &mut usize,
    ) -> Result<(Vec<String>, Found<'a>), Broken> {
        let mut real = from.to_vec();
        let mut parts: Vec<&str> = path.split('/').rev().collect();
        let mut found = Found::Folder(self.folder(&real).ok_or(Broken::Nothing)?);
        while let Some(part) = parts.pop() {
            match part {
                "" | "." => continue,
                ".." => {
                    real.pop().ok_or(Broken::Out)?;
                    found = Found::Folder(self.folder(&real).ok_or(Broken::Nothing)?);
                    continue;
                }
                _ => {}
            }
            let Found::Folder(folder) = found else {
                return Err(Broken::Nothing);
            };
            match folder.get(part).ok_or(Broken::Nothing)? {
                Node::Folder(inner) => {
                    real.push(part.to_owned());
                    found = Found::Folder(inner);
                }
                Node::File(file) => {
                    real.push(part.to_owned());
                    found = Found::File(*file);
                }
                Node::Link(target) => {
                    *hops += 1;
                    if *hops > LINKS_IN_A_ROW {
                        return Err(Broken::Circle);
                    }
                    if target.starts_with('/') || target.contains('\\') {
                        return Err(Broken::Out);
                    }
                    (real, found) = self.resolve(&real, target, hops)?;
                }
            }
        }
        Ok((real, found))
    }

    fn folder(&self, real: &[String]) -> Option<&Folder> {
        let mut folder = &self.root;
        for part in real {
            match folder.get(part)? {
                Node::Folder(inner) => folder = inner,
                Node::File(_) | Node::Link(_) => return None,
            }
        }
        Some(folder)
    }
}

enum Found<'a> {
    Folder(&'a Folder),
    File(File),
}

enum Broken {
    Nothing,
    Out,
    Circle,
}

struct Taking<'a> {
    listing: &'a Listing,
    intake: Intake<'a>,
    taken: Vec<(String, File)>,
}

impl Taking<'_> {
    /// `above` holds the real paths of the folders on the way down: a link to one of them is a circle.
    fn folder(
        &mut self,
        folder: &Folder,
        prefix: &str,
        above: &mut Vec<Vec<String>>,
    ) -> Result<(), FetchError> {
        self.intake.folder(above.len() - 1)?;
        for (name, node) in folder {
            if names::is_skipped(name) {
                continue;
            }
            let path = format!("{prefix}{name}");
            let own = above.last().map(Vec::as_slice).unwrap_or_default();
            let (real, found) = match node {
                Node::Folder(inner) => {
                    let real = own.iter().cloned().chain([name.clone()]).collect();
                    (real, Found::Folder(inner))
                }
                Node::File(file) => (Vec::new(), Found::File(*file)),
                Node::Link(target) if target.starts_with('/') || target.contains('\\') => {
                    return Err(broken_link(&path, target, &Broken::Out));
                }
                Node::Link(target) => self
                    .listing
                    .resolve(own, target, &mut 0)
                    .map_err(|broken| broken_link(&path, target, &broken))?,
            };
            match found {
                Found::File(file) => {
                    self.intake.file(&path, file.size)?;
                    self.taken.push((path, file));
                }
                Found::Folder(_) if above.contains(&real) => {
                    return Err(broken_link(&path, "", &Broken::Circle));
                }
                Found::Folder(inner) => {
                    above.push(real);
                    self.folder(inner, &format!("{path}/"), above)?;
                    above.pop();
                }
            }
        }
        Ok(())
    }
}

fn broken_link(path: &str, target: &str, broken: &Broken) -> FetchError {
    let path = escaped(path);
    FetchError::hostile(match broken {
        Broken::Nothing => format!(
            "the link `{path}` leads to `{}`, where nothing is",
            escaped(target)
        ),
        Broken::Out => format!("the link `{path}` leads out, to `{}`", escaped(target)),
        Broken::Circle => format!("the link `{path}` leads round in a circle"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(files: &[&str], links: &[(&str, &str)]) -> Listing {
        let mut listing = Listing::default();
        for (number, path) in files.iter().enumerate() {
            let file = File {
                number,
                size: 10,
                executable: false,
            };
            listing.add_file(path, file).unwrap();
        }
        for (path, target) in links {
            listing.add_link(path, (*target).to_owned()).unwrap();
        }
        listing
    }

    fn taken(listing: &Listing, folder: &str) -> Result<String, String> {
        let taken = listing.take(folder, &Limits::default());
        let paths = taken.map(|taken| {
            let paths: Vec<String> = taken.into_iter().map(|(path, _)| path).collect();
            paths.join(" ")
        });
        paths.map_err(|error| error.message)
    }

    #[test]
    fn links_lead_anywhere_inside_and_never_out() {
        let files = ["a/x", "a/.git/config", "p/s/y", "shared/z"];
        for (link, target, folder, expected) in [
            ("p/l", "../shared", "p", Ok("l/z s/y")),
            ("p/l", "../shared/z", "p", Ok("l s/y")),
            ("l", "p/s", "", Ok("a/x l/y p/s/y shared/z")),
            ("l", "p/s", "l", Ok("y")),
            ("p/l", "../../x", "p", Err("leads out, to `../../x`")),
            ("p/l", "/etc/passwd", "p", Err("leads out")),
            ("p/l", "..\\..\\x", "p", Err("leads out")),
            ("p/l", "nothing", "p", Err("nothing is")),
            ("p/l", "l", "p", Err("circle")),
            ("p/s/l", "..", "p", Err("circle")),
            ("p/l", ".", "p", Err("circle")),
            ("p/l", "../a/x/y", "p", Err("nothing is")),
            ("p/l", "/x", "a", Ok("x")),
            ("p/l", "x", "q", Err("no folder `q`")),
            ("p/l", "x", "a/x", Err("no folder")),
        ] {
            let got = taken(&listing(&files, &[(link, target)]), folder);
            match (&got, expected) {
                (Ok(got), Ok(expected)) => assert_eq!(got, expected, "{link} → {target}"),
                (Err(got), Err(expected)) => assert!(got.contains(expected), "{got}"),
                _ => panic!("{link} → {target}: {got:?}"),
            }
        }
    }

    #[test]
    fn links_make_no_more_than_there_may_be() {
        // Each level leads to the next one twice.
        let links: Vec<(String, String)> = (0..30)
            .flat_map(|level| {
                ["a", "b"].map(|name| (format!("{level}/{name}"), format!("../{}", level + 1)))
            })
            .collect();
        let links: Vec<(&str, &str)> = links
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        let error = taken(&listing(&["30/x"], &links), "0").unwrap_err();
        assert!(error.contains("more than 20000"), "{error}");
    }

    #[test]
    fn nothing_lies_twice_or_below_a_file() {
        let file = File {
            number: 0,
            size: 0,
            executable: false,
        };
        let mut listing = listing(&["a", "b/c"], &[("l", "b")]);
        for path in ["a", "a/b", "b", "l", "l/x"] {
            let error = listing.add_file(path, file).unwrap_err();
            assert!(error.message.contains("twice"), "{path}: {error}");
        }
    }

    #[test]
    fn what_is_taken_has_limits() {
        let listing = listing(&["a.md", "b.md", "c"], &[]);
        let default = Limits::default();
        for (limits, what) in [
            (
                Limits {
                    files: 2,
                    ..default
                },
                "2 files",
            ),
            (
                Limits {
                    bytes: 29,
                    ..default
                },
                "29 bytes",
            ),
            (
                Limits {
                    texts: 19,
                    ..default
                },
                "19 bytes of texts",
            ),
        ] {
            let error = listing.take("", &limits).unwrap_err();
            assert!(error.message.contains(what), "{error}");
            assert_eq!(error.kind, crate::error::FetchErrorKind::TooLarge);
        }
    }
}
