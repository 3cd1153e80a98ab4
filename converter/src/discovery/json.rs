//! JSON files, with the line of each key.

use std::collections::HashMap;

use codex_loadout_bundle::TreeFile;
use jsonc_parser::common::Ranged as _;
use jsonc_parser::{CollectOptions, ParseOptions, ast, parse_to_ast};
use serde_json::Value;

use crate::error::ConversionError;
use crate::report::Location;

/// Keys deeper than this have no line of their own: nothing that is declared lies deeper.
const DEEPEST: usize = 10;

/// A larger manifest – any file that declares parts – is not read, in bytes: each key takes memory of its own.
pub const LARGEST_MANIFEST: u64 = 8 << 20;

/// A JSON file of a plugin.
#[derive(Debug, Clone, Default)]
pub(crate) struct Json {
    /// Its path.
    pub(crate) file: String,
    /// Its content.
    pub(crate) value: Value,
    lines: HashMap<String, usize>,
    /// Keys that stand twice in one object, with the line of the second.
    pub(crate) duplicates: Vec<(String, usize)>,
}

impl Json {
    /// Reads a file.
    ///
    /// # Errors
    /// If it is too large, not UTF-8, or not JSON.
    pub(crate) fn read(path: &str, file: &TreeFile) -> Result<Self, ConversionError> {
        if file.bytes.len() as u64 > LARGEST_MANIFEST {
            return Err(ConversionError::Shape {
                location: Location::new(path, 1),
                message: format!("it is larger than {} MiB", LARGEST_MANIFEST >> 20),
            });
        }
        let text = std::str::from_utf8(&file.bytes).map_err(|error| ConversionError::Encoding {
            location: Location::new(path, line_of(&file.bytes, error.valid_up_to())),
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let value = serde_json::from_str(text).map_err(|error| {
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or_default();
            ConversionError::Json {
                location: Location::new(path, error.line().max(1)),
                column: error.column().max(1),
                message: message.to_owned(),
            }
        })?;
        let mut lines = Lines {
            text,
            counted: (0, 1),
            path: String::new(),
            lines: HashMap::new(),
            duplicates: Vec::new(),
        };
        let parsed = parse_to_ast(text, &CollectOptions::default(), &ParseOptions::default());
        if let Some(root) = parsed.ok().and_then(|parsed| parsed.value) {
            lines.value(&root, 0);
        }
        Ok(Self {
            file: path.to_owned(),
            value,
            lines: lines.lines,
            duplicates: lines.duplicates,
        })
    }

    /// A value that is in no file of the plugin, said to be in `file`.
    pub(crate) fn without_lines(file: &str, value: Value) -> Self {
        Self {
            file: file.to_owned(),
            value,
            ..Self::default()
        }
    }

    /// Line of the value at a path of keys and indexes (each after a `/`, as in a JSON pointer); 1 where it can't be told.
    pub(crate) fn line(&self, pointer: &str) -> usize {
        self.lines.get(pointer).copied().unwrap_or(1)
    }

    /// The place of the value at such a path.
    pub(crate) fn at(&self, pointer: &str) -> Location {
        Location::new(&self.file, self.line(pointer))
    }
}

/// One step of a path as [`Json::line`] takes it.
pub(crate) fn step(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Line of a byte, from 1.
pub(crate) fn line_of(bytes: &[u8], offset: usize) -> usize {
    1 + bytes[..offset.min(bytes.len())]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
}

/// Finds the lines of keys and elements in text that is known to be JSON.
struct Lines<'a> {
    text: &'a str,
    /// Where the line begins that was counted last, and its number.
    counted: (usize, usize),
    path: String,
    lines: HashMap<String, usize>,
    duplicates: Vec<(String, usize)>,
}

impl Lines<'_> {
    /// What stands in a value. Places are asked for in the order of the text.
    fn value(&mut self, value: &ast::Value<'_>, depth: usize) {
        if depth == DEEPEST {
            return;
        }
        let length = self.path.len();
        match value {
            ast::Value::Object(object) => {
                for property in &object.properties {
                    let line = self.line(property.range.start);
                    self.path.push_str(&step(property.name.as_str()));
                    if self.lines.insert(self.path.clone(), line).is_some() {
                        let key = property.name.as_str().to_owned();
                        self.duplicates.push((key, line));
                    }
                    self.value(&property.value, depth + 1);
                    self.path.truncate(length);
                }
            }
            ast::Value::Array(array) => {
                for (index, element) in array.elements.iter().enumerate() {
                    let line = self.line(element.start());
                    self.path.push_str(&format!("/{index}"));
                    self.lines.insert(self.path.clone(), line);
                    self.value(element, depth + 1);
                    self.path.truncate(length);
                }
            }
            _ => {}
        }
    }

    fn line(&mut self, at: usize) -> usize {
        let (from, line) = self.counted;
        let passed = self.text.as_bytes().get(from..at).unwrap_or_default();
        let line = line + passed.iter().filter(|byte| **byte == b'\n').count();
        self.counted = (at, line);
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &'static str) -> Result<Json, ConversionError> {
        Json::read("x.json", &TreeFile::plain(text))
    }

    #[test]
    fn each_key_and_element_has_its_line() {
        let json = read("\u{feff}{\n \"a\": [\n  1, {\"b/c\": \"}\\\"\",\n  \"d\": {}}\n ],\n \"e\": null,\n \"f\": [[],\n [2]]}").unwrap();
        for (pointer, line) in [
            ("/a", 2),
            ("/a/0", 3),
            ("/a/1", 3),
            ("/a/1/b~1c", 3),
            ("/a/1/d", 4),
            ("/e", 6),
            ("/f/1", 8),
            ("/f/1/0", 8),
            ("/none", 1),
        ] {
            assert_eq!(json.line(pointer), line, "{pointer}");
        }
        assert!(json.duplicates.is_empty());
    }

    #[test]
    fn a_key_that_stands_twice_is_told() {
        let json = read("{\"a\": 1,\n\"b\": {\"a\": 2},\n\"a\": 3}").unwrap();
        assert_eq!(json.duplicates, [("a".to_owned(), 3)]);
    }

    #[test]
    fn broken_files_say_where() {
        let Err(ConversionError::Json {
            location, column, ..
        }) = read("{\n \"a\": 1,\n}")
        else {
            panic!("not an error of JSON")
        };
        assert_eq!((location, column), (Location::new("x.json", 3), 1));
        let bytes: &[u8] = b"{\n\"a\": \"\xff\"}";
        let error = Json::read("x.json", &TreeFile::plain(bytes)).unwrap_err();
        assert_eq!(error.location(), Some(&Location::new("x.json", 2)));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[\\[\\]{}\",:\\\\a1 \n]{0,60}") {
            let _ = Json::read("x.json", &TreeFile::plain(text));
        }
    }
}
