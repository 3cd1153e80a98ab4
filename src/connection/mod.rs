//! Doors: where frames come in and go out, and the Codex process behind one of them.
//!
//! Every queue is bounded by bytes or batches. Nothing here waits for one side
//! while it keeps the other from being read: see [`FrameWriter`].

mod brief;
mod child;
mod frame_reader;
mod frame_writer;
mod reentry;
mod rpc_client;
mod stdio;
mod web_socket;

pub use brief::BriefCodex;
pub use child::{CODEX_VARIABLE, CodexCommand, Upstream, UpstreamCommand, exit_code};
pub use frame_reader::FrameReader;
pub use frame_writer::{FrameWriter, write_lines};
pub use reentry::Start;
pub use rpc_client::{RpcClient, RpcError};
pub use stdio::host_stdio;
pub use web_socket::{LONGEST_MESSAGE, write_web_socket};
