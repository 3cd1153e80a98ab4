//! A loadout on the launch line, or in the environment: for all threads that are started there.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use codex_loadout_protocol::selection::{CONFIG_KEYS, TASK_KEYS};
use codex_loadout_protocol::{CapabilitySelection, ErrorKind, LoadoutError};
use serde_json::Value;

use super::carried::{from_value, own_key, put};

/// The option of ours.
const OPTION: &str = "--loadout";
/// Codex's options that set a key of its config.
const CONFIG_OPTIONS: [&str; 2] = ["-c", "--config"];

/// What stands where a loadout can be said in one word.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reference {
    /// Profiles by name, or a selection in JSON.
    Selection(CapabilitySelection),
    /// A file: a profile in TOML, or a selection in JSON.
    File(PathBuf),
}

/// A launch line, with what is ours taken out of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct LaunchLine {
    /// What Codex is started with.
    pub arguments: Vec<OsString>,
    /// `--loadout`.
    pub loadout: Option<Reference>,
    /// `-c capability_selection…`, on top of it.
    pub selection: Option<CapabilitySelection>,
    /// `-c capability_task=…`.
    pub task: Option<String>,
    /// The words that say it, for another process of the same kind.
    pub own: Vec<OsString>,
}

impl LaunchLine {
    /// Whether it says anything of threads.
    #[must_use]
    pub(crate) fn says_something(&self) -> bool {
        self.loadout.is_some() || self.selection.is_some() || self.task.is_some()
    }
}

/// Takes what is ours out of Codex's arguments. `value_options` are those that take the next word as their value.
///
/// # Errors
/// `invalidSelection` for a value that is none.
pub(crate) fn read_launch_line(
    arguments: &[OsString],
    value_options: &[&str],
) -> Result<LaunchLine, LoadoutError> {
    let mut line = LaunchLine::default();
    let mut selection = None;
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            line.arguments.push(word.clone());
            break;
        }
        if let Some(value) = value_of(OPTION, word, &mut words) {
            line.loadout = Some(read_reference(&value.to_string_lossy())?);
            line.own.extend([OPTION.into(), value.to_owned()]);
            continue;
        }
        let config = CONFIG_OPTIONS.iter().find_map(|option| {
            // Where it is not ours, its words go on as they are.
            let mut ahead = words.clone();
            let value = value_of(option, word, &mut ahead).or_else(|| attached(option, word))?;
            let (key, value) = value.to_str()?.split_once('=')?;
            is_ours(key.trim()).then(|| (key.trim().to_owned(), value.to_owned(), ahead))
        });
        if let Some((key, value, ahead)) = config {
            words = ahead;
            line.own
                .extend(["-c".into(), format!("{key}={value}").into()]);
            let value = toml_value(&value);
            match own_key(&key, &CONFIG_KEYS) {
                Some(path) => put(&mut selection, path, value),
                None => line.task = value.as_str().map(str::to_owned),
            }
            continue;
        }
        line.arguments.push(word.clone());
        if value_options.iter().any(|option| word == option) {
            line.arguments.extend(words.next().cloned());
        }
    }
    line.arguments.extend(words.cloned());
    if let Some(value) = selection {
        let place = format!("-c {}", CONFIG_KEYS[0]);
        line.selection = from_value(value, &place)?;
    }
    Ok(line)
}

fn is_ours(key: &str) -> bool {
    own_key(key, &CONFIG_KEYS).is_some() || TASK_KEYS.contains(&key)
}

/// The value of `--name VALUE` or `--name=VALUE`.
fn value_of<'a>(
    name: &str,
    word: &'a OsStr,
    words: &mut impl Iterator<Item = &'a OsString>,
) -> Option<&'a OsStr> {
    if word == name {
        return Some(words.next().map_or(OsStr::new(""), OsString::as_os_str));
    }
    let value = word.to_str()?.strip_prefix(name)?.strip_prefix('=')?;
    Some(OsStr::new(value))
}

/// The value of `-cVALUE`.
fn attached<'a>(name: &str, word: &'a OsStr) -> Option<&'a OsStr> {
    if name.starts_with("--") {
        return None;
    }
    let value = word.to_str()?.strip_prefix(name)?;
    Some(OsStr::new(value))
}

