//! The store as a whole: published, read, changed and healed.

use std::fs;
use std::path::Path;

use super::read::read_tree;
use super::walk::Limits;
use super::{RootId, Store, StoreError, Verdict};
use crate::bundle::{Digest, Tree, TreeFile};
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
    let mode = |path: &str| fs::metadata(place.join(path)).unwrap().permissions().mode() & 0o777;
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
    let read =
        |root: &RootId| fs::read_to_string(store.root_path(root).join("skill/SKILL.md")).unwrap();
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

#[cfg(target_os = "linux")]
#[test]
fn a_tree_that_is_kept_again_and_again_is_read_once() {
    let (_home, store) = store();
    let tree = tree(&[("SKILL.md", "x")]);
    let digest = tree.digest();
    store.keep_tree(&tree, digest).unwrap();
    store.keep_tree(&tree, digest).unwrap();
    assert!(store.is_known_intact(&digest));
    // Saying that it is used is no change to it.
    store.keep_tree(&tree, digest).unwrap();
    store.use_trees(std::iter::once(digest));
    assert!(store.is_known_intact(&digest));
}

#[cfg(unix)]
#[test]
fn where_nothing_is_watched_times_and_sizes_are_compared() {
    use std::time::{Duration, SystemTime};
    let (_home, store) = store();
    let tree = tree(&[("SKILL.md", "x")]);
    let digest = tree.digest();
    let place = store.publish_tree(&tree, digest).unwrap();
    let check = |after: u64| {
        let now = SystemTime::now() + Duration::from_secs(after);
        store.check_tree_by(&digest, |_| None, now)
    };
    // What was changed just now may be changed again within the resolution of its times.
    assert_eq!(check(0), Verdict::Intact);
    assert!(!store.is_as_stamped(&digest));
    assert_eq!(check(5), Verdict::Intact);
    assert!(store.is_as_stamped(&digest));
    let file = place.join("SKILL.md");
    let as_it_was = fs::metadata(&file).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&file, "y").unwrap();
    let times = fs::FileTimes::new().set_modified(as_it_was.modified().unwrap());
    fs::File::options()
        .write(true)
        .open(&file)
        .unwrap()
        .set_times(times)
        .unwrap();
    fs::set_permissions(&file, as_it_was.permissions()).unwrap();
    assert!(!store.is_as_stamped(&digest), "by the inode's time");
    assert_eq!(check(5), Verdict::Changed);
}
