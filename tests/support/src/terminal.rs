//! A program in a terminal, as a user has it before them.

use std::io::{Read, Write};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// What a terminal says of itself when it is asked: where its cursor is, what it is, and its colours.
const ANSWERS: [(&[u8], &[u8]); 4] = [
    (b"\x1b[6n", b"\x1b[1;1R"),
    (b"\x1b[c", b"\x1b[?1;2c"),
    (b"\x1b]10;?", b"\x1b]10;rgb:ffff/ffff/ffff\x1b\\"),
    (b"\x1b]11;?", b"\x1b]11;rgb:0000/0000/0000\x1b\\"),
];

/// A running program and its terminal. It is killed when this is dropped.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    keyboard: Arc<Mutex<Box<dyn Write + Send>>>,
    output: Arc<Mutex<Vec<u8>>>,
    _master: Box<dyn MasterPty + Send>,
}

impl Terminal {
    /// Starts a command in a terminal of its own.
    ///
    /// # Errors
    /// If there is no terminal to be had, or the command can't be started.
    pub fn spawn(command: &Command) -> Result<Self> {
        let size = PtySize {
            rows: 40,
            cols: 120,
            ..PtySize::default()
        };
        let pair = native_pty_system().openpty(size)?;
        let mut builder = CommandBuilder::new(command.get_program());
        builder.env_clear();
        builder.args(command.get_args());
        for (name, value) in command.get_envs() {
            builder.env(name, value.unwrap_or_default());
        }
        builder.env("TERM", "xterm-256color");
        let folder = command.get_current_dir().context("no folder")?;
        builder.cwd(folder);
        let child = pair.slave.spawn_command(builder)?;
        let mut reader = pair.master.try_clone_reader()?;
        let keyboard = Arc::new(Mutex::new(pair.master.take_writer()?));
        let output = Arc::<Mutex<Vec<u8>>>::default();
        let (answering, seen) = (keyboard.clone(), output.clone());
        thread::spawn(move || {
            let mut bytes = [0; 16 * 1024];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                let said = &bytes[..count];
                for (question, answer) in ANSWERS {
                    if said.windows(question.len()).any(|part| part == question) {
                        let mut keyboard = answering.lock().unwrap_or_else(PoisonError::into_inner);
                        let _ = keyboard.write_all(answer);
                    }
                }
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.extend_from_slice(said);
            }
        });
        Ok(Self {
            child,
            keyboard,
            output,
            _master: pair.master,
        })
    }

    /// Everything that was written to it, without its control sequences.
    #[must_use]
    pub fn text(&self) -> String {
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        without_controls(&String::from_utf8_lossy(&output))
    }

    /// Waits until a text was written.
    ///
    /// # Errors
    /// If it was not within this time; says what was.
    pub fn wait_for(&self, text: &str, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        while !self.text().contains(text) {
            if Instant::now() > deadline {
                bail!("`{text}` never came: {}", self.text());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Presses keys.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub fn press(&self, keys: &str) -> Result<()> {
        let mut keyboard = self.keyboard.lock().unwrap_or_else(PoisonError::into_inner);
        keyboard.write_all(keys.as_bytes())?;
        Ok(keyboard.flush()?)
    }

    /// Waits until the program has ended; gives its exit code.
    ///
    /// # Errors
    /// If it does not end within this time.
    pub fn ended_within(&mut self, within: Duration) -> Result<u32> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.exit_code());
            }
            if Instant::now() > deadline {
                return Err(anyhow!("it goes on: {}", self.text()));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// A text without what moves the cursor and sets colours; each such sequence counts as nothing.
fn without_controls(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        if next != '\x1b' {
            plain.push(next);
            continue;
        }
        match rest.next() {
            Some('[') => while rest.next().is_some_and(|part| !part.is_ascii_alphabetic()) {},
            Some(']') => {
                while rest
                    .next()
                    .is_some_and(|part| part != '\x07' && part != '\\')
                {}
            }
            _ => {}
        }
    }
    plain
}
