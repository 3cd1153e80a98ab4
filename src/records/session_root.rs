//! Lets Codex's session file of a thread name another root of ours.
//!
//! Codex gives a fork and a spawned thread the root of the thread they came out
//! of, for good, and no request of its app-server changes that. So a thread that
//! is to have another loadout than those it shares a root with gets a root of its
//! own, and its session file has to say so.
//!
//! Of that file, 36 bytes change: the id in a path that we gave Codex ourselves.
//! They are written in place, by one write of the same length, so the file never
//! has another size, name or inode, and whatever the moment of a crash, it names
//! the one root or the other; the thread's record says which, and the file is
//! brought back to it before the thread is loaded again. No word of the
//! conversation is touched. It is done only while the thread is not loaded: Codex
//! reads the line when it loads a thread, and writes it once, when it makes one.
//!
//! Measured on Codex 0.144.1, 0.150.1, 0.157.1, 0.163.0 and 0.169.0: the first
//! line alone decides, also where a fork's file goes on with its source's line
//! (0.144, 0.150); no database of Codex's keeps the root; name, history and
//! settings of the thread stay.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use codex_loadout_files::open_regular_with;

use super::session_file::{SessionFileError, first_line, parse};

/// Lets the session file name the root `to` where it names the root `from`, both by their ids in the
/// same folder. Blocking.
///
/// # Errors
/// [`SessionFileError`]; then the file is as it was.
pub fn rename_root(path: &Path, from: &str, to: &str) -> Result<(), SessionFileError> {
    let unusable = |source| SessionFileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let line = first_line(path)?;
    let at = place_of(&line, from, to).map_err(|reason| SessionFileError::NoMeta {
        path: path.to_owned(),
        reason,
    })?;
    overwrite(path, at, from, to).map_err(unusable)
}

/// Where in the line the id stands, if the line with the other id says nothing else than before.
fn place_of(line: &[u8], from: &str, to: &str) -> Result<usize, String> {
    if from.len() != to.len() {
        return Err("a root's id has another length".to_owned());
    }
    // The id is the end of a path, and that of a JSON string.
    let quoted = |id: &str| format!("/{id}\"");
    let found: Vec<usize> = memchr::memmem::find_iter(line, quoted(from).as_bytes()).collect();
    let [found] = found[..] else {
        return Err(format!("it names the root {} times", found.len()));
    };
    let mut expected = parse(line)?;
    for root in expected.roots.iter_mut().chain(&mut expected.loadout_root) {
        if root.file_name().is_some_and(|name| name == from) {
            root.set_file_name(to);
        }
    }
    let mut renamed = line.to_vec();
    let place = found..found + quoted(to).len();
    renamed.splice(place, quoted(to).into_bytes());
    let now = parse(&renamed)?;
    if now != expected || now == parse(line)? {
        return Err("the root stands in another place than expected".to_owned());
    }
    Ok(found + 1)
}

fn overwrite(path: &Path, at: usize, from: &str, to: &str) -> io::Result<()> {
    let mut file = open_regular_with(path, File::options().read(true).write(true))?;
    let modified = file.metadata()?.modified()?;
    let at = SeekFrom::Start(at as u64);
    let mut there = vec![0; from.len()];
    file.seek(at)?;
    file.read_exact(&mut there)?;
    if there != from.as_bytes() {
        return Err(io::Error::other("it was changed meanwhile"));
    }
    file.seek(at)?;
    file.write_all(to.as_bytes())?;
    // Codex before 0.157 tells by the file's time when a thread was last used.
    file.set_modified(modified)
}

#[cfg(test)]
mod tests {
    use super::super::session_file::read_meta;
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    const ONE: &str = "01a1fd83-1794-7723-ab89-1b61196c0ec1";
    const TWO: &str = "01a1fd83-2121-7f73-9eba-452a26d472e2";

    fn line(text: &str, root: &str) -> String {
        format!(
            r#"{{"type":"session_meta","payload":{{"id":"f","forked_from_id":"s","instructions":"{text}","selected_capability_roots":[{{"id":"x","location":{{"path":"file:///h/my%20state/roots/{root}"}}}}],"more":1}}}}"#
        )
    }

    #[test]
    fn the_root_is_another_and_nothing_else_is() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("rollout-f.jsonl");
        let rest = format!("\n{}\nnot json, {ONE}\n", line("of the source", ONE));
        let before = line("é: be kind", ONE) + &rest;
        fs::write(&path, &before).unwrap();
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        rename_root(&path, ONE, TWO).unwrap();
        let after = fs::read_to_string(&path).unwrap();
        assert_eq!(after, line("é: be kind", TWO) + &rest);
        #[cfg(unix)]
        assert_eq!(
            read_meta(&path).unwrap().roots,
            [PathBuf::from("/h/my state/roots").join(TWO)]
        );
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), modified);
        rename_root(&path, TWO, ONE).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), before);
    }

    #[test]
    fn what_is_not_as_expected_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("rollout-f.jsonl");
        let twice = line(&format!("/{ONE}\\\" /{ONE}"), ONE);
        for (text, from, to) in [
            (line("", TWO), ONE, TWO),
            (line("", ONE), ONE, "short"),
            (twice.replace("\\\"", "\",\"odd\":\""), ONE, TWO),
            (
                line("", ONE).replace("selected_capability_roots", "else"),
                ONE,
                TWO,
            ),
            (String::new(), ONE, TWO),
        ] {
            fs::write(&path, &text).unwrap();
            let error = rename_root(&path, from, to).unwrap_err();
            assert!(error.to_string().contains("rollout-f"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert!(rename_root(&home.path().join("none"), ONE, TWO).is_err());
    }
}
