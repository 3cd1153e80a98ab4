//! Servers that are processes.
//!
//! Measured on Codex 0.169.0: nothing is expanded; the process gets a short list of variables, `env`
//! and `env_vars` (`env` wins; one that is not set is left out); it starts in the thread's folder, a
//! relative `cwd` of a plugin's server is resolved against the plugin. A shell started with
//! `env_vars` expands what Codex does not, and no value stands in a file.

use serde_json::{Value, json};

use super::http;
use crate::components::servers::definition::ServerDraft;
use crate::components::servers::variables::{Piece, Text, is_variable};
use crate::components::servers::{reads, texts};
use crate::options::BundleRoot;
use crate::paths;
use crate::report::{Code, Finding};

/// A process to be, its texts in pieces.
struct Process {
    command: Text,
    args: Vec<Text>,
    env: Vec<(String, Text)>,
    cwd: Option<Text>,
}

impl Process {
    fn texts(&self) -> impl Iterator<Item = &Text> {
        std::iter::once(&self.command)
            .chain(&self.args)
            .chain(self.env.iter().map(|(_, text)| text))
            .chain(&self.cwd)
    }

    fn has(&self, piece: &Piece) -> bool {
        self.texts().any(|text| text.has(piece))
    }

    /// Puts a text in place of a piece everywhere.
    fn set(&mut self, piece: &Piece, value: &str) {
        let texts = std::iter::once(&mut self.command)
            .chain(&mut self.args)
            .chain(self.env.iter_mut().map(|(_, text)| text))
            .chain(&mut self.cwd);
        for text in texts {
            *text = text.with(piece, value);
        }
    }
}

pub(super) fn convert(draft: &mut ServerDraft<'_, '_>) -> Result<(), Finding> {
    let mut process = read(draft)?;
    let uses_root = process.has(&Piece::Root);
    relative_files(draft, &process);
    let read_by_it = reads::variables_of_files(draft.context.source, process.texts());
    for name in process.texts().flat_map(user_config).collect::<Vec<_>>() {
        http::ask(draft, &name);
    }
    place(draft, &mut process, uses_root)?;

    let mut variables: Vec<Value> = match draft.source.get("env_vars") {
        Some(Value::Array(list)) => list
            .iter()
            .filter(|name| name.is_string() || name["name"].is_string())
            .cloned()
            .collect(),
        _ => Vec::new(),
    };
    let mut add = |name: &str| {
        if !variables.contains(&json!(name)) {
            variables.push(json!(name));
        }
    };
    for name in process.texts().flat_map(Text::variables) {
        add(name);
    }
    let read_by_it: Vec<String> = read_by_it
        .into_iter()
        .filter(|name| !process.env.iter().any(|(own, _)| own == name))
        .collect();
    read_by_it.iter().for_each(|name| add(name));
    if process.has(&Piece::Data) {
        add("CODEX_HOME");
    }
    draft.say(
        Code::EnvFiltered,
        if read_by_it.is_empty() {
            "It gets the variables that its definition names, not your whole environment as in Claude Code.".to_owned()
        } else {
            format!(
                "It gets the variables that its definition names and those its program reads (`{}`), not your whole environment as in Claude Code.",
                read_by_it.join("`, `")
            )
        },
    );
    write(draft, &process)?;
    if !variables.is_empty() {
        draft
            .result
            .insert("env_vars".to_owned(), Value::Array(variables));
    }
    Ok(())
}

/// Says of files of the plugin that are named by a relative path: the process starts in the project, in Claude Code too.
fn relative_files(draft: &mut ServerDraft<'_, '_>, process: &Process) {
    let starts_in_project = process
        .cwd
        .as_ref()
        .is_none_or(|cwd| cwd.pieces == [Piece::Project]);
    if !starts_in_project {
        return;
    }
    let words = std::iter::once(&process.command).chain(&process.args);
    let named: Vec<String> = words
        .filter_map(Text::literal)
        .map(|word| word.rsplit_once('=').map_or(word, |(_, value)| value))
        .filter(|word| word.contains('/') || word.contains('.'))
        .filter(|word| {
            let path = (!word.starts_with(['/', '-'])).then(|| paths::join("", word));
            let path = path.flatten().filter(|path| !path.is_empty());
            path.is_some_and(|path| draft.context.source.tree.get(&path).is_some())
        })
        .map(str::to_owned)
        .collect();
    for word in named {
        draft.say(
            Code::McpFileNotFound,
            format!("`{word}` is looked for in the project, where it starts, and lies in the plugin: `${{CLAUDE_PLUGIN_ROOT}}/{word}` would name it."),
        );
    }
}

