//! MCP servers, as read in 0.61.0.
//!
//! Variables of the environment are put in everywhere when the extension is loaded (`$X`, `${X}`, `${X:-default}`; one
//! that is not set stays as it is written), and so are the folders of the extension and of the project. A process does
//! not get variables whose names speak of secrets, unless its definition sets them.

use serde_json::{Map, Value, json};

use super::FOLDER;
use crate::components::servers::definition::{ServerDraft, Transport};
use crate::components::servers::variables::{Piece, Text};
use crate::components::servers::{reads, texts};
use crate::report::{Code, Finding};

/// Fields that say how a server is reached, by its transport.
const STDIO: [&str; 4] = ["command", "args", "env", "cwd"];
const HTTP: [&str; 3] = ["url", "headers", "oauth"];
/// Other fields that mean the same.
const SHARED: [&str; 4] = ["description", "includeTools", "excludeTools", "timeout"];
/// A process does not get a variable whose name has one of these in it.
const SECRET: [&str; 10] = [
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "KEY",
    "AUTH",
    "CREDENTIAL",
    "CREDS",
    "PRIVATE",
    "CERT",
];

pub(super) fn convert(
    draft: &mut ServerDraft<'_, '_>,
    transport: Transport,
) -> Result<(), Finding> {
    match transport {
        Transport::Stdio => stdio(draft)?,
        Transport::Http => http(draft)?,
    }
    let (read, foreign): (&[&str], &[&str]) = match transport {
        Transport::Stdio => (&STDIO, &HTTP),
        Transport::Http => (&HTTP, &STDIO),
    };
    for (key, value) in draft.source {
        let key = key.as_str();
        if value.is_null() || key == "type" || read.contains(&key) {
            continue;
        }
        if SHARED.contains(&key) {
            draft.result.insert(key.to_owned(), value.clone());
        } else if foreign.contains(&key) {
            let message = format!("`{key}` means nothing to a server that is reached this way.");
            draft.say(Code::McpFieldDropped, message);
        } else {
            let message = format!("`{key}` means nothing in Gemini and was left out.");
            draft.say(Code::McpKeyIgnored, message);
        }
    }
    Ok(())
}

fn stdio(draft: &mut ServerDraft<'_, '_>) -> Result<(), Finding> {
    let command = match draft.source.get("command").and_then(Value::as_str) {
        Some(command) if !command.trim().is_empty() => Text::of(command),
        _ => return Err(draft.finding(Code::McpMalformed, "Its `command` is not a text.")),
    };
    let args: Option<Vec<String>> = match draft.source.get("args") {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(list)) => list.iter().map(texts::scalar).collect(),
        Some(Value::String(one)) => Some(one.split_whitespace().map(str::to_owned).collect()),
        Some(_) => None,
    };
    let args =
        args.ok_or_else(|| draft.finding(Code::McpMalformed, "Its `args` are not texts."))?;
    let args: Vec<Text> = args.iter().map(|arg| Text::of(arg)).collect();
    let cwd = draft
        .source
        .get("cwd")
        .and_then(Value::as_str)
        .map(Text::of);
    let all = std::iter::once(&command).chain(&args).chain(&cwd);
    let read = reads::variables_of_files(draft.context.source, all);
    let command = said(draft, &command);
    draft.result.insert("command".to_owned(), json!(command));
    if !args.is_empty() {
        let args: Vec<String> = args.iter().map(|arg| said(draft, arg)).collect();
        draft.result.insert("args".to_owned(), json!(args));
    }
    let mut env: Vec<(String, String)> = texts::text_map(draft, "env")
        .into_iter()
        .map(|(name, value)| (name, said(draft, &Text::of(&value))))
        .collect();
    for name in read {
        let is_kept_back = SECRET.iter().any(|word| name.contains(word));
        let is_setting = draft.context.is_asked_for(&name);
        if (is_kept_back || is_setting) && !env.iter().any(|(own, _)| *own == name) {
            let value = format!("${{{name}:-}}");
            env.push((name, value));
        }
    }
    texts::set_map(draft, "env", env);
    if let Some(cwd) = cwd {
        let cwd = said(draft, &cwd);
        draft.result.insert("cwd".to_owned(), json!(cwd));
    }
    Ok(())
}

fn http(draft: &mut ServerDraft<'_, '_>) -> Result<(), Finding> {
    let Some(url) = draft
        .source
        .get("url")
        .and_then(Value::as_str)
        .map(str::trim)
    else {
        return Err(draft.finding(Code::McpMalformed, "Its `url` is not a text."));
    };
    if draft.source.contains_key("headersHelper") {
        return Err(draft.finding(
            Code::McpTransportUnsupported,
            "Its headers come from a program (`headersHelper`), which Gemini does not run.",
        ));
    }
    let text = Text::of(url);
    let is_address = url.starts_with("http://") || url.starts_with("https://");
    if !is_address
        && !matches!(
            text.pieces.first(),
            Some(Piece::Variable { .. } | Piece::UserConfig { .. })
        )
    {
        return Err(draft.finding(Code::McpMalformed, "Its `url` is no web address."));
    }
    let url = said(draft, &text);
    draft.result.insert("url".to_owned(), json!(url));
    let kind = match draft.source.get("type").and_then(Value::as_str) {
        Some("sse") => "sse",
        _ => "http",
    };
    draft.result.insert("type".to_owned(), json!(kind));
    let headers = texts::text_map(draft, "headers")
        .into_iter()
        .map(|(name, value)| (name, said(draft, &Text::of(&value))))
        .collect();
    texts::set_map(draft, "headers", headers);
    if let Some(Value::Object(oauth)) = draft.source.get("oauth") {
        let mut kept = Map::from_iter([("enabled".to_owned(), json!(true))]);
        for (key, value) in oauth {
            match (key.as_str(), value) {
                ("clientId" | "client_id", Value::String(_)) => {
                    kept.insert("clientId".to_owned(), value.clone());
                }
                ("scopes", Value::String(scopes)) => {
                    let list: Vec<&str> = scopes.split_whitespace().collect();
                    kept.insert("scopes".to_owned(), json!(list));
                }
                ("scopes", Value::Array(_)) => {
                    kept.insert("scopes".to_owned(), value.clone());
                }
                (key, _) => draft.say(
                    Code::McpFieldDropped,
                    format!("`oauth.{key}` has no counterpart in Gemini."),
                ),
            }
        }
        draft.result.insert("oauth".to_owned(), Value::Object(kept));
    }
    Ok(())
}

/// A text with the Gemini CLI's own variables; those of settings are put in by it, too.
fn said(draft: &mut ServerDraft<'_, '_>, text: &Text) -> String {
    let context = draft.context;
    let mut said = String::new();
    for piece in &text.pieces {
        match piece {
            Piece::Literal(text) => said.push_str(text),
            Piece::Root => said.push_str(FOLDER),
            Piece::Project => said.push_str("${workspacePath}"),
            Piece::Data => match &context.options.data_folder {
                Some(folder) => said.push_str(folder),
                None => said.push_str(&context.target.data_folder(&context.plugin.name, None)),
            },
            Piece::Variable { name, default } => {
                let default = default.as_ref().map(|default| format!(":-{default}"));
                said.push_str(&format!("${{{name}{}}}", default.unwrap_or_default()));
            }
            Piece::UserConfig { name } => {
                if !context.is_asked_for(name) {
                    draft.say(
                        Code::EnvVarUnset,
                        format!("No setting is declared that Gemini could ask the user for: `{name}` has to be in the environment."),
                    );
                }
                said.push_str(&format!("${{{name}}}"));
            }
        }
    }
    said
}
