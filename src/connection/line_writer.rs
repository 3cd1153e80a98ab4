//! Writing messages as lines.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::buf::Chain;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::AsyncWrite;

use super::frame_writer::{BatchWriter, WRITE_SIZE};

/// What ends a line.
const END: &[u8] = b"\n";

/// Puts messages together where they are small: a system call costs more than a copy.
pub(super) struct LineWriter<W> {
    writer: W,
    /// What is being written.
    lines: Chain<Bytes, &'static [u8]>,
}

fn no_lines() -> Chain<Bytes, &'static [u8]> {
    Bytes::new().chain(b"")
}

impl<W: AsyncWrite + Unpin> LineWriter<W> {
    pub(super) fn new(writer: W) -> Self {
        Self {
            writer,
            lines: no_lines(),
        }
    }
}

/// The next lines, of one message or of many small ones.
fn next_lines(batch: &mut VecDeque<Bytes>) -> Option<Chain<Bytes, &'static [u8]>> {
    let is_small = |message: &Bytes| message.len() < WRITE_SIZE;
    if !is_small(batch.front()?) {
        return batch.pop_front().map(|message| message.chain(END));
    }
    let small = batch.iter().take_while(|message| is_small(message));
    let (count, size) = small.fold((0, 0), |(count, size), message| {
        (count + 1, size + message.len() + END.len())
    });
    let mut together = BytesMut::with_capacity(size);
    for message in batch.drain(..count) {
        together.put_slice(&message);
        together.put_slice(END);
    }
    Some(together.freeze().chain(b""))
}

impl<W: AsyncWrite + Unpin + Send> BatchWriter for LineWriter<W> {
    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut VecDeque<Bytes>,
    ) -> Poll<io::Result<()>> {
        loop {
            while self.lines.has_remaining() {
                let mut slices = [IoSlice::new(&[]); 2];
                let count = self.lines.chunks_vectored(&mut slices);
                let writer = Pin::new(&mut self.writer);
                match ready!(writer.poll_write_vectored(context, &slices[..count]))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    written => self.lines.advance(written),
                }
            }
            // They are kept no longer.
            self.lines = no_lines();
            match next_lines(batch) {
                Some(lines) => self.lines = lines,
                None => return Pin::new(&mut self.writer).poll_flush(context),
            }
        }
    }

    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.writer).poll_shutdown(context).map(drop)
    }
}
