//! What Claude's plugins can hold and no target has a counterpart of.

use serde_json::Value;

use super::Finder;
use super::json::{Json, step};
use super::manifests::Declared;
use crate::paths::file_name;
use crate::source::OtherSource;

/// Parts that are files of a folder: kind, key of the manifest that replaces the folder, folder, ending of the files.
const FILES: &[(&str, &str, &str, &str)] = &[
    ("outputStyle", "outputStyles", "output-styles", ".md"),
    ("workflow", "workflows", "workflows", ".js"),
    ("theme", "themes", "themes", ".json"),
];

/// Parts that are keys or elements of a manifest's value.
const KEYS: &[(&str, &str)] = &[
    ("lspServer", "lspServers"),
    ("channel", "channels"),
    ("userConfig", "userConfig"),
    ("dependency", "dependencies"),
    ("settings", "settings"),
];

/// The same under `experimental`.
const EXPERIMENTAL: &[(&str, &str)] = &[
    ("theme", "themes"),
    ("monitor", "monitors"),
    ("eval", "evals"),
];

impl Finder<'_> {
    pub(super) fn others(&mut self) {
        let manifests = self.manifests;
        for (kind, key, folder, ending) in FILES {
            let declared = manifests.declared(key);
            if declared.is_empty() {
                self.files(kind, folder, ending);
            }
            for declared in &declared {
                self.elements(kind, declared);
            }
        }
        for (kind, key) in KEYS {
            for declared in manifests.declared(key) {
                self.elements(kind, &declared);
            }
        }
        for declared in manifests.declared("experimental") {
            for (kind, key) in EXPERIMENTAL {
                if let Some(value) = declared.value.get(key) {
                    self.elements(kind, &declared.child(key, value));
                }
            }
        }
        for declared in manifests.declared("monitors") {
            self.elements("monitor", &declared);
        }
        self.files("bin", "bin", "");
        self.keys_of_file("lspServer", ".lsp.json");
        self.keys_of_file("settings", "settings.json");
        self.keys_of_file("monitor", "monitors/monitors.json");
    }

    fn other(&mut self, kind: &'static str, name: &str, file: &str, line: usize) {
        let other = OtherSource {
            kind,
            name: name.to_owned(),
            file: file.to_owned(),
            line,
        };
        self.found.plugin.others.push(other);
    }

    fn files(&mut self, kind: &'static str, folder: &str, ending: &str) {
        for path in self.files_in(folder, ending) {
            let name = file_name(path);
            let name = name.strip_suffix(ending).unwrap_or(name);
            self.other(kind, name, path, 1);
        }
    }

    /// A key of a map, an element of a list, or one value.
    fn elements(&mut self, kind: &'static str, declared: &Declared<'_>) {
        let file = &declared.json.file;
        match declared.value {
            Value::Object(map) => {
                for (name, value) in map {
                    let line = declared.json.line(&declared.child(name, value).pointer);
                    self.other(kind, name, file, line);
                }
            }
            _ => {
                for element in declared.each() {
                    let line = element.json.line(&element.pointer);
                    self.other(kind, &name_of(element.value, kind), file, line);
                }
            }
        }
    }

    /// These files need not be Claude's at all: one that is not a map of JSON declares nothing.
    fn keys_of_file(&mut self, kind: &'static str, path: &str) {
        let json = self
            .source
            .tree
            .get(path)
            .map(|file| Json::read(path, file));
        let Some(Ok(json)) = json else { return };
        match &json.value {
            Value::Object(map) => {
                for name in map.keys() {
                    self.other(kind, name, path, json.line(&step(name)));
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let line = json.line(&step(&index.to_string()));
                    self.other(kind, &name_of(item, kind), path, line);
                }
            }
            _ => {}
        }
    }
}

/// A value by itself, or by its name.
fn name_of(value: &Value, kind: &str) -> String {
    value
        .as_str()
        .or_else(|| value.get("name")?.as_str())
        .or_else(|| value.get("plugin")?.as_str())
        .map_or_else(|| kind.to_owned(), str::to_owned)
}
