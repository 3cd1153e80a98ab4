use std::path::Path;

use proptest::prelude::*;
use url::Url;

use super::*;
use crate::Source;

const ADMIN: &str = "/etc/codex-loadout/policy.toml";
const USER: &str = "/home/ann/.codex-loadout/policy.toml";
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIsnyKC/ni3pzwmJst4Pm/VtxE3PvmM7h3E8sn9zUhkE ann@acme.example";

fn file(path: &str, text: &str) -> PolicyFile {
    let no_signers = |path: &Path| Err(format!("`{}` is not there", path.display()));
    PolicyFile::parse(Path::new(path), text, no_signers).unwrap()
}

fn admin(text: &str) -> Policy {
    Policy::merge(Some(file(ADMIN, text)), None)
}

fn git(url: &str) -> Source {
    Source::Git {
        url: url.to_owned(),
        reference: None,
        path: None,
    }
}

fn archive(location: &str) -> Source {
    Source::Archive {
        location: location.to_owned(),
        path: None,
        sha256: None,
    }
}

fn npm(package: &str, registry: Option<&str>) -> Source {
    Source::Npm {
        package: package.to_owned(),
        version: None,
        registry: registry.map(str::to_owned),
    }
}

fn folder(path: &str) -> Source {
    Source::Folder { path: path.into() }
}

#[test]
fn hosts_and_owners_are_what_they_say() {
    let policy = admin(
        r#"
        [sources]
        allow = [
            { host = "GitHub.com.", owner = "acme" },
            { host = "*.example.com" },
            { host = "git.corp.test:8443" },
            { host = "münchen.test" },
            { host = "localhost:3000" },
        ]
        "#,
    );
    let allowed = [
        "https://github.com/acme/kit",
        "https://github.com/acme",
        "https://github.com:443/acme/kit.git",
        "https://GITHUB.COM./acme/kit",
        "HTTPS://github.com/acme/kit",
        "https://ann@github.com/acme/kit",
        "ssh://git@github.com/acme/kit",
        "ssh://git@github.com:22/acme/kit",
        "git@github.com:acme/kit.git",
        "git@GitHub.com:acme/kit.git",
        "github.com:acme/kit",
        "https://a.example.com/x/y",
        "https://a.b.example.com",
        "https://git.corp.test:8443/any/thing",
        "https://münchen.test/x",
        "https://xn--mnchen-3ya.test/x",
        "http://localhost:3000/x",
        "https://github.com/%61cme/kit",
    ];
    let refused = [
        // Names that look alike.
        "https://github.com.evil.org/acme/kit",
        "https://evilgithub.com/acme/kit",
        "https://github.com@evil.org/acme/kit",
        "https://github.com:acme@evil.org/acme/kit",
        "https://evil.org/github.com/acme/kit",
        "https://evil.org#@github.com/acme/kit",
        "https://evil.org?@github.com/acme/kit",
        "https://gіthub.com/acme/kit",
        "https://xn--gthub-n2e.com/acme/kit",
        "https://github.co/acme/kit",
        "https://example.com/x",
        "https://evilexample.com/x",
        "https://example.com.evil.org/x",
        "git@github.com.evil.org:acme/kit",
        "git@github.com@evil.org:acme/kit",
        "git@evil.org:github.com/acme",
        // Addresses that readers take differently.
        "https://evil.org\\@github.com/acme/kit",
        "https://github.com\\@evil.org/acme/kit",
        "https://git\thub.com/acme/kit",
        "https://github.com/acme/kit\n",
        " https://github.com/acme/kit",
        "https://git%68ub.com/acme/kit",
        "https://a@b@github.com/acme/kit",
        "https:///github.com/acme/kit",
        "https://github.com:acme/kit",
        "https://github.com:+443/acme/kit",
        "https://github.com../acme/kit",
        "https://./acme",
        "ext::sh -c x% github.com/acme",
        "ext::https://github.com/acme/kit",
        "fd::17/github.com",
        "git@[github.com]:acme/kit",
        "git@-oProxyCommand=x:acme/kit",
        // Other owners.
        "https://github.com/evil/kit",
        "https://github.com/Acme/kit",
        "https://github.com/acme2/kit",
        "https://github.com/",
        "https://github.com",
        "https://github.com/acme/../evil/kit",
        "https://github.com/acme/%2e%2e/evil/kit",
        "https://github.com/acme%2f..%2fevil/kit",
        "https://github.com/acme/%252e%252e/evil/kit",
        "https://github.com//evil/kit",
        "https://github.com//acme/kit",
        "https://github.com/./acme/kit",
        "https://github.com/?acme/kit",
        "git@github.com:evil/kit",
        "git@github.com:acme/../evil/kit",
        "git@github.com:~acme/kit",
        "ssh://git@github.com/evil/acme",
        // Other doors of the same host.
        "https://github.com:8443/acme/kit",
        "ssh://git@github.com:2222/acme/kit",
        "https://git.corp.test/any/thing",
        "http://github.com/acme/kit",
        "git://github.com/acme/kit",
        "ftp://github.com/acme/kit",
        // This machine.
        "file:///srv/kit",
        "file://github.com/acme/kit",
        "/srv/github.com/acme/kit",
    ];
    for url in allowed {
        policy
            .allows(&git(url))
            .unwrap_or_else(|why| panic!("{url}: {why}"));
    }
    for url in refused {
        let refusal = policy.allows(&git(url)).expect_err(url);
        assert_eq!(
            (refusal.owner, &*refusal.rule),
            (PolicyOwner::Administrator, "sources.allow")
        );
        assert!(!refusal.hint.is_empty());
    }
    for url in allowed
        .into_iter()
        .chain(refused)
        .filter(|url| url.starts_with("https://"))
    {
        let as_git = policy.allows(&git(url)).is_ok();
        assert_eq!(policy.allows(&archive(url)).is_ok(), as_git, "{url}");
    }
    let refusal = policy
        .allows(&git("https://ann:secret@github.com.evil.org/acme/kit"))
        .unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "The administrator's policy `/etc/codex-loadout/policy.toml` does not allow the host `github.com.evil.org`, owner `acme` (`sources.allow`)."
    );
}

