//! Which selection a thread gets: what is said of it, with the profiles that this names in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use codex_loadout_protocol::binding::{Carrier, Decision, Rule};
use codex_loadout_protocol::receipt::Warning;
use codex_loadout_protocol::{CapabilitySelection, LoadoutError};

use super::state::{Loadouts, blocking};
use crate::profiles::folders::{self, ProfileFolders};
use crate::profiles::{
    Expanded, LaunchLine, Reference, Requested, Shelf, Surroundings, decide, expand, merge, parse,
    read_reference,
};
use crate::records::{LoadoutRecord, may_be_bound};
use crate::resolver::RequestServers;

/// The code of the warning that a project's profiles do not count.
const NOT_TRUSTED: &str = "projectNotTrusted";

/// What the process was started with that is said of all its threads.
#[derive(Debug, Clone, Default)]
pub(crate) struct LaunchCarriers {
    /// `--loadout`.
    pub loadout: Option<Reference>,
    /// `-c capability_selection…`, on top of it.
    pub selection: Option<CapabilitySelection>,
    /// `CODEX_LOADOUT`.
    pub environment: Option<Reference>,
    /// The key of the task that the process was started for.
    pub task: Option<String>,
}

impl LaunchCarriers {
    /// Those of a launch line and of the environment.
    ///
    /// # Errors
    /// `invalidSelection` for JSON in the environment that is no selection.
    pub(crate) fn new(
        line: &LaunchLine,
        environment: &crate::paths::Carried,
    ) -> Result<Self, LoadoutError> {
        let of_environment = environment.loadout.as_deref().map(read_reference);
        Ok(Self {
            loadout: line.loadout.clone(),
            selection: line.selection.clone(),
            environment: of_environment.transpose()?,
            task: line.task.clone().or_else(|| environment.task.clone()),
        })
    }

    /// Whether they say anything of a thread.
    #[must_use]
    pub(crate) fn say_something(&self) -> bool {
        self.loadout.is_some() || self.selection.is_some() || self.environment.is_some()
    }

    /// What they say, the nearest first. Blocking.
    fn rules(&self) -> Result<Vec<Rule>, LoadoutError> {
        let mut rules = Vec::new();
        let of_line = self.loadout.as_ref().map(read_referenced).transpose()?;
        let of_line = match (of_line, self.selection.clone()) {
            (Some(below), Some(above)) => Some(merge(below, above)),
            (below, above) => above.or(below),
        };
        let of_environment = self.environment.as_ref().map(read_referenced).transpose()?;
        for (carrier, selection) in [
            (Carrier::LaunchLine, of_line),
            (Carrier::Environment, of_environment),
        ] {
            if let Some(selection) = selection {
                rules.push(Rule::without_key(carrier, Some(selection)));
            }
        }
        Ok(rules)
    }
}

/// What a word on the launch line or in the environment stands for. Blocking.
///
/// # Errors
/// `invalidSelection` for a file that can't be read.
pub(crate) fn read_referenced(reference: &Reference) -> Result<CapabilitySelection, LoadoutError> {
    let path = match reference {
        Reference::Selection(selection) => return Ok(selection.clone()),
        Reference::File(path) => path,
    };
    let text = folders::read(path)?;
    if path.extension().is_some_and(|end| end == "json") {
        return read_selection(&text);
    }
    let file = parse(path, &text)?;
    Ok(CapabilitySelection {
        profile: codex_loadout_protocol::selection::ProfileNames(file.extends),
        ..file.selection
    })
}

/// A selection in JSON, as a file has it: by itself, or as the field of a request.
///
/// # Errors
/// `invalidSelection`, naming the member that is wrong.
pub(crate) fn read_selection(text: &str) -> Result<CapabilitySelection, LoadoutError> {
    use codex_loadout_protocol::selection::FIELD;
    let text = text.trim_start_matches('\u{feff}');
    let wrapped = crate::wire::RawObject::parse(text, "selection").ok();
    let inner = wrapped.as_ref().and_then(|wrapped| wrapped.get(FIELD));
    CapabilitySelection::from_json(inner.unwrap_or(text))
}

/// A selection for a thread.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selected {
    /// It, with the profiles that it names in it.
    pub expanded: Expanded,
    /// By what it was asked for, and how it was said there.
    pub rule: Option<Rule>,
    /// What the receipt says of it.
    pub warnings: Vec<Warning>,
    /// MCP servers that the thread's host defines itself.
    pub request_servers: RequestServers,
}

/// What is chosen for a thread.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chosen {
    /// The selection. `None`: the thread is native.
    pub selected: Option<Selected>,
    /// What decided, and what it beat.
    pub decision: Decision,
}

impl Loadouts {
    /// Whether a start that says nothing may get a loadout all the same. It is one look at a file.
    #[must_use]
    pub(crate) fn may_be_chosen(&self, launch: &LaunchCarriers) -> bool {
        launch.say_something() || may_be_bound(self.state_home())
    }

