//! Places to fetch from, and somebody who fetches.

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use codex_loadout_sources::{
    AddOptions, FetchContext, FetchError, Fetched, Gate, Limits, Origin, Progress, Source, fetch,
    parse,
};
use url::Url;

/// A gate that writes down what it is asked, and refuses what has a word in it.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) said: RefCell<Vec<String>>,
    pub(crate) forbidden: Option<&'static str>,
}

impl Asked {
    fn answer(&self, what: String) -> Result<(), String> {
        let is_forbidden = self.forbidden.is_some_and(|word| what.contains(word));
        self.said.borrow_mut().push(what);
        match is_forbidden {
            true => Err("the rule".to_owned()),
            false => Ok(()),
        }
    }
}

impl Gate for Asked {
    fn allows(&self, source: &Source) -> Result<(), String> {
        self.answer(source.to_string())
    }

    fn allows_redirect(&self, url: &Url) -> Result<(), String> {
        self.answer(format!("→ {url}"))
    }
}

type OnProgress = Box<dyn Fn(&Progress<'_>, &AtomicBool)>;

/// A folder with room for places and for what fetching needs.
pub(crate) struct Machine {
    folder: tempfile::TempDir,
    pub(crate) limits: Limits,
    pub(crate) gate: Asked,
    pub(crate) cancel: AtomicBool,
    pub(crate) time: Duration,
    pub(crate) registry: Option<String>,
    /// Called at each progress.
    pub(crate) on_progress: OnProgress,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("scratch")).unwrap();
        Self {
            folder,
            limits: Limits::default(),
            gate: Asked::default(),
            cancel: AtomicBool::new(false),
            time: Duration::from_secs(60),
            registry: None,
            on_progress: Box::new(|_, _| ()),
        }
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Runs git in a folder, with nobody's settings.
    pub(crate) fn git(&self, folder: &str, words: &[&str]) -> String {
        let mut command = Command::new("git");
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
            command.env_remove(name);
        }
        let output = command
            .args([
                "-c",
                "protocol.file.allow=always",
                "-c",
                "commit.gpgSign=false",
            ])
            .args(words)
            .current_dir(self.at(folder))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .envs(["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"].map(|name| (name, "A")))
            .envs(["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"].map(|name| (name, "a@example.com")))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Makes a repository of what a folder holds; gives its commit.
    pub(crate) fn repository(&self, folder: &str) -> String {
        fs::create_dir_all(self.at(folder)).unwrap();
        self.git(folder, &["init", "-q", "-b", "main"]);
        self.commit(folder)
    }

    pub(crate) fn commit(&self, folder: &str) -> String {
        self.git(folder, &["add", "-A"]);
        self.git(folder, &["commit", "-q", "--allow-empty", "-m", "x"]);
        self.git(folder, &["rev-parse", "HEAD"])
    }

    /// Fetches what a user writes: `text --option value …`; `AT` in it is the machine's folder.
    pub(crate) fn fetch(&self, line: &str) -> Result<Fetched, FetchError> {
        self.fetch_origin(&self.origin(line))
    }

    pub(crate) fn origin(&self, line: &str) -> Origin {
        let folder = self.folder.path().to_string_lossy();
        // The folder's own name is made up at random, and may have these letters in it.
        let line = match line.contains(&*folder) {
            true => line.to_owned(),
            false => line.replace("AT", &folder),
        };
        let mut words = line.split(' ');
        let text = words.next().unwrap();
        let mut options = AddOptions::default();
        while let Some(option) = words.next() {
            let value = words.next().map(str::to_owned);
            match option {
                "--ref" => options.reference = value,
                "--path" => options.path = value,
                "--plugin" => options.plugin = value,
                "--sha256" => options.sha256 = value,
                other => panic!("{other}"),
            }
        }
        parse(text, &options, self.folder.path()).unwrap()
    }

    pub(crate) fn fetch_origin(&self, origin: &Origin) -> Result<Fetched, FetchError> {
        let scratch = self.at("scratch");
        let fetched = fetch(
            origin,
            &FetchContext {
                scratch: &scratch,
                limits: self.limits,
                gate: &self.gate,
                progress: &|progress| (self.on_progress)(&progress, &self.cancel),
                cancel: &self.cancel,
                deadline: Instant::now() + self.time,
                npm_registry: self.registry.as_deref(),
            },
        );
        let left: Vec<_> = fs::read_dir(&scratch).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
        fetched
    }

    /// What the gate was asked, the machine's folder as `AT`.
    pub(crate) fn asked(&self) -> Vec<String> {
        let folder = self.folder.path().to_string_lossy().into_owned();
        let said = self.gate.said.borrow();
        said.iter().map(|it| it.replace(&folder, "AT")).collect()
    }
}

/// The paths of what was fetched, in one line.
pub(crate) fn paths(fetched: &Fetched) -> String {
    let paths: Vec<&str> = fetched.tree.iter().map(|(path, _)| path).collect();
    paths.join(" ")
}

/// What a server answers.
#[derive(Clone)]
pub(crate) enum Answer {
    /// This content.
    Content(Vec<u8>),
    /// Look there.
    Redirect(String),
    /// This status, and nothing else.
    Status(u16),
    /// A head that promises more than comes, and then nothing.
    Stalled,
}

/// A server on loopback; it ends with the tests.
pub(crate) struct Server {
    pub(crate) address: String,
    /// Paths that were asked for.
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers by the path that is asked for, with its query.
    pub(crate) fn new(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&asked), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                std::thread::spawn(move || drop(serve(stream, &log, &*answer)));
            }
        });
        Self { address, asked }
    }

    /// Serves the files of a folder.
    pub(crate) fn of_folder(folder: PathBuf) -> Self {
        Self::new(move |path| file_of(&folder, path))
    }
}

pub(crate) fn file_of(folder: &Path, path: &str) -> Answer {
    let path = path.split('?').next().unwrap_or_default();
    match fs::read(folder.join(path.trim_start_matches('/'))) {
        Ok(content) => Answer::Content(content),
        Err(_) => Answer::Status(404),
    }
}

fn serve(
    mut stream: TcpStream,
    log: &Mutex<Vec<String>>,
    answer: &dyn Fn(&str) -> Answer,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    log.lock().unwrap().push(path.clone());
    let mut head = |status: u16, more: String| {
        write!(
            stream,
            "HTTP/1.1 {status} x\r\nconnection: close\r\n{more}\r\n"
        )
    };
    match answer(&path) {
        Answer::Content(content) => {
            head(200, format!("content-length: {}\r\n", content.len()))?;
            stream.write_all(&content)
        }
        Answer::Redirect(to) => head(302, format!("location: {to}\r\ncontent-length: 0\r\n")),
        Answer::Status(status) => head(status, "content-length: 0\r\n".to_owned()),
        Answer::Stalled => {
            head(200, "content-length: 1000\r\n".to_owned())?;
            stream.write_all(b"begun")?;
            // Until the other side goes.
            std::io::copy(&mut stream, &mut std::io::sink()).map(drop)
        }
    }
}
