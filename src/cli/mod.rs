//! The command line: the drop-in for `codex app-server`, and verbs of our own.

mod app_server;
mod arguments;
mod ask;
mod asking;
mod audit;
mod binding;
mod bundle;
mod bundle_lock;
mod bundle_text;
mod codex_line;
mod control;
mod convert;
mod daemon;
mod doctor;
mod doors;
mod exec;
mod fetch_progress;
mod gc;
mod hand_over;
mod interactive;
mod invocation;
#[cfg(test)]
mod invocation_tests;
mod list;
mod metrics;
mod options;
mod print;
mod profile;
mod prove;
mod receipt;
mod resolve;
mod run;
mod running;
mod schema;
mod selection_file;
mod serve;
mod shell;
mod shim;
mod socket_proxy;
mod status;
mod terminal;
mod threads;
mod trust;
mod update;
mod version;

pub use run::main;