#[test]
fn a_denying_rule_takes_in_what_is_near() {
    let policy = admin(
        r#"
        [sources]
        deny = [{ host = "github.com", owner = "Evil" }, { host = "bad.test" }, { path = "/srv/old/**" }, { npm = "@evil/*" }]
        "#,
    );
    let refused = [
        (git("https://github.com/evil/kit"), 0),
        (git("https://GitHub.com:8443/EVIL/kit"), 0),
        (git("http://github.com/evil"), 0),
        (git("git@github.com:evil/kit"), 0),
        (archive("https://bad.test/x.zip"), 1),
        (npm("kit", Some("https://bad.test/npm/")), 1),
        (folder("/srv/old/kit"), 2),
        (git("file:///srv/old/kit"), 2),
        (archive("/srv/old/kit.zip"), 2),
        (npm("@Evil/kit", None), 3),
        (npm("@evil/kit", Some("https://npm.acme.test/")), 3),
    ];
    for (source, index) in refused {
        let refusal = policy.allows(&source).expect_err(&format!("{source:?}"));
        assert_eq!(refusal.rule, format!("sources.deny[{index}]"));
    }
    for source in [
        git("https://github.com/acme/evil"),
        git("https://sub.bad.test/x"),
        folder("/srv/old"),
        folder("/srv/older/kit"),
        npm("evil", None),
    ] {
        policy.allows(&source).unwrap();
    }
    let ambiguous = policy.allows(&git("https://x\\@bad.test/")).unwrap_err();
    assert!(
        ambiguous.sentence.contains("can't judge this source"),
        "{ambiguous}"
    );
}

#[test]
fn paths_and_packages() {
    let policy = admin(
        r#"
        [sources]
        allow = [
            { path = "/srv/bundles/**" },
            { path = "/home/*/kit" },
            { npm = "@acme/*" },
            { npm = "kit", registry = "npm.acme.test" },
        ]
        "#,
    );
    let table = [
        (folder("/srv/bundles/a"), true),
        (folder("/srv/bundles/a/b"), true),
        (folder("/srv/bundles"), false),
        (folder("/srv/bundles2/a"), false),
        (folder("/srv/bundles/../secret"), false),
        (folder("srv/bundles/a"), false),
        (folder("/home/ann/kit"), true),
        (folder("/home/ann/b/kit"), false),
        (archive("/srv/bundles/a.zip"), true),
        (git("file:///srv/bundles/a"), true),
        (git("file:///srv/bundles/%2e%2e/secret"), false),
        (git("/srv/bundles/a"), true),
        (npm("@acme/kit", None), true),
        (npm("@acme/kit", Some("https://evil.test/")), false),
        (npm("@Acme/kit", None), false),
        (npm("@acme/a/b", None), false),
        (npm("kit", None), false),
        (npm("kit", Some("https://npm.acme.test/x")), true),
        (npm("kit", Some("http://npm.acme.test/x")), false),
        (npm("kit", Some("https://npm.acme.test@evil.test/x")), false),
        (git("https://github.com/acme/kit"), false),
    ];
    for (source, is_allowed) in table {
        assert_eq!(policy.allows(&source).is_ok(), is_allowed, "{source:?}");
    }
}

