//! Messages as text frames of a WebSocket.

use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::{Sink, SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig, frame::Frame};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::door::Door;
use super::frame_reader::FrameReader;
use super::frame_writer::{BatchWriter, FrameWriter, write_queue};
use crate::wire::READ_SIZE;

/// The longest message that Codex takes over a WebSocket (0.169), and so the longest that a host may send over one.
pub const LONGEST_MESSAGE: usize = 64 << 20;

/// Codex closes a connection whose one frame is longer than 16 MiB. A longer message goes out in pieces of this size.
const PIECE: usize = 8 << 20;

/// Settings of one side: a host's messages are held to Codex's limits. Codex holds its own to none, and a
/// host on stdio would get them whole.
pub(super) fn settings(role: Role) -> WebSocketConfig {
    let settings = WebSocketConfig::default().read_buffer_size(READ_SIZE);
    match role {
        Role::Server => settings.max_message_size(Some(LONGEST_MESSAGE)),
        Role::Client => settings.max_message_size(None).max_frame_size(None),
    }
}

/// Takes both ends of a stream on which the handshake is done; `read` was read behind it already.
pub(crate) async fn web_socket<S>(stream: S, read: Bytes, role: Role) -> Door
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let settings = Some(settings(role));
    let socket = WebSocketStream::from_partially_read(stream, read.into(), role, settings).await;
    split(socket)
}

/// Takes both ends of a WebSocket.
pub(super) fn split<S>(socket: WebSocketStream<S>) -> Door
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sink, frames) = socket.split();
    let (writer, written) = write_web_socket(sink);
    Door {
        reader: FrameReader::web_socket(frames),
        writer,
        written,
    }
}

/// Starts writing what is sent as text frames. The task ends as that of lines does; where it ends by itself, it
/// ends with a close frame.
pub fn write_web_socket<S>(sink: S) -> (FrameWriter, JoinHandle<()>)
where
    S: Sink<Message, Error = Error> + Unpin + Send + 'static,
{
    write_queue(TextFrames {
        sink,
        pieces: VecDeque::new(),
    })
}

struct TextFrames<S> {
    sink: S,
    /// What is left of the message that is being written.
    pieces: VecDeque<Message>,
}

impl<S> BatchWriter for TextFrames<S>
where
    S: Sink<Message, Error = Error> + Unpin + Send,
{
    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut VecDeque<Bytes>,
    ) -> Poll<io::Result<()>> {
        loop {
            while !self.pieces.is_empty() {
                ready!(self.sink.poll_ready_unpin(context)).map_err(io::Error::other)?;
                if let Some(piece) = self.pieces.pop_front() {
                    self.sink
                        .start_send_unpin(piece)
                        .map_err(io::Error::other)?;
                }
            }
            let Some(message) = batch.pop_front() else {
                let flushed = self.sink.poll_flush_unpin(context);
                return flushed.map_err(io::Error::other);
            };
            // Codex hangs up on what is not UTF-8, on stdio and on a socket: so this connection ends, too.
            let text = Utf8Bytes::try_from(message).map_err(io::Error::other)?;
            put_in_pieces(text, &mut self.pieces);
        }
    }

    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.sink.poll_close_unpin(context).map(drop)
    }
}

