//! Who may sign: lines as in git's `gpg.ssh.allowedSignersFile` (`man ssh-keygen`, ALLOWED SIGNERS), or public keys.

use std::fmt;
use std::time::{Duration, SystemTime};

use globset::{Glob, GlobMatcher};
use ssh_key::PublicKey;
use ssh_key::public::KeyData;

use crate::toml_text::plain;

/// A time without `Z` is one of the clock where `ssh-keygen` runs. Here it is not known which, so it is the strictest.
const FARTHEST_CLOCK: Duration = Duration::from_secs(14 * 3600);

/// The keys that are trusted, with whose they are and what they are for.
#[derive(Debug, Clone, Default)]
pub struct AllowedSigners {
    pub(super) signers: Vec<AllowedSigner>,
}

/// A line of it.
#[derive(Debug, Clone)]
pub(super) struct AllowedSigner {
    /// The principals of the line, or the comment of a public key.
    pub name: String,
    pub key: PublicKey,
    /// What the key may sign, where the line says it.
    namespaces: Option<Vec<(bool, GlobMatcher)>>,
    pub valid_after: Option<SystemTime>,
    pub valid_before: Option<SystemTime>,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SignersFault {
    /// From 1, in a file.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for SignersFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl AllowedSigners {
    /// Whether nobody may sign.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.signers.is_empty()
    }

    /// Takes in the lines of a file; empty ones and comments are none.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub fn add_all(&mut self, text: &str) -> Result<(), SignersFault> {
        for (index, line) in text.lines().enumerate() {
            let is_comment = line.trim_start().starts_with('#');
            if line.trim().is_empty() || is_comment {
                continue;
            }
            self.add(line).map_err(|fault| SignersFault {
                line: Some(index + 1),
                ..fault
            })?;
        }
        Ok(())
    }

    /// Takes in a line, `principals [options] key`, or a public key as its `.pub` file has it.
    ///
    /// # Errors
    /// The line is neither.
    pub fn add(&mut self, line: &str) -> Result<(), SignersFault> {
        let signer = AllowedSigner::parse(line.trim()).map_err(|message| SignersFault {
            line: None,
            // A parser's own words quote what it was given.
            message: plain(&message),
        })?;
        self.signers.push(signer);
        Ok(())
    }

    /// The lines that trust a key.
    pub(super) fn of_key(&self, key: &KeyData) -> impl Iterator<Item = &AllowedSigner> {
        self.signers
            .iter()
            .filter(move |signer| signer.key.key_data() == key)
    }
}

impl AllowedSigner {
    fn parse(line: &str) -> Result<Self, String> {
        if is_key_type(line) {
            let key = public_key(line)?;
            return Ok(Self {
                name: match key.comment() {
                    "" => key.fingerprint(ssh_key::HashAlg::Sha256).to_string(),
                    comment => plain(comment),
                },
                key,
                namespaces: None,
                valid_after: None,
                valid_before: None,
            });
        }
        let (principals, rest) = word(line)?;
        let (options, rest) = match is_key_type(rest) {
            true => ("", rest),
            false => word(rest)?,
        };
        let mut signer = Self {
            name: plain(&principals.replace('"', "")),
            key: public_key(rest)?,
            namespaces: None,
            valid_after: None,
            valid_before: None,
        };
        for option in split_outside_quotes(options, ',') {
            signer.take_option(option)?;
        }
        Ok(signer)
    }

    fn take_option(&mut self, option: &str) -> Result<(), String> {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let value = value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'));
        let needed = || value.ok_or_else(|| format!("`{}` needs a value in quotes", plain(name)));
        match &*name.to_ascii_lowercase() {
            "" => {}
            "namespaces" => self.namespaces = Some(patterns(needed()?)?),
            "valid-after" => self.valid_after = Some(time(needed()?, true)?),
            "valid-before" => self.valid_before = Some(time(needed()?, false)?),
            "cert-authority" => {
                return Err("certificates are not supported: name the key itself".to_owned());
            }
            _ => return Err(format!("the option `{}` is not known", plain(name))),
        }
        Ok(())
    }

    /// Whether the key may sign things of this kind.
    pub(super) fn is_for(&self, namespace: &str) -> bool {
        let Some(patterns) = &self.namespaces else {
            return true;
        };
        let mut matching = patterns
            .iter()
            .filter(|(_, pattern)| pattern.is_match(namespace))
            .peekable();
        matching.peek().is_some() && matching.all(|(is_wanted, _)| *is_wanted)
    }
}

fn is_key_type(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default();
    ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-"]
        .iter()
        .any(|begin| first.starts_with(begin))
}

fn public_key(text: &str) -> Result<PublicKey, String> {
    PublicKey::from_openssh(text)
        .map_err(|error| format!("this is no SSH public key that is supported: {error}"))
}

/// The first word, in which blanks may stand in quotes, and what follows it.
fn word(text: &str) -> Result<(&str, &str), String> {
    let mut is_quoted = false;
    for (at, letter) in text.char_indices() {
        match letter {
            '"' => is_quoted = !is_quoted,
            ' ' | '\t' if !is_quoted => return Ok((&text[..at], text[at..].trim_start())),
            _ => {}
        }
    }
    Err("a line is `principals [options] key-type key`".to_owned())
}

fn split_outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |letter| {
        is_quoted ^= letter == '"';
        letter == separator && !is_quoted
    })
}

/// A list of patterns of ssh's: `*`, `?`, and `!` before what must not match.
fn patterns(list: &str) -> Result<Vec<(bool, GlobMatcher)>, String> {
    let pattern = |text: &str| {
        let (is_wanted, text) = match text.strip_prefix('!') {
            Some(text) => (false, text),
            None => (true, text),
        };
        let escape = |letter: char| match letter {
            '*' | '?' => letter.to_string(),
            letter => globset::escape(&letter.to_string()),
        };
        let glob: String = text.chars().map(escape).collect();
        let glob = Glob::new(&glob).map_err(|error| error.kind().to_string())?;
        Ok((is_wanted, glob.compile_matcher()))
    };
    list.split(',').map(pattern).collect()
}

/// `YYYYMMDD` or `YYYYMMDDHHMM[SS]`, with `Z` for UTC.
fn time(text: &str, is_begin: bool) -> Result<SystemTime, String> {
    let wrong = || {
        format!(
            "`{}` is no time: write `20270131` or `20270131235900Z`",
            plain(text)
        )
    };
    let digits = text.strip_suffix('Z').unwrap_or(text);
    let is_whole =
        matches!(digits.len(), 8 | 12 | 14) && digits.bytes().all(|it| it.is_ascii_digit());
    if !is_whole {
        return Err(wrong());
    }
    let part = |from: usize| digits.get(from..from + 2).unwrap_or("00");
    let utc = format!(
        "{}-{}-{}T{}:{}:{}Z",
        &digits[..4],
        part(4),
        part(6),
        part(8),
        part(10),
        part(12)
    );
    let time = humantime::parse_rfc3339(&utc).map_err(|_| wrong())?;
    match (text.ends_with('Z'), is_begin) {
        (true, _) => Some(time),
        (false, true) => time.checked_add(FARTHEST_CLOCK),
        (false, false) => time.checked_sub(FARTHEST_CLOCK),
    }
    .ok_or_else(wrong)
}
