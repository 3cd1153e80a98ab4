//! Doors: where frames come in and go out, and the Codex process behind one of them.
//!
//! Every queue is bounded by bytes or batches. Nothing here waits for one side
//! while it keeps the other from being read: see [`FrameWriter`].

mod address;
mod brief;
mod child;
#[cfg(unix)]
mod codex_server;
#[cfg(unix)]
mod control_sockets;
mod door;
mod frame_reader;
mod frame_writer;
mod http_door;
#[cfg(unix)]
mod inherited;
mod keep_alive;
mod line_writer;
mod listener;
mod page_client;
#[cfg(unix)]
mod pipe_size;
mod reentry;
mod rpc_client;
#[cfg(unix)]
mod socket_file;
mod stdio;
mod upstream_socket;
mod web_socket;
mod web_socket_auth;

pub use address::{AddressError, ListenAddress, UpstreamAddress, control_socket};
pub use brief::{BriefCodex, Introduced};
pub use child::{CODEX_VARIABLE, CodexCommand, Upstream, UpstreamCommand, exit_code};
#[cfg(unix)]
pub use codex_server::CodexServer;
#[cfg(unix)]
pub use control_sockets::{ControlSocket, TOKEN_ENDING, control_sockets};
pub use door::Door;
pub use frame_reader::FrameReader;
pub use frame_writer::{FrameWriter, write_lines};
pub use http_door::{Page, Pages, page};
#[cfg(unix)]
pub use inherited::check_all_are_taken;
pub use listener::{Listener, accept_on};
#[cfg(unix)]
pub use page_client::codex_loadout_at;
pub use page_client::get_page;
pub use reentry::Start;
pub use rpc_client::{RpcClient, RpcError};
#[cfg(unix)]
pub use socket_file::SocketFileError;
pub use stdio::host_stdio;
pub use upstream_socket::{bearer_token, connect};
#[cfg(any(test, fuzzing))]
pub(crate) use web_socket::web_socket;
pub use web_socket::{LONGEST_MESSAGE, write_web_socket};
pub use web_socket_auth::{
    WebSocketAuth, WebSocketAuthError, WebSocketAuthFlags, WebSocketAuthMode,
};