fn user_config(text: &Text) -> impl Iterator<Item = String> {
    text.pieces.iter().filter_map(|piece| match piece {
        Piece::UserConfig { name } => Some(name.clone()),
        _ => None,
    })
}

fn read(draft: &mut ServerDraft<'_, '_>) -> Result<Process, Finding> {
    let command = match draft.source.get("command").and_then(Value::as_str) {
        Some(command) if !command.trim().is_empty() => Text::of(command),
        _ => return Err(draft.finding(Code::McpMalformed, "Its `command` is not a text.")),
    };
    let args = match draft.source.get("args") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => {
            let texts: Option<Vec<String>> = list.iter().map(texts::scalar).collect();
            if list.iter().any(|arg| !arg.is_string()) {
                draft.say(Code::McpFieldRepaired, "Its `args` were made texts.");
            }
            texts.ok_or_else(|| draft.finding(Code::McpMalformed, "Its `args` are not texts."))?
        }
        Some(Value::String(one)) => {
            draft.say(Code::McpFieldRepaired, "Its `args` were made a list.");
            one.split_whitespace().map(ToOwned::to_owned).collect()
        }
        Some(_) => return Err(draft.finding(Code::McpMalformed, "Its `args` are not a list.")),
    };
    let mut env = Vec::new();
    for (name, value) in texts::text_map(draft, "env") {
        if is_variable(&name) {
            env.push((name, Text::of(&value)));
        } else {
            draft.say(
                Code::McpFieldDropped,
                format!("`{name}` can't be the name of a variable."),
            );
        }
    }
    let cwd = match draft.source.get("cwd") {
        None | Some(Value::Null) => None,
        Some(Value::String(cwd)) => Some(Text::of(cwd)),
        Some(_) => {
            draft.say(Code::McpFieldDropped, "Its `cwd` is not a text.");
            None
        }
    };
    Ok(Process {
        command,
        args: args.iter().map(|arg| Text::of(arg)).collect(),
        env,
        cwd,
    })
}

/// Resolves where the plugin and its data lie, as far as that is known.
fn place(
    draft: &mut ServerDraft<'_, '_>,
    process: &mut Process,
    uses_root: bool,
) -> Result<(), Finding> {
    if let Some(data) = &draft.context.options.data_folder {
        process.set(&Piece::Data, data);
    }
    // The thread's folder is where a process starts anyway.
    if process
        .cwd
        .as_ref()
        .is_some_and(|cwd| cwd.pieces == [Piece::Project])
    {
        process.cwd = None;
    }
    if !uses_root {
        return Ok(());
    }
    // Claude Code sets it for a plugin's processes.
    let named = process
        .env
        .iter()
        .any(|(name, _)| name == "CLAUDE_PLUGIN_ROOT");
    if !named {
        let root = Text {
            pieces: vec![Piece::Root],
        };
        process.env.push(("CLAUDE_PLUGIN_ROOT".to_owned(), root));
    }
    let root = match &draft.context.options.root {
        BundleRoot::At(root) => {
            let root = root.clone();
            process.set(&Piece::Root, &root);
            return Ok(());
        }
        BundleRoot::Portable => &Piece::Root,
    };
    if process.has(&Piece::Project) {
        return Err(draft.finding(
            Code::McpCwdDiffers,
            "It needs to know both where the plugin lies and where the project does, and a bundle that can be moved knows only one: chosen for a thread from where the plugin is installed, it runs.",
        ));
    }
    let folder = match &process.cwd {
        None => {
            draft.say(
                Code::McpCwdDiffers,
                "It starts in the plugin's folder, not in the project's: only so can a bundle that can be moved name its files.",
            );
            String::new()
        }
        Some(cwd) => match cwd.pieces.as_slice() {
            [Piece::Root] => String::new(),
            [Piece::Root, Piece::Literal(below)] if below.starts_with('/') => {
                paths::join("", below).ok_or_else(|| {
                    draft.finding(Code::McpMalformed, "Its `cwd` leads out of the plugin.")
                })?
            }
            _ => {
                return Err(draft.finding(
                    Code::McpCwdDiffers,
                    "It starts in another folder than the plugin's and needs to know where the plugin lies, which a bundle that can be moved does not: chosen for a thread from where the plugin is installed, it runs.",
                ));
            }
        },
    };
    process.cwd = None;
    process.set(root, &paths::relative(&folder, ""));
    let cwd = if folder.is_empty() { "." } else { &folder };
    process.cwd = Some(Text::of(cwd));
    Ok(())
}

