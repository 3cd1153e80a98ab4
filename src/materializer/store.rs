//! The store: each content once, read-only, found by its digest.
//!
//! ```text
//! $CODEX_LOADOUT_HOME/                 0700
//! ├── CACHEDIR.TAG                     backup programs pass the folder over
//! ├── no-role.toml                     a role file that says nothing
//! ├── roles-of-agents/<sha256>.toml    role files that carry a thread's list of skills
//! ├── store-v1/                        the number is that of this layout
//! │   ├── trees/<sha256>/…             one bundle; files 0444 or 0555, folders 0555; converted texts
//! │   │                                name this very folder, which the digest passes over
//! │   ├── loadouts/<sha256>/<mount>    -> ../../trees/<sha256>
//! │   ├── lock                         shared by those who publish, had alone by who cleans up
//! │   └── staging/                     trees under way; whatever lies here may go
//! ├── roots/<uuid>                     -> ../store-v1/loadouts/<sha256>: one thread's root
//! └── running/<uuid>                   the roots that a living process has made
//! ```
//!
//! A tree and a loadout appear by one rename and are never written again. Only a
//! root changes what it leads to. What is needed after a crash of the machine
//! (not of a process) is synced before the rename.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use dashmap::DashMap;

use super::claims::Claims;
use super::error::StoreError;
use super::publish::{self, Staged};
use super::read::{read_tree, watched_folders};
use super::root::{RootId, link};
use super::walk::Limits;
use crate::bundle::{Digest, Tree};
use crate::freshness::Watch;
use crate::settings::{private_file, private_folder};

/// The text that marks a folder as a cache, by the Cache Directory Tagging Specification.
const CACHE_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n";

/// Trees that are watched at once; beyond that, all are read again once.
const WATCHED: usize = 4096;

/// What a snapshot is found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Its content has its digest.
    Intact,
    /// It is not there.
    Missing,
    /// Its content has another digest, or can't be read.
    Changed,
}

/// The store of one state folder.
#[derive(Debug)]
pub struct Store {
    pub(super) home: PathBuf,
    pub(super) claims: Claims,
    /// Trees that are being staged by this process, so that none is staged twice at once.
    staging: DashMap<Digest, Arc<Mutex<()>>>,
    /// Trees that were read and found intact, with an eye on each since before.
    watched: DashMap<Digest, Watch>,
}

impl Store {
    /// Opens the store in a state folder, making what is missing.
    ///
    /// # Errors
    /// [`StoreError`], naming the folder that can't be made.
    pub fn open(home: &Path) -> Result<Self, StoreError> {
        let store = Self::to_sweep(home);
        store.look_after()?;
        Ok(store)
    }

    /// Makes what is missing, also of a store that somebody has removed meanwhile, and says that it is used.
    ///
    /// # Errors
    /// [`StoreError`], naming the folder that can't be made.
    pub fn look_after(&self) -> Result<(), StoreError> {
        self.make_folders()?;
        self.claims.appear().map_err(StoreError::at(&self.home))
    }

    /// The store in a state folder, for somebody who uses nothing of it.
    #[must_use]
    pub fn to_sweep(home: &Path) -> Self {
        Self {
            home: home.to_owned(),
            claims: Claims::new(home),
            staging: DashMap::new(),
            watched: DashMap::new(),
        }
    }

    pub(super) fn make_folders(&self) -> Result<(), StoreError> {
        for folder in [
            self.home.clone(),
            self.trees(),
            self.loadouts(),
            self.staging_folder(),
            self.roots(),
        ] {
            private_folder(&folder).map_err(StoreError::at(&folder))?;
        }
        let tag = self.home.join("CACHEDIR.TAG");
        if !tag.exists() {
            let written =
                private_file(&tag).and_then(|mut tag| tag.write_all(CACHE_TAG.as_bytes()));
            written.map_err(StoreError::at(&tag))?;
        }
        Ok(())
    }

    /// The folder for role files of ours, each named by the digest of its text.
    #[must_use]
    pub fn roles(&self) -> PathBuf {
        self.home.join("roles-of-agents")
    }

    /// Makes sure that a role file is there and says this.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be written.
    pub fn keep_role(&self, file: &Path, text: &str) -> Result<(), StoreError> {
        if fs::read(file).is_ok_and(|kept| kept == text.as_bytes()) {
            return Ok(());
        }
        let folder = self.roles();
        let written = private_folder(&folder).and_then(|()| {
            let mut staged = tempfile::NamedTempFile::new_in(&folder)?;
            staged.write_all(text.as_bytes())?;
            staged.persist(file).map_err(|error| error.error)
        });
        written.map(|_| ()).map_err(StoreError::at(file))
    }

