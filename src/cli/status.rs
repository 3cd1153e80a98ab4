//! `codex-loadout status`.

use std::time::Duration;

use anyhow::Result;
use clap::Args;

use super::options::Output;
use super::print::{columns, pretty, readable_bytes};
use crate::connection::{ListenAddress, get_page};
use crate::metrics::{CodexStatus, Status as Running};
use crate::session::STATUS;

#[derive(Debug, Args)]
pub(super) struct Status {
    /// The Unix socket where the codex-loadout listens [default: the control socket of Codex]
    #[arg(
        long,
        value_name = "URL",
        default_value = "unix://",
        hide_default_value = true
    )]
    pub(super) listen: ListenAddress,
    #[command(flatten)]
    pub(super) output: Output,
}

pub(super) async fn status(arguments: Status) -> Result<String> {
    let json = get_page(&arguments.listen, STATUS).await?;
    let running: Running = serde_json::from_slice(&json)?;
    match arguments.output.json {
        true => pretty(&running),
        false => Ok(for_people(&running)),
    }
}

fn for_people(running: &Running) -> String {
    let Running { codex, store, .. } = running;
    let store = store.map_or_else(
        || "its size is not known".to_owned(),
        |store| {
            let size = readable_bytes(store.bytes);
            format!("{size}, {} recorded", counted(store.records, "thread"))
        },
    );
    let mut text = format!(
        "codex-loadout {}: process {}, up {}\n{}\nstate: {} ({store})\n",
        running.version,
        running.pid,
        time(running.uptime_seconds),
        codex_line(codex),
        running.state_folder.display(),
    );
    let hosts: Vec<Vec<String>> = running
        .hosts
        .iter()
        .map(|host| {
            let name = host.name.clone();
            let name = name.unwrap_or_else(|| "(has not said who it is)".to_owned());
            vec![name, time(host.connected_seconds)]
        })
        .collect();
    let threads: Vec<Vec<String>> = running
        .threads
        .iter()
        .map(|thread| vec![thread.thread_id.clone(), thread.digest.clone()])
        .collect();
    for (head, rows) in [
        (["HOST", "CONNECTED FOR"], hosts),
        (["LOADED THREAD", "LOADOUT"], threads),
    ] {
        if !rows.is_empty() {
            text.push('\n');
            text.push_str(&columns(&head, &rows));
        }
    }
    text
}

fn codex_line(codex: &CodexStatus) -> String {
    let version = codex.version.as_deref();
    let version = version.unwrap_or("(no host has asked for its version yet)");
    match (codex.pid, codex.uptime_seconds) {
        (Some(pid), Some(uptime)) => format!(
            "Codex {version}: process {pid}, up {}, started again {}",
            time(uptime),
            counted(codex.restarts, "time"),
        ),
        _ => format!("Codex {version}: one that was running already"),
    }
}

fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

fn time(seconds: u64) -> String {
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{HostStatus, StoreSize, ThreadStatus};

    #[test]
    fn people_read_who_is_there_and_for_how_long() {
        let host = |name: Option<&str>, connected_seconds| HostStatus {
            name: name.map(str::to_owned),
            connected_seconds,
        };
        let mut running = Running {
            version: "0.1.0".to_owned(),
            pid: 11,
            uptime_seconds: 7384,
            codex: CodexStatus {
                version: Some("0.169.0".to_owned()),
                pid: Some(12),
                uptime_seconds: Some(59),
                restarts: 1,
            },
            hosts: vec![host(Some("codex_vscode"), 3600), host(None, 0)],
            threads: vec![ThreadStatus {
                thread_id: "t".to_owned(),
                digest: "sha256:d".to_owned(),
            }],
            state_folder: "/state".into(),
            store: Some(StoreSize {
                bytes: 1_234_567,
                records: 2,
            }),
        };
        insta::assert_snapshot!("status_of_ours", for_people(&running));
        running.codex = CodexStatus {
            version: None,
            pid: None,
            uptime_seconds: None,
            restarts: 0,
        };
        (running.hosts, running.threads, running.store) = (Vec::new(), Vec::new(), None);
        insta::assert_snapshot!("status_of_upstream", for_people(&running));
    }
}
