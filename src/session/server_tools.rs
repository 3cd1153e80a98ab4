//! Which tools servers have: those that a selection cuts a server to may not be among them.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use codex_loadout_protocol::receipt::Warning;
use serde_json::json;

use super::opening::own_cwd;
use super::request_handlers::RequestHandlers;
use crate::catalog::Catalog;
use crate::loadouts::AppliedConfig;
use crate::lowering::{CodexFeatures, shows_all_tools};
use crate::messages::initialize::UpstreamInfo;
use crate::messages::servers::{self, ServerList};
use crate::resolver::RunAs;
use crate::wire::Frame;

/// Answers that are kept until somebody makes a selection.
const LISTS: usize = 8;

impl RequestHandlers {
    /// A server of a thread is ready. Gives the warning that it has not all the tools that it is cut to.
    pub(super) async fn look_at_tools(&self, thread: &str, server: &str) -> Option<Warning> {
        let upstream = self.upstream().await.ok()?;
        if !CodexFeatures::of(upstream.version).tells_of_one_server {
            return None;
        }
        let applied = self.applied.get(thread)?;
        let mut listed = applied.loadout.receipt.mcp_servers.iter();
        let listed = listed.find(|listed| listed.name == server)?;
        let catalog = self.catalog(&upstream, &applied.cwd).await.ok()?;
        let Some(cut_to) = &listed.tools else {
            let run_as = run_by(server, &applied, &catalog)?;
            if !self.loadouts.tools_seen().are_new(&run_as) {
                let has = self.tools_of(Some(thread), server).await?;
                self.loadouts.tools_seen().learn(run_as, has);
            }
            return None;
        };
        if cut_to.is_empty() {
            return None;
        }
        // Of a server that is cut, Codex lists the tools that are left of it.
        let left = self.tools_of(Some(thread), server).await?;
        let mut missing = cut_to.iter().map(String::as_str).collect::<Vec<_>>();
        missing.retain(|tool| !left.contains(*tool));
        if missing.is_empty() {
            return None;
        }
        let missing = missing.join("`, `");
        let mut message = format!("MCP server `{server}` has no tool `{missing}`");
        if let Some(has) = self.tools_beside(server, &applied, &catalog).await {
            let has = has.into_iter().collect::<Vec<_>>().join("`, `");
            message.push_str(&format!("; it has `{has}`"));
        }
        Some(Warning::new("toolMissing", message))
    }

    /// All tools of a server that a thread has cut, if the user has the same one: it is started once more for that.
    async fn tools_beside(
        &self,
        server: &str,
        applied: &AppliedConfig,
        catalog: &Catalog,
    ) -> Option<BTreeSet<String>> {
        let run_as = run_by(server, applied, catalog)?;
        let upstream = self.upstream().await.ok()?;
        let of_process = self.catalog(&upstream, &own_cwd().ok()?).await.ok()?;
        if RunAs::of_users(server, None, &of_process).as_ref() != Some(&run_as) {
            return None;
        }
        let has = self.tools_of(None, server).await?;
        self.loadouts.tools_seen().learn(run_as, has.clone());
        Some(has)
    }

    /// The tools of one server, from the connection that a thread has, or from one of its own.
    async fn tools_of(&self, thread: Option<&str>, server: &str) -> Option<BTreeSet<String>> {
        let question =
            json!({ "threadId": thread, "serverName": server, "detail": "toolsAndAuthOnly" });
        let answer = self.rpc.ask(servers::LIST, &question).await;
        let ServerList { data } = answer.ok()?;
        let mut listed = data.into_iter();
        listed.find(|listed| listed.name == server)?.tools()
    }

    /// Codex has told the host of servers. Which these are is not asked before somebody makes a selection: a host that
    /// makes none has Codex to itself.
    pub(crate) fn servers_listed(&self, thread: Option<String>, answer: Frame) {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        if listed.len() == LISTS {
            listed.remove(0);
        }
        listed.push((thread, answer));
    }

    /// Learns of what Codex has told the host.
    pub(super) async fn learn_listed(&self, upstream: &UpstreamInfo) {
        let listed =
            std::mem::take(&mut *self.listed.lock().unwrap_or_else(PoisonError::into_inner));
        for (thread, answer) in listed {
            let applied = thread.as_ref().and_then(|thread| self.applied.get(thread));
            let cwd = match (&applied, thread) {
                (Some(applied), _) => Ok(applied.cwd.clone()),
                (None, None) => own_cwd(),
                // What the host of a native thread defines in its config is not known here.
                (None, Some(_)) => continue,
            };
            let (Some(servers), Ok(cwd)) = (servers::listed(&answer), cwd) else {
                continue;
            };
            let Ok(catalog) = self.catalog(upstream, &cwd).await else {
                continue;
            };
            for server in servers {
                let (name, plugin) = (&server.name, server.plugin_id.as_deref());
                let run_as = match &applied {
                    Some(applied) if is_whole(name, applied) => run_by(name, applied, &catalog),
                    Some(_) => None,
                    None => RunAs::of_users(name, plugin, &catalog)
                        .filter(|run_as| shows_all(name, run_as, &catalog)),
                };
                if let (Some(run_as), Some(tools)) = (run_as, server.tools()) {
                    self.loadouts.tools_seen().learn(run_as, tools);
                }
            }
        }
    }
}

/// How a server of a thread's loadout is run, if all its tools are shown where it is not cut.
fn run_by(server: &str, applied: &AppliedConfig, catalog: &Catalog) -> Option<RunAs> {
    let mut chosen = applied.loadout.plan.servers.iter();
    let run_as = match chosen.find(|chosen| chosen.name == server) {
        Some(chosen) => RunAs::of_chosen(chosen, catalog),
        // It remains of the user's own.
        None => RunAs::of_users(server, None, catalog),
    };
    run_as.filter(|run_as| shows_all(server, run_as, catalog))
}

fn shows_all(server: &str, run_as: &RunAs, catalog: &Catalog) -> bool {
    shows_all_tools(server, run_as.definition(), &catalog.launch_line)
}

/// Whether a thread has all tools of a server.
fn is_whole(server: &str, applied: &AppliedConfig) -> bool {
    let mut listed = applied.loadout.receipt.mcp_servers.iter();
    listed.any(|listed| listed.name == server && listed.tools.is_none())
}
