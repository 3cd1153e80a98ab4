//! Reading frames: one task a door owns the buffer, so that no read is ever cut in half.

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;

use crate::wire::{Frame, LineSplitter};

/// Batches that may wait to be handled; one read (64 KiB) fills one batch, a
/// longer line is a batch of its own.
const BATCHES: usize = 4;

/// Starts reading frames; the receiver gives those of one read at a time and ends with the stream.
pub fn read_frames<R>(mut reader: R) -> mpsc::Receiver<Vec<Frame>>
where
    R: AsyncRead + Unpin + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(BATCHES);
    tokio::spawn(async move {
        let mut lines = LineSplitter::default();
        loop {
            match reader.read_buf(lines.buffer()).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "reading stopped");
                    break;
                }
            }
            let mut batch = Vec::new();
            while let Some(line) = lines.next_line() {
                batch.push(Frame::parse(line));
            }
            if !batch.is_empty() && sender.send(batch).await.is_err() {
                return;
            }
        }
        if let Some(line) = lines.rest() {
            // Nobody is left to care if the receiver is gone.
            let _ = sender.send(vec![Frame::parse(line)]).await;
        }
    });
    receiver
}
