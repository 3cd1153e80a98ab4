//! What a component is for, in the length that reaches the model.

use crate::context::Context;
use crate::report::{Code, Finding, Location};
use crate::text::{self, ConvertedText, Role, Text};

/// Converts a description as the text it is: it may name commands, agents and files.
pub(super) fn convert(
    description: &str,
    at: &Location,
    bundle_file: &str,
    context: &Context<'_>,
) -> ConvertedText {
    let text = Text {
        body: description,
        file: &at.file,
        first_line: at.line,
        bundle_file,
        role: Role::Support,
    };
    let mut converted = text::convert_line(text, context);
    converted.body = converted.body.trim().to_owned();
    converted
}

/// Cuts a description to a number of characters, at the end of a word.
pub(super) fn cut(
    description: String,
    limit: usize,
    at: Location,
    findings: &mut Vec<Finding>,
) -> String {
    let length = description.chars().count();
    if length <= limit {
        return description;
    }
    findings.push(Finding::new(
        Code::DescriptionTruncated,
        at,
        format!("the description has {length} characters, and {limit} reach the model"),
    ));
    let kept: String = description.chars().take(limit.saturating_sub(1)).collect();
    let words = kept
        .rsplit_once(char::is_whitespace)
        .map_or(kept.as_str(), |(words, _)| words);
    // Text without spaces is cut in the middle.
    let words = if words.chars().count() * 2 < limit {
        &kept
    } else {
        words
    };
    format!("{}…", words.trim_end())
}

/// The first paragraph that is no heading: what Claude takes where a skill says nothing of itself.
pub(super) fn first_paragraph(body: &str) -> Option<String> {
    let mut heading = None;
    let mut paragraph: Vec<&str> = Vec::new();
    let mut in_code = false;
    for line in body.lines() {
        let line = line.trim();
        if line.starts_with("```") || line.starts_with("~~~") {
            in_code = !in_code;
            if paragraph.is_empty() {
                continue;
            }
            break;
        }
        let is_mark = line.starts_with("<!--") || line.chars().all(|c| "-=*_".contains(c));
        if in_code {
        } else if line.starts_with('#') || is_mark {
            if !paragraph.is_empty() {
                break;
            }
            heading = heading.or_else(|| first_line(line));
        } else {
            paragraph.push(line);
        }
    }
    let text = paragraph.join(" ");
    (!text.is_empty()).then_some(text).or(heading)
}

/// The first line with a word in it, marks of headings taken off: what Claude takes for a command.
pub(super) fn first_line(body: &str) -> Option<String> {
    body.lines()
        .map(|line| line.trim().trim_start_matches('#').trim())
        .find(|line| line.chars().any(char::is_alphanumeric) && !line.starts_with("<!--"))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_from_the_text() {
        for (body, paragraph, line) in [
            (
                "# Title\n\nTwo\nlines.\n\nMore.",
                Some("Two lines."),
                Some("Title"),
            ),
            ("\n\nText `x`\n# Head", Some("Text `x`"), Some("Text `x`")),
            (
                "# Only a title\n",
                Some("Only a title"),
                Some("Only a title"),
            ),
            ("<!-- note -->\n---\nText", Some("Text"), Some("Text")),
            ("```\ncode\n```\nText", Some("Text"), Some("code")),
            ("", None, None),
            ("---\n\n", None, None),
        ] {
            assert_eq!(first_paragraph(body).as_deref(), paragraph, "{body}");
            assert_eq!(first_line(body).as_deref(), line, "{body}");
        }
    }

    #[test]
    fn cuts_end_with_a_word() {
        for (text, limit, cut_text) in [
            ("short", 10, "short"),
            ("one two three", 9, "one two…"),
            ("ééééééé", 5, "éééé…"),
        ] {
            let mut findings = Vec::new();
            let made = cut(text.to_owned(), limit, Location::new("f", 2), &mut findings);
            assert_eq!(made, cut_text);
            assert!(made.chars().count() <= limit);
            assert_eq!(findings.is_empty(), text == cut_text);
        }
    }
}
