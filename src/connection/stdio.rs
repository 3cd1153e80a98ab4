//! The host's door when it is stdin and stdout.
//!
//! tokio's own stdin and stdout hand every read and write to another thread.
//! Where the system can tell when a pipe or socket is ready, that detour is left
//! out: it is a good part of what a message through the proxy costs.

use tokio::io::{AsyncRead, AsyncWrite};

#[cfg(unix)]
/// Where the host's frames come from.
pub(super) type HostInput = Box<dyn AsyncRead + Unpin + Send>;
#[cfg(unix)]
/// Where frames for the host go.
pub(super) type HostOutput = Box<dyn AsyncWrite + Unpin + Send>;

/// Takes stdin and stdout. Needs a tokio runtime.
#[must_use]
pub fn host_stdio() -> (
    impl AsyncRead + Unpin + Send + 'static,
    impl AsyncWrite + Unpin + Send + 'static,
) {
    #[cfg(unix)]
    {
        let input: HostInput = unix::input().unwrap_or_else(|| Box::new(tokio::io::stdin()));
        let output: HostOutput = unix::output().unwrap_or_else(|| Box::new(tokio::io::stdout()));
        (input, output)
    }
    #[cfg(not(unix))]
    (tokio::io::stdin(), tokio::io::stdout())
}

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::os::fd::{AsFd, OwnedFd};
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    use std::os::unix::net::UnixStream as StdUnixStream;

    use tokio::net::UnixStream;
    use tokio::net::unix::pipe;

    use super::{HostInput, HostOutput};
    use crate::connection::pipe_size::enlarge;

    pub(super) fn input() -> Option<HostInput> {
        let file = File::from(std::io::stdin().as_fd().try_clone_to_owned().ok()?);
        let kind = file.metadata().ok()?.file_type();
        if kind.is_fifo() {
            enlarge(&file);
            return Some(Box::new(pipe::Receiver::from_file(file).ok()?));
        }
        if kind.is_socket() {
            Some(Box::new(socket(file.into())?))
        } else {
            None
        }
    }

    pub(super) fn output() -> Option<HostOutput> {
        let file = File::from(std::io::stdout().as_fd().try_clone_to_owned().ok()?);
        let data = file.metadata().ok()?;
        // Not to wait is a property of the pipe, not of the descriptor. Codex writes to our stderr, and
        // would not expect that there.
        let stderr = File::from(std::io::stderr().as_fd().try_clone_to_owned().ok()?)
            .metadata()
            .ok()?;
        if (data.dev(), data.ino()) == (stderr.dev(), stderr.ino()) {
            return None;
        }
        if data.file_type().is_fifo() {
            enlarge(&file);
            return Some(Box::new(pipe::Sender::from_file(file).ok()?));
        }
        if data.file_type().is_socket() {
            Some(Box::new(socket(file.into())?))
        } else {
            None
        }
    }

    fn socket(descriptor: OwnedFd) -> Option<UnixStream> {
        let stream = StdUnixStream::from(descriptor);
        stream.set_nonblocking(true).ok()?;
        UnixStream::from_std(stream).ok()
    }
}
