//! The proxy in front of the real Codex, and in front of a false one for faults.

#![expect(
    clippy::unwrap_used,
    reason = "clippy lets tests do it, but not what tests call"
)]

mod audit;
#[cfg(unix)]
mod behind;
mod bundles;
mod changes;
#[cfg(unix)]
mod churn;
mod claude;
mod cloud_skills;
mod command_line;
#[cfg(unix)]
mod control;
mod convert;
mod convert_cases;
mod crash;
#[cfg(target_os = "linux")]
mod disk;
mod documentation;
#[cfg(unix)]
mod doors;
mod drift;
mod drop_in;
#[cfg(target_os = "linux")]
mod ending;
mod exec;
mod experimental;
mod faults;
mod frames;
mod gc;
mod gemini;
mod goals;
mod hooks;
mod hosts;
mod hosts_table;
mod independence;
#[cfg(unix)]
mod interface;
mod launch_line;
mod limits;
mod load;
mod manifests;
#[cfg(unix)]
mod many_hosts;
mod methods;
mod npm;
mod pages;
mod persistence;
mod policy;
mod profiles;
mod proof;
#[cfg(target_os = "linux")]
mod restart;
mod roles;
mod schema;
#[cfg(unix)]
mod secrets;
mod selection;
mod servers;
mod shared_state;
mod skill_list;
#[cfg(target_os = "linux")]
mod slow;
#[cfg(unix)]
mod sockets;
mod stage;
mod stand_in;
mod state_folder;
mod tampering;
mod terminal;
#[cfg(unix)]
mod units;
#[cfg(unix)]
mod watching;
#[cfg(unix)]
mod wire_faults;
