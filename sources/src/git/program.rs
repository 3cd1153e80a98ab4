//! The `git` program, and what it is told so that it does nothing of its own accord.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use url::Url;

use super::bytes_in;
use crate::address;
use crate::context::FetchContext;
use crate::error::{FetchError, FetchErrorKind};
use crate::process::{self, Output};
use crate::redact;

/// In an error's `items`: git was led elsewhere.
pub(super) const REDIRECTED: &str = "redirected";

/// Said to git at each call. The user's own settings count otherwise: who logs in where, which proxy there is.
const SETTINGS: [&str; 9] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.alternateRefsCommand=",
    "fetch.recurseSubmodules=false",
    "fetch.uriProtocols=",
    "transfer.bundleURI=false",
    "http.followRedirects=false",
    "gc.auto=0",
    "maintenance.auto=false",
];

/// What of the environment git may see of its own variables: how it logs in and finds its settings. The others lead it
/// to another repository, run programs or write down what it says to whom.
const KEPT: [&str; 12] = [
    "GIT_ASKPASS",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_SYSTEM",
    "GIT_EXEC_PATH",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSH_VARIANT",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "GIT_SSL_CERT",
    "GIT_SSL_KEY",
];

/// Git, for one repository.
pub(super) struct Git {
    url: String,
    /// The folder it works in.
    folder: PathBuf,
    /// The transports that it may use, `:` between them.
    transports: &'static str,
    /// How it calls ssh, where the user has not said.
    ssh: Option<&'static str>,
}

impl Git {
    pub(super) fn new(folder: &Path, url: &str, cx: &FetchContext<'_>) -> Result<Self, FetchError> {
        let parsed = Url::parse(url).ok();
        let mut git = Self {
            url: url.to_owned(),
            folder: folder.to_owned(),
            transports: match parsed.as_ref().map(Url::scheme) {
                Some("file") => "file",
                Some("http") => "http",
                _ => "https:ssh",
            },
            ssh: None,
        };
        let is_said = ["GIT_SSH", "GIT_SSH_COMMAND"]
            .iter()
            .any(|name| std::env::var_os(name).is_some());
        // A question of ssh's would stop a program that has no terminal, for good.
        if git.transports == "https:ssh" && !is_said {
            let own = git.command(&["config", "--get", "core.sshCommand"]);
            let own = process::run(&mut { own }, 4096, cx, &|_| Ok(()))?;
            git.ssh = (!own.success).then_some("ssh -oBatchMode=yes");
        }
        Ok(git)
    }

    /// The address, for people.
    pub(super) fn shown(&self) -> String {
        address::shown(&self.url)
    }

