//! The kernel's queue of changes.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::sync::{Mutex, PoisonError};

use inotify::{EventMask, Inotify, WatchDescriptor, WatchMask};

use super::{Names, TARGETS, Targets};

/// Whatever can change what is read: contents, names, rights.
const CHANGES: WatchMask = WatchMask::MODIFY
    .union(WatchMask::ATTRIB)
    .union(WatchMask::CLOSE_WRITE)
    .union(WatchMask::CREATE)
    .union(WatchMask::DELETE)
    .union(WatchMask::DELETE_SELF)
    .union(WatchMask::MOVE)
    .union(WatchMask::MOVE_SELF);

/// Room for a few dozen events; more are read in turns.
const BUFFER: usize = 4096;

/// An eye on some files and folders.
#[derive(Debug)]
pub struct Watch {
    queue: Mutex<Queue>,
}

#[derive(Debug)]
struct Queue {
    inotify: Inotify,
    /// What counts at each watched place: one place may be watched for several reasons.
    places: HashMap<WatchDescriptor, Vec<Names>>,
    changed: bool,
}

impl Watch {
    /// Starts watching; `None` if that is too much, or the system's limit is reached.
    #[must_use]
    pub fn on(targets: &Targets) -> Option<Self> {
        if targets.0.len() > TARGETS {
            return None;
        }
        let inotify = Inotify::init().ok()?;
        let mut places: HashMap<WatchDescriptor, Vec<Names>> = HashMap::new();
        for (path, names) in &targets.0 {
            let place = inotify.watches().add(path, CHANGES).ok()?;
            places.entry(place).or_default().push(names.clone());
        }
        Some(Self {
            queue: Mutex::new(Queue {
                inotify,
                places,
                changed: false,
            }),
        })
    }

    /// Whether nothing that counts has changed since it was made.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if !queue.changed {
            queue.changed = queue.drain();
        }
        !queue.changed
    }
}

impl Queue {
    /// Reads everything that waits; whether any of it counts.
    fn drain(&mut self) -> bool {
        let mut buffer = [0; BUFFER];
        loop {
            let events = match self.inotify.read_events(&mut buffer) {
                Ok(events) => events,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                // A queue that can't be read tells nothing.
                Err(_) => return true,
            };
            for event in events {
                // Overflowed, or the place itself is gone or moved.
                let lost = EventMask::Q_OVERFLOW
                    | EventMask::IGNORED
                    | EventMask::DELETE_SELF
                    | EventMask::MOVE_SELF;
                if event.mask.intersects(lost) {
                    return true;
                }
                let Some(names) = self.places.get(&event.wd) else {
                    return true;
                };
                let counts = match event.name {
                    Some(name) => {
                        let name = name.to_string_lossy();
                        names.iter().any(|names| names.count(&name))
                    }
                    // The place itself: a file that was written, a folder whose rights changed.
                    None => true,
                };
                if counts {
                    return true;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_counts_is_told_at_once_and_what_does_not_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir(at("deep")).unwrap();
        fs::write(at("target"), "x").unwrap();
        std::os::unix::fs::symlink(at("target"), at("link")).unwrap();
        let watch = || {
            let mut targets = Targets::default();
            targets.folder(at("deep"), Names::All);
            targets.folder(
                folder.path().to_owned(),
                Names::Matching(|name| name.ends_with(".toml")),
            );
            targets.file(at("link"));
            targets.file(at("none/yet"));
            Watch::on(&targets).unwrap()
        };
        let quiet = watch();
        assert!(quiet.is_quiet());
        fs::write(at("noise.txt"), "x").unwrap();
        assert!(quiet.is_quiet());
        let changes: [(&str, &dyn Fn()); 5] = [
            ("a file in a folder", &|| {
                fs::write(at("deep/new"), "x").unwrap()
            }),
            ("a name that counts", &|| {
                fs::write(at("config.toml"), "x").unwrap()
            }),
            ("what a link leads to", &|| {
                fs::write(at("target"), "y").unwrap()
            }),
            ("what was not there", &|| {
                fs::create_dir(at("none")).unwrap()
            }),
            ("a folder that goes", &|| {
                fs::remove_dir_all(at("deep")).unwrap()
            }),
        ];
        for (what, change) in changes {
            let watch = watch();
            change();
            assert!(!watch.is_quiet(), "{what}");
            assert!(!watch.is_quiet(), "{what}: it stays told");
        }
    }
}