/// As Codex reads a value of its launch line: TOML, and what is none is a string.
fn toml_value(text: &str) -> Value {
    let table: Result<toml::Table, _> = format!("value = {text}").parse();
    let value = table.ok().and_then(|mut table| table.remove("value"));
    let value = value.and_then(|value| serde_json::to_value(value).ok());
    value.unwrap_or_else(|| Value::from(text.trim().trim_matches(['"', '\''])))
}

/// Reads a word that names a loadout: a profile, several with commas between, a file, or a selection in JSON.
///
/// # Errors
/// `invalidSelection` for JSON that is no selection.
pub(crate) fn read_reference(text: &str) -> Result<Reference, LoadoutError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(LoadoutError::new(
            ErrorKind::InvalidSelection,
            "no loadout is named",
        )
        .with_hint("Name a profile, several with commas between, a file, or write a selection in JSON."));
    }
    if text.starts_with('{') {
        return CapabilitySelection::from_json(text).map(Reference::Selection);
    }
    let is_file = text.contains(['/', '\\']) || text.ends_with(".toml") || text.ends_with(".json");
    if is_file {
        return Ok(Reference::File(PathBuf::from(text)));
    }
    let names = text.split(',').map(|name| name.trim().to_owned()).collect();
    Ok(Reference::Selection(CapabilitySelection::of_profiles(
        names,
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &[&str]) -> LaunchLine {
        let arguments: Vec<OsString> = line.iter().map(OsString::from).collect();
        read_launch_line(&arguments, &["-c", "-m"]).unwrap()
    }

    #[test]
    fn what_is_ours_is_taken_out_and_the_rest_stays_as_it_is() {
        let review = Some(Reference::Selection(CapabilitySelection::of_profiles(
            vec!["review".to_owned()],
        )));
        for words in [
            &["--loadout", "review", "app-server", "-c", "a=b"][..],
            &["app-server", "-c", "a=b", "--loadout=review"],
        ] {
            let line = read(words);
            assert_eq!(line.arguments, ["app-server", "-c", "a=b"], "{words:?}");
            assert_eq!(line.loadout, review);
        }
        // The value of another option, and what stands behind `--`, is not ours.
        for words in [
            &["app-server", "-m", "--loadout"][..],
            &["exec", "--", "--loadout", "x"],
            &["exec", "-c", "model=\"capability_selection\""],
        ] {
            let line = read(words);
            assert_eq!(line.arguments, words);
            assert!(!line.says_something());
        }
    }

    #[test]
    fn codexs_option_for_config_says_a_selection_too() {
        for words in [
            &[
                "-c",
                "capability_selection.profile=\"review\"",
                "-c",
                "capability_selection.mcp_servers=[]",
                "app-server",
            ][..],
            &[
                "app-server",
                "--config=capability_selection={profile=\"review\",mcp_servers=[]}",
            ],
            &[
                "-ccapability_selection=review",
                "app-server",
                "-c",
                "capabilitySelection.mcpServers=[]",
            ],
        ] {
            let line = read(words);
            assert_eq!(line.arguments, ["app-server"], "{words:?}");
            let expected = r#"{"profile":"review","mcpServers":[]}"#;
            let expected = CapabilitySelection::from_json(expected).unwrap();
            assert_eq!(line.selection, Some(expected), "{words:?}");
        }
        let line = read(&["-c", "capability_task=\"42\"", "app-server"]);
        assert_eq!(
            (line.task.as_deref(), line.says_something()),
            (Some("42"), true)
        );
        let nothing = ["app-server".into(), "--loadout".into()];
        let error = read_launch_line(&nothing, &["-c"]).unwrap_err();
        assert_eq!(error.message, "no loadout is named");
        let wrong = ["-c".into(), "capability_selection.skils=[]".into()];
        let error = read_launch_line(&wrong, &["-c"]).unwrap_err();
        assert_eq!(error.items[0].name, "-c capability_selection.skils");
    }

    #[test]
    fn a_word_names_profiles_or_a_file() {
        let names = |text| match read_reference(text).unwrap() {
            Reference::Selection(selection) => selection.profile.0,
            Reference::File(path) => vec![format!("file {}", path.display())],
        };
        assert_eq!(names("review"), ["review"]);
        assert_eq!(names("a, b"), ["a", "b"]);
        assert_eq!(names("./review"), ["file ./review"]);
        assert_eq!(names("x.json"), ["file x.json"]);
        let inline = read_reference(r#"{"skills":[]}"#).unwrap();
        assert!(matches!(inline, Reference::Selection(one) if one.skills == Some(vec![])));
    }
}
