//! Writing messages: a queue that takes what it must and says when it is full.
//!
//! # Why a full queue does not make the sender wait
//! Both directions run through one loop. If the loop waited for a slow host, it
//! could not take an answer of that host's to Codex, and Codex, waiting for that
//! answer, might stop reading: nobody would move again. So sending never waits;
//! instead the loop stops *reading* from the side that fills a full queue
//! ([`FrameWriter::has_room`]), and goes on with the other one. What is queued beyond
//! the limit is at most one batch and our own few frames.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

/// Bytes that may wait to be written before the side that feeds the queue is no longer read.
const LIMIT: usize = 1024 * 1024;

/// Small frames are put together up to this many bytes a write.
const WRITE_SIZE: usize = 64 * 1024;

/// The sending end. Clones share the queue.
#[derive(Debug, Clone)]
pub struct FrameWriter {
    sender: mpsc::UnboundedSender<Item>,
    level: Arc<Level>,
}

#[derive(Debug)]
enum Item {
    Frame(Bytes),
    /// Nothing more is written; the door closes.
    End,
}

#[derive(Debug, Default)]
struct Level {
    queued: AtomicUsize,
    drained: Notify,
    closed: AtomicBool,
}

impl FrameWriter {
    /// Queues a frame. A peer that is gone takes nothing more; that shows where it is read from.
    pub fn send(&self, frame: Bytes) {
        self.level
            .queued
            .fetch_add(line_length(&frame), Ordering::AcqRel);
        let _ = self.sender.send(Item::Frame(frame));
    }

    /// Closes the door once everything sent before was written, though clones may live on.
    pub fn close(&self) {
        let _ = self.sender.send(Item::End);
    }

    /// Whether the side that feeds this queue should be read.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.level.queued.load(Ordering::Acquire) < LIMIT || self.is_closed()
    }

    /// Whether the peer takes nothing more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.level.closed.load(Ordering::Acquire)
    }

    /// Waits until [`Self::has_room`].
    pub async fn room(&self) {
        loop {
            let drained = self.level.drained.notified();
            if self.has_room() {
                return;
            }
            drained.await;
        }
    }
}

fn line_length(frame: &Bytes) -> usize {
    frame.len() + 1
}

/// How messages are written to one kind of door.
pub(super) trait BatchWriter: Send + 'static {
    /// Writes and flushes the messages of the batch, and takes them out of it. `size` is their size as lines.
    fn write(
        &mut self,
        batch: &mut Vec<Bytes>,
        size: usize,
    ) -> impl Future<Output = io::Result<()>> + Send;

    /// Nothing more comes.
    fn end(&mut self) -> impl Future<Output = ()> + Send;
}

/// Starts writing what is sent as lines. The task ends, closing the writer, when all clones of
/// the outbox are gone or it was closed, and everything was written; or when the peer is gone.
pub fn write_lines<W>(writer: W) -> (FrameWriter, JoinHandle<()>)
where
    W: AsyncWrite + Unpin + Send + 'static,
{
    write_queue(Lines(writer))
}

/// Starts writing what is sent, batch by batch.
pub(super) fn write_queue(mut writer: impl BatchWriter) -> (FrameWriter, JoinHandle<()>) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let level = Arc::new(Level::default());
    let outbox = FrameWriter {
        sender,
        level: level.clone(),
    };
    let task = tokio::spawn(async move {
        let mut batch = Vec::new();
        let mut open = true;
        while open && let Some(item) = receiver.recv().await {
            let mut next = Some(item);
            let mut size = 0;
            while let Some(item) = next.take() {
                match item {
                    Item::Frame(frame) => {
                        size += line_length(&frame);
                        batch.push(frame);
                    }
                    Item::End => open = false,
                }
                if open && size < WRITE_SIZE {
                    next = receiver.try_recv().ok();
                }
            }
            if let Err(error) = writer.write(&mut batch, size).await {
                tracing::debug!(%error, "peer takes nothing more");
                level.closed.store(true, Ordering::Release);
                level.drained.notify_waiters();
                break;
            }
            level.queued.fetch_sub(size, Ordering::AcqRel);
            level.drained.notify_waiters();
        }
        writer.end().await;
    });
    (outbox, task)
}

struct Lines<W>(W);

impl<W: AsyncWrite + Unpin + Send + 'static> BatchWriter for Lines<W> {
    /// Puts messages together where they are small: a system call costs more than a copy.
    async fn write(&mut self, batch: &mut Vec<Bytes>, size: usize) -> io::Result<()> {
        if size < 2 * WRITE_SIZE {
            let mut lines = BytesMut::with_capacity(size);
            for frame in batch.drain(..) {
                lines.put_slice(&frame);
                lines.put_u8(b'\n');
            }
            self.0.write_all_buf(&mut lines).await?;
        } else {
            for frame in batch.drain(..) {
                let mut line = frame.chain(&b"\n"[..]);
                self.0.write_all_buf(&mut line).await?;
            }
        }
        self.0.flush().await
    }

    async fn end(&mut self) {
        let _ = self.0.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn a_slow_reader_fills_the_queue_and_gets_everything_in_order() {
        let (near, mut far) = tokio::io::duplex(1000);
        let (outbox, task) = write_lines(near);
        let mut expected = Vec::new();
        let mut frames = 0;
        while outbox.has_room() {
            let frame = Bytes::from(vec![b'a' + (frames % 20) as u8; 1 + (frames * 37) % 90_000]);
            expected.extend_from_slice(&frame);
            expected.push(b'\n');
            outbox.send(frame);
            frames += 1;
            assert!(frames < 10_000, "the queue never says that it is full");
        }
        let waiting = outbox.clone();
        let room = tokio::spawn(async move { waiting.room().await });
        drop(outbox);
        let mut seen = Vec::new();
        far.read_to_end(&mut seen).await.unwrap();
        assert!(seen == expected);
        room.await.unwrap();
        task.await.unwrap();
    }

    #[tokio::test]
    async fn a_peer_that_is_gone_leaves_room() {
        let (near, far) = tokio::io::duplex(10);
        drop(far);
        let (outbox, task) = write_lines(near);
        outbox.send(Bytes::from(vec![0; 2 * LIMIT]));
        task.await.unwrap();
        assert!(outbox.is_closed() && outbox.has_room());
    }
}