/// Writes the process down: as it is where Codex can start it so, else through a shell.
fn write(draft: &mut ServerDraft<'_, '_>, process: &Process) -> Result<(), Finding> {
    let is_own_name = |name: &str, text: &Text| matches!(text.pieces.as_slice(), [Piece::Variable { name: own, default: None }] if own == name);
    // `${A}` as the value of `A` is what `env_vars` says.
    let (fixed, open): (Vec<_>, Vec<_>) = process
        .env
        .iter()
        .filter(|(name, text)| !is_own_name(name, text))
        .partition(|(_, text)| text.literal().is_some());
    let fixed = fixed
        .into_iter()
        .map(|(name, text)| (name.clone(), text.literal().unwrap_or_default().to_owned()))
        .collect();
    let words: Vec<&Text> = std::iter::once(&process.command)
        .chain(&process.args)
        .collect();
    let cwd = process.cwd.as_ref();
    let plain: Option<Vec<&str>> = words.iter().map(|text| text.literal()).collect();
    let plain_cwd = cwd.is_none_or(|cwd| cwd.literal().is_some());
    match plain {
        Some(words) if open.is_empty() && plain_cwd => {
            draft.result.insert("command".to_owned(), json!(words[0]));
            if words.len() > 1 {
                draft.result.insert("args".to_owned(), json!(words[1..]));
            }
        }
        _ => {
            let script = script(draft, &words, &open, cwd.filter(|_| !plain_cwd));
            draft.result.insert("command".to_owned(), json!("sh"));
            draft
                .result
                .insert("args".to_owned(), json!(["-c", script]));
            draft.say(
                Code::McpShellWrapped,
                "It starts through `sh`, which puts the variables of Codex's environment in.",
            );
        }
    }
    if let Some(cwd) = cwd.and_then(Text::literal) {
        draft.result.insert("cwd".to_owned(), json!(cwd));
    }
    texts::set_map(draft, "env", fixed);
    Ok(())
}

fn script(
    draft: &ServerDraft<'_, '_>,
    words: &[&Text],
    env: &[&(String, Text)],
    cwd: Option<&Text>,
) -> String {
    let context = draft.context;
    let data = context
        .target
        .data_folder(&context.plugin.name, context.source.marketplace.as_deref());
    let mut script = String::new();
    if words.iter().any(|text| text.has(&Piece::Data))
        || env.iter().any(|(_, text)| text.has(&Piece::Data))
    {
        // Claude Code makes the folder when it is first named.
        script.push_str(&format!("mkdir -p \"{data}\"; "));
    }
    for (name, text) in env {
        script.push_str(&format!("export {name}={}; ", text.shell_word(&data)));
    }
    if let Some(cwd) = cwd {
        script.push_str(&format!("cd {} && ", cwd.shell_word(&data)));
    }
    script.push_str("exec");
    for word in words {
        script.push(' ');
        script.push_str(&word.shell_word(&data));
    }
    script
}
