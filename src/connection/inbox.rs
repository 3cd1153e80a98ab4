//! Reading frames.

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::wire::{Frame, LineSplitter};

/// Where frames come in.
#[derive(Debug)]
pub struct Inbox<R> {
    reader: R,
    lines: LineSplitter,
    ended: bool,
}

impl<R: AsyncRead + Unpin> Inbox<R> {
    /// Frames as lines of a stream.
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            lines: LineSplitter::default(),
            ended: false,
        }
    }

    /// The frames of the next read (64 KiB, or a longer line); `None` at the end of the stream. Nothing
    /// is lost if the future is dropped before it is ready.
    pub async fn next(&mut self) -> Option<Vec<Frame>> {
        while !self.ended {
            match self.reader.read_buf(self.lines.buffer()).await {
                Ok(0) => self.ended = true,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "reading stopped");
                    self.ended = true;
                }
            }
            let mut frames = Vec::new();
            while let Some(line) = self.lines.next_line() {
                frames.push(Frame::parse(line));
            }
            if self.ended {
                frames.extend(self.lines.rest().map(Frame::parse));
            }
            if !frames.is_empty() {
                return Some(frames);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn a_line_that_comes_in_pieces_is_whole_though_waiting_is_given_up_between() {
        let (mut far, near) = tokio::io::duplex(64);
        let mut inbox = Inbox::new(near);
        let mut seen = Vec::new();
        for piece in ["{\"id\":1", "}\n{\"id\"", ":2}\r\n\n", "{\"id\":3}"] {
            far.write_all(piece.as_bytes()).await.unwrap();
            while let Ok(Some(frames)) =
                tokio::time::timeout(Duration::from_millis(5), inbox.next()).await
            {
                seen.extend(frames.into_iter().map(Frame::into_bytes));
            }
        }
        drop(far);
        while let Some(frames) = inbox.next().await {
            seen.extend(frames.into_iter().map(Frame::into_bytes));
        }
        assert_eq!(seen, ["{\"id\":1}\n", "{\"id\":2}\r\n", "\n", "{\"id\":3}"]);
    }
}
