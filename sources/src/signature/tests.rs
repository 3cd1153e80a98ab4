use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use super::*;

const ARCHIVE: &[u8] = include_bytes!("../../tests/signatures/archive");
const COMMIT: &[u8] = include_bytes!("../../tests/signatures/commit.sha1");
const COMMIT_SHA256: &[u8] = include_bytes!("../../tests/signatures/commit.sha256");
const ED25519: &str = include_str!("../../tests/signatures/ed25519.pub");
const ED25519_SIG: &[u8] = include_bytes!("../../tests/signatures/archive.ed25519.sig");
const RSA: &str = include_str!("../../tests/signatures/rsa.pub");

fn signers(lines: &str) -> AllowedSigners {
    let mut signers = AllowedSigners::default();
    signers.add_all(lines).unwrap();
    signers
}

/// The day of a time as the list of signers says it.
fn day(text: &str) -> SystemTime {
    humantime::parse_rfc3339(&format!("{text}T00:00:00Z")).unwrap()
}

fn now() -> SystemTime {
    day("2027-06-01")
}

#[test]
fn a_file_signed_with_each_kind_of_key() {
    let table: [(&str, &str, &[u8]); 5] = [
        ("ed25519", ED25519, ED25519_SIG),
        (
            "ecdsa256",
            include_str!("../../tests/signatures/ecdsa256.pub"),
            include_bytes!("../../tests/signatures/archive.ecdsa256.sig"),
        ),
        (
            "ecdsa384",
            include_str!("../../tests/signatures/ecdsa384.pub"),
            include_bytes!("../../tests/signatures/archive.ecdsa384.sig"),
        ),
        (
            "ecdsa521",
            include_str!("../../tests/signatures/ecdsa521.pub"),
            include_bytes!("../../tests/signatures/archive.ecdsa521.sig"),
        ),
        (
            "rsa",
            RSA,
            include_bytes!("../../tests/signatures/archive.rsa.sig"),
        ),
    ];
    let all: String = table.iter().map(|(_, key, _)| *key).collect();
    for (name, key, signature) in table {
        for list in [key, &*all, &format!("ann@example.test {key}")] {
            let signer = verify_file(ARCHIVE, signature, &signers(list), now())
                .unwrap_or_else(|why| panic!("{name}: {why}"));
            let expected = match list.starts_with("ann@") {
                true => "ann@example.test".to_owned(),
                false => format!("{name}@example.test"),
            };
            assert_eq!(signer.name, expected);
            assert!(signer.fingerprint.starts_with("SHA256:"));
        }
        let changed = verify_file(
            b"The content of an archive!\n",
            signature,
            &signers(&all),
            now(),
        );
        assert_eq!(changed, Err(SignatureError::OtherContent), "{name}");
        let others: String = table
            .iter()
            .map(|(_, key, _)| *key)
            .filter(|it| *it != key)
            .collect();
        let other = verify_file(ARCHIVE, signature, &signers(&others), now());
        assert!(
            matches!(other, Err(SignatureError::OtherKey { .. })),
            "{name}: {other:?}"
        );
    }
}

#[test]
fn a_commit_of_either_kind_of_repository() {
    for commit in [COMMIT, COMMIT_SHA256] {
        let signer = verify_commit(commit, &signers(ED25519), now()).unwrap();
        assert_eq!(signer.name, "ed25519@example.test");
    }
}

#[test]
fn a_commit_that_was_touched() {
    let text = String::from_utf8(COMMIT.to_vec()).unwrap();
    let edited = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    };
    let signature_end = " -----END SSH SIGNATURE-----\n";
    let tree = &text[..46];
    let table = [
        (
            edited(tree, &format!("tree {}\n", "0".repeat(40))),
            "OtherContent",
        ),
        (edited("author Ann", "author Eve"), "OtherContent"),
        (edited("A message", "Another message"), "OtherContent"),
        (
            edited("\n\nA message", "\nparent 0\n\nA message"),
            "OtherContent",
        ),
        (edited("gpgsig not", "gpgsig is not"), "OtherContent"),
        (edited("gpgsig -----", "gpgsix -----"), "Unsigned"),
        (
            edited(signature_end, &format!("{signature_end}gpgsig x\n")),
            "Unreadable",
        ),
        (edited(signature_end, ""), "Unreadable"),
        (edited("U1NIU0lH", "U1NIU0lI"), "Unreadable"),
        (edited("tree ", "tag "), "Unreadable"),
        (
            edited(
                "gpgsig -----BEGIN SSH SIGNATURE",
                "gpgsig -----BEGIN PGP SIGNATURE",
            ),
            "OtherKind",
        ),
        (
            edited(
                "gpgsig -----BEGIN SSH SIGNATURE",
                "gpgsig -----BEGIN SIGNED MESSAGE",
            ),
            "OtherKind",
        ),
        (String::new(), "Unreadable"),
    ];
    for (commit, kind) in table {
        let error = verify_commit(commit.as_bytes(), &signers(ED25519), now()).unwrap_err();
        assert!(
            format!("{error:?}").starts_with(kind),
            "{commit}\n=> {error:?}"
        );
        assert!(!error.hint().is_empty());
    }
    // The other kind of repository's signature is not a part of what is signed.
    let both = edited(
        signature_end,
        &format!("{signature_end}gpgsig-sha256 x\n y\n"),
    );
    verify_commit(both.as_bytes(), &signers(ED25519), now()).unwrap();
}

