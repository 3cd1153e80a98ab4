//! What a call in Codex is in Claude Code: the tool's name, and what it is given.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Event, Spec, condition};

/// The calls of Claude's tools that a call in Codex stands for, those that the matcher wants.
pub(super) fn of_tools(event: &Event, spec: &Spec) -> Vec<Value> {
    let calls = Calls { event, spec };
    let given = event.input["tool_input"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let text = |key: &str| given.get(key).and_then(Value::as_str);
    let command = text("command").or(text("input")).unwrap_or_default();
    match event.input["tool_name"].as_str().unwrap_or_default() {
        "apply_patch" => calls.of_patch(command),
        "Bash" => {
            let output = match &event.input["tool_response"] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let response =
                json!({ "stdout": output, "stderr": "", "interrupted": false, "isImage": false });
            let mut all: Vec<Value> = calls
                .call(&["Bash"], given.clone(), Some(response))
                .into_iter()
                .collect();
            // A model without the tool edits so; Codex shows it as a call of the shell.
            let names_tool = command.contains("apply_patch") || command.contains("applypatch");
            if names_tool && command.contains("*** Begin Patch") {
                all.extend(calls.of_patch(command));
            }
            all
        }
        "spawn_agent" => {
            let prompt = text("message").or(text("prompt")).unwrap_or_default();
            let start: String = prompt.chars().take(60).collect();
            let description = text("task_name").unwrap_or(&start).to_owned();
            let agent = text("agent_type").unwrap_or("default").to_owned();
            let prompt = prompt.to_owned();
            let mut given = given.clone();
            given.insert("prompt".to_owned(), json!(prompt));
            given.insert("description".to_owned(), json!(description));
            given.insert("subagent_type".to_owned(), json!(agent));
            calls
                .call(&["Agent", "Task"], given, None)
                .into_iter()
                .collect()
        }
        name => {
            let claude = name
                .strip_prefix("mcp__")
                .and_then(|rest| rest.split_once("__"))
                .and_then(|(server, tool)| {
                    let own = spec.servers.get(server)?;
                    Some(format!("mcp__{own}__{tool}"))
                });
            let names: Vec<&str> = claude.iter().map(String::as_str).chain([name]).collect();
            calls.call(&names, given, None).into_iter().collect()
        }
    }
}

struct Calls<'a> {
    event: &'a Event,
    spec: &'a Spec,
}

/// What a patch does to a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Add,
    Update,
    Delete,
    Move,
}

/// Lines that change together.
#[derive(Clone, Default)]
struct Hunk {
    old: Vec<String>,
    new: Vec<String>,
}

struct Patched {
    change: Change,
    path: String,
    /// Whether it is the one before under another name.
    is_moved: bool,
    hunks: Vec<Hunk>,
}