#[test]
fn what_fetching_is_led_on_to() {
    let policy = admin(
        r#"
        [sources]
        allow = [{ host = "github.com", owner = "acme" }, { host = "codeload.github.com", owner = "acme" }, { npm = "@acme/*" }]
        deny = [{ host = "tracker.test" }]
        "#,
    );
    let of_acme = archive("https://github.com/acme/kit/archive/v1.tar.gz");
    let of_npm = npm("@acme/kit", None);
    let table = [
        (
            &of_acme,
            "https://codeload.github.com/acme/kit/tar.gz/v1",
            true,
        ),
        (
            &of_acme,
            "https://codeload.github.com/evil/kit/tar.gz/v1",
            false,
        ),
        (&of_acme, "https://github.com/evil/kit", false),
        (&of_acme, "http://github.com/acme/kit", false),
        (&of_acme, "https://evil.test/acme", false),
        (&of_acme, "https://169.254.169.254/acme", false),
        (&of_acme, "https://registry.npmjs.org/@acme/kit", false),
        (
            &of_npm,
            "https://registry.npmjs.org/@acme/kit/-/kit-1.0.0.tgz",
            true,
        ),
        (
            &of_npm,
            "http://registry.npmjs.org/@acme/kit/-/kit-1.0.0.tgz",
            false,
        ),
        (&of_npm, "https://evil.test/@acme/kit", false),
        (&of_npm, "https://github.com/acme/kit", true),
    ];
    for (source, to, is_allowed) in table {
        let allowed = policy.allows_redirect(source, &Url::parse(to).unwrap());
        assert_eq!(allowed.is_ok(), is_allowed, "{to}: {allowed:?}");
    }
    let denying = admin("[sources]\ndeny = [{ host = \"tracker.test\" }]");
    let to = |url| denying.allows_redirect(&of_acme, &Url::parse(url).unwrap());
    assert_eq!(
        to("https://tracker.test/x").unwrap_err().rule,
        "sources.deny[0]"
    );
    to("https://evil.test/x").unwrap();
    Policy::default()
        .allows_redirect(&of_acme, &Url::parse("http://x/").unwrap())
        .unwrap();
}

#[test]
fn pins() {
    let policy = admin("[sources]\nrequire_pins = true");
    let with = |reference: &str| Source::Git {
        url: "https://x/y".to_owned(),
        reference: Some(reference.to_owned()),
        path: None,
    };
    let version = |version: &str| Source::Npm {
        package: "kit".to_owned(),
        version: Some(version.to_owned()),
        registry: None,
    };
    let summed = Source::Archive {
        location: "https://x/y.zip".to_owned(),
        path: None,
        sha256: Some("a".repeat(64)),
    };
    let table = [
        (git("https://x/y"), false),
        (with("main"), false),
        (with("v1.0"), false),
        (with("0123abc"), false),
        (with(&"0a".repeat(20)), true),
        (with(&"0a".repeat(32)), true),
        (archive("https://x/y.zip"), false),
        (summed, true),
        (npm("kit", None), false),
        (version("latest"), false),
        (version("^1.2.3"), false),
        (version("1.2"), false),
        (version("1.2.3"), true),
        (version("1.2.3-beta.1"), true),
        (folder("/x"), true),
    ];
    for (source, is_pinned) in table {
        assert_eq!(
            policy.requires_pin(&source, false).is_ok(),
            is_pinned,
            "{source:?}"
        );
        policy.requires_pin(&source, true).unwrap();
        Policy::default().requires_pin(&source, false).unwrap();
    }
    let refusal = policy.requires_pin(&git("https://x/y"), false).unwrap_err();
    assert_eq!(refusal.rule, "sources.require_pins");
}

