//! `initialize`: what the host may use, and which Codex answers.

use std::path::PathBuf;

use serde::Deserialize;

use crate::wire::Frame;

/// The method.
pub const METHOD: &str = "initialize";

/// What the host says of itself; nothing where it is not to be read.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct HostCapabilities {
    experimental_api: bool,
    opt_out_notification_methods: Option<Vec<String>>,
}

/// The host's own name, `clientInfo.name`.
#[must_use]
pub fn host_name(request: &Frame) -> Option<String> {
    #[derive(Deserialize)]
    struct Message {
        params: Params,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Params {
        client_info: ClientInfo,
    }
    #[derive(Deserialize)]
    struct ClientInfo {
        name: String,
    }
    let message: Message = serde_json::from_slice(request.bytes()).ok()?;
    Some(message.params.client_info.name)
}

fn capabilities(request: &Frame) -> HostCapabilities {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Message {
        params: Params,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Params {
        capabilities: Option<HostCapabilities>,
    }
    serde_json::from_slice::<Message>(request.bytes())
        .ok()
        .and_then(|message| message.params.capabilities)
        .unwrap_or_default()
}

/// Whether the host asked for experimental API. Codex counts an absent field as no.
#[must_use]
pub fn wants_experimental_api(request: &Frame) -> bool {
    capabilities(request).experimental_api
}

/// Whether the host wants no notifications with this method.
#[must_use]
pub fn opts_out_of(request: &Frame, method: &str) -> bool {
    let opted_out = capabilities(request).opt_out_notification_methods;
    opted_out.is_some_and(|methods| methods.iter().any(|opted| opted == method))
}

/// Which Codex answers, and where its home is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamInfo {
    /// Its version, for the levers.
    pub version: CodexVersion,
    /// Its `CODEX_HOME`.
    pub codex_home: PathBuf,
}

/// A Codex version, as far as levers depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CodexVersion {
    /// As in `0.169.1`: 0.
    pub major: u32,
    /// As in `0.169.1`: 169.
    pub minor: u32,
    /// As in `0.169.1`: 1.
    pub patch: u32,
}

impl CodexVersion {
    /// A version by its numbers.
    #[must_use]
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }

    /// Reads `0.169.0`, `0.170.0-alpha.3`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let numbers = text.split(['-', '+']).next()?;
        let mut numbers = numbers.split('.').map(str::parse);
        let version = Self::new(
            numbers.next()?.ok()?,
            numbers.next()?.ok()?,
            numbers.next()?.ok()?,
        );
        numbers.next().is_none().then_some(version)
    }
}

impl std::fmt::Display for CodexVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// Reads Codex's answer. Its version stands in `userAgent`, behind the host's own
/// name: `my_ide/0.169.0 (Debian 12.0.0; x86_64) …` (Codex 0.144 to 0.169).
#[must_use]
pub fn upstream_info(response: &Frame) -> Option<UpstreamInfo> {
    #[derive(Deserialize)]
    struct Message {
        result: Answer,
    }
    serde_json::from_slice::<Message>(response.bytes())
        .ok()?
        .result
        .info()
}

/// The result of `initialize`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    user_agent: String,
    codex_home: PathBuf,
}

impl Answer {
    /// Which Codex it is; `None` if it says no version.
    #[must_use]
    pub fn info(self) -> Option<UpstreamInfo> {
        let before_system = self.user_agent.split(" (").next()?;
        let version = CodexVersion::parse(before_system.rsplit('/').next()?)?;
        Some(UpstreamInfo {
            version,
            codex_home: self.codex_home,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn experimental_api_is_what_the_host_says() {
        for (params, expected) in [
            (
                r#"{"capabilities":{"experimentalApi":true,"more":1}}"#,
                true,
            ),
            (r#"{"capabilities":{"experimentalApi":false}}"#, false),
            (r#"{"capabilities":null}"#, false),
            ("{}", false),
        ] {
            let frame = Frame::new(Bytes::from(format!(
                r#"{{"id":1,"method":"initialize","params":{params}}}"#
            )));
            assert_eq!(wants_experimental_api(&frame), expected, "{params}");
        }
    }

    #[test]
    fn a_host_opts_out_by_method() {
        let text = r#"{"id":1,"method":"initialize","params":{"capabilities":{"optOutNotificationMethods":["turn/started"]}}}"#;
        let frame = Frame::new(Bytes::from_static(text.as_bytes()));
        assert!(opts_out_of(&frame, "turn/started"));
        assert!(!opts_out_of(&frame, "turn/completed"));
        let frame = Frame::new(Bytes::from_static(br#"{"id":1,"method":"initialize"}"#));
        assert!(!opts_out_of(&frame, "turn/started"));
    }

    #[test]
    fn the_version_is_read_behind_any_host_name() {
        let info = |agent: &str| {
            upstream_info(&Frame::new(Bytes::from(format!(
                r#"{{"id":1,"result":{{"userAgent":"{agent}","codexHome":"/h/.codex","platformOs":"linux"}}}}"#
            ))))
        };
        let version = |agent| info(agent).map(|info| info.version);
        assert_eq!(
            version("lab/0.169.0 (Debian 12.0.0; x86_64) xterm (lab; 0)"),
            Some(CodexVersion::new(0, 169, 0))
        );
        assert_eq!(
            version("my/odd name/0.170.0-alpha.3 (Mac OS)"),
            Some(CodexVersion::new(0, 170, 0))
        );
        assert_eq!(version("nothing"), None);
        assert_eq!(
            info("a/0.144.1 (x)").unwrap().codex_home,
            PathBuf::from("/h/.codex")
        );
    }
}
