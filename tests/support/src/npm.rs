//! Programs that are installed from npm once, as a lock file in the repository says.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::workspace;

/// A program of one version, pinned in `tests/<name>/<version>` and installed under `target/<name>/<version>`.
pub(crate) struct Pinned<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    /// How large it is, for who waits for it.
    pub(crate) size: &'a str,
    /// Its executable below the folder that npm fills.
    pub(crate) executable: fn(&Path) -> Result<PathBuf>,
}

impl Pinned<'_> {
    /// Its executable, installed on first use.
    ///
    /// Several test processes may ask at once: one installs, the others wait.
    pub(crate) fn install(&self) -> Result<PathBuf> {
        let Self {
            name,
            version,
            executable,
            ..
        } = self;
        let pins = workspace::root().join("tests").join(name).join(version);
        let pinned = fs::read(pins.join("package-lock.json")).with_context(|| {
            format!("{name} {version} is not pinned: tests/{name}/{version}/package-lock.json is missing")
        })?;
        let installs = workspace::target().join(name);
        let folder = installs.join(version);
        fs::create_dir_all(&folder)?;
        let lock = File::create(installs.join(format!("{version}.lock")))?;
        lock.lock()
            .with_context(|| format!("cannot lock target/{name}"))?;
        // The lock file that npm finished with, written last: an interrupted install has none.
        let finished = folder.join("installed-lock.json");
        if fs::read(&finished).is_ok_and(|installed| installed == pinned)
            && let Ok(executable) = executable(&folder)
        {
            return Ok(executable);
        }
        for file in ["package.json", "package-lock.json"] {
            fs::copy(pins.join(file), folder.join(file))
                .with_context(|| format!("cannot copy {file} of {name} {version}"))?;
        }
        self.npm_ci(&folder)?;
        let executable = executable(&folder)?;
        fs::write(finished, pinned)?;
        Ok(executable)
    }

    #[expect(
        clippy::print_stderr,
        reason = "a first run that downloads for a minute must say so"
    )]
    fn npm_ci(&self, folder: &Path) -> Result<()> {
        let Self {
            name,
            version,
            size,
            ..
        } = self;
        eprintln!(
            "installing {name} {version} from npm into {}, about {size} once …",
            folder.display()
        );
        let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
        let output = Command::new(npm)
            .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .output()
            .context(
                "cannot run npm: install Node.js 20 or newer, which brings it (https://nodejs.org)",
            )?;
        if !output.status.success() {
            bail!(
                "npm ci of {name} {version} in {} failed ({}):\n{}",
                folder.display(),
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
        }
        eprintln!("installed {name} {version}");
        Ok(())
    }
}
