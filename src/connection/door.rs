//! One end of a connection: a host, or Codex, however it is reached.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;

use super::frame_reader::FrameReader;
use super::frame_writer::{FrameWriter, write_lines};

/// Where messages come in and go out.
#[derive(Debug)]
pub struct Door {
    /// What comes in. The place that it takes at a listener is free again when this is dropped.
    pub reader: FrameReader,
    /// What goes out.
    pub writer: FrameWriter,
    /// Ends when everything was written, or can't be.
    pub written: JoinHandle<()>,
}

impl Door {
    /// One that reads and writes lines.
    pub fn of_lines(
        input: impl AsyncRead + Send + Unpin + 'static,
        output: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        let (writer, written) = write_lines(output);
        Self {
            reader: FrameReader::lines(input),
            writer,
            written,
        }
    }
}
