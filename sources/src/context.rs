//! What fetching is given: room, limits, who is asked, who is told.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use url::Url;

use crate::address;
use crate::error::{FetchError, FetchErrorKind};
use crate::limits::Limits;
use crate::source::Source;

/// Says what may be fetched. It is asked before each step, before anything is opened or connected to: for what the
/// user named, for where a marketplace leads, for each redirect.
pub trait Gate {
    /// Whether this place may be fetched from.
    ///
    /// # Errors
    /// One sentence that says which rule forbids it.
    fn allows(&self, source: &Source) -> Result<(), String>;

    /// Whether this address may be fetched from, to which an allowed place leads: by a redirect, or as an npm
    /// registry names the file of a package.
    ///
    /// # Errors
    /// As [`Gate::allows`].
    fn allows_redirect(&self, url: &Url) -> Result<(), String>;

    /// Whether an archive's signature is wanted, to be held against those who may sign.
    fn wants_signature(&self, _source: &Source) -> bool {
        false
    }
}

/// What is going on, for whoever waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress<'a> {
    /// What is being done: `downloading`, or what git says of itself.
    pub doing: &'a str,
    /// Bytes that have come.
    pub bytes: Option<u64>,
    /// Bytes that will have come.
    pub of: Option<u64>,
}

/// What fetching is given.
pub struct FetchContext<'a> {
    /// A folder for files that are needed on the way; each is gone when the fetching ends, however it ends. Files
    /// have no names, git's folder goes with the caller's if the process is killed.
    pub scratch: &'a Path,
    /// How much is read.
    pub limits: Limits,
    /// Who is asked.
    pub gate: &'a dyn Gate,
    /// Who is told.
    pub progress: &'a dyn Fn(Progress<'_>),
    /// Set from elsewhere, it ends the fetching within a tenth of a second, and the programs that run for it.
    pub cancel: &'a AtomicBool,
    /// When it has taken too long.
    pub deadline: Instant,
    /// The npm registry of packages that name none; `None` for `https://registry.npmjs.org`.
    pub npm_registry: Option<&'a str>,
}

/// How often whoever waits looks whether it was called off.
pub(crate) const PULSE: Duration = Duration::from_millis(25);

impl FetchContext<'_> {
    /// Whether to go on.
    ///
    /// # Errors
    /// If it was called off, or has taken too long.
    pub(crate) fn go_on(&self) -> Result<(), FetchError> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(FetchError::new(
                FetchErrorKind::Cancelled,
                "it was called off",
                "nothing was kept; begin again when you like",
            ));
        }
        if Instant::now() >= self.deadline {
            return Err(FetchError::new(
                FetchErrorKind::TimedOut,
                "it took too long",
                "nothing was kept; try again, or give it more time",
            ));
        }
        Ok(())
    }

    pub(crate) fn tell(&self, doing: &str, bytes: Option<u64>, of: Option<u64>) {
        (self.progress)(Progress { doing, bytes, of });
    }

    /// Asks the gate for a place.
    pub(crate) fn ask(&self, source: &Source) -> Result<(), FetchError> {
        self.gate
            .allows(source)
            .map_err(|rule| refused(&format!("`{source}` may not be fetched from"), &rule))
    }

    /// Asks the gate for an address that `from` leads to.
    pub(crate) fn ask_redirect(&self, from: &Url, url: &Url) -> Result<(), FetchError> {
        let shown = address::shown_url(url);
        let into_this_machine = address::is_loopback(url) && !address::is_loopback(from);
        let refusal = match into_this_machine {
            true => Some(("is an address of this machine", "take another source")),
            false => address::refusal(url),
        };
        if let Some((why, hint)) = refusal {
            return Err(FetchError::new(
                FetchErrorKind::Unsafe,
                format!(
                    "`{}` leads to `{shown}`, which {why}",
                    address::shown_url(from)
                ),
                hint,
            ));
        }
        let what = format!(
            "`{}` leads to `{shown}`, which may not be fetched from",
            address::shown_url(from)
        );
        self.gate
            .allows_redirect(url)
            .map_err(|rule| refused(&what, &rule))
    }
}

fn refused(what: &str, rule: &str) -> FetchError {
    FetchError::new(
        FetchErrorKind::Refused,
        format!("{what}: {rule}"),
        "the policy file says what may be fetched; whoever keeps it can allow this",
    )
}
