//! Profiles by name: what they begin with, and what that comes to.

use std::path::{Path, PathBuf};

use codex_loadout_protocol::alike::alike;
use codex_loadout_protocol::profile::ProfileLayer;
use codex_loadout_protocol::selection::ProfileNames;
use codex_loadout_protocol::{CapabilitySelection, ErrorItem, ErrorKind, LoadoutError};

use super::file::{ProfileFile, parse};
use super::merge::merge;

/// The profile that is included in all of its layer.
const BASE: &str = "base";

/// A profile that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub layer: ProfileLayer,
    /// Its file.
    pub path: PathBuf,
    /// Whether it counts: that of a project does if the user trusts the project.
    pub trusted: bool,
}

/// The profiles that there are for a folder.
pub(crate) struct Shelf<'a> {
    /// All of them; of several with one name, the first that is trusted counts.
    pub profiles: &'a [Found],
    /// Reads a file, or says why it can't.
    pub read: &'a dyn Fn(&Path) -> Result<String, LoadoutError>,
}

impl Shelf<'_> {
    /// The profile that counts under a name.
    #[must_use]
    pub(crate) fn find(&self, name: &str) -> Option<&Found> {
        let mut trusted = self.profiles.iter().filter(|found| found.trusted);
        trusted.find(|found| found.name == name)
    }

    fn base_of(&self, layer: ProfileLayer) -> Option<&Found> {
        let mut profiles = self.profiles.iter();
        profiles.find(|found| found.trusted && found.layer == layer && found.name == BASE)
    }
}

/// A selection with the profiles that it names in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Expanded {
    /// What it comes to. It keeps the names that were asked for.
    pub selection: CapabilitySelection,
    /// Names that stand in a profile, with their places.
    pub places: Vec<(String, String)>,
}

impl Expanded {
    /// An error about names, with the places of those that stand in a profile.
    #[must_use]
    pub(crate) fn locate(&self, mut error: LoadoutError) -> LoadoutError {
        let place = |item: &ErrorItem| {
            let mut places = self.places.iter();
            places.find(|(name, _)| *name == item.name)
        };
        let places: Vec<String> = error
            .items
            .iter()
            .filter_map(place)
            .map(|(name, place)| format!("`{name}` stands in {place}"))
            .collect();
        if !places.is_empty() {
            error.message = format!("{} ({})", error.message, places.join(", "));
        }
        error
    }
}

/// Merges the profiles that a selection names, left to right, and puts the selection on top.
///
/// # Errors
/// `unknownCapability` for a profile that is not there, `invalidSelection` for one that can't be read or that
/// begins with itself.
pub(crate) fn expand(
    selection: CapabilitySelection,
    shelf: &Shelf<'_>,
) -> Result<Expanded, LoadoutError> {
    let names = selection.profile.0.clone();
    let mut expansion = Expansion::new(shelf);
    let unknown: Vec<&String> = names
        .iter()
        .filter(|name| shelf.find(name).is_none())
        .collect();
    if !unknown.is_empty() {
        return Err(unknown_profile(&unknown, shelf, None));
    }
    for name in &names {
        expansion.add_named(name, None)?;
    }
    let mut merged = merge(expansion.merged, selection);
    merged.profile = ProfileNames(names);
    Ok(Expanded {
        selection: merged,
        places: expansion.places,
    })
}

struct Expansion<'a> {
    shelf: &'a Shelf<'a>,
    merged: CapabilitySelection,
    places: Vec<(String, String)>,
    /// Files under way, each begun by the one before it.
    stack: Vec<PathBuf>,
    done: Vec<PathBuf>,
}

impl<'a> Expansion<'a> {
    fn new(shelf: &'a Shelf<'a>) -> Self {
        Self {
            shelf,
            merged: CapabilitySelection::default(),
            places: Vec::new(),
            stack: Vec::new(),
            done: Vec::new(),
        }
    }

    /// Adds a profile by its name; `by` is the place that names it.
    fn add_named(&mut self, name: &str, by: Option<&str>) -> Result<(), LoadoutError> {
        let Some(found) = self.shelf.find(name) else {
            return Err(unknown_profile(&[&name.to_owned()], self.shelf, by));
        };
        self.add(found, by)
    }

