//! The time limit of a handler: whole seconds, or the file is lost.

use serde_json::Value;

/// A time limit in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    /// In seconds; `None`: the event's own.
    pub(super) seconds: Option<u64>,
    /// Whether it differs from what was written.
    pub(super) changed: bool,
}

pub(super) fn of(value: Option<&Value>, longest: Option<u64>) -> Limit {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Limit {
            seconds: None,
            changed: false,
        };
    };
    let number = match value {
        Value::String(text) => text.trim().trim_end_matches('s').parse::<f64>().ok(),
        value => value.as_f64(),
    };
    let seconds = number
        .filter(|number| number.is_finite() && *number >= 0.0)
        .map(|number| number.ceil().min(1e9) as u64)
        .map(|seconds| longest.map_or(seconds, |longest| seconds.min(longest)));
    Limit {
        seconds,
        changed: seconds.is_none() || value.as_u64() != seconds,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn limits_are_whole_seconds() {
        for (value, longest, seconds, changed) in [
            (json!(10), None, Some(10), false),
            (json!("10"), None, Some(10), true),
            (json!("5s"), None, Some(5), true),
            (json!(1.2), None, Some(2), true),
            (json!(10), Some(3), Some(3), true),
            (json!(-1), None, None, true),
            (json!("soon"), None, None, true),
            (json!(null), None, None, false),
        ] {
            assert_eq!(
                of(Some(&value), longest),
                Limit { seconds, changed },
                "{value}"
            );
        }
    }
}
