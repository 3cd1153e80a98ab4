//! Programs that run for a fetch, and end with it.

use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::context::{FetchContext, PULSE};
use crate::error::{FetchError, FetchErrorKind};

/// What a program said.
pub(crate) struct Output {
    /// Whether it did what it was to do.
    pub(crate) success: bool,
    /// Its output.
    pub(crate) stdout: Vec<u8>,
    /// The end of what it said beside it.
    pub(crate) stderr: String,
}

/// So much of what is said beside the output is kept.
const STDERR: usize = 16 * 1024;

/// How long the last words of a program that has ended are waited for.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Runs a program to its end. It is the head of a process group: whatever ends the fetch ends all of that.
/// `on_pulse` is called while it runs, with the last line that it said beside its output.
///
/// # Errors
/// If it is not installed, was called off, or says more than `most` bytes.
pub(crate) fn run(
    command: &mut Command,
    most: u64,
    cx: &FetchContext<'_>,
    on_pulse: &dyn Fn(&str) -> Result<(), FetchError>,
) -> Result<Output, FetchError> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        command.process_group(0);
    }
    let child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => FetchError::new(
            FetchErrorKind::MissingProgram,
            format!("the program `{program}` is not installed"),
            format!("install {program}, or name an archive or a folder"),
        ),
        _ => FetchError::io(&format!("starting `{program}`"))(error),
    })?;
    let mut group = Group {
        child,
        is_over: false,
    };
    let (tell, told) = mpsc::channel();
    if let Some(stdout) = group.child.stdout.take() {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let read = stdout.take(most.saturating_add(1)).read_to_end(&mut bytes);
            drop(tell.send(read.map(|_| bytes)));
        });
    }
    let said = Arc::new(Mutex::new(Vec::new()));
    let (ended, end) = mpsc::channel::<()>();
    if let Some(stderr) = group.child.stderr.take() {
        let said = Arc::clone(&said);
        thread::spawn(move || {
            keep_end(stderr, &said);
            drop(ended);
        });
    }
    let stdout = loop {
        match told.recv_timeout(PULSE) {
            Ok(read) => {
                break read.map_err(FetchError::io(&format!("reading from `{program}`")))?;
            }
            Err(RecvTimeoutError::Disconnected) => break Vec::new(),
            Err(RecvTimeoutError::Timeout) => {
                cx.go_on()?;
                on_pulse(last_line(&text(&said)))?;
            }
        }
    };
    if stdout.len() as u64 > most {
        return Err(FetchError::too_large("bytes", most));
    }
    let status = loop {
        let status = group.child.try_wait();
        match status.map_err(FetchError::io(&format!("waiting for `{program}`")))? {
            Some(status) => {
                group.is_over = true;
                break status;
            }
            None => {
                cx.go_on()?;
                on_pulse(last_line(&text(&said)))?;
                thread::sleep(PULSE);
            }
        }
    };
    // What it said last may still be on its way; but a program that stays in the background may hold the way open.
    let _ = end.recv_timeout(LAST_WORDS);
    Ok(Output {
        success: status.success(),
        stdout,
        stderr: text(&said),
    })
}

/// A program and whatever it started: they end when this does.
struct Group {
    child: Child,
    /// It has ended by itself: its number may be another's by now.
    is_over: bool,
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        #[cfg(unix)]
        {
            let group = rustix::process::Pid::from_child(&self.child);
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn keep_end(mut from: impl Read, said: &Mutex<Vec<u8>>) {
    let mut chunk = [0; 4096];
    while let Ok(count) = from.read(&mut chunk) {
        let Some(new) = chunk.get(..count).filter(|new| !new.is_empty()) else {
            return;
        };
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(new);
        let too_much = said.len().saturating_sub(STDERR);
        said.drain(..too_much);
    }
}

fn text(said: &Mutex<Vec<u8>>) -> String {
    let said = said.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&said).into_owned()
}

/// Progress is said in one line again and again.
fn last_line(said: &str) -> &str {
    let mut lines = said.split(['\r', '\n']).map(str::trim);
    lines.rfind(|line| !line.is_empty()).unwrap_or_default()
}