    fn add(&mut self, found: &Found, by: Option<&str>) -> Result<(), LoadoutError> {
        if self.done.contains(&found.path) {
            return Ok(());
        }
        if self.stack.contains(&found.path) {
            return Err(self.cycle(found, by));
        }
        if let Some(base) = self.shelf.base_of(found.layer)
            && !self.stack.contains(&base.path)
            && base.path != found.path
        {
            self.add(base, None)?;
        }
        let text = (self.shelf.read)(&found.path)?;
        let file = parse(&found.path, &text)?;
        self.stack.push(found.path.clone());
        self.add_content(&found.path, file)?;
        self.stack.pop();
        self.done.push(found.path.clone());
        Ok(())
    }

    fn add_content(&mut self, path: &Path, file: ProfileFile) -> Result<(), LoadoutError> {
        for (index, name) in file.extends.iter().enumerate() {
            let by = place(path, file.line_of_extended(index));
            self.add_named(name, Some(&by))?;
        }
        let names = file.names().into_iter();
        self.places
            .extend(names.map(|(name, line)| (name, place(path, line))));
        let merged = std::mem::take(&mut self.merged);
        self.merged = merge(merged, file.selection);
        Ok(())
    }

    fn cycle(&self, found: &Found, by: Option<&str>) -> LoadoutError {
        let begin = self.stack.iter().position(|path| *path == found.path);
        let round = self.stack.iter().skip(begin.unwrap_or_default());
        let name = |path: &PathBuf| {
            let stem = path.file_stem().unwrap_or_default();
            format!("`{}`", stem.to_string_lossy())
        };
        let mut names: Vec<String> = round.map(name).collect();
        names.push(name(&found.path));
        let by = by.map_or_else(String::new, |by| format!("{by}: "));
        let message = format!(
            "{by}a profile begins with itself: {}",
            names.join(" extends ")
        );
        LoadoutError::new(ErrorKind::InvalidSelection, message)
            .with_hint("Take one of these out of `extends`.")
            .with_items(vec![ErrorItem::named(&found.name)])
    }
}

fn place(path: &Path, line: usize) -> String {
    format!("`{}`, line {line}", path.display())
}

