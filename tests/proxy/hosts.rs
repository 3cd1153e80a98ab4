//! Hosts from npm and PyPI, unchanged and pinned, each with a profile; what counts is what their models were sent.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use lab::Promise;

use crate::stage::{PROXY, Stage};

/// Where the hosts are installed: once for all tests, and kept.
fn installed(file: &str) -> PathBuf {
    let target = Path::new(PROXY).parent().unwrap().parent().unwrap();
    let folder = target.join("hosts");
    std::fs::create_dir_all(&folder).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hosts");
    for file in std::fs::read_dir(source).unwrap().map(|it| it.unwrap()) {
        std::fs::copy(file.path(), folder.join(file.file_name())).unwrap();
    }
    folder.join(file)
}

/// Runs an installer unless it has run already for the same pins.
fn install(pins: &str, command: &mut Command) {
    let folder = installed("");
    let mark = folder.join(format!(".{pins}.installed"));
    let wanted = std::fs::read_to_string(folder.join(pins)).unwrap();
    if std::fs::read_to_string(&mark).is_ok_and(|found| found == wanted) {
        return;
    }
    let output = command.current_dir(&folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    std::fs::write(mark, wanted).unwrap();
}

static NPM: LazyLock<()> = LazyLock::new(|| {
    let mut npm = Command::new("npm");
    let quiet = ["--no-audit", "--no-fund"];
    // Their own copies of Codex are not wanted.
    npm.args(["ci", "--omit=optional", "--ignore-scripts"])
        .args(quiet);
    install("package-lock.json", &mut npm);
});

/// Where the hosts of PyPI are; `None` where there is no Python.
static PYTHON: LazyLock<Option<PathBuf>> = LazyLock::new(python_hosts);

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn python_hosts() -> Option<PathBuf> {
    let pip = Command::new("python3")
        .args(["-m", "pip", "--version"])
        .output();
    if !pip.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: there is no python3 with pip");
        return None;
    }
    let packages = installed("python");
    let mut pip = Command::new("python3");
    // It would bring its own copy of Codex.
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"]);
    pip.arg(&packages).args(["-r", "requirements.txt"]);
    install("requirements.txt", &mut pip);
    Some(packages)
}

async fn stage() -> Stage {
    let stage = Stage::standard().await;
    let path = ".codex-loadout/profiles/review.toml";
    stage
        .home
        .write(path, "skills = [\"repo-review\"]\n")
        .unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(
        stage.home.path().join(".codex-loadout"),
        std::os::unix::fs::PermissionsExt::from_mode(0o700),
    )
    .unwrap();
    stage
}

/// Runs a host and gives the lines that it prints.
fn run(stage: &Stage, program: &str, arguments: &[&str], python: Option<&Path>) -> Vec<String> {
    let mut command = stage.home.command(Path::new(program), arguments);
    command.current_dir(stage.home.project());
    command.env("CODEX_LOADOUT_CODEX", stage.home.codex());
    if let Some(packages) = python {
        command.env("PYTHONPATH", packages);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program}: {said}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Every request that a thread's model got keeps the promise.
fn check(stage: &Stage, thread: &str, turns: usize, promise: &Promise) {
    let requests = stage.model.requests();
    let of_thread = requests
        .iter()
        .filter(|it| it.thread.as_deref() == Some(thread));
    let seen: Vec<_> = of_thread.map(|request| request.seen()).collect();
    assert_eq!(seen.len(), turns, "{thread}");
    for seen in seen {
        assert_eq!(promise.breaches(&seen), Vec::<String>::new(), "{thread}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ai_sdk_provider_by_a_profile_in_its_config_with_a_server_of_its_own() {
    LazyLock::force(&NPM);
    let stage = stage().await;
    let script = installed("ai-sdk.mjs");
    let project = stage.home.project();
    let log = stage.home.path().join("own.log");
    let server = stage.home.path().join("lab/mcp.mjs");
    let arguments = [&script, Path::new(PROXY), &project, &server, &log];
    let arguments = arguments.map(|it| it.to_str().unwrap());
    let threads = run(&stage, "node", &arguments, None);
    let promise = Promise::of_skills(&["repo-review"]).server("own", &["own_tool"]);
    check(&stage, &threads[0], 2, &promise);
}

#[tokio::test(flavor = "multi_thread")]
async fn codex_sdk_by_a_profile_in_its_config_over_two_turns() {
    LazyLock::force(&NPM);
    let stage = stage().await;
    let script = installed("codex-sdk.mjs");
    let project = stage.home.project();
    let arguments = [&script, Path::new(PROXY), &project, Path::new("review")];
    let arguments = arguments.map(|it| it.to_str().unwrap());
    let threads = run(&stage, "node", &arguments, None);
    check(
        &stage,
        &threads[0],
        2,
        &Promise::of_skills(&["repo-review"]),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn openai_codex_for_python_by_a_profile_in_its_config() {
    let Some(packages) = PYTHON.as_deref() else {
        return;
    };
    let stage = stage().await;
    let script = installed("openai_codex_sdk.py");
    let project = stage.home.project();
    let arguments = [&script, Path::new(PROXY), &project];
    let arguments = arguments.map(|it| it.to_str().unwrap());
    let threads = run(&stage, "python3", &arguments, Some(packages));
    for thread in &threads {
        check(&stage, thread, 1, &Promise::of_skills(&["repo-review"]));
    }
}