impl Calls<'_> {
    /// The event told of one of these tools: the first that the matcher wants.
    fn call(
        &self,
        names: &[&str],
        given: Map<String, Value>,
        response: Option<Value>,
    ) -> Option<Value> {
        let matcher = self.spec.matcher.as_deref();
        let name = names.iter().find(|name| condition::wants(matcher, name))?;
        let mut call = self.event.input.clone();
        call["tool_name"] = json!(name);
        call["tool_input"] = Value::Object(given);
        if let Some(response) = response.filter(|_| self.event.name == "PostToolUse") {
            call["tool_response"] = response;
        }
        Some(call)
    }

    /// One call of `Write` or `Edit` for each file of a patch.
    fn of_patch(&self, patch: &str) -> Vec<Value> {
        let files = files(patch, &self.event.folder);
        files.iter().filter_map(|file| self.of_file(file)).collect()
    }

    fn of_file(&self, file: &Patched) -> Option<Value> {
        let path = &file.path;
        let joined = |lines: fn(&Hunk) -> &Vec<String>| -> Vec<String> {
            file.hunks
                .iter()
                .map(|hunk| lines(hunk).join("\n"))
                .collect()
        };
        let (old, new) = (joined(|hunk| &hunk.old), joined(|hunk| &hunk.new));
        let is_notebook = path.ends_with(".ipynb");
        let named = |first: &'static [&'static str], last: &'static [&'static str]| -> Vec<&str> {
            let notebook = is_notebook.then_some("NotebookEdit");
            first
                .iter()
                .copied()
                .chain(notebook)
                .chain(last.iter().copied())
                .collect()
        };
        let (all_old, all_new) = (old.join("\n"), new.join("\n"));
        let mut given = json!({ "file_path": path, "notebook_path": path, "content": all_new,
            "old_string": all_old, "new_string": all_new, "new_source": all_new });
        let names = if matches!(file.change, Change::Add | Change::Move) {
            given["old_string"] = json!("");
            named(&["Write"], &["Edit", "MultiEdit"])
        } else {
            let edits: Vec<Value> = old
                .iter()
                .zip(&new)
                .map(|(old, new)| json!({ "old_string": old, "new_string": new }))
                .collect();
            given["replace_all"] = json!(false);
            given["edits"] = json!(edits);
            named(&["Edit", "MultiEdit"], &["Write"])
        };
        let given = given.as_object().cloned().unwrap_or_default();
        self.call(
            &names,
            given,
            Some(json!({ "filePath": path, "success": true })),
        )
    }
}

/// The files that a patch touches, in its order.
fn files(patch: &str, folder: &str) -> Vec<Patched> {
    const HEADS: [(&str, Change); 4] = [
        ("*** Add File: ", Change::Add),
        ("*** Update File: ", Change::Update),
        ("*** Delete File: ", Change::Delete),
        ("*** Move to: ", Change::Move),
    ];
    let mut files: Vec<Patched> = Vec::new();
    let (mut is_open, mut in_hunk) = (false, false);
    for line in patch.split('\n') {
        let head = HEADS
            .iter()
            .find_map(|(head, change)| Some((*change, line.strip_prefix(head)?)));
        if let Some((change, path)) = head {
            // What is moved is written anew at its new place, with what the hunks say.
            let is_moved = change == Change::Move && is_open;
            let path = resolved(folder, path.trim());
            files.push(Patched {
                change,
                path,
                is_moved,
                hunks: Vec::new(),
            });
            (is_open, in_hunk) = (true, false);
        } else if !is_open {
            continue;
        } else if line.starts_with("*** End Patch") {
            is_open = false;
        } else if line.starts_with("@@") {
            in_hunk = false;
        } else if line.is_empty() || line.starts_with([' ', '+', '-']) {
            let Some(file) = files.last_mut() else {
                continue;
            };
            if !in_hunk {
                file.hunks.push(Hunk::default());
                in_hunk = true;
            }
            let Some(hunk) = file.hunks.last_mut() else {
                continue;
            };
            let text = line.get(1..).unwrap_or_default().to_owned();
            if !line.starts_with('+') {
                hunk.old.push(text.clone());
            }
            if !line.starts_with('-') {
                hunk.new.push(text);
            }
        }
    }
    for at in 1..files.len() {
        if files[at].is_moved {
            files[at - 1].hunks = files[at].hunks.clone();
        }
    }
    files
}

/// A path from a folder, `.` and `..` taken out.
pub(super) fn resolved(folder: &str, path: &str) -> String {
    let whole = Path::new(folder).join(path);
    let mut parts: Vec<&std::ffi::OsStr> = Vec::new();
    for component in whole.components() {
        match component {
            std::path::Component::ParentDir => {
                parts.pop();
            }
            std::path::Component::Normal(part) => parts.push(part),
            _ => {}
        }
    }
    let parts: Vec<_> = parts.iter().map(|part| part.to_string_lossy()).collect();
    format!("/{}", parts.join("/"))
}
