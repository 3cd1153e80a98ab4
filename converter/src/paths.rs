//! Relative paths as values.

/// The folder a path lies in; empty for the root.
pub(crate) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The last part of a path.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The path of a file in a folder; an empty folder is the root.
pub(crate) fn in_folder(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

/// `path` as seen from `folder`, `.` and `..` resolved; `None` if it leads out of the root.
pub(crate) fn join(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The way from `folder` to `path`, both relative to one root.
pub(crate) fn relative(folder: &str, path: &str) -> String {
    let from: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    let to: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", from.len() - shared);
    let way: Vec<&str> = up.chain(to[shared..].iter().copied()).collect();
    if way.is_empty() {
        ".".to_owned()
    } else {
        way.join("/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joining_stays_inside() {
        for (folder, path, joined) in [
            ("", "a", Some("a")),
            ("a/b", "../c.md", Some("a/c.md")),
            ("a", "./b//c", Some("a/b/c")),
            ("a", "..", Some("")),
            ("a", "../..", None),
            ("", "..", None),
        ] {
            assert_eq!(join(folder, path).as_deref(), joined, "{folder} {path}");
        }
    }

    #[test]
    fn ways_lead_back() {
        for (folder, path, way) in [
            ("", "a/b", "a/b"),
            ("a", "a/b", "b"),
            ("a/b", "a/c/d", "../c/d"),
            ("a/b", "c", "../../c"),
            ("a", "a", "."),
        ] {
            assert_eq!(relative(folder, path), way, "{folder} {path}");
            assert_eq!(join(folder, way).as_deref(), Some(path));
        }
    }
}
