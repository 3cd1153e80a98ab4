//! The YAML at the head of a Markdown file: read as Claude does, written so that every reader takes it.
//!
//! A strict YAML reader goes first. What it refuses goes to a reader by lines, and each mending is told.

mod emit;
mod header;
mod lenient;
mod strict;

pub(crate) use emit::document;
pub(crate) use header::{Field, Header, flat};

use crate::report::{Code, Finding, Location};

/// A Markdown file, taken apart.
#[derive(Debug, Clone, Default)]
pub(crate) struct Document<'a> {
    /// What its frontmatter says.
    pub(crate) header: Header,
    /// The rest.
    pub(crate) body: &'a str,
    /// Line on which the body begins, from 1.
    pub(crate) body_line: usize,
    /// What had to be mended: line, and a sentence.
    pub(crate) repairs: Vec<(usize, String)>,
}

impl Document<'_> {
    /// The mendings, as findings in a file.
    pub(crate) fn findings(&self, file: &str) -> Vec<Finding> {
        self.repairs
            .iter()
            .map(|(line, message)| {
                Finding::new(
                    Code::FrontmatterRepaired,
                    Location::new(file, *line),
                    message,
                )
            })
            .collect()
    }
}

/// Reads a Markdown file. Never fails: what can't be read is mended, and said.
pub(crate) fn read(text: &str) -> Document<'_> {
    let mut repairs = Vec::new();
    let text = match text.strip_prefix('\u{feff}') {
        Some(text) => {
            repairs.push((
                1,
                "a byte order mark before the frontmatter was taken out".to_owned(),
            ));
            text
        }
        None => text,
    };
    let Some(parts) = split(text) else {
        return Document {
            body: text,
            body_line: 1,
            repairs,
            ..Document::default()
        };
    };
    if parts.yaml_line > 2 {
        repairs.push((
            1,
            "blank lines before the frontmatter were taken out".to_owned(),
        ));
    }
    let header = match strict::read(parts.yaml, parts.yaml_line) {
        Ok(header) => header,
        Err(error) => {
            let header = lenient::read(parts.yaml, parts.yaml_line, &mut repairs);
            if header.is_empty() && !parts.yaml.trim().is_empty() {
                // A rule, prose, and another rule: there is no frontmatter.
                return Document {
                    body: text,
                    body_line: 1,
                    repairs: Vec::new(),
                    ..Document::default()
                };
            }
            // The reader by lines may have said it already.
            if repairs.iter().all(|(line, _)| *line != error.line) {
                repairs.push((
                    error.line,
                    format!("not strict YAML ({}): read line by line", error.message),
                ));
            }
            header
        }
    };
    repairs.sort();
    Document {
        header,
        body: parts.body,
        body_line: parts.body_line,
        repairs,
    }
}

struct Parts<'a> {
    yaml: &'a str,
    yaml_line: usize,
    body: &'a str,
    body_line: usize,
}

