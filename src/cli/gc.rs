//! `codex-loadout gc`.

use std::time::Duration;

use anyhow::Result;
use clap::Args;

use super::options::Output;
use super::print::{columns, pretty, readable_bytes};
use crate::loadouts::{Collected, Loadouts};

#[derive(Debug, Args)]
pub(super) struct Gc {
    /// Only tell what would go
    #[arg(long)]
    pub(super) dry_run: bool,
    /// How old rows of the audit become: `30days`, `1year`
    #[arg(long, value_name = "AGE", value_parser = age, default_value = "90days")]
    pub(super) audit_age: Duration,
    #[command(flatten)]
    pub(super) output: Output,
}

pub(super) async fn gc(arguments: Gc) -> Result<String> {
    let loadouts = Loadouts::of_this_user()?;
    let collected = loadouts
        .collect(arguments.audit_age, arguments.dry_run)
        .await?;
    if arguments.output.json {
        return pretty(&collected);
    }
    Ok(for_people(&collected))
}

fn for_people(collected: &Collected) -> String {
    let counts = [
        ("roots that are no thread's", collected.roots),
        ("snapshots that no record needs", collected.snapshots),
        ("folders of links to snapshots", collected.loadouts),
        ("role files", collected.roles),
        ("files and folders half written", collected.unfinished),
        ("notes of what never came to be", collected.notes),
        ("temporary folders", collected.temporary_folders),
        ("rows of the audit", collected.audit_rows),
    ];
    let rows: Vec<Vec<String>> = counts
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(what, count)| vec![count.to_string(), what.to_owned()])
        .collect();
    let mut text = match (rows.is_empty(), collected.dry_run) {
        (true, _) => "everything that is there is needed\n".to_owned(),
        (false, true) => columns(&["COUNT", "WOULD GO"], &rows),
        (false, false) => columns(&["COUNT", "REMOVED"], &rows),
    };
    if !rows.is_empty() {
        text.push_str(&format!("\n{} of files\n", readable_bytes(collected.bytes)));
    }
    if let Some(why) = &collected.left_alone {
        text.push_str(&format!(
            "warning: roots and snapshots were left alone, since it is not known which are needed: {why}\n"
        ));
    }
    text
}

/// How long ago is old.
///
/// # Errors
/// What can be written instead.
fn age(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "try `30days` or `1year`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_is_counted_in_words() {
        let nothing = Collected::default();
        assert_eq!(for_people(&nothing), "everything that is there is needed\n");
        let some = Collected {
            roots: 168,
            snapshots: 2,
            bytes: 1_234_567,
            left_alone: Some("why".to_owned()),
            ..Collected::default()
        };
        insta::assert_snapshot!(for_people(&some), @r"
        COUNT  REMOVED
        168    roots that are no thread's
        2      snapshots that no record needs

        1 MB of files
        warning: roots and snapshots were left alone, since it is not known which are needed: why
        ");
    }
}
