//! Reading messages.

use futures_util::{FutureExt, StreamExt};
use tokio::io::AsyncRead;
use tokio_util::codec::FramedRead;

use crate::wire::{Frame, LineCodec, READ_SIZE};

/// Where messages come in.
#[derive(Debug)]
pub struct FrameReader<R: AsyncRead> {
    lines: FramedRead<R, LineCodec>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Messages as lines of a stream.
    pub fn new(reader: R) -> Self {
        Self {
            lines: FramedRead::with_capacity(reader, LineCodec::default(), READ_SIZE),
        }
    }

    /// The messages that are there, once there is one, and of those as many as one read gives; `None` at the end
    /// of the stream. Nothing is lost if the future is dropped before it is ready.
    pub async fn next(&mut self) -> Option<Vec<Frame>> {
        let mut next = self.lines.next().await;
        let mut frames = Vec::new();
        let mut bytes = 0;
        while let Some(line) = next {
            match line {
                Ok(line) => {
                    bytes += line.len() + 1;
                    frames.push(Frame::parse(line));
                }
                // The stream ends with it.
                Err(error) => tracing::warn!(%error, "reading stopped"),
            }
            if bytes >= READ_SIZE {
                break;
            }
            next = self.lines.next().now_or_never().flatten();
        }
        (!frames.is_empty()).then_some(frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn of_large_messages_one_is_taken_at_a_time_and_of_small_ones_many() {
        let (mut far, near) = tokio::io::duplex(64 * READ_SIZE);
        let mut reader = FrameReader::new(near);
        let large = [vec![b'x'; 2 * READ_SIZE], b"\n".to_vec()].concat();
        let all = [large.repeat(8), b"y\n".repeat(100)].concat();
        far.write_all(&all).await.unwrap();
        drop(far);
        for _ in 0..8 {
            assert_eq!(reader.next().await.unwrap().len(), 1);
        }
        assert_eq!(reader.next().await.unwrap().len(), 100);
        assert!(reader.next().await.is_none());
    }

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
