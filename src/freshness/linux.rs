//! The kernel's queue of changes.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
/// As long as an event can be: one with a name of 255 bytes.
const LONGEST_EVENT: usize = 16 + 256;

/// How many places all processes of a user may watch together.
const SYSTEM_LIMIT: &str = "/proc/sys/fs/inotify/max_user_watches";
/// What that is on the systems that allow the least.
const LEAST: usize = 8192;

/// The process has one queue, made when it is first needed: of queues, a user's processes have 128 together.
static QUEUE: Mutex<Option<Queue>> = Mutex::new(None);

/// An eye on some files and folders.
#[derive(Debug)]
pub(crate) struct Watch {
    changed: Arc<AtomicBool>,
    places: Vec<WatchDescriptor>,
}

#[derive(Debug)]
struct Queue {
    inotify: Inotify,
    places: HashMap<WatchDescriptor, Vec<Interest>>,
    /// Places at most: half of what the system allows, so that other programs find some, too.
    limit: usize,
}

/// What counts at a place, and who wants to know.
#[derive(Debug)]
struct Interest {
    names: Names,
    changed: Arc<AtomicBool>,
}

impl Watch {
    /// Starts watching; `None` if that is too much, or the system has nothing left to watch with: then it is
    /// for the caller to compare times and sizes.
    #[must_use]
    pub(crate) fn on(targets: &Targets) -> Option<Self> {
        if targets.0.len() > TARGETS {
            return None;
        }
        // What has happened so far is not for this one.
        Queue::get().as_mut()?.drain();
        let mut watch = Self {
            changed: Arc::default(),
            places: Vec::with_capacity(targets.0.len()),
        };
        for (path, names) in &targets.0 {
            // For each anew: others have to know meanwhile whether theirs are quiet.
            let mut queue = Queue::get();
            let queue = queue.as_mut()?;
            let place = queue.inotify.watches().add(path, CHANGES).ok()?;
            let interests = queue.places.entry(place.clone()).or_default();
            interests.push(Interest {
                names: names.clone(),
                changed: watch.changed.clone(),
            });
            let is_too_much = queue.places.len() > queue.limit;
            watch.places.push(place);
            if is_too_much {
                tracing::debug!(limit = queue.limit, "too many places are watched");
                break;
            }
        }
        // One that is dropped here lets go of what it has.
        (watch.places.len() == targets.0.len()).then_some(watch)
    }

    /// Whether nothing that counts has changed since it was made.
    #[must_use]
    pub(crate) fn is_quiet(&self) -> bool {
        if let Some(queue) = Queue::get().as_mut() {
            queue.drain();
        }
        !self.changed.load(Ordering::Relaxed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(queue) = Queue::get().as_mut() {
            queue.let_go(self);
        }
    }
}

impl Queue {
    /// The queue; `None` if the system has none left. Whoever asks next tries again.
    fn get() -> MutexGuard<'static, Option<Self>> {
        let mut queue = QUEUE.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.is_none() {
            *queue = Self::new();
        }
        queue
    }

    fn new() -> Option<Self> {
        let told = std::fs::read_to_string(SYSTEM_LIMIT).ok();
        let allowed = told.and_then(|text| text.trim().parse().ok());
        let inotify = Inotify::init()
            .inspect_err(|error| tracing::debug!(%error, "nothing can be watched"))
            .ok()?;
        Some(Self {
            inotify,
            places: HashMap::new(),
            limit: allowed.unwrap_or(LEAST) / 2,
        })
    }

