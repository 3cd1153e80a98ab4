//! The user's own agent roles: those that `config.toml` names, and those that lie in folders.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use codex_loadout_files::read_at_most;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::model::HostRole;
use crate::bundle::Digest;

/// A role's instructions are a few kilobytes; a longer file counts by its name and description in config alone.
const LIMIT: u64 = 1024 * 1024;
/// So many files and folders are looked at in one folder of roles: a link may make it the whole disk.
const ENTRIES: usize = 2_000;
/// How deep Codex looks for role files is not told; nobody nests them deeper.
const DEPTH: usize = 6;

/// Where Codex 0.144 to 0.169 looks for role files, for a thread in this folder. Those of a project
/// count only where the project is trusted; a role too many does no harm here.
pub(super) fn role_folders(codex_home: &Path, cwd: &Path) -> Vec<PathBuf> {
    let of_projects = cwd.ancestors().map(|folder| folder.join(".codex"));
    [codex_home.to_owned(), PathBuf::from("/etc/codex")]
        .into_iter()
        .chain(of_projects)
        .map(|folder| folder.join("agents"))
        .collect()
}

/// Every role, by name. `table` is `agents` of the effective config. Blocking: it reads files.
pub(super) fn roles(table: &Map<String, Value>, folders: &[PathBuf]) -> Vec<HostRole> {
    let mut found = BTreeMap::new();
    for folder in folders {
        let mut left = ENTRIES;
        in_folder(folder, DEPTH, &mut left, &mut found);
    }
    // Numbers and the like in the table are limits.
    for (name, role) in table {
        if let Value::Object(role) = role {
            let text = |key: &str| role.get(key).and_then(Value::as_str).unwrap_or_default();
            let content = read_at_most(Path::new(text("config_file")), LIMIT).unwrap_or_default();
            let role = HostRole::new(name.clone(), text("description").to_owned(), &content);
            found.insert(name.clone(), role);
        }
    }
    found.into_values().collect()
}

fn in_folder(
    folder: &Path,
    depth: usize,
    left: &mut usize,
    found: &mut BTreeMap<String, HostRole>,
) {
    #[derive(Deserialize)]
    struct File {
        name: String,
        #[serde(default)]
        description: String,
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if *left == 0 {
            return;
        }
        *left -= 1;
        let path = entry.path();
        if path.is_dir() {
            if depth > 0 {
                in_folder(&path, depth - 1, left, found);
            }
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        // One that can't be read, or has no name, Codex passes over as well.
        let text = read_at_most(&path, LIMIT).ok();
        let Some(text) = text.and_then(|text| String::from_utf8(text).ok()) else {
            continue;
        };
        if let Ok(File { name, description }) = toml::from_str(&text) {
            let role = HostRole::new(name.clone(), description, text.as_bytes());
            found.insert(name, role);
        }
    }
}

impl HostRole {
    fn new(name: String, description: String, file: &[u8]) -> Self {
        let digest = Digest::of_parts([description.as_bytes(), file]);
        Self {
            name,
            description,
            digest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn roles_of_config_and_folders_are_found_by_name() {
        let home = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = home.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "codex/agents/one.toml",
            "name = \"auto\"\ndescription = \"Found.\"\n",
        );
        write("codex/agents/deep/two.toml", "name = \"deep\"\n");
        write("codex/agents/stem.toml", "description = \"No name.\"\n");
        write("codex/agents/bad.toml", "not = = toml");
        write("codex/agents/read.md", "name = \"no\"");
        write("project/.codex/agents/p.toml", "name = \"proj\"\n");
        let config = home.path().join("mine.toml");
        let table = json!({ "max_depth": null, "max_threads": 3,
            "mine": { "description": "Mine.", "config_file": config }, "auto": { "description": "Named." } });
        let look = || {
            let folders =
                role_folders(&home.path().join("codex"), &home.path().join("project/sub"));
            roles(table.as_object().unwrap(), &folders)
        };
        let before = look();
        let names: Vec<_> = before
            .iter()
            .map(|role| (role.name.as_str(), role.description.as_str()))
            .collect();
        assert_eq!(
            names,
            [
                ("auto", "Named."),
                ("deep", ""),
                ("mine", "Mine."),
                ("proj", "")
            ]
        );
        fs::write(&config, "developer_instructions = \"x\"").unwrap();
        let changed: Vec<_> = look()
            .into_iter()
            .zip(before)
            .filter(|(now, before)| now.digest != before.digest)
            .map(|(now, _)| now.name)
            .collect();
        assert_eq!(changed, ["mine"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_of_roles_can_hold_up_nobody() {
        use std::os::unix::fs::symlink;
        let home = tempfile::tempdir().unwrap();
        let agents = home.path().join("agents");
        fs::create_dir(&agents).unwrap();
        fs::write(agents.join("a.toml"), "name = \"fine\"\n").unwrap();
        symlink("/dev/zero", agents.join("zero.toml")).unwrap();
        symlink(".", agents.join("round")).unwrap();
        let huge = fs::File::create(agents.join("huge.toml")).unwrap();
        huge.set_len(10 << 30).unwrap();
        let fifo = agents.join("fifo.toml");
        let made = std::process::Command::new("mkfifo").arg(fifo).status();
        assert!(made.unwrap().success());
        let whole_disk = home.path().join("disk");
        symlink("/", &whole_disk).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let folders = [agents, whole_disk];
        std::thread::spawn(move || tell.send(roles(&Map::new(), &folders)));
        let found = told.recv_timeout(std::time::Duration::from_secs(20));
        let found = found.expect("the roles were waited for");
        assert!(found.iter().any(|role| role.name == "fine"));
    }
}
