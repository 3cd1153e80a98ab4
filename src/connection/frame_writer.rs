//! Writing messages: a queue that takes what it must and says when it is full.
//!
//! # Why a full queue does not make the sender wait
//! Both directions run through one loop. If the loop waited for a slow host, it
//! could not take an answer of that host's to Codex, and Codex, waiting for that
//! answer, might stop reading: nobody would move again. So sending never waits;
//! instead the loop stops *reading* from the side that fills a full queue
//! ([`FrameWriter::has_room`]), and goes on with the other one. What is queued beyond
//! the limit is at most one batch and our own few frames.
//!
//! # Who writes
//! Whoever has queued frames may write them at once ([`FrameWriter::write_queued`]): nobody has to be woken for it. What
//! the peer does not take at once is left to a task that waits for the peer; until it is through, all others only queue.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::line_writer::LineWriter;

/// Bytes that may wait to be written before the side that feeds the queue is no longer read.
const LIMIT: usize = 1024 * 1024;

/// Frames are written in batches of about this many bytes; a larger frame is a batch by itself.
pub(super) const WRITE_SIZE: usize = 64 * 1024;

/// The sending end. Clones share the queue, which is closed with the last of them.
#[derive(Debug, Clone)]
pub struct FrameWriter(Arc<Sender>);

#[derive(Debug)]
struct Sender(Arc<Queue>);

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    /// Bytes that wait, or are being written.
    queued: AtomicUsize,
    drained: Notify,
    /// Whether the peer takes nothing more.
    is_closed: AtomicBool,
    /// There is something to do for the task.
    left_to_task: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Bytes>,
    /// Nothing more is taken; the door closes once everything is written.
    has_ended: bool,
    /// Whether the peer did not take everything at once: the task waits for it.
    is_slow: bool,
    /// `None` while somebody writes.
    writing: Option<Writing>,
}

/// Who writes has this.
struct Writing {
    writer: Box<dyn BatchWriter>,
    batch: VecDeque<Bytes>,
    /// Of the batch, as lines.
    size: usize,
}

impl fmt::Debug for Writing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Writing");
        shown.field("size", &self.size).finish_non_exhaustive()
    }
}

/// How messages are written to one kind of door.
pub(super) trait BatchWriter: Send {
    /// Writes and flushes the messages of the batch, and takes them out of it. Where the peer does not take them at
    /// once, the next call goes on.
    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut VecDeque<Bytes>,
    ) -> Poll<io::Result<()>>;

    /// Nothing more comes.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()>;
}

impl FrameWriter {
    /// Sends a frame. A peer that is gone takes nothing more; that shows where it is read from.
    pub fn send(&self, frame: Bytes) {
        self.queue(frame);
        self.0.0.left_to_task.notify_one();
    }

    /// Queues a frame for [`Self::write_queued`], which has to be called soon.
    pub fn queue(&self, frame: Bytes) {
        let queue = &*self.0.0;
        let mut waiting = queue.waiting();
        if !waiting.has_ended {
            queue
                .queued
                .fetch_add(line_length(&frame), Ordering::AcqRel);
            waiting.frames.push_back(frame);
        }
    }

    /// Writes what is queued as far as the peer takes it now; the rest is written as it takes it.
    pub fn write_queued(&self) {
        let queue = &*self.0.0;
        let Some(writing) = queue.waiting().begin() else {
            return;
        };
        let mut context = Context::from_waker(Waker::noop());
        if queue.poll_write(writing, &mut context).is_pending() {
            queue.left_to_task.notify_one();
        }
    }

    /// Closes the door once everything sent before was written, though clones may live on.
    pub fn close(&self) {
        self.0.0.close();
    }

    /// Whether the side that feeds this queue should be read.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.0.0.queued.load(Ordering::Acquire) < LIMIT || self.is_closed()
    }

    /// Whether the peer takes nothing more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.0.is_closed.load(Ordering::Acquire)
    }

    /// Waits until [`Self::has_room`].
    pub async fn room(&self) {
        loop {
            let drained = self.0.0.drained.notified();
            if self.has_room() {
                return;
            }
            drained.await;
        }
    }
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.waiting().has_ended = true;
        self.left_to_task.notify_one();
    }

    /// Goes on writing what the peer did not take at once, or begins.
    fn poll_write_on(&self, context: &mut Context<'_>) -> Poll<()> {
        let writing = self.waiting().writing.take();
        match writing {
            Some(writing) => self.poll_write(writing, context),
            // Who is at it writes everything.
            None => Poll::Ready(()),
        }
    }

    /// Writes everything that waits.
    fn poll_write(&self, mut writing: Writing, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if writing.size == 0 {
                let mut waiting = self.waiting();
                writing.take_batch(&mut waiting.frames);
                if writing.batch.is_empty() {
                    waiting.is_slow = false;
                    waiting.writing = Some(writing);
                    if waiting.has_ended {
                        self.left_to_task.notify_one();
                    }
                    return Poll::Ready(());
                }
            }
            match writing.writer.poll_write(context, &mut writing.batch) {
                Poll::Ready(Ok(())) => {
                    let size = std::mem::take(&mut writing.size);
                    self.queued.fetch_sub(size, Ordering::AcqRel);
                    self.drained.notify_waiters();
                }
                Poll::Ready(Err(error)) => {
                    tracing::debug!(%error, "peer takes nothing more");
                    self.fail(writing);
                    return Poll::Ready(());
                }
                Poll::Pending => {
                    let mut waiting = self.waiting();
                    waiting.is_slow = true;
                    waiting.writing = Some(writing);
                    return Poll::Pending;
                }
            }
        }
    }

    fn fail(&self, mut writing: Writing) {
        writing.batch.clear();
        writing.size = 0;
        self.is_closed.store(true, Ordering::Release);
        let mut waiting = self.waiting();
        waiting.frames.clear();
        waiting.has_ended = true;
        waiting.writing = Some(writing);
        drop(waiting);
        self.drained.notify_waiters();
        self.left_to_task.notify_one();
    }

    /// The writer, where everything is written and nothing more comes.
    fn take_ended(&self) -> Option<Writing> {
        let mut waiting = self.waiting();
        let is_over = waiting.has_ended && waiting.frames.is_empty();
        waiting
            .writing
            .take_if(|writing| is_over && writing.size == 0)
    }
}

