//! The tools of MCP servers that ran, as Codex listed them: what a selection cuts a server to is held against them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dashmap::DashMap;

use crate::resolver::{KnownTools, RunAs};

/// A server may be replaced behind the same definition, so what it had once does not count for long.
const COUNTS_FOR: Duration = Duration::from_secs(600);
/// What was listed this short ago is not asked for again.
const IS_NEW_FOR: Duration = Duration::from_secs(30);
/// Servers that are remembered at once.
const SERVERS: usize = 256;

/// The tools that servers of this process have.
#[derive(Debug, Default)]
pub(crate) struct ToolsSeen {
    servers: DashMap<RunAs, Seen>,
    /// How often something else was learnt than before.
    changes: AtomicU64,
}

#[derive(Debug)]
struct Seen {
    tools: Arc<BTreeSet<String>>,
    at: Instant,
}

impl ToolsSeen {
    /// Whether a server's tools were listed just now.
    #[must_use]
    pub(crate) fn are_new(&self, server: &RunAs) -> bool {
        let seen = self.servers.get(server);
        seen.is_some_and(|seen| seen.at.elapsed() < IS_NEW_FOR)
    }

    /// All tools of a server were listed.
    pub(crate) fn learn(&self, server: RunAs, tools: BTreeSet<String>) {
        if self.servers.len() >= SERVERS {
            self.servers.clear();
        }
        let is_news = self.tools_of(&server).is_none_or(|known| *known != tools);
        let (tools, at) = (Arc::new(tools), Instant::now());
        self.servers.insert(server, Seen { tools, at });
        if is_news {
            self.changes.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Stays the same as long as no name of a tool is wrong that was right before.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }
}

impl KnownTools for ToolsSeen {
    fn tools_of(&self, server: &RunAs) -> Option<Arc<BTreeSet<String>>> {
        let seen = self.servers.get(server)?;
        (seen.at.elapsed() < COUNTS_FOR).then(|| seen.tools.clone())
    }
}
