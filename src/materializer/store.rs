//! The store: each content once, read-only, found by its digest.
//!
//! ```text
//! $CODEX_LOADOUT_HOME/                 0700
//! ├── CACHEDIR.TAG                     backup programs pass the folder over
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

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use dashmap::DashMap;

use super::claims::Claims;
use super::error::StoreError;
use super::read::Stamp;
use super::shared_sync::SharedSync;
use crate::bundle::Digest;
use crate::freshness::Watch;
use crate::paths::{private_file, private_folder};

/// The text that marks a folder as a cache, by the Cache Directory Tagging Specification.
const CACHE_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n";

/// How it would show that a tree which was read and found intact has changed since.
#[derive(Debug)]
pub(super) enum Intact {
    /// The system tells of each change.
    Watched(Watch),
    /// Times and sizes would be others: the time of an inode can't be set back.
    Stamped(Stamp),
}

/// The store of one state folder.
#[derive(Debug)]
pub(crate) struct Store {
    pub(super) home: PathBuf,
    pub(super) claims: Claims,
    /// Trees that are being staged by this process, so that none is staged twice at once.
    pub(super) staging: DashMap<Digest, Arc<Mutex<()>>>,
    /// Trees that were read and found intact, and how a change since would show.
    pub(super) known: DashMap<Digest, Intact>,
    /// Trees that were put in their places.
    pub(super) published: SharedSync,
}

impl Store {
    /// Opens the store in a state folder, making what is missing.
    ///
    /// # Errors
    /// [`StoreError`], naming the folder that can't be made.
    pub(crate) fn open(home: &Path) -> Result<Self, StoreError> {
        let store = Self::to_sweep(home);
        store.look_after()?;
        Ok(store)
    }

    /// Makes what is missing, also of a store that somebody has removed meanwhile, and says that it is used.
    ///
    /// # Errors
    /// [`StoreError`], naming the folder that can't be made.
    pub(crate) fn look_after(&self) -> Result<(), StoreError> {
        self.make_folders()?;
        self.claims.appear().map_err(StoreError::at(&self.home))
    }

    /// Lets the program that takes this one's place count as one that uses the store.
    ///
    /// # Errors
    /// [`StoreError`] if the system refuses.
    pub(crate) fn hand_over(&self) -> Result<(), StoreError> {
        self.claims.hand_over().map_err(StoreError::at(&self.home))
    }

    /// The store in a state folder, for somebody who uses nothing of it.
    #[must_use]
    pub(crate) fn to_sweep(home: &Path) -> Self {
        Self {
            home: home.to_owned(),
            claims: Claims::new(home),
            staging: DashMap::new(),
            known: DashMap::new(),
            published: SharedSync::default(),
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
    pub(crate) fn roles(&self) -> PathBuf {
        self.home.join("roles-of-agents")
    }

    /// Makes sure that a role file is there and says this.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be written.
    pub(crate) fn keep_role(&self, file: &Path, text: &str) -> Result<(), StoreError> {
        if std::fs::read(file).is_ok_and(|kept| kept == text.as_bytes()) {
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
    pub(crate) fn roots(&self) -> PathBuf {
        self.home.join("roots")
    }
}

pub(super) fn trees(home: &Path) -> PathBuf {
    home.join("store-v1/trees")
}
