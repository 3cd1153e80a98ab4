//! `$1` as the first argument, and not as an amount of money, a field in awk, or a value in SQL.

use std::ops::Range;

use super::scan::{Markup, Scan};
use super::words;
use crate::word_list::is_listed;

/// How a text uses single arguments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Positions {
    /// Whether it takes arguments: it says so, or a number stands where only one of them can.
    takes: bool,
    /// Which numbers stand where one of them may be meant, a bit for each.
    seen: u16,
    /// Where `$1` stands first.
    first: Option<usize>,
}

impl Positions {
    /// How two texts that are read as one use them.
    pub(super) fn with(self, other: Self) -> Self {
        Self {
            takes: self.takes || other.takes,
            seen: self.seen | other.seen,
            first: None,
        }
    }

    /// Looks through a text; `declared` is whether its header speaks of arguments.
    pub(super) fn of(body: &str, scan: &Scan, declared: bool) -> Self {
        let mut positions = Self {
            takes: declared || uses_all(body),
            ..Self::default()
        };
        for dollar in words::each(body, "$") {
            let Some((_, number)) = at(body, dollar) else {
                continue;
            };
            let (is_evidence, is_run_first) = match scan.place(dollar) {
                Markup::Block(index) => {
                    let is_run = is_run_first(&scan.blocks[index].language);
                    (is_run, is_run)
                }
                Markup::Span(index) => (true, is_run_span(body, scan.spans[index].range.start)),
                _ => (true, false),
            };
            if is_evidence && is_replaced(body, scan, dollar) {
                positions.seen |= 1 << number;
                // `#$1` and `@$1` are no amounts, and nothing but Claude's own commands is run first.
                positions.takes |=
                    is_run_first || matches!(words::before(body, dollar), Some('#' | '@'));
                if number == 1 && positions.first.is_none() {
                    positions.first = Some(dollar);
                }
            }
        }
        positions
    }

    fn has(self, number: usize) -> bool {
        self.seen & (1 << number) != 0
    }

    /// Whether it counts from 0.
    pub(super) fn counts_from_zero(self) -> bool {
        self.has(0)
    }

    /// Whether a number means an argument. Whoever uses the third one uses those before it, too: `$5` alone is an amount
    /// of money.
    pub(super) fn means(self, number: usize) -> bool {
        let first = usize::from(!self.counts_from_zero());
        self.takes && number >= first && (first..=number).all(|number| self.has(number))
    }

    /// Where `$1` stands in a text that doesn't say whether it takes arguments.
    pub(super) fn unsure(self) -> Option<usize> {
        self.first.filter(|_| !self.takes)
    }
}

/// Whether a text uses all arguments as one.
fn uses_all(body: &str) -> bool {
    body.match_indices("$ARGUMENTS").any(|(at, found)| {
        words::before(body, at) != Some('\\')
            && !body[at + found.len()..].starts_with(words::is_word)
    })
}

/// Whether a span of code that begins at a place is run first: `!` stands before it, and a space before that.
fn is_run_span(body: &str, start: usize) -> bool {
    let lead = words::lead(body, start, 8);
    lead.strip_suffix('!')
        .is_some_and(|lead| lead.is_empty() || lead.ends_with(char::is_whitespace))
}

fn is_run_first(language: &Option<String>) -> bool {
    language
        .as_ref()
        .is_some_and(|language| language.starts_with('!'))
}

/// Words that an amount of money follows.
const BEFORE_MONEY: &str = "
    about at cost costs over paid pay pays price priced save saves spend spent than under up worth";

/// Words that follow an amount of money.
const AFTER_MONEY: &str = "
    a an billion bill bills coupon discount each fee gift million off per thousand trillion monthly yearly annually
    USD";

/// A single digit after a `$` that can be an argument's number.
pub(super) fn at(body: &str, at: usize) -> Option<(Range<usize>, usize)> {
    let mut rest = body[at..].chars().skip(1);
    let digit = rest.next()?.to_digit(10)?;
    let (next, after) = (rest.next(), rest.next());
    let before = words::before(body, at);
    let is_amount = before
        .is_some_and(|c| words::is_word(c) || matches!(c, '\\' | '$' | '~' | '≈'))
        || next.is_some_and(|c| words::is_word(c) || matches!(c, '+' | '%' | '–'))
        || matches!(next, Some('.' | ',' | '-')) && after.is_some_and(|c| c.is_ascii_digit())
        || next == Some('/')
            && after.is_some_and(char::is_alphabetic)
            && is_rate(words::tail(body, at + 3, 8))
        || begins_range(words::tail(body, at + 2, 8));
    (!is_amount && !is_money(body, at)).then_some((at..at + 2, digit as usize))
}

/// `-$50` of `$0-$50`, a range of amounts: arguments have one digit.
fn begins_range(rest: &str) -> bool {
    let second = rest
        .trim_start()
        .trim_start_matches(['-', '–'])
        .trim_start();
    let digits = second.strip_prefix('$').unwrap_or_default();
    second.len() < rest.trim_start().len()
        && digits.chars().take_while(char::is_ascii_digit).count() > 1
}

/// `month` in `$5/month`.
fn is_rate(rest: &str) -> bool {
    [
        "mo", "yr", "year", "h", "user", "seat", "day", "week", "min", "req", "GB", "M", "1",
    ]
    .iter()
    .any(|unit| rest.starts_with(unit))
}