#[test]
fn each_reason_why_a_signature_does_not_count() {
    let key = ED25519.rsplit_once(' ').unwrap().0;
    let other_namespace = |commit: &[u8]| {
        let text = String::from_utf8(commit.to_vec()).unwrap();
        let begin = text.find("-----BEGIN").unwrap();
        let end = text.find("-----END SSH SIGNATURE-----").unwrap() + 27;
        text[begin..end].replace("\n ", "\n").into_bytes()
    };
    let of_git = other_namespace(COMMIT);
    let with = |options: &str| format!("ann,*@x.test {options} {key}");
    let table: [(&[u8], String, &str); 17] = [
        (b" \n", with(""), "it is not signed"),
        (
            b"-----BEGIN PGP SIGNATURE-----\n",
            with(""),
            "it is signed with PGP",
        ),
        (b"nonsense", with(""), "its signature can't be read"),
        (
            &of_git,
            with(""),
            "its signature is made for `git`, and what counts here is one for `file`",
        ),
        (
            ED25519_SIG,
            RSA.to_owned(),
            "it is signed by the key SHA256:",
        ),
        (
            ED25519_SIG,
            with("namespaces=\"git\""),
            "the key of ann,*@x.test may not sign for `file`",
        ),
        (
            ED25519_SIG,
            with("namespaces=\"*,!file\""),
            "the key of ann,*@x.test may not sign for `file`",
        ),
        (ED25519_SIG, with("namespaces=\"git,file\""), ""),
        (ED25519_SIG, with("namespaces=\"f?l*\""), ""),
        (
            ED25519_SIG,
            with("valid-before=\"20270601Z\""),
            "the key of ann,*@x.test is expired",
        ),
        (ED25519_SIG, with("valid-before=\"20270601000001Z\""), ""),
        (
            ED25519_SIG,
            with("valid-before=\"20270601\""),
            "the key of ann,*@x.test is expired",
        ),
        (
            ED25519_SIG,
            with("valid-after=\"20270601Z\",valid-before=\"20270602Z\""),
            "",
        ),
        (
            ED25519_SIG,
            with("valid-after=\"202706010001Z\""),
            "the key of ann,*@x.test is not valid yet",
        ),
        (
            ED25519_SIG,
            with("valid-after=\"20270601\""),
            "the key of ann,*@x.test is not valid yet",
        ),
        (
            ED25519_SIG,
            with("valid-after=\"20270531\",namespaces=\"file\""),
            "",
        ),
        (
            ED25519_SIG,
            format!("{}\n{}", with("valid-before=\"20200101\""), with("")),
            "",
        ),
    ];
    for (signature, list, said) in table {
        let said_now = match verify_file(ARCHIVE, signature, &signers(&list), now()) {
            Ok(signer) => {
                assert_eq!(signer.name, "ann,*@x.test");
                String::new()
            }
            Err(error) => {
                assert!(!error.hint().is_empty());
                error.to_string()
            }
        };
        assert!(
            said_now.starts_with(said) && said.is_empty() == said_now.is_empty(),
            "{list}\n=> {said_now}"
        );
    }
}

