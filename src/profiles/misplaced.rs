//! A selection where nobody reads one: it is refused, so that it is not ignored.

use codex_loadout_protocol::selection::{CONFIG_KEYS, FIELD, TASK_KEYS};
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};

use super::carried::own_key;
use crate::messages::thread::{FORK, RESUME, START};
use crate::wire::RawObject;

/// How all names of ours begin, whatever stands between the words. No field of Codex's own does (0.144 to 0.169).
const BEGIN: &str = "capability";

/// The refusal of a request of Codex's with something of ours in a wrong place.
#[must_use]
pub(crate) fn misplaced(method: &str, params: &RawObject<'_>) -> Option<LoadoutError> {
    let opens_thread = [START, RESUME, FORK].contains(&method);
    let in_params = params.iter().find_map(|(key, _)| {
        let is_in_place = opens_thread && key == FIELD;
        (looks_ours(key) && !is_in_place).then(|| key.to_owned())
    });
    let config = RawObject::parse(params.get("config").unwrap_or_default(), "config");
    let config = config.unwrap_or_default();
    let in_config = config.iter().find_map(|(key, _)| {
        let is_known = own_key(key, &CONFIG_KEYS).is_some() || TASK_KEYS.contains(&key);
        let is_in_place = opens_thread && is_known;
        (looks_ours(key) && !is_in_place).then(|| format!("config.{key}"))
    });
    let found = in_params.or(in_config)?;
    let message = match opens_thread {
        true => format!("`{found}` is no field of `{method}`"),
        false => format!("`{method}` takes no selection, and `{found}` would be ignored"),
    };
    let hint = format!(
        "A selection is `{FIELD}` beside the other fields of `{START}`, `{RESUME}` or `{FORK}`, or `config.{}` there; `thread/capability/update` changes that of a thread that lives.",
        CONFIG_KEYS[0]
    );
    let item = ErrorItem {
        name: found,
        did_you_mean: match opens_thread {
            true => vec![FIELD.to_owned(), format!("config.{}", CONFIG_KEYS[0])],
            false => Vec::new(),
        },
        ..ErrorItem::default()
    };
    Some(
        LoadoutError::new(ErrorKind::InvalidSelection, message)
            .with_hint(hint)
            .with_items(vec![item]),
    )
}

fn looks_ours(key: &str) -> bool {
    let letters = key.chars().filter(|letter| !"_-. ".contains(*letter));
    let letters: String = letters.flat_map(char::to_lowercase).collect();
    letters.starts_with(BEGIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_in_a_wrong_place_is_named() {
        for (method, params, found) in [
            (
                "turn/start",
                r#"{"threadId":"t","capabilitySelection":{}}"#,
                Some("capabilitySelection"),
            ),
            (
                "turn/start",
                r#"{"config":{"capability_selection":"x"}}"#,
                Some("config.capability_selection"),
            ),
            (
                "thread/settings/update",
                r#"{"capabilitySelection":null}"#,
                Some("capabilitySelection"),
            ),
            (
                "thread/start",
                r#"{"capability_selection":{}}"#,
                Some("capability_selection"),
            ),
            (
                "thread/start",
                r#"{"capabilitySelections":{}}"#,
                Some("capabilitySelections"),
            ),
            (
                "thread/start",
                r#"{"config":{"capability_selections.profile":"x"}}"#,
                Some("config.capability_selections.profile"),
            ),
            (
                "thread/resume",
                r#"{"config":{"capability-selection":"x"}}"#,
                Some("config.capability-selection"),
            ),
            (
                "thread/start",
                r#"{"capabilitySelection":{},"config":{"capabilitySelection":{},"capability_task":"t"}}"#,
                None,
            ),
            (
                "thread/fork",
                r#"{"config":{"capability_selection.profile":"x"}}"#,
                None,
            ),
            (
                "turn/start",
                r#"{"input":[{"type":"text","text":"capabilitySelection"}],"capabilities":{}}"#,
                None,
            ),
        ] {
            let params = RawObject::parse(params, "params").unwrap();
            let error = misplaced(method, &params);
            let named = error.as_ref().map(|error| error.items[0].name.as_str());
            assert_eq!(named, found, "{method}");
            assert!(error.is_none_or(|error| error.hint.contains("thread/start")));
        }
    }
}
