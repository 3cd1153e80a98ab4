//! One server's definition.

use serde_json::{Map, Value};

use crate::context::Context;
use crate::report::{Code, Finding, Location};
use crate::source::ServerSource;

/// A definition in the target's words and what was found on the way, or why there is none.
pub(super) type Converted = Result<(Map<String, Value>, Vec<Finding>), Finding>;

/// How an MCP server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// A process.
    Stdio,
    /// Streamable HTTP, or server-sent events.
    Http,
}

/// A definition under conversion.
pub struct ServerDraft<'a, 'c> {
    pub(crate) context: &'a Context<'c>,
    pub(crate) source: &'a Map<String, Value>,
    pub(crate) result: Map<String, Value>,
    findings: Vec<Finding>,
    place: Location,
}

impl ServerDraft<'_, '_> {
    /// Says something of the server. Never a value: it may be a secret.
    pub(crate) fn say(&mut self, code: Code, message: impl Into<String>) {
        let finding = self.finding(code, message);
        self.findings.push(finding);
    }

    pub(crate) fn finding(&self, code: Code, message: impl Into<String>) -> Finding {
        Finding::new(code, self.place.clone(), message)
    }
}

pub(super) fn convert(source: &ServerSource, context: &Context<'_>) -> Converted {
    let place = Location::new(&source.file, source.line);
    let refuse = |code, message: &str| Err(Finding::new(code, place.clone(), message));
    let platform = context.target.name();
    let object = match &source.definition {
        Value::Object(object) => object,
        Value::String(path) if is_package(path) => {
            let message =
                format!("It is a packed server (`.mcpb` or `.dxt`), which {platform} can't run.");
            return refuse(Code::McpTransportUnsupported, &message);
        }
        _ => {
            return refuse(
                Code::McpMalformed,
                "Its definition is not an object with `command` or `url`.",
            );
        }
    };
    let transport = match transport(object) {
        Ok(transport) => transport,
        Err((code, message)) => return refuse(code, &message.replace("{}", platform)),
    };
    let mut draft = ServerDraft {
        context,
        source: object,
        result: Map::new(),
        findings: Vec::new(),
        place,
    };
    context.target.server(&mut draft, transport)?;
    Ok((draft.result, draft.findings))
}

fn is_package(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    path.ends_with(".mcpb") || path.ends_with(".dxt")
}

/// How the server is reached: by its `type` as far as the fields for it are there, else by its fields.
fn transport(source: &Map<String, Value>) -> Result<Transport, (Code, &'static str)> {
    let has = |key: &str| source.get(key).is_some_and(|value| !value.is_null());
    let kind = source.get("type").and_then(Value::as_str).unwrap_or("");
    let is_socket = matches!(kind, "ws" | "websocket")
        || source
            .get("url")
            .and_then(Value::as_str)
            .is_some_and(|url| url.starts_with("ws:") || url.starts_with("wss:"));
    match (has("command"), has("url")) {
        (false, true) | (true, true) if is_socket && kind != "stdio" => Err((
            Code::McpTransportUnsupported,
            "It is reached by WebSocket, which {} can't do.",
        )),
        (true, false) => Ok(Transport::Stdio),
        (true, true) if matches!(kind, "http" | "sse" | "streamable-http" | "streamable_http") => {
            Ok(Transport::Http)
        }
        (true, true) => Ok(Transport::Stdio),
        (false, true) => Ok(Transport::Http),
        (false, false) => Err((
            Code::McpMalformed,
            "Its definition has neither `command` nor `url`.",
        )),
    }
}