fn is_money(body: &str, at: usize) -> bool {
    let before = words::lead(body, at, 24);
    let before = before.trim_end_matches([' ', '<', '>', '=', '(']);
    let before = before
        .rsplit(|c: char| !c.is_alphanumeric())
        .next()
        .unwrap_or_default();
    let after = words::tail(body, at + 2, 24)
        .strip_prefix(' ')
        .unwrap_or_default();
    let after = after
        .split(|c: char| !c.is_alphanumeric())
        .next()
        .unwrap_or_default();
    is_listed(before.to_ascii_lowercase().as_str(), BEFORE_MONEY) || is_listed(after, AFTER_MONEY)
}

/// Whether Claude's replacement is meant at this place: in prose, in commands, in examples – not in programs.
pub(super) fn is_replaced(body: &str, scan: &Scan, at: usize) -> bool {
    let line = scan.line(at);
    match scan.place(at) {
        Markup::Prose | Markup::Link => true,
        Markup::Span(index) => {
            let span = &scan.spans[index].content;
            !is_program(
                words::lead(body, at, 200),
                words::tail(body, at, 200),
                at - span.start,
            )
        }
        Markup::Block(index) => {
            let block = &scan.blocks[index];
            let code = &body[block.range.clone()];
            match block.language.as_deref() {
                None
                | Some(
                    "" | "text" | "txt" | "plaintext" | "markdown" | "md" | "json" | "yaml" | "yml"
                    | "xml" | "toml",
                ) => true,
                Some("sh" | "bash" | "shell" | "zsh" | "console") => {
                    !is_script(code) && !is_program(words::lead(body, at, 200), "", at - line.start)
                }
                Some(language) => {
                    language.starts_with('!')
                        && !is_program(words::lead(body, at, 200), "", at - line.start)
                }
            }
        }
    }
}

/// Whether a place is inside of single quotes (awk, perl) or of an SQL statement; `length` is how far its line or span reaches back.
fn is_program(lead: &str, tail: &str, length: usize) -> bool {
    let mut start = lead.len().saturating_sub(length);
    while !lead.is_char_boundary(start) {
        start += 1;
    }
    let lead = &lead[start..];
    let tail = tail.split('`').next().unwrap_or_default();
    lead.matches('\'').count() % 2 == 1
        || ["SELECT ", "VALUES", "WHERE ", "INSERT ", "UPDATE "]
            .iter()
            .any(|word| lead.contains(word) || tail.contains(word))
}

/// Whether shell code has parameters of its own.
fn is_script(code: &str) -> bool {
    let code = words::tail(code, 0, 4096);
    [
        "#!/",
        "function ",
        "() {",
        "(){",
        "local ",
        "\"$@\"",
        "$#",
        "shift\n",
        "=\"$1\"",
        "=$1\n",
        "${1",
    ]
    .iter()
    .any(|sign| code.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_table::rows;

    #[test]
    fn money_patterns_and_programs_are_no_arguments() {
        let seen = |body: &str, declared| Positions::of(body, &Scan::of(body), declared);
        // What each digit means where the text takes no arguments, and where it says that it does.
        for [body, alone, declared] in rows(
            r"
                Review $1 now ⇒  ⇒ 1
                `gh issue view $1` ⇒  ⇒ 1
                fix #$1 and $2 ⇒ 12 ⇒ 12
                !`gh pr view $1` ⇒ 1 ⇒ 1
                ```!\ngh pr view $1\n``` ⇒ 1 ⇒ 1
                Do $ARGUMENTS, $1 first ⇒ 1 ⇒ 1
                replace it by `$1, $2` ⇒  ⇒ 12
                `s/(a)(b)/$2$1/`
                costs $1 more
                $5 and $2
                from $1 to $2, for $9 ⇒  ⇒ 12
                | Free | $0 | 100 |\n|---|---|---|\n| Small | $9 | 5 | ⇒  ⇒ 0
                So far it is $0\nand stays so, with a $5 strap ⇒  ⇒ 0
                a $1 coupon
                $1,500 and $1.5M, $1k, $10, US$1, $0-$50
                $1/month, \\$1
                `awk '{print $1}'`
                `SELECT * FROM t WHERE id = $1`
                ```bash\ngh pr view $1\n```
                ```sh\nf() {\n echo $1\n}\n```
            ",
        ) {
            for (positions, means) in [(seen(&body, false), &alone), (seen(&body, true), &declared)]
            {
                let digits = (0..10).filter(|number| positions.means(*number));
                let found: String = digits.map(|number| number.to_string()).collect();
                assert_eq!(found, *means, "{body}");
            }
        }
        assert!(seen("from $0 to $1", true).counts_from_zero());
        assert_eq!(seen("Review $1, `$1`", false).unsure(), Some(7));
        assert_eq!(seen("Review $1", true).unsure(), None);
        assert_eq!(seen("It costs $0, or $9", false).unsure(), None);
    }

    #[test]
    fn commands_in_fences_follow_the_text_around_them() {
        for (body, replaced) in [
            ("$1\n```bash\ngh pr view $1\n```", true),
            ("$1\n```bash\nawk '{print $1}'\n```", false),
            ("$1\n```bash\nX=\"$1\"\n```", false),
            ("$1\n```python\nq = $1\n```", false),
            ("$1\n```\nid $1\n```", true),
        ] {
            let at = body.rfind("$1").unwrap();
            assert_eq!(is_replaced(body, &Scan::of(body), at), replaced, "{body}");
        }
    }
}