fn put_in_pieces(text: Utf8Bytes, pieces: &mut VecDeque<Message>) {
    if text.len() <= PIECE {
        return pieces.push_back(Message::Text(text));
    }
    let mut rest = Bytes::from(text);
    let mut kind = Data::Text;
    while !rest.is_empty() {
        let piece = rest.split_to(PIECE.min(rest.len()));
        let frame = Frame::message(piece, OpCode::Data(kind), rest.is_empty());
        pieces.push_back(Message::Frame(frame));
        kind = Data::Continue;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::DuplexStream;

    /// A raw WebSocket at one end, ours at the other.
    async fn peer(role: Role) -> (WebSocketStream<DuplexStream>, FrameReader, FrameWriter) {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let far_role = match role {
            Role::Server => Role::Client,
            Role::Client => Role::Server,
        };
        let far = WebSocketStream::from_raw_socket(far, far_role, Some(settings(far_role))).await;
        let Door { reader, writer, .. } = web_socket(near, Bytes::new(), role).await;
        (far, reader, writer)
    }

    async fn all(mut reader: FrameReader) -> Vec<Bytes> {
        let mut seen = Vec::new();
        while let Some(frames) = reader.next().await {
            seen.extend(frames.into_iter().map(crate::wire::Frame::into_bytes));
        }
        seen
    }

    /// What arrives of these messages, by WebSocket from one side to the other or as lines.
    async fn carried(messages: &[Bytes], to: Option<Role>) -> Vec<Bytes> {
        let (near, far) = tokio::io::duplex(300);
        let (reader, writer) = match to {
            None => (
                FrameReader::lines(far),
                crate::connection::write_lines(near).0,
            ),
            Some(to) => {
                let from = match to {
                    Role::Server => Role::Client,
                    Role::Client => Role::Server,
                };
                let Door {
                    reader: mut unread,
                    writer,
                    ..
                } = web_socket(near, Bytes::new(), from).await;
                // What is not read answers no close.
                tokio::spawn(async move { while unread.next().await.is_some() {} });
                (web_socket(far, Bytes::new(), to).await.reader, writer)
            }
        };
        for message in messages {
            writer.send(message.clone());
        }
        drop(writer);
        all(reader).await
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_messages_arrive_as_they_are(messages in proptest::collection::vec("[^\n]{0,400}", 0..30)) {
            let messages: Vec<Bytes> = messages.into_iter().map(Bytes::from).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            for to in [None, Some(Role::Server), Some(Role::Client)] {
                prop_assert_eq!(runtime.block_on(carried(&messages, to)), &messages[..], "{:?}", to);
            }
        }
    }

    #[tokio::test]
    async fn a_message_that_is_too_long_for_one_frame_is_sent_in_several() {
        // Two bytes a letter, so that the cuts fall into letters.
        let long = Bytes::from(format!("x{}", "\u{e9}".repeat(20 << 19)));
        for to in [Role::Server, Role::Client] {
            let (near, far) = tokio::io::duplex(1 << 20);
            let limits = WebSocketConfig::default();
            let (writer, _) = match to {
                Role::Server => write_web_socket(
                    WebSocketStream::from_raw_socket(near, Role::Client, None).await,
                ),
                Role::Client => write_web_socket(
                    WebSocketStream::from_raw_socket(near, Role::Server, None).await,
                ),
            };
            writer.send(long.clone());
            let mut far = WebSocketStream::from_raw_socket(far, to, Some(limits)).await;
            let message = far.next().await.unwrap().unwrap();
            assert!(message.into_data() == long, "{to:?}");
        }
    }

    #[tokio::test]
    async fn pings_and_closes_are_answered_and_binary_frames_passed_over() {
        for role in [Role::Server, Role::Client] {
            let (mut far, reader, _writer) = peer(role).await;
            let read = tokio::spawn(all(reader));
            for message in [
                Message::Ping(Bytes::from_static(b"there?")),
                Message::binary("{}"),
                Message::text("{\"id\":1}"),
                Message::Close(None),
            ] {
                far.send(message).await.unwrap();
            }
            let pong = far.next().await.unwrap().unwrap();
            assert_eq!(pong, Message::Pong(Bytes::from_static(b"there?")));
            assert!(matches!(far.next().await, Some(Ok(Message::Close(_)))));
            drop(far);
            assert_eq!(read.await.unwrap(), ["{\"id\":1}"], "{role:?}");
        }
    }

    #[tokio::test]
    async fn a_connection_ends_with_what_no_text_frame_can_hold() {
        let (mut far, reader, writer) = peer(Role::Client).await;
        let read = tokio::spawn(all(reader));
        for message in [b"before".as_slice(), b"\xff", b"after"] {
            writer.send(Bytes::from_static(message));
        }
        assert_eq!(far.next().await.unwrap().unwrap(), Message::text("before"));
        assert!(matches!(far.next().await, Some(Ok(Message::Close(_)))));
        assert!(far.next().await.is_none());
        drop(far);
        assert!(read.await.unwrap().is_empty() && writer.is_closed());
    }

    #[tokio::test]
    async fn a_host_is_held_to_the_limits_of_codex_and_codex_is_not() {
        for (role, heard) in [(Role::Server, 1), (Role::Client, 2)] {
            let (far, reader, writer) = peer(role).await;
            let (mut sink, mut frames) = far.split();
            tokio::spawn(async move { while frames.next().await.is_some() {} });
            let read = tokio::spawn(async move {
                let seen = all(reader).await;
                drop(writer);
                seen
            });
            for size in [PIECE, LONGEST_MESSAGE / 4 + 1] {
                // A connection that was given up takes nothing.
                let _ = sink.send(Message::text("x".repeat(size))).await;
            }
            let _ = sink.close().await;
            drop(sink);
            assert_eq!(read.await.unwrap().len(), heard, "{role:?}");
        }
    }
}
