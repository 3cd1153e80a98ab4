//! A name that leads to nothing, or to too much, and the one error that tells of all of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use codex_loadout_protocol::alike::alike;
use codex_loadout_protocol::error::MAX_ITEMS;
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};

/// Looks for names that are like one; done for those alone that are told.
type Suggest<'a> = Box<dyn FnOnce(&str) -> Vec<String> + 'a>;

/// A name that leads to nothing, or to too much.
pub(super) enum NameError<'a> {
    Unknown {
        what: &'static str,
        name: String,
        suggest: Suggest<'a>,
    },
    UnknownTool {
        server: String,
        name: String,
        has: Arc<BTreeSet<String>>,
    },
    Ambiguous {
        what: &'static str,
        item: ErrorItem,
    },
    Blocked {
        id: String,
        why: String,
    },
    /// A skill that is there, and that Codex can't read.
    Broken {
        name: String,
        file: &'a Path,
        why: &'a str,
    },
}

impl<'a> NameError<'a> {
    pub(super) fn unknown(
        what: &'static str,
        name: &str,
        known: impl IntoIterator<Item = &'a str> + 'a,
    ) -> Self {
        Self::Unknown {
            what,
            name: name.to_owned(),
            suggest: Box::new(|name| alike(name, known)),
        }
    }

    /// A tool that a server is known not to have.
    pub(super) fn unknown_tool(server: &str, tool: &str, has: &Arc<BTreeSet<String>>) -> Self {
        Self::UnknownTool {
            server: server.to_owned(),
            name: tool.to_owned(),
            has: has.clone(),
        }
    }

    pub(super) fn ambiguous(what: &'static str, name: &str, mut candidates: Vec<String>) -> Self {
        candidates.sort();
        Self::Ambiguous {
            what,
            item: ErrorItem {
                name: name.to_owned(),
                did_you_mean: Vec::new(),
                candidates,
            },
        }
    }
}

/// One error for all problems, the unknown names first. Of many, it tells some and counts the others.
pub(super) fn report(problems: Vec<NameError<'_>>) -> Result<(), LoadoutError> {
    let all_are = |kind: fn(&NameError<'_>) -> bool| problems.iter().all(kind);
    let all_are_blocked = all_are(|problem| matches!(problem, NameError::Blocked { .. }));
    let all_are_tools = all_are(|problem| matches!(problem, NameError::UnknownTool { .. }));
    let is_ambiguous = |problem: &NameError<'_>| matches!(problem, NameError::Ambiguous { .. });
    let (ambiguous, unknown): (Vec<_>, Vec<_>) = problems.into_iter().partition(is_ambiguous);
    let all_are_ambiguous = unknown.is_empty();
    let mut wrong = WrongNames::default();
    for problem in unknown.into_iter().chain(ambiguous) {
        wrong.add(problem);
    }
    if wrong.items.is_empty() {
        return Ok(());
    }
    let suggested = wrong.items.iter().any(|item| !item.did_you_mean.is_empty());
    Err(if all_are_blocked {
        wrong.error(ErrorKind::BlockedByPolicy, BLOCKED_HINT)
    } else if all_are_ambiguous {
        wrong.error(ErrorKind::AmbiguousCapability, AMBIGUOUS_HINT)
    } else if all_are_tools {
        wrong.error(ErrorKind::UnknownCapability, TOOLS_HINT)
    } else if suggested {
        wrong.error(ErrorKind::UnknownCapability, SUGGESTED_HINT)
    } else {
        wrong.error(ErrorKind::UnknownCapability, UNKNOWN_HINT)
    })
}

const AMBIGUOUS_HINT: &str = "Write one of the candidates instead.";
const BLOCKED_HINT: &str = "Leave it out of the selection, or ask your administrator; `codex-loadout doctor` says what policy is in force.";
const TOOLS_HINT: &str = "Use a name that Codex's `mcpServerStatus/list` shows for the server; one that it got a moment ago counts once a thread has started with all of its tools.";
const SUGGESTED_HINT: &str = "Use one of the suggested names; `capability/list` (or `codex-loadout list`) shows all there are.";
const UNKNOWN_HINT: &str = "`capability/list` (or `codex-loadout list`) shows everything that can be selected in this folder.";

/// Names that are wrong, and a sentence for each of the first.
#[derive(Default)]
struct WrongNames {
    items: Vec<ErrorItem>,
    sentences: Vec<String>,
}

impl WrongNames {
    fn add(&mut self, problem: NameError<'_>) {
        let is_told = self.items.len() < MAX_ITEMS;
        match problem {
            NameError::Unknown {
                what,
                name,
                suggest,
            } => {
                let mut item = ErrorItem::named(name);
                if is_told {
                    item.did_you_mean = suggest(&item.name);
                }
                let sentence = format!("there is no {what} `{}`", item.name);
                self.push(item, sentence);
            }
            NameError::UnknownTool { server, name, has } => {
                let mut item = ErrorItem::named(name);
                if is_told {
                    item.did_you_mean = alike(&item.name, has.iter().map(String::as_str));
                }
                let sentence = format!("MCP server `{server}` has no tool `{}`", item.name);
                self.push(item, sentence);
            }
            NameError::Blocked { id, why } => {
                let sentence = format!("plugin `{id}` is disabled by policy: {why}");
                self.push(ErrorItem::named(id), sentence);
            }
            NameError::Broken { name, file, why } => {
                let file = file.display();
                let sentence =
                    format!("the skill `{name}` can't be used, Codex says of `{file}`: {why}");
                self.push(ErrorItem::named(name), sentence);
            }
            NameError::Ambiguous { what, item } => {
                let sentence = format!("several sources have the {what} `{}`", item.name);
                self.push(item, sentence);
            }
        }
    }

    fn push(&mut self, item: ErrorItem, sentence: String) {
        if self.items.len() < MAX_ITEMS {
            self.sentences.push(sentence);
        }
        self.items.push(item);
    }

    fn error(self, kind: ErrorKind, hint: &str) -> LoadoutError {
        LoadoutError::new(kind, self.sentences.join("; "))
            .with_hint(hint)
            .with_items(self.items)
    }
}
