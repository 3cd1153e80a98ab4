//! `codex-loadout audit`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use clap::Args;
use codex_loadout_protocol::audit::{AuditEntry, AuditEvent, CapabilityAuditListParams};
use codex_loadout_protocol::method::{MAX_LIMIT, Page};

use super::options::Output;
use super::print::{columns, pretty};
use super::terminal::{is_read, on_one_line};
use crate::loadouts::Loadouts;

/// How often it is looked for new entries.
const LOOK_EVERY: Duration = Duration::from_millis(500);

const HEAD: [&str; 5] = ["TIME", "EVENT", "BY", "THREAD", "CAUSE"];

#[derive(Debug, Args)]
pub(super) struct Audit {
    /// Only what happened to this thread
    #[arg(long, value_name = "THREAD")]
    pub(super) thread: Option<String>,
    /// Only this event: `start`, `refusal`, `bundleAdd`, …
    #[arg(long, value_name = "EVENT", value_parser = event)]
    pub(super) event: Option<AuditEvent>,
    /// Only what this host has asked for, or `cli`, or `control`
    #[arg(long, value_name = "NAME")]
    pub(super) actor: Option<String>,
    /// Only what is about this plugin or bundle, by its id or its name alone
    #[arg(long, value_name = "ID")]
    pub(super) plugin: Option<String>,
    /// Only what happened since: `2h`, `7days`, `2026-11-21`, `2026-11-21T10:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = unix_time)]
    pub(super) since: Option<i64>,
    /// Only what happened before
    #[arg(long, value_name = "TIME", value_parser = unix_time)]
    pub(super) until: Option<i64>,
    /// Go on with what happens from now on, in any process, until Ctrl-C; with `--json`, an object a line
    #[arg(long)]
    pub(super) follow: bool,
    #[command(flatten)]
    pub(super) output: Output,
}

pub(super) async fn audit(arguments: Audit) -> Result<String> {
    let loadouts = Loadouts::of_this_user()?;
    let mut wanted = CapabilityAuditListParams {
        since: arguments.since,
        until: arguments.until,
        thread_id: arguments.thread,
        event: arguments.event,
        actor: arguments.actor,
        plugin: arguments.plugin,
        limit: Some(MAX_LIMIT),
        ..CapabilityAuditListParams::default()
    };
    let json = arguments.output.json;
    if arguments.follow {
        return follow(&loadouts, wanted, json).await;
    }
    let mut entries = Vec::new();
    loop {
        let page = loadouts.audit(&wanted).await?;
        entries.extend(page.data);
        match page.next_cursor {
            Some(cursor) => wanted.cursor = Some(cursor),
            None => break,
        }
    }
    if json {
        return pretty(&Page::whole(entries));
    }
    let rows: Vec<Vec<String>> = entries.iter().map(row).collect();
    Ok(columns(&HEAD, &rows))
}

/// Prints entries as they come, as long as somebody reads.
async fn follow(
    loadouts: &Loadouts,
    mut wanted: CapabilityAuditListParams,
    json: bool,
) -> Result<String> {
    let mut text = match json {
        true => String::new(),
        false => line(HEAD.map(str::to_owned).to_vec()),
    };
    loop {
        let page = loadouts.audit(&wanted).await?;
        for entry in &page.data {
            text.push_str(&match json {
                true => format!("{}\n", serde_json::to_string(entry)?),
                false => line(row(entry)),
            });
        }
        if !is_read(&std::mem::take(&mut text))? {
            return Ok(text);
        }
        if let Some(last) = page.data.last() {
            wanted.cursor = Some(last.id.clone());
        }
        if page.next_cursor.is_none() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// A row whose neighbours are not known yet.
fn line(row: Vec<String>) -> String {
    const WIDTHS: [usize; 4] = [20, 12, 16, 36];
    let mut line = String::new();
    for (place, cell) in row.iter().enumerate() {
        let cell = on_one_line(cell);
        let width = WIDTHS.get(place).copied().unwrap_or_default();
        line.push_str(&format!("{cell:width$}  "));
    }
    format!("{}\n", line.trim_end())
}

fn row(entry: &AuditEntry) -> Vec<String> {
    let at = UNIX_EPOCH + Duration::from_secs(u64::try_from(entry.at).unwrap_or_default());
    let error = entry.error.map_or("", |error| error.as_str());
    vec![
        humantime::format_rfc3339_seconds(at).to_string(),
        entry.event.as_str().to_owned(),
        entry.actor.clone().unwrap_or_default(),
        entry.thread_id.clone().unwrap_or_default(),
        match error {
            "" => entry.cause.clone(),
            error => format!("{} ({error})", entry.cause),
        },
    ]
}

/// An event by its word.
///
/// # Errors
/// The words that there are.
fn event(text: &str) -> Result<AuditEvent, String> {
    let mut all = AuditEvent::ALL.into_iter();
    let found = all.find(|event| event.as_str() == text);
    found.ok_or_else(|| {
        format!(
            "it is one of {}",
            AuditEvent::ALL.map(AuditEvent::as_str).join(", ")
        )
    })
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
