//! What only looks like something that the platform would put into the text of a command: it is set apart.

use super::draft::TextDraft;
use super::words;
use crate::report::Code;

/// Sets apart what the author wrote.
pub(super) fn run(draft: &mut TextDraft<'_>) {
    let Some(expansions) = draft.expansions() else {
        return;
    };
    let body = draft.body();
    let platform = draft.context.target.name();
    let signs = [
        expansions.arguments,
        expansions.include.0,
        expansions.shell.0,
    ];
    for sign in signs {
        for at in words::each(body, sign) {
            let brace = at + sign.find('{').unwrap_or_default();
            // Between two braces of the arguments, or before the brace of the others.
            let place = if brace == at {
                at..at + 2
            } else {
                at..brace + 1
            };
            let written = &body[place.clone()];
            let (first, second) = written.split_at(1);
            if draft.replace(place.clone(), &format!("{first} {second}")) {
                let message =
                    format!("`{sign}` would be replaced by {platform}: a space sets it apart");
                draft.find_first(at, Code::ExpansionSetApart, message);
            }
        }
    }
}
