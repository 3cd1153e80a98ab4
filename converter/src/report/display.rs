//! A report as people read it: one screen, however large the plugin is.

use std::collections::BTreeMap;
use std::fmt;

use super::{Account, Code, Finding, Location, Outcome, Report, Summary};

/// So many places or names of one kind are listed; the others are counted.
const SHOWN: usize = 3;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head(f)?;
        for (title, findings) in [
            ("failed", group(self.failures.iter())),
            ("lossy", group(self.findings(Outcome::Lossy))),
            (
                "notes",
                group(self.findings(Outcome::Converted).chain(&self.warnings)),
            ),
        ] {
            section(f, title, &findings)?;
        }
        self.dropped(f)
    }
}

impl Report {
    fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary {
            converted,
            lossy,
            dropped,
        } = self.summary;
        write!(f, "{}", self.plugin)?;
        if let Some(version) = &self.version {
            write!(f, " {version}")?;
        }
        if !self.failures.is_empty() {
            return writeln!(f, ": can't be used, {} failures", self.failures.len());
        }
        writeln!(
            f,
            ": {converted} converted, {lossy} lossy, {dropped} dropped"
        )
    }

    /// What was found at components with this outcome.
    fn findings(&self, outcome: Outcome) -> impl Iterator<Item = &Finding> {
        self.components
            .iter()
            .filter(move |account| account.outcome == outcome)
            .flat_map(|account| &account.warnings)
    }

    fn dropped(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut reasons: BTreeMap<(&str, &str), Vec<&Account>> = BTreeMap::new();
        for account in &self.components {
            if account.outcome == Outcome::Dropped {
                let reason = account.reason.as_deref().unwrap_or_default();
                let key = (account.kind.as_str(), reason);
                reasons.entry(key).or_default().push(account);
            }
        }
        if !reasons.is_empty() {
            writeln!(f, "  dropped")?;
        }
        for ((kind, reason), accounts) in reasons {
            let names: Vec<String> = accounts
                .iter()
                .map(|account| format!("{} ({})", account.name, account.source))
                .collect();
            let code = accounts[0]
                .warnings
                .first()
                .map_or("", |finding| finding.code.as_str());
            writeln!(f, "    {code}  {kind} {}", few(&names))?;
            writeln!(f, "      {reason}")?;
        }
        Ok(())
    }
}

type Groups<'a> = BTreeMap<Code, Vec<&'a Finding>>;

fn group<'a>(findings: impl Iterator<Item = &'a Finding>) -> Groups<'a> {
    let mut groups = Groups::new();
    for finding in findings {
        groups.entry(finding.code).or_default().push(finding);
    }
    groups
}

fn section(f: &mut fmt::Formatter<'_>, title: &str, groups: &Groups<'_>) -> fmt::Result {
    if groups.is_empty() {
        return Ok(());
    }
    writeln!(f, "  {title}")?;
    for (code, findings) in groups {
        let places: Vec<&Location> = findings.iter().map(|finding| &finding.location).collect();
        writeln!(f, "    {code}  {}", few(&places))?;
        writeln!(f, "      {}", findings[0].message)?;
    }
    Ok(())
}

/// The first few, and how many more there are.
fn few<T: fmt::Display>(items: &[T]) -> String {
    let shown: Vec<String> = items.iter().take(SHOWN).map(T::to_string).collect();
    let mut text = shown.join(", ");
    if items.len() > SHOWN {
        text.push_str(&format!(" and {} more", items.len() - SHOWN));
    }
    text
}
