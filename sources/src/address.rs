//! Addresses: what of them may be shown, and which are no danger by themselves.

use url::{Host, Url};

/// A text of somebody else's as a terminal may show it: whatever it would obey or can't show is escaped.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Characters that act on a terminal, or on the order in which a line is read.
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// An address without its query and its fragment; a path is left as it is.
pub(crate) fn without_query(location: &str) -> String {
    let end = match location.contains("://") {
        true => location.find(['?', '#']).unwrap_or(location.len()),
        false => location.len(),
    };
    location.get(..end).unwrap_or_default().to_owned()
}

/// An address as it is shown: a query is only said to be there, and so is who it is fetched as.
pub(crate) fn shown(location: &str) -> String {
    let mut shown = escaped(&without_query(location));
    if without_query(location).len() < location.len() {
        shown.push_str("?…");
    }
    if let Some((scheme, rest)) = shown.split_once("://") {
        let host_end = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(host_end);
        if let Some((user, host)) = authority.rsplit_once('@')
            && (user.contains(':') || scheme != "ssh")
        {
            return format!("{scheme}://…@{host}{path}");
        }
    }
    shown
}

/// [`shown`] of a URL.
pub(crate) fn shown_url(url: &Url) -> String {
    shown(url.as_str())
}

/// Whether an address leads to this machine, by what it says and not by what a name server says.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Why an address is not fetched from, whoever names it; `None` if it may be.
pub(crate) fn refusal(url: &Url) -> Option<(&'static str, &'static str)> {
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(url) => {}
        "http" => {
            return Some((
                "is not encrypted: whoever is on the way can put other files in place of these",
                "use https; plain http is for addresses of this machine only",
            ));
        }
        _ => {
            return Some((
                "is no https address",
                "use https, or name a file or folder of this machine by its path",
            ));
        }
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some((
            "has a user name or password in it, which would be recorded",
            "take it out; for git, let a credential helper know it (`git help credentials`)",
        ));
    }
    if url.host().is_none() {
        return Some(("names no host", "write it as https://host/path"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown() {
        for (address, expected) in [
            ("https://h/x?a=b", "https://h/x?…"),
            ("https://h/x#a", "https://h/x?…"),
            ("https://u:p@h/x", "https://…@h/x"),
            ("https://token@h/x", "https://…@h/x"),
            ("ssh://git@h/x", "ssh://git@h/x"),
            ("ssh://git:p@h/x", "ssh://…@h/x"),
            ("git@h:x", "git@h:x"),
            ("/a?b#c", "/a?b#c"),
        ] {
            assert_eq!(shown(address), expected);
        }
    }

    #[test]
    fn this_machine_is_known_by_its_address_alone() {
        for (url, loopback) in [
            ("http://127.0.0.1:1/", true),
            ("http://127.9.9.9/", true),
            ("http://[::1]/", true),
            ("http://localhost/", true),
            ("http://localhost.evil.example/", false),
            ("http://127.0.0.1.evil.example/", false),
            ("http://evil.example/?127.0.0.1", false),
            ("http://127.0.0.1@evil.example/", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), loopback, "{url}");
        }
    }
}
