//! Where in a text there is code, and where links lead: one reading of the Markdown.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, LinkType, Options, Parser, Tag, TagEnd};

use super::words;

/// What a place in a text is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Markup {
    /// Text that is read as such; HTML too.
    Prose,
    /// Code inside a line.
    Span(usize),
    /// A fenced or indented block of code.
    Block(usize),
    /// Where a link leads.
    Link,
}

/// A block of code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    /// All of it, fences included.
    pub(super) range: Range<usize>,
    /// The word after the opening fence, in lower case; `None` if it is indented.
    pub(super) language: Option<String>,
}

/// Code inside a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    /// All of it, backticks included.
    pub(super) range: Range<usize>,
    /// What is between the backticks.
    pub(super) content: Range<usize>,
}

/// Where code, links and lines are in a text.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Blocks of code, in order.
    pub(super) blocks: Vec<Block>,
    /// Code inside lines, in order.
    pub(super) spans: Vec<Span>,
    /// Where links lead, as written, in order.
    pub(super) links: Vec<Range<usize>>,
    tables: Vec<Range<usize>>,
    line_starts: Vec<usize>,
    length: usize,
}

impl Scan {
    /// Reads a text once.
    pub(super) fn of(text: &str) -> Self {
        let mut scan = Self {
            line_starts: std::iter::once(0)
                .chain(words::each(text, "\n").map(|at| at + 1))
                .collect(),
            length: text.len(),
            ..Self::default()
        };
        // Links that are open, with the end of what was last seen inside them.
        let mut open: Vec<(bool, usize)> = Vec::new();
        let mut events = Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter();
        for (event, range) in events.by_ref() {
            match event {
                Event::Start(Tag::CodeBlock(kind)) => scan.blocks.push(Block {
                    language: match kind {
                        CodeBlockKind::Indented => None,
                        CodeBlockKind::Fenced(info) => Some(
                            info.split_whitespace()
                                .next()
                                .unwrap_or_default()
                                .to_ascii_lowercase(),
                        ),
                    },
                    range,
                }),
                Event::Start(Tag::Table(_)) => scan.tables.push(range),
                Event::Start(Tag::Link { link_type, .. } | Tag::Image { link_type, .. }) => {
                    open.push((link_type == LinkType::Inline, range.start + 1));
                }
                Event::End(TagEnd::Link | TagEnd::Image) => {
                    if let Some((true, seen)) = open.pop()
                        && let Some(link) = destination(text, seen..range.end)
                    {
                        scan.links.push(link);
                    }
                    see(&mut open, range.end);
                }
                Event::Code(_) => {
                    see(&mut open, range.end);
                    scan.spans.push(span(text, range));
                }
                _ => see(&mut open, range.end),
            }
        }
        for (_, definition) in events.reference_definitions().iter() {
            scan.links
                .extend(destination_of_definition(text, definition.span.clone()));
        }
        scan.links.sort_by_key(|link| link.start);
        scan.spans.sort_by_key(|span| span.range.start);
        scan
    }

    /// What a place is part of.
    pub(super) fn place(&self, at: usize) -> Markup {
        if let Some(index) = find(&self.blocks, at, |block| &block.range) {
            return Markup::Block(index);
        }
        if let Some(index) = find(&self.spans, at, |span| &span.range) {
            return Markup::Span(index);
        }
        if find(&self.links, at, |link| link).is_some() {
            return Markup::Link;
        }
        Markup::Prose
    }

    /// Whether a place is in a table, where `|` ends a cell.
    pub(super) fn in_table(&self, at: usize) -> bool {
        find(&self.tables, at, |table| table).is_some()
    }

    /// Number of the line a place is on, from 0.
    pub(super) fn line_number(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at) - 1
    }

    /// The line a place is on, without its end.
    pub(super) fn line(&self, at: usize) -> Range<usize> {
        let number = self.line_number(at);
        let end = self
            .line_starts
            .get(number + 1)
            .map_or(self.length, |next| next - 1);
        self.line_starts[number]..end
    }
}

