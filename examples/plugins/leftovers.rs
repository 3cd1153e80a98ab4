//! What only Claude Code understands, left in the texts of a bundle: a scan that shares no code with the converter's own.

use codex_loadout_converter::Conversion;
use codex_loadout_converter::names::Names;
use codex_loadout_converter::report::{Finding, Kind};
use pulldown_cmark::{Event, Options, Parser, Tag};

use crate::corpus::Corpus;

/// Words that a text for Codex has no use for.
const WORDS: [&str; 2] = ["${CLAUDE_", "$ARGUMENTS"];

/// Where such words stand outside of blocks of code.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    /// In the texts that were converted.
    pub(crate) source: usize,
    /// Sentences of plain words that the bundle does not have as their authors wrote them.
    pub(crate) changed: usize,
    /// Of those, still in the bundle, with a warning.
    pub(crate) reported: usize,
    /// Still in the bundle, and the report says nothing of it: a sentence for each.
    pub(crate) unreported: Vec<String>,
}

impl Leftovers {
    pub(crate) fn add(&mut self, more: Self) {
        self.source += more.source;
        self.changed += more.changed;
        self.reported += more.reported;
        self.unreported.extend(more.unreported);
    }
}

/// Scans the texts of a bundle, and those that they were made from.
pub(crate) fn of(bundle: &Conversion, corpus: &Corpus, known: &Names) -> Leftovers {
    let mut leftovers = Leftovers::default();
    let report = &bundle.report;
    let Some(plugin) = corpus.plugin(&report.plugin) else {
        let problem = format!("`{}` is no plugin of {}", report.plugin, corpus.name);
        leftovers.unreported.push(problem);
        return leftovers;
    };
    let of_parts = report.components.iter().flat_map(|part| &part.warnings);
    let findings: Vec<&Finding> = of_parts.chain(&report.warnings).collect();
    // A line of the source of which something is said, and which has the word.
    let is_reported = |file: &str, word: &str| {
        let Some(source) = plugin.source.tree.get(file) else {
            return false;
        };
        let source = String::from_utf8_lossy(&source.bytes);
        let lines: Vec<&str> = source.lines().collect();
        findings.iter().any(|finding| {
            finding.location.file == file
                && lines
                    .get(finding.location.line.saturating_sub(1))
                    .is_some_and(|line| line.contains(word))
        })
    };
    for text in texts(bundle) {
        if let Some(source) = plugin.source.tree.get(&text.source) {
            let source = String::from_utf8_lossy(&source.bytes);
            leftovers.source += words(&source, known).len();
            let body = source.strip_prefix("---\n");
            let body = body.and_then(|text| text.split_once("\n---\n"));
            let body = body.map_or(&*source, |(_, body)| body);
            leftovers.changed += changed(body, &text.text);
        }
        for word in words(&text.text, known) {
            if is_reported(&text.source, &word) {
                leftovers.reported += 1;
            } else {
                let problem = format!("`{word}` is left in {}, unsaid", text.file);
                leftovers
                    .unreported
                    .push(format!("{}: {problem}", report.plugin));
            }
        }
    }
    leftovers
}

/// A text that a model reads.
struct Text {
    /// Its file in the bundle.
    file: String,
    /// The file it was made from.
    source: String,
    text: String,
}

/// Skills, what agents are told, and every Markdown file in the folder of a skill.
fn texts(bundle: &Conversion) -> Vec<Text> {
    let mut texts = Vec::new();
    for (file, content) in bundle.bundle.iter() {
        let components = &bundle.report.components;
        let made = components
            .iter()
            .find(|part| part.path.as_deref() == Some(file));
        let text = String::from_utf8_lossy(&content.bytes);
        let text = match made.map(|part| part.kind) {
            Some(Kind::Agent) => instructions(&text),
            Some(Kind::Skill | Kind::Command) => text.into_owned(),
            None if file.starts_with("skills/") && file.ends_with(".md") => text.into_owned(),
            _ => continue,
        };
        texts.push(Text {
            file: file.to_owned(),
            source: made.map_or(file, |part| &part.source.file).to_owned(),
            text,
        });
    }
    texts
}

fn instructions(role: &str) -> String {
    let role: toml::Table = role.parse().unwrap_or_default();
    ["description", "developer_instructions"]
        .iter()
        .filter_map(|key| role.get(*key)?.as_str())
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// How many sentences of plain words, with nothing in them that a machine reads, are not in a new text as they were.
fn changed(old: &str, new: &str) -> usize {
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let new = one_line(new);
    without_blocks(old)
        .split("\n\n")
        .flat_map(|paragraph| paragraph.split_inclusive(['.', '!', '?']))
        .filter(|sentence| !sentence.contains(['$', '@', '/', '`', '{', ':', '\\', '<', '_']))
        .filter(|sentence| !new.contains(&one_line(sentence)))
        .count()
}

/// Every such word outside of blocks of code.
fn words(text: &str, known: &Names) -> Vec<String> {
    let prose = without_blocks(text);
    let mut found = Vec::new();
    for word in WORDS {
        found.extend(prose.match_indices(word).map(|(_, word)| word.to_owned()));
    }
    let is_end = |c: char| c.is_whitespace() || "`*()[]{}<>\"',;!?|".contains(c);
    for word in prose.split(is_end) {
        let called = word.trim_end_matches(['.', ':']);
        let parts = called
            .strip_prefix('/')
            .and_then(|call| call.split_once(':'));
        if let Some((plugin, skill)) = parts
            && let Some(names) = known.plugins.get(plugin)
            && names.skills.contains_key(skill)
        {
            found.push(called.to_owned());
        }
    }
    found
}

/// Code inside a line stays: authors write their calls so.
fn without_blocks(text: &str) -> String {
    let (header, body) = match text
        .strip_prefix("---\n")
        .and_then(|rest| rest.find("\n---\n"))
    {
        Some(end) => text.split_at(end + "---\n\n---\n".len()),
        None => ("", text),
    };
    let mut prose = header.to_owned();
    let mut after = 0;
    for (event, range) in Parser::new_ext(body, Options::ENABLE_TABLES).into_offset_iter() {
        if matches!(event, Event::Start(Tag::CodeBlock(_))) {
            prose.push_str(body.get(after..range.start).unwrap_or_default());
            prose.push(' ');
            after = range.end;
        }
    }
    prose.push_str(&body[after..]);
    prose
}
