//! `mcpServerStatus/list`: which servers there are, and which tools they have.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::wire::Frame;

/// The method.
pub const LIST: &str = "mcpServerStatus/list";

/// The answer.
#[derive(Debug, Deserialize)]
pub struct ServerList {
    /// A page of the servers.
    pub data: Vec<ListedServer>,
}

/// What Codex tells of a server.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedServer {
    /// Its name.
    pub name: String,
    /// The id of the plugin that brings it.
    pub plugin_id: Option<String>,
    /// Its tools by name.
    tools: BTreeMap<String, IgnoredAny>,
    /// What Codex has it instead of the tools for.
    tools_error: Option<IgnoredAny>,
}

impl ListedServer {
    /// The names of its tools, if it told them.
    #[must_use]
    pub fn tools(self) -> Option<BTreeSet<String>> {
        let told = self.tools_error.is_none();
        told.then(|| self.tools.into_keys().collect())
    }
}

/// The servers of an answer; `None`: it is a refusal.
#[must_use]
pub fn listed(answer: &Frame) -> Option<Vec<ListedServer>> {
    #[derive(Deserialize)]
    struct Message {
        result: ServerList,
    }
    let message: Message = serde_json::from_slice(answer.bytes()).ok()?;
    Some(message.result.data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn what_codex_0_169_tells() {
        let server = |rest: &str| {
            let text = format!(
                r#"{{"id":3,"result":{{"data":[{{"name":"notes","runtimeStatus":null,"pluginId":null,"tools":{{"search":{{"name":"search"}}}},{rest}"authStatus":"unsupported"}}],"nextCursor":null}}}}"#
            );
            let frame = Frame::new(Bytes::from(text));
            listed(&frame).unwrap().remove(0)
        };
        let notes = server(r#""toolsError":null,"#);
        assert_eq!((notes.name.as_str(), &notes.plugin_id), ("notes", &None));
        assert_eq!(notes.tools(), Some(BTreeSet::from(["search".to_owned()])));
        assert_eq!(server("").tools().map(|tools| tools.len()), Some(1));
        assert_eq!(server(r#""toolsError":{"message":"x"},"#).tools(), None);
        let refusal = Frame::new(Bytes::from_static(
            br#"{"id":3,"error":{"code":-1,"message":"x"}}"#,
        ));
        assert!(listed(&refusal).is_none());
    }
}