    /// Keeps a tree under its digest. One that is there already is not written again.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the tree is to be seen.
    pub fn publish_tree(&self, tree: &Tree, digest: Digest) -> Result<PathBuf, StoreError> {
        let place = self.tree_path(&digest);
        if place.is_dir() {
            Self::touch(&place);
            return Ok(place);
        }
        let turn = self.staging.entry(digest).or_default().clone();
        let published = {
            // A staging that panicked left nothing behind that another could trip over.
            let _turn = turn
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            if place.is_dir() {
                return Ok(place);
            }
            let kept = tree.clone().placed_at(&place.to_string_lossy());
            Staged::tree(&self.staging_folder(), &kept).and_then(|staged| staged.publish(&place))
        };
        self.staging.remove(&digest);
        published.map(|()| place)
    }

    /// Keeps a loadout: a folder with a link for each mount. An empty one is allowed.
    ///
    /// # Errors
    /// As [`Self::keep_loadout`].
    pub fn publish_loadout(&self, mounts: &[(String, Digest)]) -> Result<Digest, StoreError> {
        self.keep_loadout(mounts).map(|(digest, _)| digest)
    }

    /// The same, in the place of one that was changed; whether there was one.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of it is to be seen.
    pub fn keep_loadout(&self, mounts: &[(String, Digest)]) -> Result<(Digest, bool), StoreError> {
        let digest = loadout_digest(mounts);
        let place = self.loadout_path(&digest);
        let _publishing = self.publish()?;
        let verdict = self.check_loadout(mounts);
        if verdict == Verdict::Intact {
            Self::touch(&place);
            return Ok((digest, false));
        }
        let changed = verdict == Verdict::Changed;
        if changed {
            tracing::warn!(%digest, "a loadout was changed; a good one is put in its place");
            publish::retire(&place, &self.staging_folder())?;
        }
        let links = mounts
            .iter()
            .map(|(mount, digest)| (mount.as_str(), mounted(digest)));
        Staged::links(&self.staging_folder(), links)?.publish(&place)?;
        Ok((digest, changed))
    }

    /// The digest of a loadout that is kept already, and intact.
    #[must_use]
    pub fn published_loadout(&self, mounts: &[(String, Digest)]) -> Option<Digest> {
        if self.check_loadout(mounts) != Verdict::Intact {
            return None;
        }
        let digest = loadout_digest(mounts);
        Self::touch(&self.loadout_path(&digest));
        Some(digest)
    }

    /// Whether a loadout is a folder with its links and nothing else: read anew each time, since it is few.
    #[must_use]
    pub fn check_loadout(&self, mounts: &[(String, Digest)]) -> Verdict {
        let place = self.loadout_path(&loadout_digest(mounts));
        let Ok(found) = place.symlink_metadata() else {
            return Verdict::Missing;
        };
        let leads = |(mount, digest): &(String, Digest)| {
            fs::read_link(place.join(mount)).is_ok_and(|target| target == mounted(digest))
        };
        let count = fs::read_dir(&place).map_or(usize::MAX, Iterator::count);
        if found.is_dir() && count == mounts.len() && mounts.iter().all(leads) {
            Verdict::Intact
        } else {
            Verdict::Changed
        }
    }

    /// Whether a root is the link that leads to this loadout.
    #[must_use]
    pub fn leads_to(&self, root: &RootId, mounts: &[(String, Digest)]) -> bool {
        let target = self.loadout_link(loadout_digest(mounts));
        fs::read_link(self.root_path(root)).is_ok_and(|now| now == target)
    }

    /// Where a tree lies, or would.
    #[must_use]
    pub fn tree_path(&self, digest: &Digest) -> PathBuf {
        Self::tree_in(&self.home, digest)
    }

    /// Where a tree lies in the store of a state folder, whether there is one or not.
    #[must_use]
    pub fn tree_in(home: &Path, digest: &Digest) -> PathBuf {
        trees(home).join(digest.hex())
    }

    /// Whether a tree is there; not whether it is intact.
    #[must_use]
    pub fn has_tree(&self, digest: &Digest) -> bool {
        self.tree_path(digest).is_dir()
    }