#[test]
fn the_user_can_only_tighten() {
    let both =
        |admin: &str, user: &str| Policy::merge(Some(file(ADMIN, admin)), Some(file(USER, user)));
    let acme = git("https://github.com/acme/kit");
    type Refused = Option<(PolicyOwner, &'static str)>;
    let table: [(&str, &str, Refused); 7] = [
        ("", "", None),
        (
            "[sources]\nallow = []",
            "[sources]\nallow = [{ host = \"*\" }]",
            Some((PolicyOwner::Administrator, "sources.allow")),
        ),
        (
            "[sources]\nallow = [{ host = \"*\" }]",
            "[sources]\nallow = []",
            Some((PolicyOwner::User, "sources.allow")),
        ),
        (
            "[sources]\ndeny = [{ host = \"*\" }]",
            "",
            Some((PolicyOwner::Administrator, "sources.deny[0]")),
        ),
        (
            "",
            "[sources]\ndeny = [{ host = \"github.com\" }]",
            Some((PolicyOwner::User, "sources.deny[0]")),
        ),
        (
            "[sources]\nallow = [{ host = \"github.com\" }]",
            "[sources]\nallow = [{ host = \"gitlab.com\" }]",
            Some((PolicyOwner::User, "sources.allow")),
        ),
        (
            "[sources]\nallow = [{ host = \"github.com\" }]",
            "[sources]\nallow = [{ host = \"github.com\", owner = \"acme\" }]",
            None,
        ),
    ];
    for (admin, user, refused) in table {
        let refusal = both(admin, user).allows(&acme).err();
        let by = refusal.as_ref().map(|it| (it.owner, &*it.rule));
        assert_eq!(by, refused, "{admin} / {user}");
    }
    let (strict, loose) = (
        "hooks = \"deny\"\nservers = \"deny\"\noffline = \"fail\"\nproject_profiles = false",
        "hooks = \"allow\"\nservers = \"allow\"\noffline = \"use_cached\"\nproject_profiles = true",
    );
    for (admin, user, owner) in [
        (strict, loose, PolicyOwner::Administrator),
        (loose, strict, PolicyOwner::User),
    ] {
        let policy = both(admin, user);
        for refused in [policy.hooks(), policy.servers(), policy.project_profiles()] {
            assert_eq!(refused.unwrap_err().owner, owner);
        }
        assert_eq!(policy.offline(), Offline::Fail);
    }
    let policy = both(loose, loose);
    assert!(
        policy.hooks().is_ok() && policy.servers().is_ok() && policy.project_profiles().is_ok()
    );
    assert_eq!(
        (policy.offline(), Policy::default().offline()),
        (Offline::UseCached, Offline::UseCached)
    );

    let signed = format!(
        "[sources]\nrequire_signatures = true\n[signatures]\nallowed_signers = [\"{KEY}\"]"
    );
    assert_eq!(
        both(&signed, &signed)
            .requires_signature(&acme)
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        both(&signed, "").requires_signature(&acme).unwrap().len(),
        1
    );
    assert_eq!(both("", "").requires_signature(&acme).unwrap().len(), 0);
    let refusal = both("", &signed)
        .requires_signature(&folder("/x"))
        .unwrap_err();
    assert_eq!(
        (refusal.owner, &*refusal.rule),
        (PolicyOwner::User, "sources.require_signatures")
    );
}

#[test]
fn what_is_wrong_is_said_by_line_and_key() {
    let table = [
        ("hook = \"deny\"", "line 1, `hook`: unknown field"),
        (
            "\nhooks = \"off\"",
            "line 2, `hooks`: unknown variant `off`",
        ),
        (
            "project_profiles = \"no\"",
            "line 1, `project_profiles`: invalid type",
        ),
        (
            "[sources]\nallow = [{ hots = \"x\" }]",
            "line 2, `sources.allow[0].hots`: unknown field",
        ),
        (
            "[sources]\nallow = [{}]",
            "line 2, `sources.allow[0]`: a rule has `host`",
        ),
        (
            "[sources]\nallow = [\n{ host = \"x\" },\n{ host = \"x\", path = \"/\" }]",
            "line 4, `sources.allow[1]`: a rule has `host`",
        ),
        (
            "[sources]\ndeny = [{ host = \"https://x\" }]",
            "line 2, `sources.deny[0]`: `https://x` ",
        ),
        (
            "[sources]\ndeny = [{ host = \"*\\t\" }]",
            "line 2, `sources.deny[0]`: `*\\u{9}` is no host",
        ),
        (
            "[sources]\ndeny = [{ host = \"git*.com\" }]",
            "line 2, `sources.deny[0]`: `git*.com` is no host",
        ),
        (
            "[sources]\ndeny = [{ host = \"x:99999\" }]",
            "line 2, `sources.deny[0]`: `x:99999` has no valid port",
        ),
        (
            "[sources]\nallow = [{ host = \"x\", owner = \"a/b\" }]",
            "line 2, `sources.allow[0]`: `owner` is the first part",
        ),
        (
            "[sources]\nallow = [{ path = \"srv/**\" }]",
            "line 2, `sources.allow[0]`: `path` is absolute",
        ),
        (
            "[sources]\nallow = [{ path = \"/srv/../**\" }]",
            "line 2, `sources.allow[0]`: `path` is absolute",
        ),
        (
            "[sources]\nallow = [{ path = \"/srv/[\" }]",
            "line 2, `sources.allow[0]`: `/srv/[` is no pattern",
        ),
        (
            "[sources]\nrequire_signatures = true",
            "`sources.require_signatures`: no signer is named",
        ),
        (
            "[signatures]\nallowed_signers = [\"x\"]",
            "line 2, `signatures.allowed_signers[0]`: a line is `principals",
        ),
        (
            "[signatures]\nallowed_signers_file = \"a\"",
            "line 2, `signatures.allowed_signers_file`: `/etc/codex-loadout/a` is not there",
        ),
        ("hooks =", "line 1: this is not TOML"),
    ];
    for (text, said) in table {
        let no_signers = |path: &Path| Err(format!("`{}` is not there", path.display()));
        let error = PolicyFile::parse(Path::new(ADMIN), text, no_signers).expect_err(text);
        let begin = format!("the policy `{ADMIN}`, {said}");
        assert!(error.to_string().starts_with(&begin), "{error}");
    }
}

#[test]
fn a_file_that_is_there_and_cannot_be_read_ends_it_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let write = |name: &str, text: &[u8]| {
        std::fs::write(path(name), text).unwrap();
        path(name)
    };
    let read = |path: &Path| Policy::read(Some(path), None).map(|policy| policy.layers.len());
    assert_eq!(read(&path("none.toml")), Ok(0));
    assert_eq!(read(&write("fine.toml", b"hooks = \"deny\"")), Ok(1));
    assert_eq!(
        Policy::read(None, None).map(|policy| policy.layers.len()),
        Ok(0)
    );

    let large = vec![b'#'; (1 << 20) + 1];
    std::fs::create_dir(path("folder.toml")).unwrap();
    let mut broken = vec![
        write("broken.toml", b"hooks = "),
        write("bytes.toml", b"\xff\xfe"),
        write("large.toml", &large),
        path("folder.toml"),
        path("fine.toml").join("below.toml"),
    ];
    #[cfg(unix)]
    {
        use std::os::unix::fs::{PermissionsExt, symlink};
        symlink(path("gone"), path("dangling.toml")).unwrap();
        symlink(path("circle.toml"), path("circle.toml")).unwrap();
        let open = write("open.toml", b"");
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o666)).unwrap();
        broken.extend([path("dangling.toml"), path("circle.toml"), open]);
    }
    for path in broken {
        let error = read(&path).expect_err(&format!("{}", path.display()));
        assert_eq!(error.path, path);
        assert!(error.hint.contains("nothing is added or fetched"));
        let user = Policy::read(None, Some(&path)).expect_err("the user's, too");
        assert_eq!(user, error);
    }

    write("signers", format!("# ours\n\n* {KEY}\n").as_bytes());
    let text =
        b"[sources]\nrequire_signatures = true\n[signatures]\nallowed_signers_file = \"signers\"";
    let policy = write("signed.toml", text);
    let signers = Policy::read(None, Some(&policy)).unwrap();
    assert_eq!(
        signers
            .requires_signature(&git("https://x/y"))
            .unwrap()
            .len(),
        1
    );
    write("signers", b"# ours\n\nann nonsense\n");
    let error = Policy::read(None, Some(&policy)).unwrap_err();
    assert!(error.message.contains("signers`, line 3: "), "{error}");
}

