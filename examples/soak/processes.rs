//! The proxy and its processes, as the system has them.

use std::fs;
use std::path::Path;
use std::process::Command;

/// More than this is growth, beyond a tenth: what a Codex that starts takes for a moment is not.
const MORE: Sample = Sample {
    resident: 6 * 1024,
    descriptors: 12,
    processes: 3,
};

/// What the proxy takes at a moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// Kibibytes of it in memory.
    resident: usize,
    /// What it has open.
    descriptors: usize,
    /// Processes of its user.
    processes: usize,
}

type Part = (&'static str, fn(&Sample) -> usize);

const PARTS: [Part; 3] = [
    ("KiB in memory", |it| it.resident),
    ("descriptors", |it| it.descriptors),
    ("processes", |it| it.processes),
];

impl Sample {
    /// Of this proxy, and of all processes of the user with this home.
    pub(crate) fn of(proxy: u32, home: &Path) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{proxy}/status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS"))?;
        let home = format!("HOME={}", home.display());
        let is_of_user = |id: &u32| {
            let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            let mut variables = environment.split(|byte| *byte == 0);
            variables.any(|variable| variable == home.as_bytes())
        };
        Some(Self {
            resident: line.split_whitespace().nth(1)?.parse().ok()?,
            descriptors: fs::read_dir(format!("/proc/{proxy}/fd")).ok()?.count(),
            processes: processes().filter(is_of_user).count(),
        })
    }

    /// What has grown from the first half of these to the second: a line each.
    pub(crate) fn growth(samples: &[Self]) -> Vec<String> {
        let (first, second) = samples.split_at(samples.len() / 2);
        let grown = PARTS.iter().filter_map(|(what, part)| {
            let (before, after) = (median(first, *part), median(second, *part));
            let most = before + before / 10 + part(&MORE);
            (after > most).then(|| format!("{what}: from {before} to {after}"))
        });
        grown.collect()
    }

    /// Both halves in words.
    pub(crate) fn halves(samples: &[Self]) -> String {
        let (first, second) = samples.split_at(samples.len() / 2);
        let parts = PARTS.map(|(what, part)| {
            let (before, after) = (median(first, part), median(second, part));
            format!("{what}: {before}, then {after}")
        });
        parts.join("; ")
    }
}

fn median(samples: &[Sample], part: fn(&Sample) -> usize) -> usize {
    let mut values: Vec<usize> = samples.iter().map(part).collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The Codex of a proxy.
pub(crate) fn codex_of(proxy: u32) -> Option<u32> {
    processes().find(|id| {
        let read = |file| fs::read_to_string(format!("/proc/{id}/{file}")).unwrap_or_default();
        let is_child = read("status")
            .lines()
            .any(|line| line == format!("PPid:\t{proxy}"));
        is_child && read("cmdline").contains("--listen\0unix://")
    })
}

/// Ends a process without warning.
pub(crate) fn kill(process: Option<u32>) {
    if let Some(id) = process {
        // It may have ended by itself.
        let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
    }
}