    /// Reads everything that waits, and tells those whom it concerns. What comes meanwhile may wait: where somebody
    /// writes all the time, something always comes.
    fn drain(&mut self) {
        let mut buffer = [0; BUFFER];
        let mut is_empty = false;
        while !is_empty {
            let events = match self.inotify.read_events(&mut buffer) {
                Ok(events) => events,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // A queue that can't be read tells nothing.
                Err(_) => return self.all_changed(),
            };
            let mut count = 0;
            for event in events {
                count += 1;
                if event.mask.contains(EventMask::Q_OVERFLOW) {
                    self.all_changed();
                    continue;
                }
                // Whoever had let go of the place is not concerned.
                let Some(interests) = self.places.get(&event.wd) else {
                    continue;
                };
                // The place itself is gone or moved.
                let lost = EventMask::IGNORED | EventMask::DELETE_SELF | EventMask::MOVE_SELF;
                let is_lost = event.mask.intersects(lost);
                let name = event.name.map(|name| name.to_string_lossy());
                for interest in interests {
                    let counts = match &name {
                        Some(name) => interest.names.count(name),
                        // The place itself: a file that was written, a folder whose rights changed.
                        None => true,
                    };
                    if is_lost || counts {
                        interest.changed.store(true, Ordering::Relaxed);
                    }
                }
                if event.mask.contains(EventMask::IGNORED) {
                    self.places.remove(&event.wd);
                }
            }
            // Where another one had room, there was none.
            is_empty = count < BUFFER / LONGEST_EVENT;
        }
    }

    fn all_changed(&self) {
        for interest in self.places.values().flatten() {
            interest.changed.store(true, Ordering::Relaxed);
        }
    }

    fn let_go(&mut self, watch: &Watch) {
        for place in &watch.places {
            let Some(interests) = self.places.get_mut(place) else {
                continue;
            };
            interests.retain(|interest| !Arc::ptr_eq(&interest.changed, &watch.changed));
            if interests.is_empty() {
                self.places.remove(place);
                // It may be gone already.
                let _ = self.inotify.watches().remove(place.clone());
            }
        }
        // The system says of each place that it is watched no longer, and the queue is not endless.
        self.drain();
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

    /// Queues of this process.
    fn queues() -> usize {
        let open = fs::read_dir("/proc/self/fd").unwrap().flatten();
        open.filter_map(|entry| fs::read_link(entry.path()).ok())
            .filter(|target| target.to_string_lossy().contains("inotify"))
            .count()
    }

    #[test]
    fn many_watches_take_one_queue_and_each_knows_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let watch = |name: &str| {
            let mut targets = Targets::default();
            targets.folder(folder.path().to_owned(), Names::One(name.to_owned()));
            Watch::on(&targets).unwrap()
        };
        let watches: Vec<Watch> = (0..300).map(|number| watch(&number.to_string())).collect();
        assert_eq!(queues(), 1);
        fs::write(folder.path().join("7"), "x").unwrap();
        let changed = |watches: &[Watch]| -> Vec<usize> {
            let numbered = watches.iter().enumerate();
            numbered
                .filter(|(_, watch)| !watch.is_quiet())
                .map(|(number, _)| number)
                .collect()
        };
        assert_eq!(changed(&watches), [7]);
        // What is over is nothing to a new one, and one that goes takes nothing from the others.
        let again = watch("7");
        assert!(again.is_quiet());
        drop(watches);
        fs::write(folder.path().join("7"), "y").unwrap();
        assert!(!again.is_quiet());
        let place = again.places[0].clone();
        drop(again);
        assert!(!Queue::get().as_ref().unwrap().places.contains_key(&place));
    }

    #[test]
    fn what_counts_is_told_behind_much_that_does_not() {
        for length in [1, 100, 255] {
            let folder = tempfile::tempdir().unwrap();
            let mut targets = Targets::default();
            targets.folder(folder.path().to_owned(), Names::One("config".to_owned()));
            let watch = Watch::on(&targets).unwrap();
            let names = ["a", "b"].map(|name| name.repeat(length));
            for number in 0..500 {
                // Of equal ones that follow each other, the system keeps one.
                fs::write(folder.path().join(&names[number % 2]), "x").unwrap();
            }
            fs::write(folder.path().join("config"), "x").unwrap();
            assert!(!watch.is_quiet(), "{length}");
        }
    }

    #[test]
    fn what_cannot_be_watched_is_not_half_watched() {
        let folder = tempfile::tempdir().unwrap();
        let mut targets = Targets::default();
        targets.folder(folder.path().to_owned(), Names::All);
        let place = Watch::on(&targets).unwrap().places[0].clone();
        targets.0.push((folder.path().join("none"), Names::All));
        assert!(Watch::on(&targets).is_none());
        assert!(!Queue::get().as_ref().unwrap().places.contains_key(&place));
    }
}
