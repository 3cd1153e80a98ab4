//! What stands in for Codex and for `socat`: this very program, told by a variable what to be.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use codex_loadout::connection::{ListenAddress, Listener};

const VARIABLE: &str = "DOORS_BENCH_ROLE";
/// As much as `socat` moves at a time.
const OF_SOCAT: usize = 8192;

/// What this program is, where it is no bench.
pub(crate) enum Role {
    /// Codex on stdin and stdout.
    Echo,
    /// Codex at a socket.
    Listener(PathBuf),
    /// `socat` between stdio and a program, which is an [`Role::Echo`].
    PipeRelay(PathBuf),
    /// `socat` between two sockets.
    SocketRelay(PathBuf, PathBuf),
}

impl Role {
    pub(crate) fn of_this_process() -> Option<Self> {
        let words = std::env::var(VARIABLE).ok()?;
        let mut words = words.split('\n');
        let role = words.next()?;
        let mut path = || words.next().map(PathBuf::from);
        Some(match role {
            "listener" => Self::Listener(path()?),
            "pipe relay" => Self::PipeRelay(path()?),
            "socket relay" => Self::SocketRelay(path()?, path()?),
            _ => Self::Echo,
        })
    }

    /// A program that is told to be this, and whatever it starts.
    pub(crate) fn told_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let words = match self {
            Self::Echo => "echo".to_owned(),
            Self::Listener(at) => format!("listener\n{}", at.display()),
            Self::PipeRelay(program) => format!("pipe relay\n{}", program.display()),
            Self::SocketRelay(at, to) => {
                format!("socket relay\n{}\n{}", at.display(), to.display())
            }
        };
        // What is told first counts.
        match command.get_envs().any(|(name, _)| name == VARIABLE) {
            true => command,
            false => command.env(VARIABLE, words),
        }
    }

    pub(crate) fn run(self) -> Result<()> {
        match self {
            Self::Echo => pump(std::io::stdin(), std::io::stdout(), 1 << 20),
            Self::Listener(at) => tokio::runtime::Runtime::new()?.block_on(listen(&at)),
            Self::PipeRelay(program) => {
                let mut echo = Command::new(program)
                    .env(VARIABLE, "echo")
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .spawn()?;
                let stdin = echo.stdin.take().context("it was asked for")?;
                let stdout = echo.stdout.take().context("it was asked for")?;
                std::thread::spawn(move || pump(std::io::stdin(), stdin, OF_SOCAT));
                pump(stdout, std::io::stdout(), OF_SOCAT)?;
                echo.wait()?;
                Ok(())
            }
            Self::SocketRelay(at, to) => {
                for host in UnixListener::bind(at)?.incoming() {
                    let (host, codex) = (host?, UnixStream::connect(&to)?);
                    let (from, into) = (codex.try_clone()?, host.try_clone()?);
                    std::thread::spawn(move || {
                        pump(&from, &into, OF_SOCAT)?;
                        Ok::<_, anyhow::Error>(into.shutdown(Shutdown::Write)?)
                    });
                    std::thread::spawn(move || {
                        pump(&host, &codex, OF_SOCAT)?;
                        Ok::<_, anyhow::Error>(codex.shutdown(Shutdown::Write)?)
                    });
                }
                Ok(())
            }
        }
    }
}

fn pump(mut from: impl Read, mut to: impl Write, size: usize) -> Result<()> {
    let mut buffer = vec![0; size];
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..read])?;
        to.flush()?;
    }
}

/// Sends back what hosts say.
async fn listen(at: &Path) -> Result<()> {
    let address = ListenAddress::Unix(Some(at.to_owned()));
    let mut listener = Listener::bind(&address, at, None, None).await?;
    loop {
        let mut host = listener.accept().await;
        tokio::spawn(async move {
            while let Some(frames) = host.reader.next().await {
                for frame in frames {
                    host.writer.send(frame.into_bytes());
                }
                host.writer.room().await;
            }
        });
    }
}

fn has_socat() -> bool {
    let mut asked = Command::new("socat");
    let asked = asked.arg("-V").stdout(Stdio::null()).stderr(Stdio::null());
    asked.status().is_ok_and(|status| status.success())
}

/// What ours is held against.
pub(crate) fn beside() -> &'static str {
    match has_socat() {
        true => "socat",
        false => "a relay that moves 8 kB at a time, as socat does (there is no socat here)",
    }
}

/// What relays between its stdio and this program, which is told to be an echo. `socat` reaches it by a socket pair, its
/// default: by pipes it stands still for ever where both directions are full.
pub(crate) fn pipe_relay(echo: &Path) -> Result<Command> {
    if has_socat() {
        let mut socat = Command::new("socat");
        socat.arg("-").arg(format!("EXEC:{}", echo.display()));
        return Ok(socat);
    }
    let mut relay = Command::new(std::env::current_exe()?);
    Role::PipeRelay(echo.to_owned()).told_to(&mut relay);
    Ok(relay)
}

/// What relays hosts that come to one socket to another.
pub(crate) fn socket_relay(at: &Path, to: &Path) -> Result<Command> {
    if has_socat() {
        let mut socat = Command::new("socat");
        socat.arg(format!("UNIX-LISTEN:{},fork", at.display()));
        socat.arg(format!("UNIX-CONNECT:{}", to.display()));
        return Ok(socat);
    }
    let mut relay = Command::new(std::env::current_exe()?);
    Role::SocketRelay(at.to_owned(), to.to_owned()).told_to(&mut relay);
    Ok(relay)
}
