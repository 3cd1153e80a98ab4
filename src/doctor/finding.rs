//! What came of a check.

use codex_loadout_protocol::Seen;
use serde::{Deserialize, Serialize};

use super::home::SERVER_NAMESPACE;

/// What was found of one promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// What was tried.
    pub check: String,
    /// What came of it.
    pub finding: Finding,
    /// What the model saw, or why Codex refused.
    pub detail: String,
}

/// What came of a check; the later, the less is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Finding {
    /// The model saw exactly the loadout.
    Exact,
    /// It saw less.
    Narrower,
    /// The request was refused; nothing ran.
    Refused,
    /// It saw more: the promise is broken.
    Wider,
}

/// One look at what a thread's model saw, or a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) finding: Finding,
    pub(super) detail: String,
}

impl Outcome {
    pub(super) fn refused(reason: String) -> Self {
        Self {
            finding: Finding::Refused,
            detail: reason,
        }
    }

    /// The one that promises least.
    pub(super) fn worst(outcomes: impl IntoIterator<Item = Self>) -> Self {
        let worse = |one: Self, other: Self| {
            if other.finding > one.finding {
                other
            } else {
                one
            }
        };
        let exact = Self {
            finding: Finding::Exact,
            detail: String::new(),
        };
        outcomes.into_iter().reduce(worse).unwrap_or(exact)
    }

    pub(super) fn of(self, check: &str) -> Check {
        Check {
            check: check.to_owned(),
            finding: self.finding,
            detail: self.detail,
        }
    }
}

/// What a thread is to see.
#[derive(Debug, Clone, Default)]
pub(super) struct Expected {
    skills: Vec<&'static str>,
    server: bool,
    agent: Option<&'static str>,
}

impl Expected {
    /// These skills, sorted, and nothing else.
    pub(super) fn skills(skills: &[&'static str]) -> Self {
        Self {
            skills: skills.to_vec(),
            ..Self::default()
        }
    }

    /// And the server of the throwaway home.
    pub(super) fn and_server(mut self) -> Self {
        self.server = true;
        self
    }

    /// And an agent. Others are not held against it: Codex lists its own.
    pub(super) fn and_agent(mut self, agent: &'static str) -> Self {
        self.agent = Some(agent);
        self
    }

    pub(super) fn held_against(&self, seen: &Seen) -> Outcome {
        let servers: Vec<&str> = seen.mcp_servers.keys().map(String::as_str).collect();
        let expected: &[&str] = if self.server {
            &[SERVER_NAMESPACE]
        } else {
            &[]
        };
        let too_much = seen
            .skills
            .iter()
            .any(|skill| !self.skills.contains(&skill.as_str()))
            || servers.iter().any(|server| !expected.contains(server));
        let missing = self.skills.len() > seen.skills.len()
            || expected.len() > servers.len()
            || self
                .agent
                .is_some_and(|agent| !seen.agents.iter().any(|seen| seen == agent));
        let finding = match (too_much, missing) {
            (true, _) => Finding::Wider,
            (false, true) => Finding::Narrower,
            (false, false) => Finding::Exact,
        };
        let agent = self
            .agent
            .filter(|agent| seen.agents.iter().any(|seen| seen == agent));
        let skills = seen.skills.iter().map(String::as_str);
        let names: Vec<&str> = skills.chain(servers).chain(agent).collect();
        Outcome {
            finding,
            detail: names.join(", "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(skills: &[&str], servers: &[&str], agents: &[&str]) -> Seen {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Seen {
            skills: owned(skills),
            agents: owned(agents),
            mcp_servers: servers
                .iter()
                .map(|server| ((*server).to_owned(), Vec::new()))
                .collect(),
            ..Seen::default()
        }
    }

    #[test]
    fn more_is_wider_and_less_is_narrower() {
        let expected = Expected::skills(&["a", "b"]).and_server().and_agent("role");
        let finding = |seen: Seen| expected.held_against(&seen).finding;
        let servers = [SERVER_NAMESPACE];
        assert_eq!(
            finding(seen(&["a", "b"], &servers, &["role", "worker"])),
            Finding::Exact
        );
        assert_eq!(
            finding(seen(&["a"], &servers, &["role"])),
            Finding::Narrower
        );
        assert_eq!(
            finding(seen(&["a", "b"], &[], &["role"])),
            Finding::Narrower
        );
        assert_eq!(finding(seen(&["a", "b"], &servers, &[])), Finding::Narrower);
        assert_eq!(
            finding(seen(&["a", "c"], &servers, &["role"])),
            Finding::Wider
        );
        let more = [SERVER_NAMESPACE, "mcp__x"];
        assert_eq!(finding(seen(&[], &more, &[])), Finding::Wider);
        let detail = expected
            .held_against(&seen(&["a"], &servers, &["role"]))
            .detail;
        assert_eq!(detail, format!("a, {SERVER_NAMESPACE}, role"));
    }

    #[test]
    fn the_worst_counts() {
        let outcome = |finding| Outcome {
            finding,
            detail: String::new(),
        };
        let all = [Finding::Exact, Finding::Refused, Finding::Narrower].map(outcome);
        assert_eq!(Outcome::worst(all).finding, Finding::Refused);
        assert_eq!(Outcome::worst([]).finding, Finding::Exact);
    }
}
