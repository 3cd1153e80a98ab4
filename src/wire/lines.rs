//! JSON lines: one message a line, as Codex speaks on stdio.

use bytes::{Bytes, BytesMut};

/// Cuts a stream of bytes into lines without copying them. A line keeps its end
/// (`\n` or `\r\n`), so that it can go on exactly as it came.
#[derive(Debug, Default)]
pub struct LineSplitter {
    buffer: BytesMut,
    /// How much of the buffer is known to hold no line end.
    scanned: usize,
}

/// After a line that is longer than this, the buffer is given back: it was made for that line alone.
const LONG: usize = 1024 * 1024;

/// Room made for each read. Most frames are far smaller, so that one read gives many.
const READ_SIZE: usize = 64 * 1024;

impl LineSplitter {
    /// The buffer to read into, with room in it.
    pub fn buffer(&mut self) -> &mut BytesMut {
        self.buffer.reserve(READ_SIZE);
        &mut self.buffer
    }

    /// The next whole line that was read.
    pub fn next_line(&mut self) -> Option<Bytes> {
        match memchr::memchr(b'\n', &self.buffer[self.scanned..]) {
            Some(at) => {
                let line = self.buffer.split_to(self.scanned + at + 1).freeze();
                self.scanned = 0;
                if line.len() > LONG {
                    self.buffer = BytesMut::from(&self.buffer[..]);
                }
                Some(line)
            }
            None => {
                self.scanned = self.buffer.len();
                None
            }
        }
    }

    /// What is left at the end of the stream: a last line without an end.
    pub fn rest(&mut self) -> Option<Bytes> {
        self.scanned = 0;
        let rest = self.buffer.split().freeze();
        (!rest.is_empty()).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_long_line_leaves_no_large_buffer() {
        let mut splitter = LineSplitter::default();
        let mut line = vec![b'x'; 8 * LONG];
        line.extend_from_slice(b"\nnext");
        for piece in line.chunks(READ_SIZE) {
            splitter.buffer().extend_from_slice(piece);
        }
        assert_eq!(
            splitter.next_line().map(|line| line.len()),
            Some(8 * LONG + 1)
        );
        assert_eq!(splitter.next_line(), None);
        assert!(splitter.buffer().capacity() <= 4 * READ_SIZE);
        splitter.buffer().extend_from_slice(b"\n");
        assert_eq!(splitter.next_line().as_deref(), Some(b"next\n".as_slice()));
    }

    proptest! {
        #[test]
        fn lines_put_together_are_the_stream(chunks in proptest::collection::vec("[a\r\n]{0,9}", 0..20)) {
            let mut splitter = LineSplitter::default();
            let mut lines: Vec<Bytes> = Vec::new();
            for chunk in &chunks {
                splitter.buffer().extend_from_slice(chunk.as_bytes());
                while let Some(line) = splitter.next_line() {
                    prop_assert_eq!(memchr::memchr(b'\n', &line), Some(line.len() - 1));
                    lines.push(line);
                }
            }
            lines.extend(splitter.rest());
            prop_assert_eq!(lines.concat(), chunks.concat().into_bytes());
        }
    }
}
