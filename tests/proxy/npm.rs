//! The npm packages: built, packed, installed without the network into a prefix of their own, and used by a host.

use std::path::{Path, PathBuf};
use std::process::Command;

use lab::{Client, Promise};
use serde_json::{Value, json};

use crate::stage::{PROXY, Stage};

/// Runs a program that has to succeed, and gives what it says.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// The folders of the packages of this build, for this platform or another.
fn built(stage: &Stage, platform: &[&str]) -> Vec<PathBuf> {
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
        .arg(env!("CARGO_MANIFEST_DIR"))
        .args(platform));
    let folders = std::fs::read_dir(&packages).unwrap();
    folders.map(|entry| entry.unwrap().path()).collect()
}

/// A package as a tarball.
fn packed(folder: &Path) -> PathBuf {
    let mut pack = Command::new("npm");
    let name = run(pack.args(["pack", "--silent"]).current_dir(folder));
    folder.join(name.trim())
}

fn manifest(folder: &Path) -> Value {
    let text = std::fs::read_to_string(folder.join("package.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_npm_installs_does_the_main_job() {
    let stage = Stage::standard().await;
    let folders = built(&stage, &[]);
    let tarballs: Vec<PathBuf> = folders.iter().map(|folder| packed(folder)).collect();
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

    // As its page says, the program is found without a launcher.
    let place = prefix.join("lib/node_modules/codex-loadout");
    let script = "require(process.argv[1]).binaryPath()";
    let arguments = ["-p", script, place.to_str().unwrap()];
    let told = run(&mut stage.home.command(Path::new("node"), &arguments));
    assert!(Path::new(told.trim()).is_file(), "{told}");
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

/// Says where the program is on Windows, as `require("codex-loadout")` does there.
const ON_WINDOWS: &str = r#"
Object.defineProperty(process, "platform", { value: "win32" });
Object.defineProperty(process, "arch", { value: "x64" });
console.log(require("codex-loadout").binaryPath());
"#;

/// npm puts a `.ps1` beside every command that it installs, and PowerShell takes that first; it gathers what is piped
/// in. So there the program itself is what hosts start: it is a package's file and no command of it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_packed_for_windows_has_its_program_without_a_shim() {
    let stage = Stage::standard().await;
    let folders = built(&stage, &["--platform", "win32", "--arch", "x64"]);
    let modules = stage.home.path().join("node_modules");
    for folder in &folders {
        let name = folder.file_name().unwrap();
        let to = modules.join(name);
        std::fs::create_dir_all(&to).unwrap();
        let mut unpack = Command::new("tar");
        unpack.args(["xzf", packed(folder).to_str().unwrap()]);
        run(unpack.args(["--strip-components", "1", "-C", to.to_str().unwrap()]));
        let about = manifest(&to);
        // No scripts run when they are installed.
        assert_eq!(about["scripts"], Value::Null, "{name:?}");
    }
    let program = manifest(&modules.join("codex-loadout-win32-x64"));
    assert_eq!(program["bin"], Value::Null);
    assert_eq!(
        (&program["os"], &program["cpu"]),
        (&json!(["win32"]), &json!(["x64"]))
    );
    let launcher = manifest(&modules.join("codex-loadout"));
    let optional = launcher["optionalDependencies"].as_object().unwrap();
    assert_eq!(optional["codex-loadout-win32-x64"], launcher["version"]);
    let mut node = stage.home.command(Path::new("node"), &["-e", ON_WINDOWS]);
    let told = run(node.current_dir(stage.home.path()));
    let expected = modules.join("codex-loadout-win32-x64/bin/codex-loadout.exe");
    assert_eq!(Path::new(told.trim()), expected);
    let is_program = std::fs::metadata(&expected).unwrap().len();
    assert_eq!(is_program, std::fs::metadata(PROXY).unwrap().len());
}