fn rules() -> impl Strategy<Value = String> {
    let host = prop_oneof![
        Just("github.com"),
        Just("*.example.com"),
        Just("*"),
        Just("a.example.com:8443")
    ];
    let owner = prop_oneof![
        Just(""),
        Just(", owner = \"acme\""),
        Just(", owner = \"evil\"")
    ];
    prop_oneof![
        (host, owner).prop_map(|(host, owner)| format!("{{ host = \"{host}\"{owner} }}")),
        prop_oneof![Just("/**"), Just("/srv/*"), Just("/srv/a")]
            .prop_map(|path| format!("{{ path = \"{path}\" }}")),
        prop_oneof![Just("*"), Just("@acme/*"), Just("kit")]
            .prop_map(|name| format!("{{ npm = \"{name}\" }}")),
    ]
}

fn policies() -> impl Strategy<Value = String> {
    let list =
        |most| proptest::collection::vec(rules(), 0..most).prop_map(|rules| rules.join(", "));
    let word = |one: &'static str, other: &'static str| {
        proptest::bool::ANY.prop_map(move |first| if first { one } else { other })
    };
    (
        word("hooks = \"allow\"", "hooks = \"deny\""),
        word("servers = \"allow\"", "servers = \"deny\""),
        word("offline = \"fail\"", "offline = \"use_cached\""),
        word("project_profiles = true", "project_profiles = false"),
        proptest::option::of(list(4)),
        list(2),
        word("require_pins = true", "require_pins = false"),
        word("require_signatures = true", "require_signatures = false"),
    )
        .prop_map(|(hooks, servers, offline, profiles, allow, deny, pins, signatures)| {
            let allow = allow.map(|rules| format!("allow = [{rules}]\n")).unwrap_or_default();
            format!(
                "{hooks}\n{servers}\n{offline}\n{profiles}\n[sources]\n{allow}deny = [{deny}]\n{pins}\n{signatures}\n[signatures]\nallowed_signers = [\"{KEY}\"]\n"
            )
        })
}

