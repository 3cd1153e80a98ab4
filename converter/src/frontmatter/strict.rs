//! Frontmatter by a strict YAML reader, each scalar as it is written.

use std::ops::Range;

use serde_json::{Map, Value};
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle};

use super::{Field, Header};

/// Frontmatter is flat; deeper than this it is an attack.
const DEEPEST: usize = 32;

/// The text is not a map in strict YAML.
#[derive(Debug)]
pub(super) struct NotStrict {
    pub(super) line: usize,
    pub(super) message: String,
}

/// Reads a map; `first_line` is the line of the file on which the text begins.
///
/// # Errors
/// If it is not YAML, not a map, has a key twice, or has aliases.
pub(super) fn read(yaml: &str, first_line: usize) -> Result<Header, NotStrict> {
    let mut reader = Reader {
        parser: Parser::new_from_str(yaml),
        first_line,
        line: first_line,
        place: 0..0,
    };
    let mut header = Header::default();
    loop {
        match reader.next()? {
            Event::StreamStart | Event::DocumentStart(..) => {}
            Event::MappingStart(..) => break,
            Event::StreamEnd => return Ok(header),
            Event::Scalar(text, ScalarStyle::Plain, ..) if text.is_empty() || &*text == "~" => {}
            Event::DocumentEnd => {}
            _ => return Err(reader.error("it is not a map")),
        }
    }
    loop {
        let key = match reader.next()? {
            Event::Scalar(key, ..) => key.into_owned(),
            Event::MappingEnd => break,
            _ => return Err(reader.error("a key is not a word")),
        };
        let line = reader.line;
        let event = reader.next()?;
        let start = reader.place.start;
        let value = reader.value(event, 1)?;
        let source = yaml.get(start..reader.place.end).unwrap_or_default();
        let is_list = matches!(value, Value::Array(_) | Value::Object(_));
        let field = Field {
            brackets: (is_list && source.starts_with(['[', '{'])).then(|| on_one_line(source)),
            value,
            line,
        };
        let message = format!("the key `{key}` stands twice");
        if header.insert(key, field).is_some() {
            return Err(NotStrict { line, message });
        }
    }
    loop {
        match reader.next()? {
            Event::StreamEnd => return Ok(header),
            Event::DocumentEnd => {}
            _ => return Err(reader.error("there is more than one document")),
        }
    }
}

fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

struct Reader<'a> {
    parser: Parser<'a, serde_saphyr::granit_parser::StrInput<'a>>,
    first_line: usize,
    /// Line of the last event.
    line: usize,
    /// Where the last event stands in the text.
    place: Range<usize>,
}

impl<'a> Reader<'a> {
    fn error(&self, message: &str) -> NotStrict {
        NotStrict {
            line: self.line,
            message: message.to_owned(),
        }
    }

    fn next(&mut self) -> Result<Event<'a>, NotStrict> {
        match self.parser.next() {
            None => Ok(Event::StreamEnd),
            Some(Ok((event, span))) => {
                self.line = self.first_line + span.start.line().saturating_sub(1);
                self.place = span.byte_range().unwrap_or_default();
                Ok(event)
            }
            Some(Err(error)) => Err(NotStrict {
                line: self.first_line + error.marker().line().saturating_sub(1),
                message: error.info(),
            }),
        }
    }

    fn value(&mut self, event: Event<'a>, depth: usize) -> Result<Value, NotStrict> {
        if depth > DEEPEST {
            return Err(self.error("it is nested too deeply"));
        }
        match event {
            Event::Scalar(text, ScalarStyle::Plain, ..)
                if matches!(&*text, "" | "~" | "null" | "Null" | "NULL") =>
            {
                Ok(Value::Null)
            }
            Event::Scalar(text, ..) => Ok(Value::String(text.into_owned())),
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        Event::SequenceEnd => return Ok(Value::Array(items)),
                        event => items.push(self.value(event, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(..) => {
                let mut map = Map::new();
                loop {
                    let key = match self.next()? {
                        Event::MappingEnd => return Ok(Value::Object(map)),
                        Event::Scalar(key, ..) => key.into_owned(),
                        _ => return Err(self.error("a key is not a word")),
                    };
                    let event = self.next()?;
                    let value = self.value(event, depth + 1)?;
                    if map.insert(key, value).is_some() {
                        return Err(self.error("a key stands twice"));
                    }
                }
            }
            _ => Err(self.error("an alias")),
        }
    }
}
