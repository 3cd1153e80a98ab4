//! Hooks: `hooks/hooks.json`, and what the manifests add: paths, events, or lists of both.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Finder;
use super::json::{Json, step};
use super::manifests::Declared;
use crate::error::ConversionError;
use crate::report::{Code, Kind, Location};
use crate::source::HookSource;

const DEFAULT: &str = "hooks/hooks.json";

impl Finder<'_> {
    pub(super) fn hooks(&mut self) -> Result<(), ConversionError> {
        let manifests = self.manifests;
        let mut read = BTreeSet::new();
        // The author has decided for the target: Claude's hooks are accounted for, and left out.
        if let Some(declared) = manifests.declared_for_target("hooks") {
            self.hooks_of(&declared, &mut read)?;
            let for_target = self.mark_native();
            self.hooks_for_claude(&mut read)?;
            let others = self.found.plugin.hooks.split_off(for_target);
            for hook in others {
                self.drop(
                    Kind::Hook,
                    &hook.event,
                    Location::new(&hook.file, hook.line),
                    Code::AuthorManifestUsed,
                    "the author's own manifest for the target says which hooks run there, and this is none of them",
                );
            }
            return Ok(());
        }
        self.hooks_for_claude(&mut read)?;
        if manifests.are_for_target_alone() {
            self.mark_native();
        }
        Ok(())
    }

    /// All hooks found so far are written for the target; gives their number.
    fn mark_native(&mut self) -> usize {
        let hooks = &mut self.found.plugin.hooks;
        hooks.iter_mut().for_each(|hook| hook.is_native = true);
        hooks.len()
    }

    fn hooks_for_claude(&mut self, read: &mut BTreeSet<String>) -> Result<(), ConversionError> {
        self.hooks_in(DEFAULT, read)?;
        for declared in self.manifests.declared("hooks") {
            self.hooks_of(&declared, read)?;
        }
        Ok(())
    }

    fn hooks_of(
        &mut self,
        declared: &Declared<'_>,
        read: &mut BTreeSet<String>,
    ) -> Result<(), ConversionError> {
        for declared in declared.each() {
            match declared.value {
                Value::Object(_) => self.events(declared.json, &declared.pointer, declared.value),
                Value::String(path) => {
                    if let Some(file) = self.file_of(path, &declared, Kind::Hook) {
                        self.hooks_in(&file, read)?;
                    }
                }
                _ => self.ignored(declared.at(), "hooks", "a path or a map of events"),
            }
        }
        Ok(())
    }

    fn hooks_in(&mut self, path: &str, read: &mut BTreeSet<String>) -> Result<(), ConversionError> {
        if read.insert(path.to_owned())
            && let Some(json) = self.json(path)?
        {
            self.events(&json, "", &json.value);
        }
        Ok(())
    }

    /// Events by name; they may stand under `hooks`, as they do in a file, or by themselves.
    fn events(&mut self, json: &Json, pointer: &str, value: &Value) {
        let wrapped = value.get("hooks").filter(|hooks| hooks.is_object());
        let (pointer, value) = match wrapped {
            Some(hooks) => (format!("{pointer}/hooks"), hooks),
            None => (pointer.to_owned(), value),
        };
        let Some(events) = value.as_object() else {
            self.ignored(json.at(&pointer), "hooks", "a map of events");
            return;
        };
        for (event, groups) in events {
            let pointer = format!("{pointer}{}", step(event));
            match groups {
                Value::Array(groups) => {
                    for (index, group) in groups.iter().enumerate() {
                        self.group(json, &format!("{pointer}/{index}"), event, group);
                    }
                }
                // Beside the events a file may say what it is for.
                Value::String(_) if wrapped.is_none() => {}
                _ => self.malformed(json, &pointer, event),
            }
        }
    }

    fn group(&mut self, json: &Json, pointer: &str, event: &str, group: &Value) {
        let number = self.groups.entry(event.to_owned()).or_default();
        let index = *number;
        *number += 1;
        let Some(handlers) = group.get("hooks").and_then(Value::as_array) else {
            self.malformed(json, pointer, event);
            return;
        };
        let matcher = group.get("matcher").and_then(Value::as_str);
        for (position, handler) in handlers.iter().enumerate() {
            let pointer = format!("{pointer}/hooks/{position}");
            if !handler.is_object() {
                self.malformed(json, &pointer, event);
                continue;
            }
            self.found.plugin.hooks.push(HookSource {
                file: json.file.clone(),
                line: json.line(&pointer),
                event: event.to_owned(),
                matcher: matcher.map(str::to_owned),
                group: index,
                handler: handler.clone(),
                is_native: false,
            });
        }
    }

    fn malformed(&mut self, json: &Json, pointer: &str, event: &str) {
        self.drop(
            Kind::Hook,
            event,
            json.at(pointer),
            Code::HookMalformed,
            "it is not `{\"matcher\": …, \"hooks\": [{\"type\": …}]}`, so Claude does not run it either",
        );
    }
}
