//! Where an address leads, read strictly: what git, an HTTP client and this file could take differently is refused.

use std::net::IpAddr;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::Source;
use crate::address::is_unsafe;

/// The registry of a package that names none.
const NPM_REGISTRY: &str = "https://registry.npmjs.org/";

/// Where a source lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// On this machine.
    Local(PathBuf),
    /// On a host.
    Remote(Address),
    /// In a registry.
    Npm {
        package: String,
        registry: Address,
        /// Whether the source names the registry itself.
        named: bool,
    },
}

/// Host and path of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// Whether the host proves who it is, or is this machine.
    pub is_authenticated: bool,
    /// Lower case, Punycode, without a dot at the end.
    pub host: String,
    /// The transport's own, if the address names none.
    pub port: u16,
    /// Whether it is the transport's own.
    pub is_usual_port: bool,
    /// The first part of the path, decoded.
    pub owner: Option<String>,
}

impl Place {
    /// Where a source lies, or why that can't be said for certain.
    pub(super) fn of(source: &Source) -> Result<Self, String> {
        match source {
            Source::Folder { path } => Ok(Self::Local(path.clone())),
            Source::Git { url, .. } => Self::of_git(url),
            Source::Archive { location, .. } if location.contains("://") => Self::of_url(location),
            Source::Archive { location, .. } => Ok(Self::Local(PathBuf::from(location))),
            Source::Npm {
                package, registry, ..
            } => Ok(Self::Npm {
                package: package.clone(),
                registry: Address::parse(registry.as_deref().unwrap_or(NPM_REGISTRY))?,
                named: registry.is_some(),
            }),
        }
    }

    /// As git reads it: an address, `user@host:path`, or a path.
    fn of_git(url: &str) -> Result<Self, String> {
        if url.contains("://") {
            return Self::of_url(url);
        }
        match url.split_once(':') {
            Some((host, path)) if !host.contains('/') => {
                Address::of_ssh(host, path).map(Self::Remote)
            }
            _ => Ok(Self::Local(PathBuf::from(url))),
        }
    }

    fn of_url(url: &str) -> Result<Self, String> {
        let scheme = url.split("://").next().unwrap_or_default();
        if scheme.eq_ignore_ascii_case("file") {
            let path = Url::parse(url).ok().and_then(|url| url.to_file_path().ok());
            return path
                .map(Self::Local)
                .ok_or_else(|| "its `file://` address names no file of this machine".to_owned());
        }
        Address::parse(url).map(Self::Remote)
    }
}

impl Address {
    /// Reads `scheme://[user@]host[:port]/path`.
    pub(super) fn parse(address: &str) -> Result<Self, String> {
        refuse_ambiguous(address)?;
        let (scheme, rest) = address
            .split_once("://")
            .ok_or("its address has no `://`")?;
        let usual_port = match &*scheme.to_ascii_lowercase() {
            "https" => 443,
            "http" => 80,
            "ssh" => 22,
            "git" => 9418,
            _ => return Err("its address is of a kind that is not known".to_owned()),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let (host, port) = host_and_port(without_user(authority)?)?;
        let is_proven = matches!(usual_port, 443 | 22);
        Ok(Self {
            is_authenticated: is_proven || is_loopback(&host),
            host,
            port: port.unwrap_or(usual_port),
            is_usual_port: port.is_none_or(|port| port == usual_port),
            owner: owner(path, true)?,
        })
    }

    /// Reads `user@host` and `path`, which git takes to ssh.
    fn of_ssh(authority: &str, path: &str) -> Result<Self, String> {
        refuse_ambiguous(authority)?;
        refuse_ambiguous(path)?;
        if path.starts_with(':') {
            return Err("its address names a program of git's, not a host".to_owned());
        }
        Ok(Self {
            is_authenticated: true,
            host: normal_host(without_user(authority)?)?,
            port: 22,
            is_usual_port: true,
            owner: owner(path, false)?,
        })
    }
}

/// Readers of addresses differ in these letters: some drop them, some take `\` for `/`.
fn refuse_ambiguous(address: &str) -> Result<(), String> {
    let is_ambiguous = |letter: char| letter.is_whitespace() || is_unsafe(letter) || letter == '\\';
    match address.contains(is_ambiguous) {
        true => {
            Err("its address has a blank, a backslash or a letter that can't be seen".to_owned())
        }
        false => Ok(()),
    }
}

/// The authority behind `user@`. Of two `@`, some readers take the first and some the last.
fn without_user(authority: &str) -> Result<&str, String> {
    match authority.split('@').collect::<Vec<_>>().as_slice() {
        [host] | [_, host] => Ok(host),
        _ => Err("its address has more than one `@` before the path".to_owned()),
    }
}

fn host_and_port(text: &str) -> Result<(String, Option<u16>), String> {
    let end_of_host = text.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match text.get(end_of_host..).and_then(|rest| rest.find(':')) {
        Some(at) => {
            let (host, port) = text.split_at(end_of_host + at);
            let digits = port.strip_prefix(':').unwrap_or(port);
            let is_number = digits.bytes().all(|digit| digit.is_ascii_digit());
            let port: Option<u16> = digits.parse().ok().filter(|_| is_number);
            (host, Some(port.ok_or("its address has no valid port")?))
        }
        None => (text, None),
    };
    Ok((normal_host(host)?, port))
}

/// A host as it is compared, or why it is not one for certain.
pub(super) fn normal_host(text: &str) -> Result<String, String> {
    let is_plain = |letter: char| {
        letter.is_ascii_alphanumeric() || "-._".contains(letter) || !letter.is_ascii()
    };
    let is_ipv6 = text.starts_with('[');
    if !is_ipv6 && (text.starts_with('-') || !text.chars().all(is_plain)) {
        return Err("its host has a letter that no host has".to_owned());
    }
    let host = Host::parse(text).map_err(|_| "its address has no valid host".to_owned())?;
    let normal = match &host {
        Host::Domain(name) => name.strip_suffix('.').unwrap_or(name).to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    if matches!(host, Host::Ipv4(_)) && normal != text {
        return Err("its host is a number that readers of addresses take differently".to_owned());
    }
    if normal.is_empty()
        || normal.starts_with('.')
        || normal.contains("..")
        || normal.ends_with('.')
    {
        return Err("its address has no valid host".to_owned());
    }
    Ok(normal)
}

fn is_loopback(host: &str) -> bool {
    let is_address = |ip: IpAddr| ip.is_loopback();
    host == "localhost" || host.parse().is_ok_and(is_address)
}

/// The first part of a path, if each part is what it seems.
fn owner(path: &str, is_encoded: bool) -> Result<Option<String>, String> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return Ok(None);
    }
    let mut owner = None;
    for part in path.split('/') {
        let part = match is_encoded {
            true => percent_decode_str(part)
                .decode_utf8()
                .map_err(|_| "its path is not UTF-8")?,
            false => part.into(),
        };
        let leads_elsewhere = matches!(&*part, "" | "." | "..");
        if leads_elsewhere || part.contains(['/', '\\', '%']) || part.chars().any(is_unsafe) {
            return Err(
                "its path has `..`, an empty part, or something that reads as another path"
                    .to_owned(),
            );
        }
        owner.get_or_insert_with(|| part.into_owned());
    }
    Ok(owner)
}