#[test]
fn lines_that_are_no_signers() {
    let key = ED25519.rsplit_once(' ').unwrap().0;
    for (line, said) in [
        ("ann".to_owned(), "a line is"),
        ("ann rsa".to_owned(), "a line is"),
        ("ssh-ed25519 AAAA".to_owned(), "this is no SSH public key"),
        (
            "ann ssh-ed25519 AAAAC3NzaC1lZDIXNTE5AAAAIEabVICk8cGUOxUiw/JpmD4He9eQr3r32adDTBjSZOsA"
                .to_owned(),
            "this is no SSH public key that is supported: invalid label: 'ssh-ed2\\u{17}519'",
        ),
        (
            format!("ann cert-authority {key}"),
            "certificates are not supported",
        ),
        (
            format!("ann valid-befor=\"20270101\" {key}"),
            "the option `valid-befor` is not known",
        ),
        (
            format!("ann valid-before=20270101 {key}"),
            "`valid-before` needs a value in quotes",
        ),
        (
            format!("ann valid-before=\"tomorrow\" {key}"),
            "`tomorrow` is no time",
        ),
        (
            format!("ann valid-before=\"20271301\" {key}"),
            "`20271301` is no time",
        ),
        (format!("ann \"{key}"), "a line is"),
    ] {
        let fault = AllowedSigners::default().add(&line).unwrap_err();
        assert!(fault.message.starts_with(said), "{line}: {fault}");
        let fault = AllowedSigners::default()
            .add_all(&format!("# list\n\n{line}"))
            .unwrap_err();
        assert_eq!(fault.line, Some(3));
    }
    assert!(signers("# nobody\n\n").is_empty());
    assert!(!signers(&format!("\"ann b\" {key}")).is_empty());
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> Option<Vec<u8>> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("HOME", folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(output.stdout)
}

/// What the programs of this machine sign now.
#[test]
#[allow(clippy::print_stderr)]
fn what_git_and_ssh_keygen_sign_here() {
    let has = |program| Command::new(program).arg("-?").output().is_ok();
    if !has("git") || !has("ssh-keygen") {
        eprintln!("SKIPPED: `git` or `ssh-keygen` is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |program: &str, arguments: &[&str]| run(program, arguments, folder.path()).unwrap();
    std::fs::write(folder.path().join("x.tar.gz"), "content").unwrap();
    at("git", &["init", "-q"]);
    at("git", &["add", "x.tar.gz"]);
    for (kind, bits) in [
        ("ed25519", "256"),
        ("ecdsa", "256"),
        ("ecdsa", "384"),
        ("ecdsa", "521"),
        ("rsa", "2048"),
    ] {
        let key = format!("{kind}{bits}");
        at(
            "ssh-keygen",
            &[
                "-q", "-t", kind, "-b", bits, "-N", "", "-C", &key, "-f", &key,
            ],
        );
        let public = std::fs::read_to_string(folder.path().join(format!("{key}.pub"))).unwrap();
        let signing = format!("user.signingkey={}", folder.path().join(&key).display());
        let commit = [
            "-c",
            "user.name=Ann",
            "-c",
            "user.email=a@x.test",
            "-c",
            "gpg.format=ssh",
            "-c",
            &signing,
            "commit",
            "-q",
            "--allow-empty",
            "-S",
            "-m",
            "Say",
        ];
        at("git", &commit);
        let commit = at("git", &["cat-file", "commit", "HEAD"]);
        assert_eq!(
            verify_commit(&commit, &signers(&public), SystemTime::now())
                .unwrap()
                .name,
            key
        );

        for (namespace, counts) in [("file", true), ("git", false)] {
            at(
                "ssh-keygen",
                &["-q", "-Y", "sign", "-n", namespace, "-f", &key, "x.tar.gz"],
            );
            let signature = folder.path().join("x.tar.gz.sig");
            let verified = verify_file(
                b"content",
                &std::fs::read(&signature).unwrap(),
                &signers(&public),
                SystemTime::now(),
            );
            assert_eq!(verified.is_ok(), counts, "{key}: {verified:?}");
            std::fs::remove_file(signature).unwrap();
        }
    }
    let later = SystemTime::now() + Duration::from_secs(86400 * 365);
    let commit = at("git", &["cat-file", "commit", "HEAD"]);
    let public = std::fs::read_to_string(folder.path().join("rsa2048.pub")).unwrap();
    let list = signers(&format!(
        "ann valid-before=\"{}\" {public}",
        day_after_tomorrow()
    ));
    verify_commit(&commit, &list, SystemTime::now()).unwrap();
    let expired = verify_commit(&commit, &list, later).unwrap_err();
    assert_eq!(
        expired,
        SignatureError::Expired {
            name: "ann".to_owned()
        }
    );
}

fn day_after_tomorrow() -> String {
    let day = SystemTime::now() + Duration::from_secs(86400 * 2);
    humantime::format_rfc3339_seconds(day).to_string()[..10].replace('-', "")
}

proptest::proptest! {
    #[test]
    fn no_bytes_are_too_strange(noise in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400), at in 0..400usize, byte in proptest::prelude::any::<u8>()) {
        let list = signers(ED25519);
        let _ = AllowedSigners::default().add_all(&String::from_utf8_lossy(&noise));
        assert!(verify_commit(&noise, &list, now()).is_err());
        assert!(verify_file(ARCHIVE, &noise, &list, now()).is_err());
        let mut commit = COMMIT.to_vec();
        let at = at % commit.len();
        let old = std::mem::replace(&mut commit[at], byte);
        // Base64 and line ends leave room for a change that means the same.
        let is_in_signature = (140..400).contains(&at);
        assert!(verify_commit(&commit, &list, now()).is_err() || old == byte || is_in_signature, "{at}: {byte}");
    }
}
