//! `$1` as the first argument, and not as an amount of money, a field in awk, or a value in SQL.

use std::ops::Range;

use super::scan::{Place, Scan};
use super::words;

/// How a text uses single arguments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Positions {
    /// Whether it uses them at all.
    pub(super) meant: bool,
    /// Whether it counts from 0.
    pub(super) from_zero: bool,
}

impl Positions {
    /// How two texts that are read as one use them.
    pub(super) fn with(self, other: Self) -> Self {
        Self {
            meant: self.meant || other.meant,
            from_zero: self.from_zero || other.from_zero,
        }
    }

    /// Whoever uses the second argument uses the first one, too: `$5` alone is an amount of money.
    pub(super) fn of(body: &str, scan: &Scan) -> Self {
        let mut positions = Self::default();
        for (dollar, _) in body.match_indices('$') {
            let Some((_, number @ (0 | 1))) = at(body, dollar) else {
                continue;
            };
            let is_evidence = match scan.place(dollar) {
                Place::Block(index) => is_run_first(&scan.blocks[index].language),
                _ => true,
            };
            if is_evidence && is_replaced(body, scan, dollar) {
                positions.meant = true;
                positions.from_zero |= number == 0;
            }
        }
        positions
    }
}

fn is_run_first(language: &Option<String>) -> bool {
    language
        .as_ref()
        .is_some_and(|language| language.starts_with('!'))
}

/// Words that an amount of money follows.
const BEFORE_MONEY: &[&str] = &[
    "about", "at", "cost", "costs", "over", "paid", "pay", "pays", "price", "priced", "save",
    "saves", "spend", "spent", "than", "under", "up", "worth",
];

/// Words that follow an amount of money.
const AFTER_MONEY: &[&str] = &[
    "a", "an", "billion", "bill", "bills", "coupon", "discount", "each", "fee", "gift", "million",
    "off", "per", "thousand", "trillion", "monthly", "yearly", "annually", "USD",
];

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
            && is_rate(words::tail(body, at + 3, 8));
    (!is_amount && !is_money(body, at)).then_some((at..at + 2, digit as usize))
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
    BEFORE_MONEY.contains(&before.to_ascii_lowercase().as_str()) || AFTER_MONEY.contains(&after)
}

/// Whether Claude's replacement is meant at this place: in prose, in commands, in examples – not in programs.
pub(super) fn is_replaced(body: &str, scan: &Scan, at: usize) -> bool {
    let line = scan.line(at);
    match scan.place(at) {
        Place::Prose | Place::Link => true,
        Place::Span(index) => {
            let span = &scan.spans[index].content;
            !is_program(
                words::lead(body, at, 200),
                words::tail(body, at, 200),
                at - span.start,
            )
        }
        Place::Block(index) => {
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

    #[test]
    fn money_and_programs_are_no_arguments() {
        for (body, meant) in [
            ("Review $1 now", true),
            ("`gh issue view $1`", true),
            ("fix #$1", true),
            ("```!\ngh pr view $1\n```", true),
            ("costs $1 more", false),
            ("$5 and $2", false),
            ("a $1 coupon", false),
            ("$1,500 and $1.5M, $1k, $10, US$1", false),
            ("$1/month, \\$1", false),
            ("`awk '{print $1}'`", false),
            ("`SELECT * FROM t WHERE id = $1`", false),
            ("```bash\ngh pr view $1\n```", false),
            ("```sh\nf() {\n echo $1\n}\n```", false),
        ] {
            let positions = Positions::of(body, &Scan::of(body));
            assert_eq!(positions.meant, meant, "{body}");
        }
        assert!(Positions::of("from $0 to $1", &Scan::of("from $0 to $1")).from_zero);
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
