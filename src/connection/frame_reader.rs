//! Reading messages.

use futures_util::StreamExt;
use futures_util::stream::ReadyChunks;
use tokio::io::AsyncRead;
use tokio_util::codec::FramedRead;

use crate::wire::{Frame, LineCodec, READ_SIZE};

/// Messages that are taken at once, at most.
const BATCH: usize = 256;

/// Where messages come in.
#[derive(Debug)]
pub struct FrameReader<R: AsyncRead> {
    lines: ReadyChunks<FramedRead<R, LineCodec>>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Messages as lines of a stream.
    pub fn new(reader: R) -> Self {
        let lines = FramedRead::with_capacity(reader, LineCodec::default(), READ_SIZE);
        Self {
            lines: lines.ready_chunks(BATCH),
        }
    }

    /// The messages that are there, once there is one; `None` at the end of the stream. Nothing is lost if the
    /// future is dropped before it is ready.
    pub async fn next(&mut self) -> Option<Vec<Frame>> {
        loop {
            let lines = self.lines.next().await?;
            let mut frames = Vec::with_capacity(lines.len());
            for line in lines {
                match line {
                    Ok(line) => frames.push(Frame::parse(line)),
                    // The stream ends with it.
                    Err(error) => tracing::warn!(%error, "reading stopped"),
                }
            }
            if !frames.is_empty() {
                return Some(frames);
            }
        }
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
        let mut reader = FrameReader::new(near);
        let mut seen = Vec::new();
        for piece in ["{\"id\":1", "}\n{\"id\"", ":2}\r\n\n", "{\"id\":3}"] {
            far.write_all(piece.as_bytes()).await.unwrap();
            while let Ok(Some(frames)) =
                tokio::time::timeout(Duration::from_millis(5), reader.next()).await
            {
                seen.extend(frames.into_iter().map(Frame::into_bytes));
            }
        }
        drop(far);
        while let Some(frames) = reader.next().await {
            seen.extend(frames.into_iter().map(Frame::into_bytes));
        }
        assert_eq!(seen, ["{\"id\":1}", "{\"id\":2}\r", "", "{\"id\":3}"]);
    }
}
