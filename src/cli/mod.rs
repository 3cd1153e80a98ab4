//! The command line: the drop-in for `codex app-server`, and verbs of our own.

mod app_server;
mod arguments;
mod audit;
mod convert;
mod doors;
mod exec;
mod gc;
mod hand_over;
mod invocation;
mod profiles;
mod run;
mod schema;
mod selection_file;
mod shell;
mod shim;
mod table;
mod terminal;
mod verbs;

pub use run::main;
