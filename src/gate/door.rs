//! Where the hook asks: a socket that only this user can reach.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

use super::VERB;
use super::question::{Question, Verdict};
use crate::settings::private_folder;

/// Longest path of a socket, in bytes: macOS takes 103, Linux 107.
const LONGEST_PATH: usize = 100;

/// When nobody can be let in, as where too many files are open, it is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// The proxy's side. It is opened when the first thread needs it.
#[derive(Debug)]
pub struct Door {
    /// This program, where it was when it began: an update may take it from there.
    program: io::Result<PathBuf>,
    folder: PathBuf,
    questions: mpsc::UnboundedSender<Question>,
    open: OnceLock<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    socket: PathBuf,
    command: String,
}

impl Door {
    /// A door of a state folder, and what is asked at it.
    #[must_use]
    pub fn new(state_home: &Path) -> (Self, mpsc::UnboundedReceiver<Question>) {
        let (questions, asked) = mpsc::unbounded_channel();
        let door = Self {
            program: std::env::current_exe(),
            folder: state_home.join("doors"),
            questions,
            open: OnceLock::new(),
        };
        (door, asked)
    }

    /// The command by which a hook asks here; `None` if there can be no door on this machine.
    ///
    /// Takes a runtime to be called in.
    pub fn command(&self) -> Option<&str> {
        let open = self.open.get_or_init(|| match self.open() {
            Ok(open) => Some(open),
            Err(error) => {
                tracing::warn!(%error, "turns go on without the gate");
                None
            }
        });
        open.as_ref().map(|open| open.command.as_str())
    }

    fn open(&self) -> io::Result<Open> {
        let name = uuid::Uuid::new_v4().simple().to_string();
        let socket = match self.folder.join(&name[..8]) {
            socket if socket.as_os_str().len() <= LONGEST_PATH => {
                private_folder(&self.folder)?;
                sweep(&self.folder);
                socket
            }
            _ => {
                let folder = std::env::temp_dir().join(format!("codex-loadout-{name}"));
                private_folder(&folder)?;
                folder.join("door")
            }
        };
        let listener = UnixListener::bind(&socket)?;
        let questions = self.questions.clone();
        tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        tokio::spawn(attend(stream, questions.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "who asks at the gate has to wait");
                        tokio::time::sleep(AGAIN_AFTER).await;
                    }
                }
            }
        });
        let program = self
            .program
            .as_ref()
            .map_err(|error| io::Error::new(error.kind(), error.to_string()))?;
        let command = format!("{} {VERB} {}", quoted(program), quoted(&socket));
        Ok(Open { socket, command })
    }

    /// Removes what the door left on disk.
    pub fn close(&self) {
        if let Some(Some(open)) = self.open.get() {
            // Nothing is lost if it stays.
            let _ = fs::remove_file(&open.socket);
            if let Some(folder) = open.socket.parent().filter(|folder| *folder != self.folder) {
                let _ = fs::remove_dir(folder);
            }
        }
    }
}

/// Removes the doors of proxies that were killed: nobody listens there.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let refused = std::os::unix::net::UnixStream::connect(entry.path())
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        if refused {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// One question: a line of JSON, answered by another.
async fn attend(stream: UnixStream, questions: mpsc::UnboundedSender<Question>) {
    let (input, mut output) = stream.into_split();
    let mut line = String::new();
    let verdict = match BufReader::new(input).read_line(&mut line).await {
        Ok(_) => match serde_json::from_str(&line) {
            Ok(told) => {
                let (answer, answered) = oneshot::channel();
                let question = Question::new(told, answer);
                match questions.send(question) {
                    Ok(()) => answered.await.unwrap_or(Verdict::Hold),
                    Err(_) => Verdict::Hold,
                }
            }
            Err(error) => {
                tracing::warn!(%error, "what was asked at the gate can't be read");
                Verdict::Hold
            }
        },
        Err(_) => return,
    };
    if let Ok(answer) = serde_json::to_string(&verdict) {
        // Codex may have given the hook up.
        let _ = output.write_all(answer.as_bytes()).await;
    }
}

/// As a word of the shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::ask::put;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_asked_is_answered_and_a_question_that_is_dropped_is_held() {
        let home = tempfile::tempdir().unwrap();
        let (door, mut questions) = Door::new(home.path());
        let command = door.command().unwrap().to_owned();
        assert_eq!(door.command(), Some(command.as_str()));
        let socket = command.rsplit('\'').nth(1).unwrap().to_owned();
        let asked = |text: &'static str| {
            let socket = socket.clone();
            tokio::task::spawn_blocking(move || {
                let told = serde_json::from_str(text)?;
                put(Path::new(&socket), &told)
            })
        };
        let told = r#"{"session_id":"s","turn_id":"t","transcript_path":null,"prompt":"secret"}"#;
        for verdict in [Verdict::Go, Verdict::Hold] {
            let answer = asked(told);
            let question = questions.recv().await.unwrap();
            assert_eq!(
                (question.thread.as_str(), question.turn.as_str()),
                ("s", "t")
            );
            question.answer(verdict);
            assert_eq!(answer.await.unwrap().unwrap(), verdict);
        }
        let dropped = asked(told);
        drop(questions.recv().await);
        assert_eq!(dropped.await.unwrap().unwrap(), Verdict::Hold);
        assert!(asked("garbage").await.unwrap().is_err());
        door.close();
        assert!(asked(told).await.unwrap().is_err(), "nobody is there");
    }

    #[tokio::test]
    async fn a_door_that_nobody_stands_behind_is_swept_away() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join("doors").join(name);
        private_folder(&home.path().join("doors")).unwrap();
        drop(std::os::unix::net::UnixListener::bind(at("dead")).unwrap());
        let _living = std::os::unix::net::UnixListener::bind(at("living")).unwrap();
        let (door, _questions) = Door::new(home.path());
        assert!(door.command().is_some());
        assert!(at("living").exists() && !at("dead").exists());
        door.close();
        assert_eq!(fs::read_dir(home.path().join("doors")).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_state_folder_far_down_has_its_door_elsewhere() {
        let home = tempfile::tempdir().unwrap();
        let (door, _questions) = Door::new(&home.path().join("x".repeat(100)));
        let command = door.command().unwrap().to_owned();
        let socket = PathBuf::from(command.rsplit('\'').nth(1).unwrap());
        assert!(socket.exists() && !socket.starts_with(home.path()));
        door.close();
        assert!(!socket.parent().unwrap().exists());
    }

    #[test]
    fn a_path_is_one_word_of_the_shell() {
        assert_eq!(quoted(Path::new("/a b/it's")), r"'/a b/it'\''s'");
    }
}
