//! Every plugin of a folder: converted knowing of the others, written where it can be.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};

use codex_loadout_converter::names::Names;
use codex_loadout_converter::options::Aliases;
use codex_loadout_converter::target::Target;
use codex_loadout_converter::{Conversion, ConversionError, Options, Report, convert, names};

use super::folder::{FolderError, FoundPlugin, find_plugins};
use super::modes::Modes;
use super::output::{OutputError, Replace, folder_name, write};
use crate::materializer::ReadError;

/// What is to be converted, and how.
#[derive(Debug)]
pub struct Request {
    /// A plugin, a marketplace, or a folder of skills.
    pub folder: PathBuf,
    /// Where the bundles go, one folder each.
    pub out: PathBuf,
    /// Whether earlier bundles of the same plugins are replaced.
    pub replace: bool,
    /// Whether a warning (not a note) fails its plugin.
    pub strict: bool,
    /// Other names for skills.
    pub aliases: Aliases,
    /// The platform the bundles are for.
    pub target: &'static dyn Target,
}

/// One plugin of the folder.
#[derive(Debug)]
pub struct Converted {
    /// Its name.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a plugin.
#[derive(Debug)]
pub enum Outcome {
    /// It is a bundle.
    Written {
        /// Its folder.
        place: PathBuf,
        /// What it holds, and the report.
        conversion: Box<Conversion>,
    },
    /// It has failures, and nothing was written.
    Failed(Box<Report>),
    /// It can't be read or written at all.
    Broken {
        /// One sentence.
        message: String,
        /// What to do about it.
        hint: String,
    },
    /// Its files are not there.
    Elsewhere {
        /// One sentence.
        reason: String,
    },
}

impl Outcome {
    /// Whether the plugin was there and is not a bundle now.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Broken { .. })
    }

    /// The report, if it could be read.
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        match self {
            Self::Written { conversion, .. } => Some(&conversion.report),
            Self::Failed(report) => Some(report),
            Self::Broken { .. } | Self::Elsewhere { .. } => None,
        }
    }
}

/// Converts every plugin of a folder, in its order. Blocking: it reads and writes files.
///
/// # Errors
/// [`FolderError`] if there is nothing to read. What is wrong with one plugin is told of that plugin.
pub fn convert_all(request: &Request) -> Result<Vec<Converted>, FolderError> {
    let found = find_plugins(&request.folder)?;
    let mut options = Options {
        aliases: request.aliases.clone(),
        strict: request.strict,
        ..Options::default()
    };
    options.neighbours = neighbours(&found, &options, request.target);
    let mut taken = TakenNames::default();
    Ok(found
        .into_iter()
        .map(|found| one(found, &options, request, &mut taken))
        .collect())
}

/// What the plugins' texts can refer to in each other.
fn neighbours(found: &[FoundPlugin], options: &Options, target: &dyn Target) -> Names {
    let sources = found.iter().filter_map(|found| match found {
        FoundPlugin::Here(source, _) => Some(source),
        FoundPlugin::Unreadable { .. } | FoundPlugin::Elsewhere { .. } => None,
    });
    Names {
        plugins: sources
            .filter_map(|source| names(source, options, target).ok())
            .collect(),
    }
}

fn one(
    found: FoundPlugin,
    options: &Options,
    request: &Request,
    taken: &mut TakenNames,
) -> Converted {
    let (source, folder) = match found {
        FoundPlugin::Here(source, folder) => (source, folder),
        FoundPlugin::Elsewhere { name, reason } => {
            return Converted {
                name,
                outcome: Outcome::Elsewhere { reason },
            };
        }
        FoundPlugin::Unreadable { name, error } => {
            return Converted {
                name,
                outcome: unreadable(error),
            };
        }
    };
    let conversion = match convert(&source, options, request.target) {
        Ok(conversion) => conversion,
        Err(error) => {
            return Converted {
                name: source.folder,
                outcome: broken(&error),
            };
        }
    };
    let name = conversion.report.plugin.clone();
    // Also where it fails: another one of its name never takes its place.
    let free = taken.free_name(&name, &folder);
    let outcome = if conversion.report.failures.is_empty() {
        place(conversion, &free, &folder, request)
    } else {
        Outcome::Failed(Box::new(conversion.report))
    };
    Converted { name, outcome }
}

fn place(conversion: Conversion, name: &str, source: &Path, request: &Request) -> Outcome {
    let replace = if request.replace {
        Replace::Bundle {
            source,
            manifest: request.target.manifest_file(),
        }
    } else {
        Replace::Nothing
    };
    let modes = Modes::of(source);
    match write(&conversion.bundle, &request.out, name, &modes, replace) {
        Ok(place) => Outcome::Written {
            place,
            conversion: Box::new(conversion),
        },
        Err(OutputError::Taken(place)) => taken(&place, "Name another `--out`, or add `--force`."),
        Err(error) => Outcome::Broken {
            message: error.to_string(),
            hint: "Name another `--out`.".to_owned(),
        },
    }
}

/// The names of the folders that are taken, in lower case, each with the number that a next one of it gets.
#[derive(Debug, Default)]
struct TakenNames(HashMap<String, usize>);

impl TakenNames {
    /// Takes a name. Two plugins of one name would be one folder: the second one's is named by where it lay, too.
    fn free_name(&mut self, plugin: &str, source: &Path) -> String {
        let plain = folder_name(plugin);
        if self.take(&plain) {
            return plain;
        }
        let folder = source.file_name().unwrap_or_default().to_string_lossy();
        let with_folder = folder_name(&format!("{plain}-{folder}"));
        if self.take(&with_folder) {
            return with_folder;
        }
        loop {
            let next = self.0.entry(with_folder.to_lowercase()).or_insert(2);
            let numbered = format!("{with_folder}-{next}");
            *next += 1;
            if self.take(&numbered) {
                return numbered;
            }
        }
    }

    fn take(&mut self, name: &str) -> bool {
        match self.0.entry(name.to_lowercase()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(vacant) => {
                vacant.insert(2);
                true
            }
        }
    }
}

fn taken(place: &Path, hint: &str) -> Outcome {
    Outcome::Broken {
        message: OutputError::Taken(place.to_owned()).to_string(),
        hint: hint.to_owned(),
    }
}

fn unreadable(error: ReadError) -> Outcome {
    let error = codex_loadout_protocol::LoadoutError::from(error);
    Outcome::Broken {
        message: error.message,
        hint: error.hint,
    }
}

fn broken(error: &ConversionError) -> Outcome {
    Outcome::Broken {
        message: error.to_string(),
        hint: error.hint().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_of_one_name_lie_in_folders_of_their_own() {
        let mut taken = TakenNames::default();
        for (plugin, source, expected) in [
            ("thrum", "/c/claude-plugin", "thrum"),
            ("thrum", "/c/codex-plugin", "thrum-codex-plugin"),
            ("Thrum", "/d/codex-plugin", "Thrum-codex-plugin-2"),
            ("thrum", "/e/codex-plugin", "thrum-codex-plugin-3"),
            ("other", "/", "other"),
        ] {
            assert_eq!(taken.free_name(plugin, Path::new(source)), expected);
        }
    }
}