/// Text between two lines of `---`, and what follows it. `None`: there is no frontmatter.
fn split(text: &str) -> Option<Parts<'_>> {
    let mut at = 0;
    let mut yaml: Option<(usize, usize)> = None;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let begin = at;
        at += line.len();
        let is_fence = line.trim_end() == "---";
        match yaml {
            None if is_fence => yaml = Some((at, index + 2)),
            None if line.trim().is_empty() => {}
            None => return None,
            Some((start, yaml_line)) if is_fence => {
                return Some(Parts {
                    yaml: text.get(start..begin)?,
                    yaml_line,
                    body: text.get(at..)?,
                    body_line: index + 2,
                });
            }
            Some(_) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(text: &str, key: &str) -> Option<String> {
        read(text).header.text(key)
    }

    #[test]
    fn splitting() {
        for (text, body, line) in [
            ("---\na: b\n---\nbody\n", "body\n", 4),
            ("---\r\na: b\r\n---\r\nbody", "body", 4),
            ("\u{feff}---\na: b\n---\nbody", "body", 4),
            ("\n \n---\na: b\n---\nbody", "body", 6),
            ("---\n---\nbody", "body", 3),
            ("---\na: b\n---", "", 4),
            (
                "no frontmatter\n---\na: b\n---\n",
                "no frontmatter\n---\na: b\n---\n",
                1,
            ),
            ("---\nnever closed: x\n", "---\nnever closed: x\n", 1),
            (
                "---\nJust prose.\n---\nmore",
                "---\nJust prose.\n---\nmore",
                1,
            ),
            ("", "", 1),
        ] {
            let read = read(text);
            assert_eq!((read.body, read.body_line), (body, line), "{text:?}");
        }
    }

    #[test]
    fn what_is_fine_is_not_mended() {
        for text in [
            "---\nname: a\ndescription: b\n---\n",
            "---\nname: a\ndescription: >\n  b\n  c\n\n  d\nallowed-tools: [A, B]\nmetadata:\n  a: 1\n---\n",
            "---\n# a comment\nname: \"a: b\" # more\n---\n",
            "no frontmatter",
        ] {
            assert_eq!(read(text).repairs, [], "{text}");
        }
    }

    #[test]
    fn what_strict_yaml_refuses_is_read_as_claude_does() {
        for (yaml, value) in [
            ("description: Use when: always", "Use when: always"),
            ("description: [unclosed and more", "[unclosed and more"),
            ("description: @file is read", "@file is read"),
            ("description: *bold* words", "*bold* words"),
            ("description: {braces", "{braces"),
            ("description: \"bad \\q escape\"", "bad \\q escape"),
            ("description: \"unterminated", "unterminated"),
            ("description: \"quoted\" and more", "\"quoted\" and more"),
            ("description: 'it's'", "it's"),
            ("description:\tafter a tab: x", "after a tab: x"),
            ("description: first\ndescription: second", "second"),
            (
                "description: Use this. Examples:\n\n<example>\nContext: a\nuser: \"b: c\"\nassistant: d\n</example>\nmodel: opus",
                "Use this. Examples:\n<example> Context: a user: \"b: c\" assistant: d </example>",
            ),
            ("description: Words. license: MIT", "Words. license: MIT"),
            ("description: >\n  two: x\n  lines\nx: a: b", "two: x lines"),
            ("description: |\n  two\n\tlines\nx: a: b", "two\nlines"),
            ("description: one: a\n  two\n  three", "one: a two three"),
        ] {
            let text = format!("---\nname: n\n{yaml}\n---\nbody");
            assert_eq!(
                field(&text, "description").as_deref(),
                Some(value),
                "{yaml}"
            );
            assert_eq!(field(&text, "name").as_deref(), Some("n"), "{yaml}");
            assert!(!read(&text).repairs.is_empty(), "{yaml}");
            assert_eq!(read(&text).body, "body", "{yaml}");
        }
        let example = "---\ndescription: a <example>\nuser: x: y\n</example>\nmodel: opus\n---\n";
        assert_eq!(field(example, "model").as_deref(), Some("opus"));
    }

    #[test]
    fn repairs_name_their_line() {
        let text = "---\nname: a\nname: b\n---\n";
        assert_eq!(read(text).repairs[0].0, 3);
        let text = "---\nname: a\ndescription: x: y\n---\n";
        assert_eq!(read(text).repairs[0].0, 3);
    }

    #[test]
    fn scalars_are_kept_as_written() {
        let text = "---\nname: 123\nversion: 1.10\nflag: yes\nnone:\ntilde: ~\n---\n";
        assert_eq!(field(text, "name").as_deref(), Some("123"));
        assert_eq!(field(text, "version").as_deref(), Some("1.10"));
        assert_eq!(read(text).header.flag("flag"), Some(true));
        assert_eq!(field(text, "none"), None);
        assert_eq!(field(text, "tilde"), None);
        assert_eq!(read(text).header.line("version"), 3);
    }

    #[test]
    fn hostile_frontmatter_is_read_to_its_end() {
        for yaml in [
            "description: ".to_owned() + &"x".repeat(1 << 20),
            "description: ".to_owned() + &"a: ".repeat(1 << 18),
            "a: ".repeat(1 << 18),
            "[".repeat(1 << 18),
            "- ".repeat(1 << 18),
            "{a: ".repeat(1 << 16),
            (0..1 << 15).map(|n| format!("k{n}: \"open\n")).collect(),
            (0..1 << 15).map(|n| format!("k{n}: v: v\n")).collect(),
            "a: &a [x]\nb: &b [*a,*a]\nc: [*b,*b]".to_owned(),
            "description: <example>\n".repeat(1 << 14),
        ] {
            let text = format!("---\n{yaml}\n---\nbody");
            assert!(read(&text).body.ends_with("body"), "{yaml:.20}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(text in "(---\n)?([a-z]{1,3}: ?)?[\\PC\n\t\"'\\[{|>:#&*!-]{0,80}(\n---\n)?.{0,10}") {
            let document = read(&text);
            proptest::prop_assert!(text.ends_with(document.body));
        }

        #[test]
        fn what_is_written_is_read_again(
            name in "\\PC{1,20}",
            description in proptest::collection::vec(proptest::char::any(), 1..60),
            value in "(\\PC|\n){0,20}",
        ) {
            let description: String = description.into_iter().collect();
            let metadata = [("a b: c".to_owned(), value.clone())].into_iter().collect();
            let text = document(&name, &description, &metadata) + "body";
            #[derive(serde::Deserialize)]
            struct Strict {
                name: String,
                description: String,
                metadata: std::collections::BTreeMap<String, String>,
            }
            let yaml = split(&text).unwrap().yaml;
            let strict: Strict = serde_saphyr::from_str(yaml).unwrap();
            proptest::prop_assert_eq!(&strict.name, &name);
            proptest::prop_assert_eq!(&strict.description, &description);
            proptest::prop_assert_eq!(&strict.metadata["a b: c"], &value);
            let ours = read(&text);
            proptest::prop_assert_eq!(&ours.repairs, &Vec::new());
            proptest::prop_assert_eq!(ours.body, "body");
        }
    }
}
