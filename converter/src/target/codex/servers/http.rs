//! Servers behind an address.
//!
//! Measured on Codex 0.169.0: `headers` is not sent; `http_headers` is sent as it stands;
//! `env_http_headers` and `bearer_token_env_var` read the environment. A header of `env_http_headers`
//! whose variable is not set is left out, and one of `http_headers` with the same name stands in for
//! it; a missing `bearer_token_env_var` keeps the server from starting.

use serde_json::{Map, Value, json};

use crate::components::servers::definition::ServerDraft;
use crate::components::servers::texts;
use crate::components::servers::variables::{Piece, Text};
use crate::report::{Code, Finding};

pub(super) fn convert(draft: &mut ServerDraft<'_, '_>) -> Result<(), Finding> {
    let url = address(draft)?;
    draft.result.insert("url".to_owned(), json!(url));
    if draft.source.contains_key("headersHelper") {
        return Err(draft.finding(
            Code::McpTransportUnsupported,
            "Its headers come from a program (`headersHelper`), which Codex does not run.",
        ));
    }
    if draft.source.get("type") == Some(&json!("sse")) {
        draft.say(
            Code::McpTransportUnsupported,
            "Codex has no `sse`: it tries the address with streamable HTTP, which not every such server speaks.",
        );
    }
    headers(draft);
    oauth(draft);
    Ok(())
}

fn address(draft: &mut ServerDraft<'_, '_>) -> Result<String, Finding> {
    let Some(url) = draft.source.get("url").and_then(Value::as_str) else {
        return Err(draft.finding(Code::McpMalformed, "Its `url` is not a text."));
    };
    let text = Text::of(url);
    let url = match (text.literal(), text.defaults()) {
        (Some(url), _) => url.trim().to_owned(),
        (None, Some(url)) => {
            let names: Vec<&str> = text.variables().collect();
            let message = format!(
                "Codex expands no variable in an address: the default of `{}` is used always.",
                names.join("`, `")
            );
            draft.say(Code::EnvVarUnset, message);
            url
        }
        (None, None) => {
            return Err(draft.finding(
                Code::EnvVarUnset,
                "Its address needs a variable, and Codex expands none in an address: add the server to config.toml by hand.",
            ));
        }
    };
    if url.starts_with("http://") || url.starts_with("https://") {
        Ok(url)
    } else {
        Err(draft.finding(Code::McpMalformed, "Its `url` is no web address."))
    }
}

fn headers(draft: &mut ServerDraft<'_, '_>) {
    let mut fixed: Vec<(String, String)> = Vec::new();
    let mut from_variables: Vec<(String, String)> = Vec::new();
    let mut bearer = None;
    for (name, value) in texts::text_map(draft, "headers") {
        let text = Text::of(&value);
        match text.pieces.as_slice() {
            [] | [Piece::Literal(_)] => fixed.push((name, value)),
            [
                Piece::Variable {
                    name: variable,
                    default,
                },
            ] => {
                from_variables.push((name.clone(), variable.clone()));
                if let Some(default) = default.clone().filter(|default| !default.is_empty()) {
                    fixed.push((name, default));
                }
            }
            [Piece::UserConfig { name: variable }] => {
                ask(draft, variable);
                from_variables.push((name, variable.clone()));
            }
            [Piece::Literal(scheme), variable]
                if name.eq_ignore_ascii_case("authorization") && scheme == "Bearer " =>
            {
                match variable {
                    Piece::Variable { name, default }
                        if default.as_deref().is_none_or(str::is_empty) =>
                    {
                        if default.is_some() {
                            draft.say(
                                Code::EnvVarUnset,
                                format!("Without `{name}` in Codex's environment the server does not start."),
                            );
                        }
                        bearer = Some(name.clone());
                    }
                    Piece::UserConfig { name } => {
                        ask(draft, name);
                        bearer = Some(name.clone());
                    }
                    _ => mixed(draft, name, &text, &mut fixed),
                }
            }
            _ => mixed(draft, name, &text, &mut fixed),
        }
    }
    // Codex's own fields, where the author wrote them, win.
    merge(draft, "http_headers", fixed);
    merge(draft, "env_http_headers", from_variables);
    let own = draft
        .source
        .get("bearer_token_env_var")
        .and_then(Value::as_str);
    if let Some(variable) = own.map(ToOwned::to_owned).or(bearer) {
        draft
            .result
            .insert("bearer_token_env_var".to_owned(), json!(variable));
    }
}

/// A header with text around variables: Codex sends a variable only as the whole of a header.
fn mixed(
    draft: &mut ServerDraft<'_, '_>,
    name: String,
    text: &Text,
    fixed: &mut Vec<(String, String)>,
) {
    match text.defaults() {
        Some(value) => {
            draft.say(
                Code::EnvVarUnset,
                format!("Codex expands no variable inside the header `{name}`: its default is sent always."),
            );
            fixed.push((name, value));
        }
        None => draft.say(
            Code::McpHeaderDropped,
            format!("The header `{name}` has text around a variable, which Codex can't send: set `env_http_headers` to a variable that holds the whole of it."),
        ),
    }
}

fn merge(draft: &mut ServerDraft<'_, '_>, key: &str, made: Vec<(String, String)>) {
    let own = texts::text_map(draft, key);
    let is_own = |name: &str| own.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
    let mut texts: Vec<(String, String)> =
        made.into_iter().filter(|(name, _)| !is_own(name)).collect();
    texts.extend(own);
    texts::set_map(draft, key, texts);
}

/// Nobody asks the user for a plugin's settings in Codex.
pub(super) fn ask(draft: &mut ServerDraft<'_, '_>, variable: &str) {
    draft.say(
        Code::EnvVarUnset,
        format!("Claude Code asks the user for a setting; here `{variable}` has to be in Codex's environment."),
    );
}

/// Claude's `clientId` is Codex's `client_id`; where the browser comes back to is one setting of all servers.
fn oauth(draft: &mut ServerDraft<'_, '_>) {
    let Some(Value::Object(oauth)) = draft.source.get("oauth") else {
        return;
    };
    let mut kept = Map::new();
    for (key, value) in oauth {
        match (key.as_str(), value) {
            ("clientId" | "client_id", Value::String(_)) => {
                kept.insert("client_id".to_owned(), value.clone());
            }
            ("scopes", Value::String(scopes)) => {
                let list: Vec<&str> = scopes.split_whitespace().collect();
                draft.result.insert("scopes".to_owned(), json!(list));
            }
            ("scopes", Value::Array(list)) if list.iter().all(Value::is_string) => {
                draft.result.insert("scopes".to_owned(), value.clone());
            }
            ("callbackPort", _) => draft.say(
                Code::McpFieldDropped,
                "`oauth.callbackPort` can't be set for one server: if its login asks for that port, set `mcp_oauth_callback_port` in config.toml.",
            ),
            (key, _) => draft.say(
                Code::McpFieldDropped,
                format!("`oauth.{key}` has no counterpart in Codex."),
            ),
        }
    }
    if !kept.is_empty() {
        draft.result.insert("oauth".to_owned(), Value::Object(kept));
    }
}
