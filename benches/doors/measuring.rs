//! Messages to and fro, and one way.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use codex_loadout::connection::{Door, FrameReader, FrameWriter, connect};

/// A message of Codex's most frequent kind, as a line of this many bytes.
pub(crate) fn line(size: usize) -> Vec<u8> {
    let begin = br#"{"method":"item/agentMessage/delta","params":{"threadId":"01a1fbb2-6546-7210-abb7-d6739f14bc33","delta":""#;
    let mut line = begin.to_vec();
    line.resize(size - 4, b'x');
    line.extend(b"\"}}\n");
    line
}

/// A program whose stdout has what its stdin gets.
pub(crate) struct Pipes {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    buffer: Vec<u8>,
}

impl Pipes {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        Ok(Self {
            stdin: child.stdin.take(),
            stdout: child.stdout.take().context("it was asked for")?,
            child,
            buffer: vec![0; 1 << 20],
        })
    }

    fn read(&mut self, mut bytes: usize) -> Result<()> {
        while bytes > 0 {
            let read = self.stdout.read(&mut self.buffer)?;
            ensure!(read > 0, "it has ended");
            bytes = bytes.checked_sub(read).context("more than was sent")?;
        }
        Ok(())
    }

    /// The median of this many round trips.
    pub(crate) fn trip(&mut self, line: &[u8], count: usize) -> Result<Duration> {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let begun = Instant::now();
            self.stdin.as_mut().context("it is open")?.write_all(line)?;
            self.read(line.len())?;
            times.push(begun.elapsed());
        }
        Ok(super::median(&mut times))
    }

    /// How long this many lines take that are written as fast as they are taken.
    pub(crate) fn one_way(&mut self, line: &[u8], count: usize) -> Result<Duration> {
        let begun = Instant::now();
        let mut stdin = self.stdin.take().context("it is open")?;
        let written = line.to_vec();
        let writing = std::thread::spawn(move || {
            for _ in 0..count {
                stdin.write_all(&written)?;
            }
            Ok::<_, std::io::Error>(stdin)
        });
        self.read(line.len() * count)?;
        let taken = begun.elapsed();
        let written = writing.join().ok().context("the writer panicked")?;
        self.stdin = Some(written?);
        Ok(taken)
    }
}

impl Drop for Pipes {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A host at a socket, behind which is somebody who sends back what he gets.
pub(crate) struct Wire {
    reader: FrameReader,
    writer: FrameWriter,
}

impl Wire {
    pub(crate) async fn connect(address: &str) -> Result<Self> {
        let address = address.parse()?;
        let Door { reader, writer, .. } = connect(&address, None).await?;
        Ok(Self { reader, writer })
    }

    async fn read(&mut self, mut messages: usize) -> Result<()> {
        while messages > 0 {
            let frames = self.reader.next().await.context("it has ended")?;
            messages = messages
                .checked_sub(frames.len())
                .context("more than was sent")?;
        }
        Ok(())
    }

    /// The median of this many round trips.
    pub(crate) async fn trip(&mut self, line: &[u8], count: usize) -> Result<Duration> {
        let message = Bytes::copy_from_slice(line.trim_ascii_end());
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let begun = Instant::now();
            self.writer.send(message.clone());
            self.read(1).await?;
            times.push(begun.elapsed());
        }
        Ok(super::median(&mut times))
    }

    /// How long this many messages take that are sent as fast as they are taken.
    pub(crate) async fn one_way(&mut self, line: &[u8], count: usize) -> Result<Duration> {
        let message = Bytes::copy_from_slice(line.trim_ascii_end());
        let begun = Instant::now();
        let writer = self.writer.clone();
        let writing = tokio::spawn(async move {
            for _ in 0..count {
                writer.room().await;
                writer.send(message.clone());
            }
        });
        self.read(count).await?;
        let taken = begun.elapsed();
        writing.await?;
        Ok(taken)
    }
}