/// Index of the range that a place is in; the ranges are in order and apart.
fn find<T>(items: &[T], at: usize, range: impl Fn(&T) -> &Range<usize>) -> Option<usize> {
    let index = items
        .partition_point(|item| range(item).start <= at)
        .checked_sub(1)?;
    range(&items[index]).contains(&at).then_some(index)
}

/// What was seen last inside the link that is open.
fn see(open: &mut [(bool, usize)], end: usize) {
    if let Some((_, seen)) = open.last_mut() {
        *seen = end.max(*seen);
    }
}

fn span(text: &str, range: Range<usize>) -> Span {
    let ticks = text[range.clone()]
        .bytes()
        .take_while(|byte| *byte == b'`')
        .count();
    let content = if 2 * ticks <= range.len() {
        range.start + ticks..range.end - ticks
    } else {
        range.clone()
    };
    Span { range, content }
}

/// The destination in what follows a link's text: `](here "title")`.
fn destination(text: &str, rest: Range<usize>) -> Option<Range<usize>> {
    let from = rest.start + text.get(rest.clone())?.find("](")? + 2;
    bare_destination(text, from..rest.end)
}

/// The destination in `[label]: here "title"`.
fn destination_of_definition(text: &str, span: Range<usize>) -> Option<Range<usize>> {
    let from = span.start + text.get(span.clone())?.find("]:")? + 2;
    bare_destination(text, from..span.end)
}

fn bare_destination(text: &str, rest: Range<usize>) -> Option<Range<usize>> {
    let raw = text.get(rest.clone())?;
    let trimmed = raw.trim_start();
    let start = rest.start + raw.len() - trimmed.len();
    if let Some(inside) = trimmed.strip_prefix('<') {
        let length = inside.find('>')?;
        return Some(start + 1..start + 1 + length);
    }
    let mut depth = 0_usize;
    let mut escaped = false;
    let length = trimmed
        .find(|c: char| {
            if std::mem::take(&mut escaped) {
                return false;
            }
            match c {
                '\\' => escaped = true,
                '(' => depth += 1,
                ')' if depth == 0 => return true,
                ')' => depth -= 1,
                c => return c.is_whitespace(),
            }
            false
        })
        .unwrap_or(trimmed.len());
    (length > 0).then_some(start..start + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_links_are_found_where_they_stand() {
        let text = "a `b` [x `y` z](d/e.md \"t\") ![i](<a b.png>)\n\n```sh\nrun\n```\n\n    old\n\n\
                    | a |\n|---|\n| `c` |\n\n[ref]: ../r.md 'R'\n\n[ref] [a](b(c)d)\n";
        let scan = Scan::of(text);
        let spans: Vec<&str> = scan
            .spans
            .iter()
            .map(|s| &text[s.content.clone()])
            .collect();
        assert_eq!(spans, ["b", "y", "c"]);
        let links: Vec<&str> = scan.links.iter().map(|l| &text[l.clone()]).collect();
        assert_eq!(links, ["d/e.md", "a b.png", "../r.md", "b(c)d"]);
        let languages: Vec<Option<&str>> =
            scan.blocks.iter().map(|b| b.language.as_deref()).collect();
        assert_eq!(languages, [Some("sh"), None]);
        let at = |needle: &str| text.find(needle).unwrap();
        assert_eq!(scan.place(at("run")), Markup::Block(0));
        assert_eq!(scan.place(at("old")), Markup::Block(1));
        assert_eq!(scan.place(at("d/e.md")), Markup::Link);
        assert_eq!(scan.place(at("y` z")), Markup::Span(1));
        assert_eq!(scan.place(0), Markup::Prose);
        assert!(scan.in_table(at("`c`")) && !scan.in_table(at("run")));
        assert_eq!(&text[scan.line(at("run"))], "run");
        assert_eq!(scan.line_number(at("run")), 3);
        assert_eq!(scan.line(text.len()), text.len()..text.len());
    }
}
