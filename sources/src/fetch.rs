//! From an origin to a tree, step by step, each asked of the gate.

use codex_loadout_bundle::{Tree, TreeFile};
use serde_json::{Map, Value};

use crate::archive;
use crate::context::FetchContext;
use crate::error::{FetchError, FetchErrorKind};
use crate::folder::FolderPlace;
use crate::git;
use crate::marketplace::{At, Meant, meant};
use crate::npm;
use crate::place::Place;
use crate::source::{Origin, Source};

/// So many places lead on to each other at most: a marketplace, what it leads to, and a plugin of that.
const STEPS: usize = 4;

/// What was fetched.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// What to call it where nothing in it says so: of its entry, its folder or its repository.
    pub name: String,
    /// Its files, as they lay there, links resolved.
    pub tree: Tree,
    /// Where it came from, pinned: the commit, the version, the checksum. Fit to be recorded.
    pub resolved: Source,
    /// The commit, of a git repository.
    pub commit: Option<String>,
    /// The text of that commit, as `git cat-file commit` gives it: its signature is in it.
    pub commit_object: Option<Vec<u8>>,
    /// The SHA-256 of the archive file, 64 hex digits.
    pub sha256: Option<String>,
    /// The archive file and its signature, where the gate wants that and there is one.
    pub signed: Option<SignedFile>,
    /// Its version, as the place says it: of an npm package.
    pub version: Option<String>,
    /// Its entry, if it was found by a marketplace.
    pub entry: Option<Map<String, Value>>,
    /// The name of that marketplace.
    pub marketplace: Option<String>,
    /// Every place on the way, the first one named by the user. Fit to be recorded.
    pub steps: Vec<Source>,
    /// What a user should know.
    pub warnings: Vec<String>,
}

/// A file, and the signature that lies beside it.
#[derive(Debug, Clone)]
pub struct SignedFile {
    /// The file.
    pub content: Vec<u8>,
    /// What `ssh-keygen -Y sign -n file` writes.
    pub signature: Vec<u8>,
}

/// A place that was opened.
pub(crate) struct Opened {
    pub(crate) place: Box<dyn Place>,
    /// The folder of it that is meant.
    pub(crate) folder: String,
    /// The source, pinned.
    pub(crate) resolved: Source,
    pub(crate) commit: Option<String>,
    pub(crate) commit_object: Option<Vec<u8>>,
    pub(crate) sha256: Option<String>,
    pub(crate) signed: Option<SignedFile>,
    pub(crate) version: Option<String>,
    pub(crate) warnings: Vec<String>,
}

impl Opened {
    /// A place of which there is no more to say.
    pub(crate) fn new(place: Box<dyn Place>, folder: Option<&String>, resolved: Source) -> Self {
        Self {
            place,
            folder: folder.cloned().unwrap_or_default(),
            resolved,
            commit: None,
            commit_object: None,
            sha256: None,
            signed: None,
            version: None,
            warnings: Vec::new(),
        }
    }
}

/// Fetches what was asked for. It blocks: give it a thread of its own.
///
/// # Errors
/// [`FetchError`]; nothing is left behind.
pub fn fetch(origin: &Origin, cx: &FetchContext<'_>) -> Result<Fetched, FetchError> {
    let mut source = origin.source.clone();
    let mut plugin = origin.plugin.clone();
    let mut steps = Vec::new();
    let mut listed = None;
    let mut warnings = Vec::new();
    if source.has_query() {
        warnings.push(
            "the address has a query, which may hold a token and is not recorded: to update this, give the address again"
                .to_owned(),
        );
    }
    while steps.len() < STEPS {
        cx.go_on()?;
        cx.ask(&source)?;
        steps.push(source.recorded());
        let mut opened = open(&source, cx)?;
        warnings.append(&mut opened.warnings);
        let place = &*opened.place;
        let folder = match meant(place, &opened.folder, plugin.as_deref(), &source, cx)? {
            Meant::Itself => opened.folder.clone(),
            Meant::Listed {
                marketplace,
                entry,
                at,
            } => {
                listed = Some((marketplace, entry));
                match at {
                    At::Here(folder) => folder,
                    At::Elsewhere(next) => {
                        source = next;
                        plugin = None;
                        continue;
                    }
                }
            }
        };
        let tree = place.tree(&folder, cx)?;
        warnings.extend(pointers(&tree));
        let (marketplace, entry) = listed.unzip();
        let own = entry.as_ref().and_then(|entry| entry.get("name")?.as_str());
        return Ok(Fetched {
            name: own.map_or_else(|| name_of(&opened.resolved), str::to_owned),
            tree,
            resolved: opened.resolved.recorded(),
            commit: opened.commit,
            commit_object: opened.commit_object,
            sha256: opened.sha256,
            signed: opened.signed,
            version: opened.version,
            entry,
            marketplace,
            steps,
            warnings,
        });
    }
    Err(FetchError::new(
        FetchErrorKind::Unreadable,
        format!("one marketplace leads to another more than {STEPS} times"),
        "name the place that the plugin itself lies at",
    ))
}

fn open(source: &Source, cx: &FetchContext<'_>) -> Result<Opened, FetchError> {
    match source {
        Source::Folder { path } => {
            let place = FolderPlace::open(path)?;
            Ok(Opened::new(Box::new(place), None, source.clone()))
        }
        Source::Git {
            url,
            reference,
            path,
        } => git::open(url, reference.as_deref(), path.as_ref(), cx),
        Source::Archive {
            location,
            path,
            sha256,
        } => archive::open(location, path.as_ref(), sha256.as_ref(), cx),
        Source::Npm {
            package,
            version,
            registry,
        } => npm::open(package, version.as_deref(), registry.as_deref(), cx),
    }
}

/// Says which files are only pointers to what Git LFS keeps elsewhere.
fn pointers(tree: &Tree) -> Option<String> {
    const BEGIN: &[u8] = b"version https://git-lfs.github.com/spec/v1";
    let is_pointer = |file: &TreeFile| file.bytes.len() < 1024 && file.bytes.starts_with(BEGIN);
    let found: Vec<String> = tree
        .iter()
        .filter(|(_, file)| is_pointer(file))
        .map(|(path, _)| format!("`{path}`"))
        .collect();
    let first = found.get(..5).unwrap_or(&found).join(", ");
    let more = if found.len() > 5 { ", …" } else { "" };
    (!found.is_empty()).then(|| {
        format!("Git LFS keeps the content of these files, which is not fetched: {first}{more}")
    })
}

/// What a place is called by: its folder, its repository, its file, its package.
pub(crate) fn name_of(source: &Source) -> String {
    let last = |path: &str| -> String {
        let end = path.trim_end_matches('/').rsplit(['/', ':']).next();
        end.unwrap_or_default().to_owned()
    };
    let of_location = |location: &str| last(&crate::address::without_query(location));
    match source {
        Source::Folder { path } => path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default(),
        Source::Git {
            path: Some(path), ..
        }
        | Source::Archive {
            path: Some(path), ..
        } => last(path),
        Source::Git { url, .. } => of_location(url).trim_end_matches(".git").to_owned(),
        Source::Archive { location, .. } => {
            let name = of_location(location);
            let ends = [".zip", ".tgz", ".tar.gz"];
            let end = ends
                .iter()
                .find(|end| name.to_ascii_lowercase().ends_with(**end));
            let length = name.len() - end.map_or(0, |end| end.len());
            name.get(..length).unwrap_or(&name).to_owned()
        }
        Source::Npm { package, .. } => last(package),
    }
}
