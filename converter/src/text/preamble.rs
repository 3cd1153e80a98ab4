//! What is said once, at the top of a text.

use std::collections::{BTreeMap, BTreeSet};

/// What is said once, at the top of a text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Notes {
    /// A path that is relative to the text's own folder, as an example of them.
    pub(super) relative_path: Option<String>,
    /// The plugin's name: paths in its folder are named, although the reader isn't told where it is.
    pub(super) plugin_folder: Option<String>,
    /// Whether there are arguments.
    pub(super) arguments: bool,
    /// What the platform puts all of them in for, if it does.
    pub(super) expanded: Option<&'static str>,
    /// Whether single words of them are meant.
    pub(super) positions: bool,
    /// Whether commands are to run in the project's root.
    pub(super) project_root: bool,
    /// Whether the plugin's data folder is meant.
    pub(super) data_folder: bool,
    /// Whether the thread's id is meant.
    pub(super) session: bool,
    /// Whether it hands work to agents: a model spawns them only where a text asks for it outright.
    pub(super) spawns: bool,
    /// Claude's words that the text keeps, by what they mean.
    pub(super) words: BTreeMap<String, BTreeSet<String>>,
}

/// What begins the list of Claude's words.
const VOCABULARY: &str = "Words of Claude Code in this text, and what they mean in";
/// What is said of agents.
const SPAWN: &str = "Spawn the agents to which this text hands work.";

/// How code names the plugin's folder where its path can't be known.
pub(super) fn plugin_folder(plugin: &str) -> String {
    format!("<folder of the plugin {plugin}>")
}

/// How code names the arguments.
pub(super) const ARGUMENTS: &str = "<arguments>";
/// How code names the plugin's data folder.
pub(super) const DATA_FOLDER: &str = "<data folder>";
/// How code names the thread's id.
pub(super) const SESSION: &str = "<session id>";

impl Notes {
    /// Notes what a word means that the text keeps.
    pub(super) fn mean(&mut self, word: String, meaning: String) {
        self.words.entry(meaning).or_default().insert(word);
    }

    /// Forgets what only explains words.
    pub(super) fn say_no_words(&mut self) {
        self.spawns = false;
        self.words.clear();
    }

    /// What Claude's words mean, or nothing.
    fn vocabulary(&self, target: &str) -> Option<String> {
        let words: Vec<String> = self
            .words
            .iter()
            .map(|(meaning, words)| {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                format!("{} – {meaning}", words.join(", "))
            })
            .collect();
        let words =
            (!words.is_empty()).then(|| format!("{VOCABULARY} {target}: {}.", words.join("; ")));
        let spawn = self.spawns.then(|| SPAWN.to_owned());
        let said: Vec<String> = words.into_iter().chain(spawn).collect();
        (!said.is_empty()).then(|| said.join(" "))
    }

    /// One paragraph, or nothing.
    pub(super) fn paragraph(&self) -> Option<String> {
        let mut sentences = Vec::new();
        if let Some(expanded) = self.expanded {
            sentences.push(format!(
                "`{ARGUMENTS}` below is what the user wrote after the name of this command. It is between the two lines; it may be empty.\n---\n{expanded}\n---\n"
            ));
        } else if self.arguments {
            sentences.push(format!(
                "`{ARGUMENTS}` below is what the user wrote after the name of this skill; it may be empty."
            ));
        }
        if self.positions {
            sentences.push(
                "Single arguments are its words; quotation marks keep words together.".to_owned(),
            );
        }
        if let Some(path) = &self.relative_path {
            sentences.push(format!(
                "Paths such as `{path}` below are relative to the folder of this file: make them absolute before you use them in a command."
            ));
        }
        if let Some(plugin) = &self.plugin_folder {
            sentences.push(format!(
                "`{}` below stands for the folder in which that plugin is installed.",
                plugin_folder(plugin)
            ));
        }
        if self.project_root {
            sentences.push(
                "Run the commands below in the root folder of the user's project.".to_owned(),
            );
        }
        if self.data_folder {
            sentences.push(format!(
                "`{DATA_FOLDER}` below stands for a folder outside of the project in which this plugin keeps its data: use the same one each time."
            ));
        }
        if self.session {
            sentences.push(format!(
                "`{SESSION}` below stands for a short text that no other thread uses: make one up and keep to it."
            ));
        }
        (!sentences.is_empty()).then(|| sentences.join(" "))
    }

    /// Says what is to be said of a text further below, too.
    pub(super) fn take_over(&mut self, below: Self) {
        // Taken apart by name, so that a note that is added can't be forgotten here.
        let Self {
            relative_path,
            plugin_folder,
            arguments,
            expanded,
            positions,
            project_root,
            data_folder,
            session,
            spawns,
            words,
        } = below;
        self.expanded = self.expanded.or(expanded);
        self.relative_path = self.relative_path.take().or(relative_path);
        self.plugin_folder = self.plugin_folder.take().or(plugin_folder);
        self.arguments |= arguments;
        self.positions |= positions;
        self.project_root |= project_root;
        self.data_folder |= data_folder;
        self.session |= session;
        self.spawns |= spawns;
        for (meaning, words) in words {
            self.words.entry(meaning).or_default().extend(words);
        }
    }

    /// Puts the paragraphs on top of a text, below the blank lines that it begins with. A text that says them already
    /// does not say them twice.
    pub(super) fn put_above(&self, body: String, target: &str) -> String {
        let said = [self.paragraph(), self.vocabulary(target)];
        let said: Vec<String> = said
            .into_iter()
            .flatten()
            .filter(|paragraph| !body.contains(paragraph.as_str()))
            .collect();
        if said.is_empty() {
            return body;
        }
        let paragraph = said.join("\n\n");
        let blank = body.len() - body.trim_start_matches(['\n', '\r']).len();
        let (blank, rest) = body.split_at(blank);
        format!("{blank}{paragraph}\n\n{rest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_to_say_changes_nothing() {
        assert_eq!(Notes::default().put_above("\nx".to_owned(), "Codex"), "\nx");
        let notes = Notes {
            project_root: true,
            ..Notes::default()
        };
        assert_eq!(
            notes.put_above("\n# T\n".to_owned(), "Codex"),
            "\nRun the commands below in the root folder of the user's project.\n\n# T\n"
        );
    }
}
