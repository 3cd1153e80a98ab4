//! JSON lines: one message a line, as Codex speaks on stdio. One way to frame messages; a websocket's text frames are
//! another, so a message has no end of line of its own.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio_util::codec::Decoder;

/// Cuts a stream of bytes into messages without copying them. Of a line's end (`\n` or `\r\n`) only the `\n` is taken
/// away, so that the message goes on exactly as it came.
#[derive(Debug, Default)]
pub(crate) struct LineCodec {
    /// How much of the buffer is known to hold no line end.
    scanned: usize,
}

/// After a line that is longer than this, the buffer is given back: it was made for that line alone.
const LONG: usize = 1024 * 1024;

/// Room made for each read. Most messages are far smaller, so that one read gives many.
pub(crate) const READ_SIZE: usize = 64 * 1024;

impl Decoder for LineCodec {
    type Item = Bytes;
    type Error = io::Error;

    fn decode(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Bytes>> {
        let Some(at) = memchr::memchr(b'\n', &buffer[self.scanned..]) else {
            self.scanned = buffer.len();
            buffer.reserve(READ_SIZE);
            return Ok(None);
        };
        let message = buffer.split_to(self.scanned + at).freeze();
        buffer.advance(1);
        self.scanned = 0;
        if message.len() > LONG {
            *buffer = BytesMut::from(&buffer[..]);
        }
        Ok(Some(message))
    }

    /// At the end of the stream, a last line without an end is a message, too.
    fn decode_eof(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Bytes>> {
        if let Some(message) = self.decode(buffer)? {
            return Ok(Some(message));
        }
        self.scanned = 0;
        let rest = buffer.split().freeze();
        Ok(Some(rest).filter(|rest| !rest.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_long_line_leaves_no_large_buffer() {
        let mut codec = LineCodec::default();
        let mut buffer = BytesMut::new();
        let mut line = vec![b'x'; 8 * LONG];
        line.extend_from_slice(b"\nnext");
        for piece in line.chunks(READ_SIZE) {
            buffer.extend_from_slice(piece);
        }
        let message = codec.decode(&mut buffer).unwrap();
        assert_eq!(message.map(|message| message.len()), Some(8 * LONG));
        assert_eq!(codec.decode(&mut buffer).unwrap(), None);
        assert!(buffer.capacity() <= 4 * READ_SIZE);
        buffer.extend_from_slice(b"\n");
        let next = codec.decode(&mut buffer).unwrap();
        assert_eq!(next.as_deref(), Some(b"next".as_slice()));
    }

    proptest! {
        #[test]
        fn messages_put_together_are_the_stream(chunks in proptest::collection::vec("[a\r\n]{0,9}", 0..20)) {
            let mut codec = LineCodec::default();
            let mut buffer = BytesMut::new();
            let mut messages = Vec::new();
            for chunk in &chunks {
                buffer.extend_from_slice(chunk.as_bytes());
                while let Some(message) = codec.decode(&mut buffer).unwrap() {
                    messages.push(message);
                }
            }
            while let Some(message) = codec.decode_eof(&mut buffer).unwrap() {
                messages.push(message);
            }
            let stream = chunks.concat();
            let expected: Vec<&str> = stream.strip_suffix('\n').unwrap_or(&stream).split('\n').collect();
            let expected = if stream.is_empty() { Vec::new() } else { expected };
            prop_assert_eq!(messages, expected);
        }
    }
}