    fn repository(&self) -> PathBuf {
        self.folder.join("repository")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("GIT_") && !KEPT.contains(&&*text) {
                command.env_remove(&name);
            }
        }
        command
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ALLOW_PROTOCOL", self.transports)
            .env("GIT_LFS_SKIP_SMUDGE", "1")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_CEILING_DIRECTORIES", &self.folder)
            .env("LC_ALL", "C")
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        if let Some(ssh) = self.ssh {
            command.env("GIT_SSH_COMMAND", ssh);
        }
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        if self.repository().exists() {
            command.env("GIT_DIR", self.repository());
        }
        command.args(words);
        command
    }

    /// Makes the repository.
    pub(super) fn init(&self, is_sha256: bool, cx: &FetchContext<'_>) -> Result<(), FetchError> {
        let format = match is_sha256 {
            true => "--object-format=sha256",
            false => "--object-format=sha1",
        };
        let mut words = vec!["init", "--quiet", "--bare", "--template=", format];
        let repository = self.repository();
        let repository = repository.to_string_lossy();
        words.push(&repository);
        self.run(&words, 1 << 16, cx).map(drop)
    }

    /// Gets commits; `false` if git could not.
    pub(super) fn fetch(
        &self,
        options: &[&str],
        names: &[&str],
        cx: &FetchContext<'_>,
    ) -> Result<bool, FetchError> {
        let fixed = [
            "fetch",
            "--progress",
            "--no-tags",
            "--no-recurse-submodules",
        ];
        let words: Vec<&str> = fixed
            .iter()
            .chain(options)
            .chain(&["--", self.url.as_str()])
            .chain(names)
            .copied()
            .collect();
        let packs = self.repository().join("objects/pack");
        let pulse = |line: &str| {
            let bytes = bytes_in(&packs);
            cx.tell(&address::escaped(line), Some(bytes), None);
            match bytes > cx.limits.transfer {
                true => Err(FetchError::new(
                    FetchErrorKind::TooLarge,
                    format!(
                        "`{}` has more than {} bytes",
                        self.shown(),
                        cx.limits.transfer
                    ),
                    "take an archive of the part that is needed",
                )),
                false => Ok(()),
            }
        };
        let output = process::run(&mut self.command(&words), 1 << 16, cx, &pulse)?;
        Ok(output.success)
    }

    /// Runs git, and gives what it says.
    pub(super) fn run(
        &self,
        words: &[&str],
        most: u64,
        cx: &FetchContext<'_>,
    ) -> Result<Vec<u8>, FetchError> {
        let output = process::run(&mut self.command(words), most, cx, &|_| Ok(()))?;
        self.checked(output)
    }

    /// Runs git, which reads `input`, and gives what it says.
    pub(super) fn run_with(
        &self,
        words: &[&str],
        input: File,
        most: u64,
        cx: &FetchContext<'_>,
    ) -> Result<Vec<u8>, FetchError> {
        let mut command = self.command(words);
        command.stdin(Stdio::from(input));
        let output = process::run(&mut command, most, cx, &|_| Ok(()))?;
        self.checked(output)
    }

    /// Asks the other side for the names that it has.
    pub(super) fn ls_remote(
        &self,
        names: &[&str],
        cx: &FetchContext<'_>,
    ) -> Result<Vec<u8>, FetchError> {
        let fixed = ["ls-remote", "--symref", "--", self.url.as_str()];
        let words: Vec<&str> = fixed.iter().chain(names).copied().collect();
        self.run(&words, 64 << 20, cx)
    }

    fn checked(&self, output: Output) -> Result<Vec<u8>, FetchError> {
        match output.success {
            true => Ok(output.stdout),
            false => Err(self.failed(&output.stderr)),
        }
    }

    /// What git said, as an error.
    fn failed(&self, said: &str) -> FetchError {
        let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
        let place = self.shown();
        let error = |kind, message: String, hint: &str| FetchError::new(kind, message, hint);
        if ["301", "302", "303", "307", "308"]
            .iter()
            .any(|status| said.contains(&format!("returned error: {status}")))
        {
            return error(
                FetchErrorKind::Unreachable,
                format!("`{place}` leads elsewhere"),
                "name the repository by the address it has now",
            )
            .with_items(vec![REDIRECTED.to_owned()]);
        }
        if has(&["dubious ownership"]) {
            return error(
                FetchErrorKind::Refused,
                format!("`{place}` belongs to another user: git does not read it"),
                "if you trust that user, allow it with `git config --global --add safe.directory FOLDER`",
            );
        }
        if has(&["Host key verification failed"]) {
            return error(
                FetchErrorKind::Unreachable,
                format!("the host of `{place}` is not known to ssh"),
                "connect to it with ssh once, and look at its key",
            );
        }
        if has(&[
            "could not read Username",
            "could not read Password",
            "Authentication failed",
            "terminal prompts disabled",
            "Permission denied (",
            "returned error: 401",
            "returned error: 403",
        ]) {
            return error(
                FetchErrorKind::NotFound,
                format!("`{place}` is not there, or not for everybody"),
                "look whether it is spelled right; if it is private, let git log in there by itself (a credential helper, an ssh key)",
            );
        }
        if has(&[
            "not found",
            "does not exist",
            "does not appear to be a git repository",
            "returned error: 404",
        ]) {
            return error(
                FetchErrorKind::NotFound,
                format!("there is no git repository at `{place}`"),
                "look whether it is spelled right, and whether it is private",
            );
        }
        if has(&[
            "Could not resolve host",
            "Failed to connect",
            "Couldn't connect",
            "Connection",
            "timed out",
            "unable to access",
        ]) {
            return error(
                FetchErrorKind::Unreachable,
                format!("`{place}` can't be reached: {}", last_words(said)),
                "look whether this machine is online and the host is spelled right",
            );
        }
        error(
            FetchErrorKind::Unreachable,
            format!("git can't read `{place}`: {}", last_words(said)),
            "look whether `git ls-remote` can; `git --version` has to be 2.28 or newer",
        )
    }
}

/// The last thing that git said of what went wrong.
fn last_words(said: &str) -> String {
    let mut lines = said.lines().map(str::trim);
    let told = lines.rfind(|line| line.starts_with("fatal:") || line.starts_with("error:"));
    let told = told.unwrap_or_else(|| said.trim());
    redact::command(&told.chars().take(300).collect::<String>())
}
