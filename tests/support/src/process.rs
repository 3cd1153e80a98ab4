//! A child process that speaks lines: exact bytes in, exact lines out.

use std::fmt;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::timeout;

/// How long a process may take to end once its stdin is closed.
const GRACE: Duration = Duration::from_secs(10);

/// A child's stdin, shared by all who write lines to it.
#[derive(Clone)]
pub(crate) struct Input(Arc<AsyncMutex<Option<Box<dyn AsyncWrite + Send + Unpin>>>>);

impl Input {
    pub(crate) fn new(writer: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        Self(Arc::new(AsyncMutex::new(Some(Box::new(writer)))))
    }

    pub(crate) async fn send(&self, bytes: &[u8]) -> Result<()> {
        let mut stdin = self.0.lock().await;
        let stdin = stdin.as_mut().context("stdin is closed")?;
        stdin.write_all(bytes).await?;
        stdin.flush().await?;
        Ok(())
    }

    pub(crate) async fn close(&self) {
        *self.0.lock().await = None;
    }
}

/// A child process; dropping it kills it.
pub struct Process {
    child: Child,
    stdin: Input,
    stdout: Option<BufReader<ChildStdout>>,
    stderr: Arc<Mutex<Vec<u8>>>,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("id", &self.child.id())
            .finish_non_exhaustive()
    }
}

impl Process {
    /// Starts a command, as [`crate::Home::command`] makes it.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn spawn(command: std::process::Command) -> Result<Self> {
        let program = command.get_program().to_owned();
        let mut child = Command::from(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let stderr = Arc::<Mutex<Vec<u8>>>::default();
        if let Some(pipe) = child.stderr.take() {
            tokio::spawn(collect(pipe, Arc::clone(&stderr)));
        }
        let stdin = Input::new(child.stdin.take().context("the process has no stdin")?);
        Ok(Self {
            stdin,
            stdout: child.stdout.take().map(BufReader::new),
            child,
            stderr,
        })
    }

    /// The process id, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Writes exactly these bytes; the newline is the caller's.
    ///
    /// # Errors
    ///
    /// When the process does not read any more.
    pub async fn send(&self, bytes: &[u8]) -> Result<()> {
        self.stdin.send(bytes).await
    }

    /// The next line, its newline included; `None` at the end of output.
    ///
    /// # Errors
    ///
    /// When no line comes within the time, or the output was given away.
    pub async fn read_line(&mut self, patience: Duration) -> Result<Option<Vec<u8>>> {
        let stdout = self
            .stdout
            .as_mut()
            .context("the output is read elsewhere")?;
        let mut line = Vec::new();
        match timeout(patience, stdout.read_until(b'\n', &mut line)).await {
            Ok(read) => Ok((read? > 0).then_some(line)),
            Err(_) => bail!("no line within {patience:?}; stderr:\n{}", self.stderr()),
        }
    }

    /// What it wrote to stderr so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        text_of(&self.stderr)
    }

    /// Closes stdin and waits for the end.
    ///
    /// # Errors
    ///
    /// When it does not end within 10 seconds; it is killed then.
    pub async fn shutdown(mut self) -> Result<ExitStatus> {
        self.stdin.close().await;
        if let Ok(status) = timeout(GRACE, self.child.wait()).await {
            return Ok(status?);
        }
        self.child.kill().await?;
        bail!(
            "still running {GRACE:?} after its stdin was closed; stderr:\n{}",
            self.stderr()
        )
    }

    /// Waits until it has ended by itself, its stdin open.
    ///
    /// # Errors
    ///
    /// When it has not by then.
    pub async fn ended_within(mut self, patience: Duration) -> Result<ExitStatus> {
        Ok(tokio::time::timeout(patience, self.child.wait()).await??)
    }

    /// Kills it without warning (`SIGKILL`) and waits until it is gone.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub async fn kill9(mut self) -> Result<ExitStatus> {
        self.child.start_kill()?;
        Ok(self.child.wait().await?)
    }

    /// A handle to write with.
    pub(crate) fn input(&self) -> Input {
        self.stdin.clone()
    }

    /// Gives the output to a reader of its own.
    pub(crate) fn take_stdout(&mut self) -> Option<BufReader<ChildStdout>> {
        self.stdout.take()
    }

    /// A handle to read stderr with when the process is gone.
    pub(crate) fn stderr_handle(&self) -> Arc<Mutex<Vec<u8>>> {
        Arc::clone(&self.stderr)
    }
}

pub(crate) fn text_of(bytes: &Mutex<Vec<u8>>) -> String {
    String::from_utf8_lossy(&bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}

async fn collect(mut pipe: ChildStderr, into: Arc<Mutex<Vec<u8>>>) {
    let mut chunk = [0; 4096];
    while let Ok(length @ 1..) = pipe.read(&mut chunk).await {
        into.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(&chunk[..length]);
    }
}