fn sources() -> impl Strategy<Value = Source> {
    prop_oneof![
        "https://github.com/acme/kit|git@github.com:evil/kit|https://a.example.com:8443/x|http://a.example.com/x|file:///srv/a|[a-z]{3,5}://(a@)?(github.com|evil.org)[.:/@a-z0-9%]{0,12}"
        .prop_map(|url| git(&url)),
        prop_oneof![Just("/srv/a"), Just("/srv/a/b"), Just("/")].prop_map(folder),
        prop_oneof![Just("kit"), Just("@acme/kit")].prop_map(|name| npm(name, None)),
        prop_oneof![Just("https://github.com/acme/a.zip"), Just("/srv/a")].prop_map(archive),
    ]
}

proptest! {
    #[test]
    fn whatever_the_user_says_nothing_is_gained(admin in policies(), user in policies(), source in sources(), to in sources()) {
        let alone = Policy::merge(Some(file(ADMIN, &admin)), None);
        let both = Policy::merge(Some(file(ADMIN, &admin)), Some(file(USER, &user)));
        let only_user = Policy::merge(None, Some(file(USER, &user)));
        let mut answers = vec![
            [&alone, &both, &only_user].map(|policy| policy.allows(&source).is_ok()),
            [&alone, &both, &only_user].map(|policy| policy.requires_pin(&source, false).is_ok()),
            [&alone, &both, &only_user].map(|policy| policy.hooks().is_ok()),
            [&alone, &both, &only_user].map(|policy| policy.servers().is_ok()),
            [&alone, &both, &only_user].map(|policy| policy.project_profiles().is_ok()),
            [&alone, &both, &only_user].map(|policy| policy.offline() == Offline::UseCached),
            [&alone, &both, &only_user].map(|policy| policy.requires_signature(&source).is_ok_and(|lists| lists.is_empty())),
        ];
        if let Source::Git { url, .. } = &to && let Ok(url) = Url::parse(url) {
            answers.push([&alone, &both, &only_user].map(|policy| policy.allows_redirect(&source, &url).is_ok()));
        }
        for [alone, both, only_user] in answers {
            prop_assert_eq!(both, alone && only_user);
        }
    }

    #[test]
    fn no_text_is_too_strange(text in "\\PC*", url in "\\PC*", host in "\\PC{0,20}") {
        let _ = PolicyFile::parse(Path::new(ADMIN), &text, |_| Ok(text.clone()));
        let quoted = toml::Value::String(host).to_string();
        let _ = PolicyFile::parse(Path::new(ADMIN), &format!("[sources]\nallow = [{{ host = {quoted} }}]"), |_| Ok(String::new()));
        let policy = admin("[sources]\nallow = [{ host = \"github.com\" }]");
        prop_assert!(policy.allows(&git(&url)).is_err());
        prop_assert!(policy.allows(&archive(&url)).is_err());
    }
}
