//! Commands, which are skills where the target has none: under the names that Claude's users know. A skill of the same name wins.

use serde_json::Value;

use super::{Claim, NamedCommand, Namer, clean};
use crate::discovery::dropped;
use crate::frontmatter::{self, Document};
use crate::report::{Code, Finding, Kind, Location};
use crate::source::{CommandSource, CommandText};

impl<'a> Namer<'a, '_> {
    pub(super) fn commands(&mut self) {
        let plugin = self.plugin;
        for command in &plugin.commands {
            let (file, text) = match &command.text {
                CommandText::File(file) => (file, self.text(Kind::Command, &command.name, file)),
                CommandText::Inline { file, content } => {
                    let bytes = content.as_bytes();
                    (file, self.read(Kind::Command, &command.name, file, bytes))
                }
            };
            if let Some(text) = text {
                self.command(command, file, with_header(command, frontmatter::read(text)));
            }
        }
    }

    fn command(&mut self, command: &'a CommandSource, file: &'a str, document: Document<'a>) {
        let at = Location::new(file, 1);
        let mut findings = Vec::new();
        // A name in the alias file means the skill that has it, if there is one.
        let mut name = if self.naming.names.skills.contains_key(&command.name) {
            command.name.clone()
        } else {
            self.alias(&command.name, at.clone(), &mut findings)
        };
        // Names of files can hold what names of skills can't.
        let cleaned = clean(&name);
        if !cleaned.is_empty() {
            name = cleaned;
        }
        let shadowed = self.is_skill(&name);
        if shadowed {
            let other = format!("{name}-command");
            findings.push(Finding::new(
                Code::CommandShadowed,
                at.clone(),
                format!("a skill has its name, and wins in Claude, too: it is called `{other}`"),
            ));
            name = other;
        }
        let place = match self.claim(&name, Kind::Command) {
            Claim::Free(place) => place,
            Claim::Twice => {
                let (code, reason) = if shadowed {
                    (
                        Code::CommandShadowed,
                        "a skill has its name, and wins in Claude, too",
                    )
                } else {
                    (
                        Code::DuplicateCommandName,
                        "another command of the plugin has its name",
                    )
                };
                let account = dropped(Kind::Command, &command.name, at, code, reason);
                self.naming.accounts.push(account);
                return;
            }
            Claim::Collides(other) => {
                findings.push(Finding::new(
                    Code::NameCollision,
                    at,
                    format!("`{name}` and `{other}` can't both be folders: give one of them another name in the alias file"),
                ));
                self.target.skill_folder(&name)
            }
        };
        let (name, bundle_file) = self.command_place(name, &place);
        if matches!(command.text, CommandText::File(_)) {
            self.naming
                .moved
                .entry(file.to_owned())
                .or_insert_with(|| bundle_file.clone());
        }
        let known_as = if shadowed { &name } else { &command.name };
        self.naming
            .names
            .skills
            .entry(known_as.clone())
            .or_insert_with(|| name.clone());
        self.naming.commands.push(NamedCommand {
            source: command,
            file,
            document,
            name,
            bundle_file,
            shadowed,
            findings,
        });
    }

    /// Where a command lies that has this place among the names of skills, and its name there.
    pub(super) fn command_place(&self, name: String, place: &str) -> (String, String) {
        let Some(commands) = self.target.commands() else {
            return (name, self.skill_file(place));
        };
        // What tells it from another one of that place.
        let plain = self.target.skill_folder(&name);
        let number = place.strip_prefix(&plain).unwrap_or_default();
        let place = commands.place(&self.plugin.name, &format!("{name}{number}"));
        (place.name, place.file)
    }

    fn is_skill(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.taken
            .values()
            .any(|(taken, kind)| *kind == Kind::Skill && taken.to_lowercase() == name)
    }
}

/// What the manifest says of a command goes before what its file says.
fn with_header<'a>(command: &CommandSource, mut document: Document<'a>) -> Document<'a> {
    for (key, value) in &command.header {
        let value = match value {
            Value::String(_) | Value::Array(_) => value.clone(),
            value => Value::String(value.to_string()),
        };
        let line = document.header.line(key);
        let field = frontmatter::Field {
            value,
            line,
            brackets: None,
        };
        document.header.insert(key.clone(), field);
    }
    document
}