impl Waiting {
    /// What it takes to write, unless there is nothing to be written or somebody is at it.
    fn begin(&mut self) -> Option<Writing> {
        let is_idle = !self.is_slow && !self.frames.is_empty();
        self.writing.take_if(|_| is_idle)
    }
}

impl Writing {
    fn take_batch(&mut self, frames: &mut VecDeque<Bytes>) {
        while self.size < WRITE_SIZE
            && let Some(frame) = frames.pop_front()
        {
            self.size += line_length(&frame);
            self.batch.push_back(frame);
        }
    }
}

fn line_length(frame: &Bytes) -> usize {
    frame.len() + 1
}

/// Starts writing what is sent as lines. The task ends, closing the writer, when all clones of
/// the writer are gone or it was closed, and everything was written; or when the peer is gone.
pub fn write_lines<W>(writer: W) -> (FrameWriter, JoinHandle<()>)
where
    W: AsyncWrite + Unpin + Send + 'static,
{
    write_queue(LineWriter::new(writer))
}

/// Starts writing what is sent, batch by batch.
pub(super) fn write_queue(writer: impl BatchWriter + 'static) -> (FrameWriter, JoinHandle<()>) {
    let queue = Arc::new(Queue::default());
    queue.waiting().writing = Some(Writing {
        writer: Box::new(writer),
        batch: VecDeque::new(),
        size: 0,
    });
    let task = tokio::spawn(write_what_is_left(queue.clone()));
    (FrameWriter(Arc::new(Sender(queue))), task)
}

/// Writes what was left to the task, until the end.
async fn write_what_is_left(queue: Arc<Queue>) {
    loop {
        queue.left_to_task.notified().await;
        poll_fn(|context| queue.poll_write_on(context)).await;
        if let Some(mut ended) = queue.take_ended() {
            return poll_fn(|context| ended.writer.poll_end(context)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use tokio::io::{AsyncBufReadExt, AsyncReadExt};

    #[tokio::test]
    async fn a_slow_reader_fills_the_queue_and_gets_everything_in_order() {
        let (near, mut far) = tokio::io::duplex(1000);
        let (writer, task) = write_lines(near);
        let mut expected = Vec::new();
        let mut frames = 0;
        while writer.has_room() {
            let frame = Bytes::from(vec![b'a' + (frames % 20) as u8; 1 + (frames * 37) % 90_000]);
            expected.extend_from_slice(&frame);
            expected.push(b'\n');
            writer.send(frame);
            frames += 1;
            assert!(frames < 10_000, "the queue never says that it is full");
        }
        let waiting = writer.clone();
        let room = tokio::spawn(async move { waiting.room().await });
        drop(writer);
        let mut seen = Vec::new();
        far.read_to_end(&mut seen).await.unwrap();
        assert!(seen == expected);
        room.await.unwrap();
        task.await.unwrap();
    }

    #[tokio::test]
    async fn what_is_queued_is_written_at_once_where_the_peer_takes_it() {
        let (near, mut far) = tokio::io::duplex(100);
        let (writer, _task) = write_lines(near);
        writer.queue(Bytes::from_static(b"one"));
        writer.queue(Bytes::from_static(b"two"));
        writer.write_queued();
        let mut seen = [0; 8];
        // The task has not had its turn.
        let read = far.read_exact(&mut seen).now_or_never();
        assert!(matches!(read, Some(Ok(_))));
        assert_eq!(&seen, b"one\ntwo\n");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 3)]
    async fn of_several_threads_each_is_written_whole_and_in_order() {
        const FRAMES: usize = 2_000;
        let (near, far) = tokio::io::duplex(700);
        let (writer, _task) = write_lines(near);
        for thread in 0..3 {
            let writer = writer.clone();
            std::thread::spawn(move || {
                for number in 0..FRAMES {
                    let frame = Bytes::from(format!("{thread} {number}"));
                    match number % 3 {
                        0 => writer.send(frame),
                        1 => writer.queue(frame),
                        _ => {
                            writer.queue(frame);
                            writer.write_queued();
                        }
                    }
                }
                writer.write_queued();
            });
        }
        drop(writer);
        let mut next = [0; 3];
        let mut lines = tokio::io::BufReader::new(far).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            let (thread, number) = line.split_once(' ').unwrap();
            let next = &mut next[thread.parse::<usize>().unwrap()];
            assert_eq!(number.parse(), Ok(*next));
            *next += 1;
        }
        assert_eq!(next, [FRAMES; 3]);
    }

    #[tokio::test]
    async fn a_peer_that_is_gone_leaves_room() {
        let (near, far) = tokio::io::duplex(10);
        drop(far);
        let (writer, task) = write_lines(near);
        writer.send(Bytes::from(vec![0; 2 * LIMIT]));
        task.await.unwrap();
        assert!(writer.is_closed() && writer.has_room());
    }
}
