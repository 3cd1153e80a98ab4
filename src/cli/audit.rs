//! `codex-loadout audit`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use clap::Args;
use codex_loadout_protocol::audit::{AuditEntry, CapabilityAuditListParams, MAX_LIMIT};
use codex_loadout_protocol::method::Page;

use super::options::Output;
use super::print::{columns, pretty};
use crate::loadouts::Loadouts;

#[derive(Debug, Args)]
pub(super) struct Audit {
    /// Only what happened to this thread
    #[arg(long, value_name = "THREAD")]
    pub(super) thread: Option<String>,
    /// Only what happened since: `2h`, `7days`, `2026-11-21`, `2026-11-21T10:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = unix_time)]
    pub(super) since: Option<i64>,
    #[command(flatten)]
    pub(super) output: Output,
}

pub(super) async fn audit(arguments: Audit) -> Result<String> {
    let loadouts = Loadouts::of_this_user()?;
    let mut wanted = CapabilityAuditListParams {
        since: arguments.since,
        thread_id: arguments.thread,
        limit: Some(MAX_LIMIT),
        ..CapabilityAuditListParams::default()
    };
    let mut entries = Vec::new();
    loop {
        let page = loadouts.audit(&wanted).await?;
        entries.extend(page.data);
        match page.next_cursor {
            Some(cursor) => wanted.cursor = Some(cursor),
            None => break,
        }
    }
    if arguments.output.json {
        return pretty(&Page::whole(entries));
    }
    let rows: Vec<Vec<String>> = entries.iter().map(row).collect();
    Ok(columns(&["TIME", "EVENT", "THREAD", "CAUSE"], &rows))
}

fn row(entry: &AuditEntry) -> Vec<String> {
    let event = serde_json::to_value(entry.event).unwrap_or_default();
    let at = UNIX_EPOCH + Duration::from_secs(u64::try_from(entry.at).unwrap_or_default());
    let error = entry.error.map_or("", |error| error.as_str());
    vec![
        humantime::format_rfc3339_seconds(at).to_string(),
        event.as_str().unwrap_or_default().to_owned(),
        entry.thread_id.clone().unwrap_or_default(),
        match error {
            "" => entry.cause.clone(),
            error => format!("{} ({error})", entry.cause),
        },
    ]
}

/// A moment in Unix seconds: a day, a time, or how long ago.
///
/// # Errors
/// What can be written instead.
fn unix_time(text: &str) -> Result<i64, String> {
    moment(text, SystemTime::now())
}

fn moment(text: &str, now: SystemTime) -> Result<i64, String> {
    let ago = humantime::parse_duration(text).ok();
    let time = match ago {
        Some(ago) => now.checked_sub(ago).unwrap_or(UNIX_EPOCH),
        None => humantime::parse_rfc3339_weak(text)
            .or_else(|_| humantime::parse_rfc3339_weak(&format!("{text}T00:00:00")))
            .map_err(|_| "try `2h`, `7days`, `2026-11-21` or `2026-11-21T10:00:00Z`".to_owned())?,
    };
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(i64::try_from(seconds.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_day_a_time_or_how_long_ago() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        for (text, seconds) in [
            ("2h", 999_992_800),
            ("7days", 999_395_200),
            ("2001-09-09", 999_993_600),
            ("2001-09-09T01:46:40Z", 1_000_000_000),
            ("2001-09-09 01:46:40", 1_000_000_000),
            ("99years", 0),
        ] {
            assert_eq!(moment(text, now).unwrap(), seconds, "{text}");
        }
        assert!(moment("yesterday", now).is_err());
    }
}
