//! Components, counted by kind.

use codex_loadout::conversion::Missing;
use codex_loadout_converter::Report;
use codex_loadout_converter::report::{Account, Kind, Outcome};
use codex_loadout_protocol::method::CapabilityKind;
use lab::Table;

/// The kinds that are counted, in the order of columns.
pub(crate) const KINDS: [Kind; 5] = [
    Kind::Skill,
    Kind::Command,
    Kind::Agent,
    Kind::Hook,
    Kind::McpServer,
];

/// How many there are of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) skills: usize,
    pub(crate) commands: usize,
    pub(crate) agents: usize,
    pub(crate) hooks: usize,
    pub(crate) servers: usize,
}

impl Tally {
    pub(crate) fn of_source(report: &Report) -> Self {
        Self::count(report, |_| true)
    }

    pub(crate) fn of_converted(report: &Report) -> Self {
        Self::count(report, |account| account.outcome != Outcome::Dropped)
    }

    pub(crate) fn of_lossy(report: &Report) -> Self {
        Self::count(report, |account| account.outcome == Outcome::Lossy)
    }

    fn count(report: &Report, counts: impl Fn(&Account) -> bool) -> Self {
        let mut tally = Self::default();
        for account in report.components.iter().filter(|account| counts(account)) {
            if let Some(number) = tally.number(account.kind) {
                *number += 1;
            }
        }
        tally
    }

    pub(crate) fn add(&mut self, more: Self) {
        for kind in KINDS {
            if let Some(number) = self.number(kind) {
                *number += more.of(kind);
            }
        }
    }

    /// Takes off what Codex does not have.
    pub(crate) fn take(&mut self, report: &Report, missing: &Missing) {
        let is_command = report.components.iter().any(|account| {
            account.kind == Kind::Command && account.target.as_ref() == Some(&missing.name)
        });
        let kind = match missing.kind {
            CapabilityKind::Agent => Kind::Agent,
            CapabilityKind::McpServer => Kind::McpServer,
            _ if is_command => Kind::Command,
            _ => Kind::Skill,
        };
        if let Some(number) = self.number(kind) {
            *number -= 1;
        }
    }

    pub(crate) fn of(mut self, kind: Kind) -> usize {
        self.number(kind).copied().unwrap_or_default()
    }

    fn number(&mut self, kind: Kind) -> Option<&mut usize> {
        match kind {
            Kind::Skill => Some(&mut self.skills),
            Kind::Command => Some(&mut self.commands),
            Kind::Agent => Some(&mut self.agents),
            Kind::Hook => Some(&mut self.hooks),
            Kind::McpServer => Some(&mut self.servers),
            Kind::Other(_) => None,
        }
    }
}

/// All corpora together, a row for each way to count.
pub(crate) fn table(total: &crate::Row) -> Table {
    let mut table = Table::new(&[
        ("all", 28),
        ("skills", 8),
        ("commands", 8),
        ("agents", 8),
        ("hooks", 8),
        ("MCP servers", 11),
    ]);
    for (name, tally) in [
        ("in the source", total.source),
        ("what Codex has natively", total.native),
        ("converted", total.converted),
        ("… of which lossy", total.lossy),
        ("… of which Codex has", total.seen),
    ] {
        let numbers = KINDS.map(|kind| tally.of(kind).to_string());
        table.row(std::iter::once(name.to_owned()).chain(numbers));
    }
    table
}