    /// Reads a tree again and compares.
    #[must_use]
    pub fn verify_tree(&self, digest: &Digest) -> Verdict {
        if !self.has_tree(digest) {
            return Verdict::Missing;
        }
        let unlimited = Limits {
            files: usize::MAX,
            bytes: u64::MAX,
            texts: u64::MAX,
        };
        let place = self.tree_path(digest);
        let kept = read_tree(&place, unlimited);
        match kept.map(|tree| tree.taken_from(&place.to_string_lossy()).digest()) {
            Ok(found) if found == *digest => Verdict::Intact,
            Ok(_) | Err(_) => Verdict::Changed,
        }
    }

    /// Whether a tree is known to be intact without reading it: it was once read, and nothing has
    /// changed since. Where the system tells of no change, nothing is known.
    #[must_use]
    pub fn is_known_intact(&self, digest: &Digest) -> bool {
        let quiet = self.watched.get(digest).map(|watch| watch.is_quiet());
        quiet == Some(true) && self.has_tree(digest)
    }

    /// As [`Self::verify_tree`], without reading again what is known to be intact.
    #[must_use]
    pub fn check_tree(&self, digest: &Digest) -> Verdict {
        if self.is_known_intact(digest) {
            return Verdict::Intact;
        }
        if self.watched.len() >= WATCHED {
            self.watched.clear();
        }
        // Watched before it is read, so that no change falls between.
        let tree = self.tree_path(digest);
        let watch = watched_folders(&tree, &tree, Limits::default())
            .ok()
            .and_then(|targets| Watch::on(&targets));
        let verdict = self.verify_tree(digest);
        match watch.filter(|_| verdict == Verdict::Intact) {
            Some(watch) => self.watched.insert(*digest, watch),
            None => self.watched.remove(digest).map(|(_, watch)| watch),
        };
        verdict
    }

    /// Keeps a tree under its digest, in the place of one that was changed; whether there was one.
    ///
    /// # Errors
    /// As [`Self::heal_tree`].
    pub fn keep_tree(&self, tree: &Tree, digest: Digest) -> Result<bool, StoreError> {
        let changed = self.check_tree(&digest) == Verdict::Changed;
        if changed {
            tracing::warn!(%digest, "a snapshot was changed; a good copy is put in its place");
            self.heal_tree(tree, digest)?;
        } else {
            self.publish_tree(tree, digest)?;
        }
        Ok(changed)
    }

    /// Puts a good copy in the place of a tree that was changed or is gone.
    ///
    /// # Errors
    /// [`StoreError`] if the bad copy can't be taken away or the good one not be written.
    pub fn heal_tree(&self, tree: &Tree, digest: Digest) -> Result<PathBuf, StoreError> {
        let place = self.tree_path(&digest);
        if place.exists() {
            publish::retire(&place, &self.staging_folder())?;
        }
        self.publish_tree(tree, digest)
    }

    /// A root of its own for a thread.
    ///
    /// # Errors
    /// [`StoreError`] if the link can't be made.
    pub fn create_root(&self, loadout: Digest) -> Result<RootId, StoreError> {
        let root = RootId::new();
        self.claims
            .claim(&root)
            .map_err(StoreError::at(&self.home))?;
        link(&self.loadout_link(loadout), &self.root_path(&root))?;
        Ok(root)
    }

    /// Lets a root lead to another loadout, from one moment to the next; whether it led elsewhere.
    ///
    /// # Errors
    /// [`StoreError`]; then it leads where it did.
    pub fn point_root(&self, root: &RootId, loadout: Digest) -> Result<bool, StoreError> {
        let place = self.root_path(root);
        let target = self.loadout_link(loadout);
        if fs::read_link(&place).is_ok_and(|now| now == target) {
            return Ok(false);
        }
        let next = self.roots().join(format!(".{}", RootId::new()));
        link(&target, &next)?;
        if place.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            tracing::warn!(%root, "a root was changed; the right one is put in its place");
            publish::retire(&place, &self.staging_folder())?;
        }
        fs::rename(&next, &place).map_err(StoreError::at(&place))?;
        Ok(true)
    }

    /// Where a root lies.
    #[must_use]
    pub fn root_path(&self, root: &RootId) -> PathBuf {
        self.roots().join(root.to_string())
    }

    /// Takes a root away. What it led to stays.
    ///
    /// # Errors
    /// [`StoreError`] if the link can't be removed; one that is not there is no error.
    pub fn remove_root(&self, root: &RootId) -> Result<(), StoreError> {
        let place = self.root_path(root);
        match fs::remove_file(&place) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError::at(&place)(error))
            }
            _ => Ok(()),
        }
    }

    /// Where a loadout lies, or would.
    #[must_use]
    pub fn loadout_path(&self, digest: &Digest) -> PathBuf {
        self.loadouts().join(digest.hex())
    }

    fn loadout_link(&self, loadout: Digest) -> PathBuf {
        Path::new("../store-v1/loadouts").join(loadout.hex())
    }

    pub(super) fn lock_path(&self) -> PathBuf {
        self.home.join("store-v1/lock")
    }

    pub(super) fn trees(&self) -> PathBuf {
        trees(&self.home)
    }

    pub(super) fn loadouts(&self) -> PathBuf {
        self.home.join("store-v1/loadouts")
    }

    pub(super) fn staging_folder(&self) -> PathBuf {
        self.home.join("store-v1/staging")
    }

    /// The folder of all roots.
    #[must_use]
    pub fn roots(&self) -> PathBuf {
        self.home.join("roots")
    }
}

