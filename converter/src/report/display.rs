//! A report as people read it: one screen, however large the plugin is.

use std::collections::BTreeMap;
use std::fmt;

use super::{Account, Code, Finding, Location, Outcome, Report, Summary};

/// So many places or names of one kind are listed; the others are counted.
const SHOWN: usize = 3;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head(f)?;
        let found = || self.findings().filter(|finding| !finding.code.fails());
        for (title, findings) in [
            ("failed", group(self.failures.iter())),
            (
                "lossy",
                group(found().filter(|finding| finding.code.loses())),
            ),
            (
                "notes",
                group(found().filter(|finding| !finding.code.loses())),
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
            let count = self.failures.len();
            let noun = if count == 1 { "failure" } else { "failures" };
            return writeln!(f, ": can't be used, {count} {noun}");
        }
        writeln!(
            f,
            ": {converted} converted, {lossy} lossy, {dropped} dropped"
        )
    }

    /// What was found at all that is in the bundle.
    fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.components
            .iter()
            .filter(|account| account.outcome != Outcome::Dropped)
            .flat_map(|account| &account.warnings)
            .chain(&self.warnings)
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

#[cfg(test)]
mod tests {
    use codex_loadout_bundle::Tree;

    use super::*;
    use crate::discovery::dropped;
    use crate::report::Kind;

    #[test]
    fn one_screen_however_many_there_are() {
        let command = |n: usize| Account {
            outcome: Outcome::Lossy,
            reason: None,
            warnings: vec![
                Finding::new(
                    Code::ModelDropped,
                    Location::new(format!("commands/c{n}.md"), 2),
                    "its tools",
                ),
                Finding::new(
                    Code::FrontmatterRepaired,
                    Location::new(format!("commands/c{n}.md"), 1),
                    "mended",
                ),
            ],
            ..dropped(
                Kind::Command,
                &format!("c{n}"),
                Location::new("x", 1),
                Code::FieldDropped,
                "",
            )
        };
        let bin = |n: usize| {
            dropped(
                Kind::Other("bin"),
                &format!("b{n}"),
                Location::new("bin/b", n),
                Code::UnsupportedBin,
                "not on the path",
            )
        };
        let mut report = Report {
            plugin: "p".to_owned(),
            version: Some("1.2.3".to_owned()),
            source_digest: Tree::default().digest(),
            digest: None,
            summary: Summary {
                converted: 0,
                lossy: 500,
                dropped: 2,
            },
            components: (0..500).map(command).chain((1..3).map(bin)).collect(),
            warnings: Vec::new(),
            failures: Vec::new(),
        };
        insta::assert_snapshot!(report, @r"
        p 1.2.3: 0 converted, 500 lossy, 2 dropped
          lossy
            model-dropped  commands/c0.md:2, commands/c1.md:2, commands/c2.md:2 and 497 more
              its tools
          notes
            frontmatter-repaired  commands/c0.md:1, commands/c1.md:1, commands/c2.md:1 and 497 more
              mended
          dropped
            component-unsupported:bin  bin b1 (bin/b:1), b2 (bin/b:2)
              not on the path
        ");
        report.failures.push(Finding::new(
            Code::SkillRejected,
            Location::new("skills/a/SKILL.md", 1),
            "too long",
        ));
        let text = report.to_string();
        let head: Vec<&str> = text.lines().take(4).collect();
        assert_eq!(
            head,
            [
                "p 1.2.3: can't be used, 1 failure",
                "  failed",
                "    skill-rejected  skills/a/SKILL.md:1",
                "      too long",
            ]
        );
    }
}
