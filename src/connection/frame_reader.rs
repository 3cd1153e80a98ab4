//! Reading messages.

use std::fmt;
use std::future::ready;
use std::io;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::io::AsyncRead;
use tokio::sync::OwnedSemaphorePermit;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_util::codec::FramedRead;

use crate::wire::{Frame, LineCodec, READ_SIZE};

/// Where messages come in.
pub struct FrameReader {
    messages: BoxStream<'static, io::Result<Bytes>>,
    /// A host's place among those that a listener takes.
    _place: Option<OwnedSemaphorePermit>,
}

impl fmt::Debug for FrameReader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FrameReader")
            .finish_non_exhaustive()
    }
}

impl FrameReader {
    /// Messages as lines of a stream.
    pub fn lines(reader: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let lines = FramedRead::with_capacity(reader, LineCodec::default(), READ_SIZE);
        Self {
            messages: lines.boxed(),
            _place: None,
        }
    }

    /// Messages as text frames of a WebSocket. Binary frames are passed over, as Codex passes them over; pings
    /// and a close are answered by the stream itself while it is read.
    pub fn web_socket(
        frames: impl Stream<Item = Result<Message, tungstenite::Error>> + Send + 'static,
    ) -> Self {
        let texts = frames.filter_map(|frame| {
            ready(match frame {
                Ok(Message::Text(text)) => Some(Ok(text.into())),
                Ok(_) => None,
                Err(error) => Some(Err(io::Error::other(error))),
            })
        });
        Self {
            messages: texts.boxed(),
            _place: None,
        }
    }

    /// Gives the place back when it is dropped.
    pub(super) fn at_place(mut self, place: OwnedSemaphorePermit) -> Self {
        self._place = Some(place);
        self
    }

    /// The messages that are there, once there is one, and of those as many as one read gives; `None` at the end
    /// of the stream. Nothing is lost if the future is dropped before it is ready.
    pub async fn next(&mut self) -> Option<Vec<Frame>> {
        let mut next = self.messages.next().await;
        let mut frames = Vec::new();
        let mut bytes = 0;
        while let Some(message) = next {
            match message {
                Ok(message) => {
                    bytes += message.len() + 1;
                    frames.push(Frame::new(message));
                }
                // The stream ends with it.
                Err(error) => tracing::warn!(%error, "reading stopped"),
            }
            if bytes >= READ_SIZE {
                break;
            }
            next = self.messages.next().now_or_never().flatten();
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
        let mut reader = FrameReader::lines(near);
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
        let mut reader = FrameReader::lines(near);
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