    /// Whether a loadout may come by another way than the field: also by the name of a profile in `config`. It is a
    /// look at a few files.
    #[must_use]
    pub(crate) fn may_be_carried(&self, launch: &LaunchCarriers) -> bool {
        self.may_be_chosen(launch) || ProfileFolders::has_any(self.state_home())
    }

    /// Chooses for a thread that is started in a folder.
    ///
    /// # Errors
    /// What is wrong with what was said, or with a profile, and `loadoutLost` if the bindings can't be read.
    pub(crate) async fn choose(
        self: &Arc<Self>,
        requested: Requested,
        launch: &LaunchCarriers,
        host: Option<&str>,
        cwd: &Path,
    ) -> Result<Chosen, LoadoutError> {
        let cwd = real(cwd);
        let launched = launch.clone();
        let of_launch = match launch.say_something() {
            true => blocking(move || launched.rules()).await?,
            false => Vec::new(),
        };
        let bindings = match may_be_bound(self.state_home()) {
            true => self.records().await?.bindings().await?,
            false => Vec::new(),
        };
        let Requested { mut rules, task } = requested;
        rules.extend(of_launch);
        let task = task.or_else(|| launch.task.clone());
        let around = Surroundings {
            cwd: &cwd,
            host,
            task: task.as_deref(),
        };
        let decision = decide(rules, &bindings, around);
        let selected = match &decision.rule {
            Some(rule) => self.select(rule.clone(), &cwd).await?,
            None => None,
        };
        Ok(Chosen { selected, decision })
    }

    /// What a rule comes to in a folder. `None`: it says that the thread is native.
    ///
    /// # Errors
    /// What is wrong with a profile.
    pub(crate) async fn select(
        self: &Arc<Self>,
        rule: Rule,
        cwd: &Path,
    ) -> Result<Option<Selected>, LoadoutError> {
        let Some(selection) = rule.selection.clone() else {
            return Ok(None);
        };
        let folders = self.profile_folders(cwd).await?;
        let expanded = match selection.profile.is_empty() {
            true => Expanded {
                selection,
                ..Expanded::default()
            },
            false => expand_in(folders.clone(), selection).await?,
        };
        Ok(Some(Selected {
            expanded,
            rule: Some(rule),
            warnings: not_trusted(&folders).into_iter().collect(),
            request_servers: RequestServers::new(),
        }))
    }

    /// The folders whose profiles count in a folder.
    ///
    /// # Errors
    /// `loadoutLost` if it can't be read whether the project is trusted.
    pub(crate) async fn profile_folders(&self, cwd: &Path) -> Result<ProfileFolders, LoadoutError> {
        let mut folders = ProfileFolders::of(self.state_home(), &real(cwd));
        if let Some(project) = &folders.project
            && let Some(records) = self.existing_records().await?
        {
            folders.project_trusted = records.is_trusted(project).await?;
        }
        if folders.project.is_some() {
            folders.denied_by = self.source_gate().await?.project_profiles_denied_by();
            folders.project_trusted &= folders.denied_by.is_none();
        }
        Ok(folders)
    }

    /// Whether a profile that a loadout was made from says something else now, or is gone. `None`: it was made from
    /// none.
    ///
    /// # Errors
    /// `loadoutLost` if it can't be read whether the project is trusted.
    pub(crate) async fn profile_changed(
        &self,
        loadout: &LoadoutRecord,
    ) -> Result<Option<bool>, LoadoutError> {
        let asked = loadout
            .rule
            .as_ref()
            .and_then(|rule| rule.selection.clone());
        let Some(asked) = asked.filter(|asked| !asked.profile.is_empty()) else {
            return Ok(None);
        };
        let folders = self.profile_folders(&loadout.cwd).await?;
        let now = expand_in(folders, asked).await;
        let changed = now.map_or(true, |now| now.selection != *loadout.selection);
        Ok(Some(changed))
    }
}

async fn expand_in(
    folders: ProfileFolders,
    selection: CapabilitySelection,
) -> Result<Expanded, LoadoutError> {
    blocking(move || {
        let shelf = Shelf {
            profiles: &folders.look()?,
            read: &folders::read,
        };
        expand(selection, &shelf)
    })
    .await
}

fn not_trusted(folders: &ProfileFolders) -> Option<Warning> {
    let project = folders.project.as_ref()?;
    let project = project.display();
    (!folders.project_trusted).then(|| {
        let message = match &folders.denied_by {
            Some(policy) => format!("the profiles of `{project}` do not count: `{policy}` says so"),
            None => format!(
                "the profiles of `{project}` do not count: `codex-loadout trust project {project}` lets them"
            ),
        };
        Warning::new(NOT_TRUSTED, message)
    })
}

/// A folder without links in its path, as bindings and trust name it.
#[must_use]
pub(crate) fn real(folder: &Path) -> PathBuf {
    folder.canonicalize().unwrap_or_else(|_| folder.to_owned())
}
