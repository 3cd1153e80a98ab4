//! The lab: everything a test, example or bench needs to watch the real Codex at work.
//!
//! [`codex`] installs a pinned Codex from npm, [`gemini`] a pinned Gemini CLI, [`Home`] is a throwaway user with skills, plugins and
//! MCP servers, [`Model`] is the model that Codex talks to, [`Seen`] is what that model was shown,
//! [`Promise`] is what it should have been shown, and [`Client`] is a host. Only the one
//! `npm ci` uses the network.

mod codex;

#[cfg(unix)]
mod crowd;
mod dice;

mod gemini;

mod home;

mod hosts;

mod model;

mod promise;

mod administrator;
mod client;

mod process;

mod http;

mod npm;

mod table;
#[cfg(unix)]
mod terminal;

#[cfg(unix)]
mod web_socket;

mod workspace;

pub use administrator::{can_be_under_administrator, under_administrator};
pub use client::{Client, RequestError, RpcError};
pub use codex::{DEFAULT_VERSION, VERSIONS, codex};
pub use codex_loadout_protocol::Seen;
#[cfg(unix)]
pub use crowd::{Crowd, Known, crowd_loadouts};
pub use dice::Dice;
pub use gemini::{GeminiModel, gemini};
pub use home::{Fingerprint, Home, HomeBuilder, Plugin, Server, Skill};
pub use hosts::{happy, npm_hosts, python_hosts};
pub use model::{Model, Request};
pub use process::Process;
pub use promise::Promise;
pub use table::Table;
#[cfg(unix)]
pub use terminal::Terminal;
pub use workspace::proxy;
