//! Frontmatter that strict YAML refuses, line by line: a key, and all that follows up to the next key.
//!
//! Of a key that stands twice the last one counts, as in most readers of YAML.

use serde_json::{Map, Value};

use super::{Field, Header};
use crate::word_list::is_listed;

/// Keys that Claude or authors of plugins use: a line that begins with one is never part of the text before it.
const KNOWN: &str = "
    agent allowed-tools argument-hint arguments author background category color compatibility context description
    disable-model-invocation disallowed-tools disallowedTools effort hooks initialPrompt instructions isolation
    keywords license maxTurns mcpServers memory metadata model name paths permissionMode shell skills tags tools
    user-invocable version when_to_use";

/// Keys that end even an example that was never closed.
const STRONG: &str = "name description model tools color allowed-tools";

/// Reads what there is; mendings of its own are added to `repairs`.
pub(super) fn read(yaml: &str, first_line: usize, repairs: &mut Vec<(usize, String)>) -> Header {
    let mut header = Header::default();
    for block in blocks(yaml, first_line) {
        let value = value(&block);
        let is_list = value.is_array() && block.rest.starts_with('[');
        let field = Field {
            brackets: is_list.then(|| block.text()),
            value,
            line: block.line,
        };
        if header.insert(block.key.to_owned(), field).is_some() {
            repairs.push((
                block.line,
                format!("the key `{}` stands twice: the last one counts", block.key),
            ));
        }
    }
    header
}

/// A key, what stands after it on its line, and the lines up to the next key.
struct Block<'a> {
    key: &'a str,
    line: usize,
    rest: &'a str,
    more: Vec<&'a str>,
}

impl Block<'_> {
    /// All of it on one line.
    fn text(&self) -> String {
        fold(std::iter::once(self.rest).chain(self.more.iter().copied()))
    }
}

fn blocks(yaml: &str, first_line: usize) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    // All keys may be indented alike.
    let indent = yaml
        .lines()
        .find(|line| !line.trim().is_empty())
        .map_or("", |line| &line[..line.len() - line.trim_start().len()]);
    // How many examples are open: in an example `user:` is no key.
    let mut open = 0_i64;
    for (index, line) in yaml.lines().enumerate() {
        let line = line.strip_prefix(indent).unwrap_or(line);
        if let Some((key, rest)) = key_line(line, open > 0) {
            open = examples(rest);
            blocks.push(Block {
                key,
                line: first_line + index,
                rest: rest.trim(),
                more: Vec::new(),
            });
        } else if let Some(block) = blocks.last_mut() {
            open += examples(line);
            block.more.push(line);
        }
    }
    blocks
}

fn examples(text: &str) -> i64 {
    let count = |tag| i64::try_from(text.matches(tag).count()).unwrap_or(i64::MAX);
    count("<example>") - count("</example>")
}

fn key_line(line: &str, in_example: bool) -> Option<(&str, &str)> {
    let (key, rest) = line.split_once(':')?;
    let key = key.trim_matches('"');
    let is_word = key.starts_with(|c: char| c.is_ascii_lowercase())
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let ends_word = rest.is_empty() || rest.starts_with([' ', '\t', '\r']);
    let is_key = is_word
        && if in_example {
            is_listed(key, STRONG)
        } else {
            // `description:text` is a key even without its space.
            ends_word || is_listed(key, KNOWN)
        };
    is_key.then_some((key, rest))
}

fn value(block: &Block<'_>) -> Value {
    let rest = block.rest;
    if let Some(style) = block_style(rest) {
        return Value::String(block_scalar(style, &block.more));
    }
    let text = || block.text();
    match rest.chars().next() {
        None => nested(&block.more),
        Some(quote @ ('"' | '\'')) => {
            let text = text();
            Value::String(unquote(&text, quote).unwrap_or(text))
        }
        Some('[') => {
            let text = text();
            flow_list(&text).unwrap_or(Value::String(text))
        }
        Some('~') if rest == "~" => Value::Null,
        Some(_) => Value::String(text()),
    }
}

/// `|` or `>`, with or without its modifiers.
fn block_style(rest: &str) -> Option<char> {
    let style = rest.chars().next().filter(|c| matches!(c, '|' | '>'))?;
    let modifiers = rest[1..].split('#').next().unwrap_or_default().trim();
    modifiers
        .chars()
        .all(|c| c.is_ascii_digit() || c == '+' || c == '-')
        .then_some(style)
}

fn block_scalar(style: char, lines: &[&str]) -> String {
    if style == '>' {
        return fold(lines.iter().copied());
    }
    let indent = lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start_matches([' ', '\t']).len())
        .min()
        .unwrap_or(0);
    let lines: Vec<&str> = lines
        .iter()
        .map(|line| line.get(indent..).unwrap_or_default().trim_end())
        .collect();
    lines.join("\n").trim().to_owned()
}

/// Lines as one text: a break is a space, a blank line is a break.
fn fold<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    let mut blank = false;
    for line in lines {
        let line = line.trim();
        if line.is_empty() {
            blank = true;
            continue;
        }
        if !text.is_empty() {
            text.push(if blank { '\n' } else { ' ' });
        }
        blank = false;
        text.push_str(line);
    }
    text
}

/// What stands in quotes, if the quotes go round all of it; a quote that is never closed is taken off.
fn unquote(text: &str, quote: char) -> Option<String> {
    let inner = &text[1..];
    let Some(inner) = inner.strip_suffix(quote) else {
        // Without a second quote the first one was never closed.
        return (!inner.contains(quote)).then(|| inner.to_owned());
    };
    if quote == '\'' {
        return Some(inner.replace("''", "'"));
    }
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            // `"a" and "b"` is text that begins and ends with a quote.
            '"' => return None,
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some(c @ ('"' | '\\' | '/')) => out.push(c),
                Some(c) => out.extend(['\\', c]),
                None => return Some(text.to_owned()),
            },
            c => out.push(c),
        }
    }
    Some(out)
}

fn flow_list(text: &str) -> Option<Value> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    if inner.contains(['[', ']']) {
        return None;
    }
    Some(Value::Array(
        inner
            .split(',')
            .map(bare)
            .filter(|item| !item.is_empty())
            .map(Value::String)
            .collect(),
    ))
}

/// Text without the quotes around it.
fn bare(text: &str) -> String {
    let text = text.trim();
    ['"', '\'']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(text)
        .to_owned()
}

/// Lines below a key with nothing after it: a list, a map, or text.
fn nested(lines: &[&str]) -> Value {
    let filled: Vec<&str> = lines
        .iter()
        .map(|line| line.trim())
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    if filled.is_empty() {
        return Value::Null;
    }
    let items: Option<Vec<Value>> = filled
        .iter()
        .map(|line| {
            let item = line.strip_prefix('-')?;
            (item.is_empty() || item.starts_with([' ', '\t'])).then(|| Value::String(bare(item)))
        })
        .collect();
    if let Some(items) = items {
        return Value::Array(items);
    }
    let pairs: Option<Map<String, Value>> = filled
        .iter()
        .map(|line| {
            let (key, value) = line.split_once(':')?;
            let is_word = !key.is_empty() && !key.contains(char::is_whitespace);
            is_word.then(|| (bare(key), Value::String(bare(value))))
        })
        .collect();
    pairs.map_or_else(
        || Value::String(fold(filled.iter().copied())),
        Value::Object,
    )
}
