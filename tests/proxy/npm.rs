//! The npm packages: built, packed, installed without the network into a prefix of their own, and used by a host.

use std::path::{Path, PathBuf};
use std::process::Command;

use lab::{Client, Promise};
use serde_json::json;

use crate::stage::{PROXY, Stage};

/// Runs a program that has to succeed, and gives what it says.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// The packages of this build, as tarballs.
fn packed(stage: &Stage) -> Vec<PathBuf> {
    let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/npm");
    let tools = stage.home.path().join("packaging");
    std::fs::create_dir_all(tools.join("launcher/bin")).unwrap();
    for file in [
        "package.json",
        "package-lock.json",
        "build.mjs",
        "launcher/index.js",
        "launcher/README.md",
        "launcher/bin/codex-loadout.js",
    ] {
        std::fs::copy(packaging.join(file), tools.join(file)).unwrap();
    }
    let mut ci = Command::new("npm");
    run(ci
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(&tools));
    let packages = stage.home.path().join("packages");
    let mut build = Command::new("node");
    build
        .arg(tools.join("build.mjs"))
        .arg("--binary")
        .arg(PROXY);
    run(build
        .arg("--out")
        .arg(&packages)
        .arg("--workspace")
        .arg(env!("CARGO_MANIFEST_DIR")));
    let folders = std::fs::read_dir(&packages).unwrap();
    folders
        .map(|entry| {
            let folder = entry.unwrap().path();
            let mut pack = Command::new("npm");
            let name = run(pack.args(["pack", "--silent"]).current_dir(&folder));
            folder.join(name.trim())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_npm_installs_does_the_main_job() {
    let stage = Stage::standard().await;
    let tarballs = packed(&stage);
    assert_eq!(tarballs.len(), 2);
    let prefix = stage.home.path().join("prefix");
    let mut install = Command::new("npm");
    install.args([
        "install",
        "--global",
        "--offline",
        "--no-audit",
        "--no-fund",
        "--prefix",
    ]);
    run(install.arg(&prefix).args(&tarballs));

    let program = prefix.join("bin/codex-loadout");
    let codex = stage.home.codex().to_string_lossy().into_owned();
    let command = stage
        .home
        .command(&program, &["app-server", "--codex", &codex]);
    let host = Client::spawn(command).unwrap();
    host.initialize(true).await.unwrap();
    let (thread, _) = stage
        .start(&host, json!({ "skills": ["repo-review"] }))
        .await;
    stage
        .check(&host, &thread, &Promise::of_skills(&["repo-review"]))
        .await;
    host.shutdown().await.unwrap();

    // A wrong command line ends as the program itself ends, and types name what goes over the wire.
    let status = stage
        .home
        .command(&program, &["show"])
        .output()
        .unwrap()
        .status;
    assert_eq!(status.code(), Some(2));
    let types = prefix.join("lib/node_modules/codex-loadout/index.d.ts");
    let types = std::fs::read_to_string(types).unwrap();
    for name in ["CapabilitySelection", "Receipt", "LoadoutError"] {
        assert!(
            types.contains(&format!("export interface {name} ")),
            "{name}"
        );
    }
}