/// What a mount of a loadout is: a link to its tree.
fn mounted(digest: &Digest) -> PathBuf {
    Path::new("../../trees").join(digest.hex())
}

/// Does not depend on the order of the mounts.
fn loadout_digest(mounts: &[(String, Digest)]) -> Digest {
    let mut texts: Vec<String> = mounts
        .iter()
        .map(|(mount, digest)| format!("{mount}\0{digest}"))
        .collect();
    texts.sort();
    Digest::of_parts(
        std::iter::once(b"root v1".as_slice()).chain(texts.iter().map(String::as_bytes)),
    )
}

fn trees(home: &Path) -> PathBuf {
    home.join("store-v1/trees")
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::bundle::TreeFile;
    use proptest::prelude::*;
    use std::os::unix::fs::PermissionsExt;

    fn store() -> (tempfile::TempDir, Store) {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(&home.path().join("state")).unwrap();
        (home, store)
    }

    fn tree(files: &[(&str, &'static str)]) -> Tree {
        files
            .iter()
            .map(|(path, text)| {
                (
                    (*path).to_owned(),
                    TreeFile {
                        bytes: text.as_bytes().into(),
                        executable: path.ends_with(".sh"),
                    },
                )
            })
            .collect()
    }

    fn staged(store: &Store) -> usize {
        fs::read_dir(store.staging_folder()).unwrap().count()
    }

    #[test]
    fn a_tree_is_kept_once_and_read_only() {
        let (_home, store) = store();
        let tree = tree(&[("a/run.sh", "x"), ("b", "y")]);
        let place = store.publish_tree(&tree, tree.digest()).unwrap();
        let mode =
            |path: &str| fs::metadata(place.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode("a/run.sh"), mode("b"), mode("a"), mode("")),
            (0o555, 0o444, 0o555, 0o555)
        );
        let made = fs::metadata(place.join("b")).unwrap().modified().unwrap();
        store.publish_tree(&tree, tree.digest()).unwrap();
        assert_eq!(
            fs::metadata(place.join("b")).unwrap().modified().unwrap(),
            made
        );
        assert_eq!(
            (store.verify_tree(&tree.digest()), staged(&store)),
            (Verdict::Intact, 0)
        );
        let home = fs::metadata(&store.home).unwrap().permissions().mode() & 0o777;
        assert_eq!(home, 0o700);
    }

    #[test]
    fn a_copy_that_breaks_off_leaves_nothing_to_be_seen() {
        let (_home, store) = store();
        // A file where a folder must be: the second write fails when the first is done.
        let broken = tree(&[("a", "x"), ("a/b", "y")]);
        let error = store.publish_tree(&broken, broken.digest()).unwrap_err();
        assert!(matches!(error, StoreError::Unwritable { .. }), "{error}");
        assert!(!store.has_tree(&broken.digest()));
        assert_eq!(staged(&store), 0);
    }

    #[test]
    fn two_that_publish_at_once_do_not_harm_each_other() {
        let (home, first) = store();
        let tree = Tree::from_iter((0..50).map(|number| {
            (
                format!("d{}/f{number}", number % 7),
                TreeFile::plain(vec![b'x'; 5000]),
            )
        }));
        let digest = tree.digest();
        // A store of its own has locks of its own, as another process would.
        let second = Store::open(&home.path().join("state")).unwrap();
        std::thread::scope(|scope| {
            for store in [&first, &second, &first, &second] {
                scope.spawn(|| {
                    store.publish_tree(&tree, digest).unwrap();
                    store.publish_loadout(&[("m".to_owned(), digest)]).unwrap();
                });
            }
        });
        assert_eq!(
            (first.verify_tree(&digest), staged(&first)),
            (Verdict::Intact, 0)
        );
    }

    #[test]
    fn roots_lead_to_loadouts_and_can_be_turned() {
        let (_home, store) = store();
        let [one, two] = ["1", "2"].map(|text| {
            let tree = tree(&[("SKILL.md", text)]);
            store.publish_tree(&tree, tree.digest()).unwrap();
            store
                .publish_loadout(&[("skill".to_owned(), tree.digest())])
                .unwrap()
        });
        let root = store.create_root(one).unwrap();
        let other = store.create_root(one).unwrap();
        let read = |root: &RootId| {
            fs::read_to_string(store.root_path(root).join("skill/SKILL.md")).unwrap()
        };
        assert_eq!(
            (read(&root), read(&other)),
            ("1".to_owned(), "1".to_owned())
        );
        store.point_root(&root, two).unwrap();
        assert_eq!(
            (read(&root), read(&other)),
            ("2".to_owned(), "1".to_owned())
        );
        let empty = store.publish_loadout(&[]).unwrap();
        store.point_root(&root, empty).unwrap();
        assert_eq!(fs::read_dir(store.root_path(&root)).unwrap().count(), 0);
        store.remove_root(&root).unwrap();
        store.remove_root(&root).unwrap();
        assert!(!store.root_path(&root).exists());
    }

    #[test]
    fn a_changed_tree_is_noticed_and_healed() {
        let (_home, store) = store();
        let tree = tree(&[("a", "x")]);
        let place = store.publish_tree(&tree, tree.digest()).unwrap();
        assert_eq!(store.verify_tree(&Digest::of_parts([])), Verdict::Missing);
        fs::set_permissions(place.join("a"), fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(place.join("a"), "changed").unwrap();
        assert_eq!(store.verify_tree(&tree.digest()), Verdict::Changed);
        store.heal_tree(&tree, tree.digest()).unwrap();
        assert_eq!(store.verify_tree(&tree.digest()), Verdict::Intact);
    }

    #[test]
    fn a_changed_loadout_or_root_is_noticed_and_healed() {
        let (_home, store) = store();
        let tree = tree(&[("a", "x")]);
        store.publish_tree(&tree, tree.digest()).unwrap();
        let mounts = [("m".to_owned(), tree.digest())];
        assert_eq!(store.check_loadout(&mounts), Verdict::Missing);
        let loadout = store.publish_loadout(&mounts).unwrap();
        let root = store.create_root(loadout).unwrap();
        let place = store.loadout_path(&loadout);
        type Change = fn(&Path);
        let changes: [Change; 4] = [
            |place| fs::create_dir(place.join("more")).unwrap(),
            |place| fs::remove_file(place.join("m")).unwrap(),
            |place| {
                fs::remove_file(place.join("m")).unwrap();
                fs::create_dir(place.join("m")).unwrap();
                fs::write(place.join("m/a"), "evil").unwrap();
            },
            |place| {
                fs::remove_file(place.join("m")).unwrap();
                fs::remove_dir(place).unwrap();
                std::os::unix::fs::symlink("/etc", place).unwrap();
            },
        ];
        for change in changes {
            fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
            change(&place);
            assert_eq!(store.check_loadout(&mounts), Verdict::Changed);
            assert_eq!(store.published_loadout(&mounts), None);
            store.publish_loadout(&mounts).unwrap();
            assert_eq!(store.check_loadout(&mounts), Verdict::Intact);
            assert_eq!(
                fs::read_to_string(store.root_path(&root).join("m/a")).unwrap(),
                "x"
            );
        }
        let at = store.root_path(&root);
        fs::remove_file(&at).unwrap();
        fs::create_dir(&at).unwrap();
        assert!(!store.leads_to(&root, &mounts));
        assert!(store.point_root(&root, loadout).unwrap());
        assert!(store.leads_to(&root, &mounts));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn what_is_published_reads_back_equal(files in proptest::collection::btree_map("[a-c]{1,2}(/[d-f]{1,2}){0,2}", (proptest::collection::vec(any::<u8>(), 0..40), any::<bool>()), 0..8)) {
            let names: Vec<String> = files.keys().cloned().collect();
            // A name can't be a file and a folder at once.
            let tree: Tree = files.into_iter()
                .filter(|(name, _)| !names.iter().any(|other| other.starts_with(&format!("{name}/"))))
                .map(|(name, (bytes, executable))| (name, TreeFile { bytes: bytes.into(), executable }))
                .collect();
            let (_home, store) = store();
            let place = store.publish_tree(&tree, tree.digest()).unwrap();
            prop_assert_eq!(read_tree(&place, Limits::default()).unwrap(), tree);
        }
    }
}