/// The error for profiles that are not there; `by` is the place that names them.
#[must_use]
pub(crate) fn unknown_profile(
    names: &[&String],
    shelf: &Shelf<'_>,
    by: Option<&str>,
) -> LoadoutError {
    let known = || {
        let trusted = shelf.profiles.iter().filter(|found| found.trusted);
        trusted.map(|found| found.name.as_str())
    };
    let item = |name: &&String| ErrorItem {
        name: (*name).clone(),
        did_you_mean: alike(name, known()),
        ..ErrorItem::default()
    };
    let items: Vec<ErrorItem> = names.iter().map(item).collect();
    let mut kept_back = shelf.profiles.iter().filter(|found| !found.trusted);
    let kept_back = kept_back.find(|found| names.contains(&&found.name));
    let hint = match kept_back {
        Some(found) => {
            // `.codex-loadout/profiles` of the project has it.
            let project = found.path.ancestors().nth(3).unwrap_or(&found.path);
            format!(
                "`{}` has it: `codex-loadout trust project {}` lets that project's profiles count.",
                found.path.display(),
                project.display()
            )
        }
        None => "`codex-loadout profile list` shows those that there are.".to_owned(),
    };
    let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    let by = by.map_or_else(String::new, |by| format!("{by}: "));
    let message = format!("{by}there is no profile `{}`", names.join("`, `"));
    LoadoutError::new(ErrorKind::UnknownCapability, message)
        .with_hint(hint)
        .with_items(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADMIN: ProfileLayer = ProfileLayer::Admin;
    const PROJECT: ProfileLayer = ProfileLayer::Project;
    const USER: ProfileLayer = ProfileLayer::User;

    fn expanded(
        selection: &str,
        profiles: &[(ProfileLayer, &str, &str, bool)],
    ) -> Result<Expanded, LoadoutError> {
        let path = |layer: ProfileLayer, name: &str| {
            PathBuf::from(format!("/{}/{name}.toml", layer.as_str()))
        };
        let found: Vec<Found> = profiles
            .iter()
            .map(|(layer, name, _, trusted)| Found {
                name: (*name).to_owned(),
                layer: *layer,
                path: path(*layer, name),
                trusted: *trusted,
            })
            .collect();
        let read = |wanted: &Path| {
            let mut profiles = profiles.iter();
            let text = profiles.find(|(layer, name, ..)| path(*layer, name) == wanted);
            Ok(text.unwrap().2.to_owned())
        };
        let shelf = Shelf {
            profiles: &found,
            read: &read,
        };
        expand(CapabilitySelection::from_json(selection).unwrap(), &shelf)
    }

    fn skills(expanded: &Expanded) -> Vec<&str> {
        let skills = expanded.selection.skills.iter().flatten();
        skills.map(|skill| skill.name.as_str()).collect()
    }

    #[test]
    fn profiles_are_merged_left_to_right_under_the_field_and_over_their_base() {
        let profiles = [
            (
                USER,
                "base",
                "skills = [\"of-base\"]\nhooks = \"trusted\"",
                true,
            ),
            (USER, "common", "skills = [\"c\"]\nmode = \"extend\"", true),
            (USER, "a", "extends = [\"common\"]\nskills = [\"a\"]", true),
            (
                USER,
                "b",
                "extends = [\"common\"]\nskills = [\"b\"]\nmode = \"restrict\"",
                true,
            ),
        ];
        let got = expanded(r#"{"profile":["a","b"],"skills":["own"]}"#, &profiles).unwrap();
        assert_eq!(skills(&got), ["of-base", "c", "a", "b", "own"]);
        assert_eq!(got.selection.mode().as_str(), "restrict");
        assert_eq!(got.selection.profile.0, ["a", "b"]);
        let place = got.places.iter().find(|(name, _)| name == "b").unwrap();
        assert_eq!(place.1, "`/user/b.toml`, line 2");
        // Whoever names no profile has no base either.
        let got = expanded(r#"{"skills":["own"]}"#, &profiles).unwrap();
        assert_eq!(skills(&got), ["own"]);
    }

    #[test]
    fn an_administrators_profile_is_not_replaced_and_a_projects_counts_if_it_is_trusted() {
        let of = |trusted| {
            [
                (ADMIN, "review", "skills = [\"admin\"]", true),
                (PROJECT, "review", "skills = [\"project\"]", trusted),
                (PROJECT, "debug", "skills = [\"project\"]", trusted),
                (USER, "review", "skills = [\"user\"]", true),
                (USER, "debug", "skills = [\"user\"]", true),
                (PROJECT, "only", "skills = []", trusted),
            ]
        };
        for (trusted, profile, skill) in [
            (true, "review", "admin"),
            (true, "debug", "project"),
            (false, "debug", "user"),
        ] {
            let selection = format!(r#"{{"profile":"{profile}"}}"#);
            let got = expanded(&selection, &of(trusted)).unwrap();
            assert_eq!(skills(&got), [skill], "{profile} {trusted}");
        }
        let error = expanded(r#"{"profile":"only"}"#, &of(false)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnknownCapability);
        assert!(error.hint.contains("trust project"), "{}", error.hint);
    }

    #[test]
    fn what_is_unknown_or_goes_round_is_refused() {
        let profiles = [
            (USER, "a", "\nextends = [\"b\"]", true),
            (USER, "b", "extends = [\"c\"]", true),
            (USER, "c", "extends = [\"a\"]", true),
            (USER, "lost", "extends = [\"commn\"]", true),
            (USER, "common", "", true),
        ];
        let refused = |selection| expanded(selection, &profiles).unwrap_err();
        let error = refused(r#"{"profile":"a"}"#);
        assert_eq!(
            error.message,
            "`/user/c.toml`, line 1: a profile begins with itself: `a` extends `b` extends `c` extends `a`"
        );
        let error = refused(r#"{"profile":"lost"}"#);
        assert_eq!(
            error.message,
            "`/user/lost.toml`, line 1: there is no profile `commn`"
        );
        assert_eq!(error.items[0].did_you_mean, ["common"]);
        let error = refused(r#"{"profile":["x","commo"]}"#);
        assert_eq!(error.items.len(), 2);
        assert_eq!(error.kind, ErrorKind::UnknownCapability);
    }

    #[test]
    fn a_base_may_begin_with_another() {
        let profiles = [
            (
                USER,
                "base",
                "extends = [\"common\"]\nskills = [\"base\"]",
                true,
            ),
            (USER, "common", "skills = [\"c\"]", true),
            (USER, "a", "", true),
        ];
        let got = expanded(r#"{"profile":"a"}"#, &profiles).unwrap();
        assert_eq!(skills(&got), ["c", "base"]);
    }
}
