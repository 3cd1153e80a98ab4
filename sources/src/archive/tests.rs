use std::io::Cursor;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tar::{EntryType, Header};
use zip::write::SimpleFileOptions;

use super::*;

/// An entry: its name, and what it is.
#[derive(Clone, Debug)]
enum What {
    File(&'static str),
    Run(&'static str),
    Link(&'static str),
    Hard(&'static str),
    Kind(EntryType),
}

fn tar_gz(entries: &[(&str, What)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, what) in entries {
        let mut header = Header::new_ustar();
        // As they are: the library refuses names that do harm.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_mode(0o644);
        let mut content = "";
        let link = |header: &mut Header, kind, target: &str| {
            header.set_entry_type(kind);
            header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        };
        match what {
            What::File(text) => content = text,
            What::Run(text) => {
                content = text;
                header.set_mode(0o755);
            }
            What::Link(target) => link(&mut header, EntryType::Symlink, target),
            What::Hard(target) => link(&mut header, EntryType::Link, target),
            What::Kind(kind) => header.set_entry_type(*kind),
        }
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

fn zipped(entries: &[(&str, What)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, what) in entries {
        let options = SimpleFileOptions::default();
        match what {
            What::File(text) | What::Run(text) => {
                let mode = if matches!(what, What::Run(_)) {
                    0o755
                } else {
                    0o644
                };
                writer
                    .start_file(*name, options.unix_permissions(mode))
                    .unwrap();
                writer.write_all(text.as_bytes()).unwrap();
            }
            What::Link(target) => writer.add_symlink(*name, *target, options).unwrap(),
            What::Kind(EntryType::Directory) => writer.add_directory(*name, options).unwrap(),
            What::Kind(_) | What::Hard(_) => panic!("a zip has none"),
        }
    }
    writer.finish().unwrap().into_inner()
}

fn shown(archive: &[u8]) -> Result<String, FetchError> {
    let tree = read_archive(archive, &Limits::default())?;
    let files: Vec<String> = tree
        .iter()
        .map(|(path, file)| {
            let run = if file.executable { "*" } else { "" };
            format!("{path}{run}={}", String::from_utf8_lossy(&file.bytes))
        })
        .collect();
    Ok(files.join(" "))
}

#[test]
fn what_is_read() {
    use What::{File, Kind, Link, Run};
    let folder = || Kind(EntryType::Directory);
    for (entries, expected) in [
        (vec![("a", File("1")), ("b/c", Run("2"))], "a=1 b/c*=2"),
        (
            vec![
                ("r-main/", folder()),
                ("r-main/a", File("1")),
                ("r-main/b/c", File("2")),
            ],
            "a=1 b/c=2",
        ),
        (
            vec![("./", folder()), ("./a", File("1")), ("./b", File("2"))],
            "a=1 b=2",
        ),
        (
            vec![
                ("r/a/x", File("1")),
                ("r/l", Link("a")),
                ("r/m", Link("a/x")),
            ],
            "a/x=1 l/x=1 m=1",
        ),
        (
            vec![("r/d/l", Link("../x")), ("r/x", Run("1"))],
            "d/l*=1 x*=1",
        ),
        (
            vec![("skills/a/SKILL.md", File("1"))],
            "skills/a/SKILL.md=1",
        ),
        (
            vec![("r/a", File("1")), ("__MACOSX/r/._a", File("2"))],
            "a=1",
        ),
        (
            vec![("r/.git/config", File("1")), ("r/a", File("2"))],
            "a=2",
        ),
    ] {
        assert_eq!(shown(&tar_gz(&entries)).unwrap(), expected, "{entries:?}");
        assert_eq!(shown(&zipped(&entries)).unwrap(), expected, "{entries:?}");
    }
}

#[test]
fn what_is_refused() {
    use What::{File, Hard, Kind, Link};
    let x = || File("x");
    for (entries, why) in [
        (vec![("a", x()), ("../b", x())], "`../b` leads out"),
        (vec![("a/../../b", x())], "leads out"),
        (vec![("/etc/b", x())], "absolute"),
        (vec![("C:/b", x())], "drive"),
        (vec![("a\\..\\b", x())], "backslash"),
        (vec![("a\nb", x())], "`a\\nb` has characters"),
        (vec![("a\u{1b}[31m", x())], "`a\\u{1b}[31m` has characters"),
        (
            vec![("README.md", x()), ("readme.md", x())],
            "upper and lower case",
        ),
        (vec![("d/x", x()), ("D/y", x())], "upper and lower case"),
        (
            vec![("a", x()), ("l", Link("/etc/passwd"))],
            "`l` leads out",
        ),
        (vec![("a", x()), ("l", Link("../etc"))], "leads out"),
        (vec![("r/a", x()), ("r/l", Link("../../r/a"))], "leads out"),
        (vec![("a", x()), ("l", Link("none"))], "nothing is"),
        (vec![("a", x()), ("l", Link("l"))], "circle"),
        (
            vec![("a", x()), ("l", Link("d")), ("l/b", x()), ("d/c", x())],
            "below a file",
        ),
        (vec![("a", x()), ("a/b", x())], "below a file"),
        (vec![("a", x()), ("b", Hard("a"))], "`b` is a hard link"),
        (vec![("a", Kind(EntryType::Fifo))], "a pipe"),
        (vec![("a", Kind(EntryType::Char))], "a device"),
        (vec![("a", Kind(EntryType::Block))], "a device"),
        (vec![("a", Kind(EntryType::new(b'A')))], "of a kind"),
        (vec![("a", x()), ("a", x())], "twice"),
    ] {
        let mut archives = vec![tar_gz(&entries)];
        let is_twice = why == "twice";
        if !is_twice
            && !entries
                .iter()
                .any(|(_, what)| matches!(what, Hard(_) | Kind(_)))
        {
            archives.push(zipped(&entries));
        }
        for archive in archives {
            let error = shown(&archive).expect_err(why);
            assert!(error.message.contains(why), "{entries:?}: {error}");
            assert!(!error.message.contains(char::is_control), "{error:?}");
            assert_eq!(error.kind, FetchErrorKind::Unsafe);
        }
    }
}

#[test]
fn a_zip_with_one_name_twice_or_of_two_minds() {
    let zip = zipped(&[("aa", What::File("1")), ("ab", What::File("2"))]);
    let twice: Vec<u8> = zip
        .iter()
        .map(|byte| if *byte == b'b' { b'a' } else { *byte })
        .collect();
    assert!(shown(&twice).is_err());
    // A pipe by its mode.
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer
        .start_file("a", SimpleFileOptions::default())
        .unwrap();
    let mut pipe = writer.finish().unwrap().into_inner();
    let regular = (0o100_644_u32 << 16).to_le_bytes();
    let at = pipe.windows(4).rposition(|bytes| bytes == regular).unwrap();
    pipe[at..at + 4].copy_from_slice(&(0o010_644_u32 << 16).to_le_bytes());
    assert!(shown(&pipe).unwrap_err().message.contains("a pipe"));
}

#[test]
fn archives_that_swell() {
    let zeros = vec![0; 20 << 20];
    let mut packed = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = Header::new_ustar();
    header.set_size(zeros.len() as u64);
    header.set_path("zeros").unwrap();
    header.set_mode(0o644);
    header.set_cksum();
    packed.append(&header, zeros.as_slice()).unwrap();
    let tar_gz = packed.into_inner().unwrap().finish().unwrap();
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer
        .start_file("zeros", SimpleFileOptions::default())
        .unwrap();
    writer.write_all(&zeros).unwrap();
    let zip = writer.finish().unwrap().into_inner();
    for archive in [tar_gz, zip] {
        assert!(archive.len() < 1 << 20);
        let limits = Limits {
            ratio: 20,
            ..Limits::default()
        };
        let read = read_archive(&archive, &limits).map(|tree| tree.len());
        let error = read.unwrap_err();
        assert_eq!(error.kind, FetchErrorKind::TooLarge, "{error}");
        assert!(error.message.contains("much larger"), "{error}");
    }
}

#[test]
fn limits_of_number_and_size() {
    let entries: Vec<String> = (0..50).map(|number| format!("r/{number}")).collect();
    let entries: Vec<(&str, What)> = entries
        .iter()
        .map(|name| (name.as_str(), What::File("0123456789")))
        .collect();
    let default = Limits::default();
    for limits in [
        Limits {
            files: 49,
            ..default
        },
        Limits {
            files: 10,
            ..default
        },
        Limits {
            bytes: 499,
            ..default
        },
    ] {
        for archive in [tar_gz(&entries), zipped(&entries)] {
            let error = read_archive(&archive, &limits).unwrap_err();
            assert_eq!(error.kind, FetchErrorKind::TooLarge, "{error}");
        }
    }
}

#[test]
fn what_is_no_archive() {
    let whole = tar_gz(&[("a", What::File("some text")), ("b", What::File("more"))]);
    let zip = zipped(&[("a", What::File("some text"))]);
    for bytes in [
        b"".as_slice(),
        b"<html>log in</html>",
        &[0x1f, 0x8b],
        &whole[..whole.len() / 2],
        &zip[..zip.len() / 2],
    ] {
        let error = read_archive(bytes, &Limits::default()).unwrap_err();
        assert_eq!(error.kind, FetchErrorKind::Unreadable, "{error}");
    }
}

fn any_tree() -> impl Strategy<Value = Tree> {
    let path = proptest::collection::vec("[a-z]{1,8}( [a-z]{1,3})?", 1..4);
    let file = (
        path,
        proptest::collection::vec(any::<u8>(), 0..200),
        any::<bool>(),
    );
    proptest::collection::vec(file, 1..12).prop_map(|files| {
        let mut tree = Tree::default();
        for (path, bytes, executable) in files {
            // Apart by its number, and not all in one folder.
            let path = format!("{}-{}", tree.len(), path.join("/"));
            let bytes = bytes.into();
            tree.insert(path, TreeFile { bytes, executable });
        }
        tree.insert("top", TreeFile::plain(""));
        tree
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_packed_comes_out(tree in any_tree(), in_folder in any::<bool>()) {
        let prefix = if in_folder { "folder/" } else { "" };
        let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (path, file) in tree.iter() {
            let path = format!("{prefix}{path}");
            let mode = if file.executable { 0o755 } else { 0o644 };
            let mut header = Header::new_gnu();
            header.set_size(file.bytes.len() as u64);
            header.set_mode(mode);
            tar.append_data(&mut header, &path, &*file.bytes).unwrap();
            zip.start_file(&path, SimpleFileOptions::default().unix_permissions(mode)).unwrap();
            zip.write_all(&file.bytes).unwrap();
        }
        let tar = tar.into_inner().unwrap().finish().unwrap();
        let zip = zip.finish().unwrap().into_inner();
        for archive in [tar, zip] {
            prop_assert_eq!(&read_archive(&archive, &Limits::default()).unwrap(), &tree);
        }
    }

    #[test]
    fn any_bytes_are_an_archive_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..2000), at in 0..10_000_usize, with in any::<u8>()) {
        drop(read_archive(&bytes, &Limits::default()));
        // Tar alone, packed.
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&bytes).unwrap();
        drop(read_archive(&packed.finish().unwrap(), &Limits::default()));
        let entries = [("r/a", What::File("some text")), ("r/l", What::Link("a")), ("r/b", What::Run("more"))];
        for mut archive in [zipped(&entries), tar_gz(&entries)] {
            let at = at % archive.len();
            archive[at] = with;
            drop(read_archive(&archive, &Limits::default()));
        }
    }
}
