//! `codex-loadout bundle`.

use std::sync::Arc;

use anyhow::Result;
use clap::{Args, Subcommand};
use codex_loadout_protocol::bundle::{
    BundleLink, CapabilityBundleAddParams, CapabilityBundleTrustParams,
    CapabilityBundleUpdateParams, CapabilityBundleVerifyParams,
};
use codex_loadout_protocol::method::Page;

use super::asking::confirms;
use super::bundle_lock::{self, Lock, Sync};
use super::bundle_text::{changed, for_people, row, runs, told};
use super::fetch_progress::waiting;
use super::options::Output;
use super::print::{columns, pretty};
use crate::loadouts::Loadouts;

#[derive(Debug, Subcommand)]
pub(super) enum BundleVerb {
    /// Fetch a bundle, keep it, and let selections name it as `NAME@bundle`
    ///
    /// SOURCE is a folder, a git URL, a `.tar.gz` or `.zip` (a file or an `https://` address), `npm:PACKAGE`, or a
    /// marketplace with `--plugin`. What is fetched is converted, and kept by its digest; nothing of it is run. What it
    /// could run (hooks, MCP servers) does not, before it is approved: with `--trust`, by your answer, or by `bundle
    /// trust`.
    Add(Add),
    /// List the bundles
    List(List),
    /// Show a bundle: where it comes from, what it has, what it can run
    Show(Show),
    /// Fetch a bundle anew, say what that changes, and ask
    ///
    /// Without a name, all bundles. Threads that live keep what they have; those that start from now on get the new
    /// content. What it can run has to be approved again if it is not `--trust`ed.
    Update(Update),
    /// Remove a bundle; threads that have it keep it
    Remove(Remove),
    /// Read what is kept of bundles again, and compare it with its digest
    ///
    /// Exits with 1 if anything was changed.
    Verify(Verify),
    /// Approve what a content can run, by its digest
    Trust(Trust),
    /// Write down in the project's `loadout.lock` which bundles its profiles need, to the byte
    Lock(Lock),
    /// Make this machine's bundles those of the project's `loadout.lock`
    ///
    /// What is not here is fetched as the lock pins it, and has to have its digest. Lock files of the `skills` CLI
    /// (`skills-lock.json`) and of APM (`apm.lock.yaml`) count, too: what they name is added, and written to the lock.
    Sync(Sync),
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// Where it comes from
    #[arg(value_name = "SOURCE")]
    pub(super) source: String,
    /// A branch, a tag or a commit of a git repository
    #[arg(long = "ref", value_name = "REF")]
    pub(super) reference: Option<String>,
    /// The folder in the repository or archive
    #[arg(long, value_name = "FOLDER")]
    pub(super) path: Option<String>,
    /// A plugin of the marketplace that lies there
    #[arg(long, value_name = "NAME")]
    pub(super) plugin: Option<String>,
    /// What to call it [default: as its author does]
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// What an archive's SHA-256 has to be
    #[arg(long, value_name = "HEX")]
    pub(super) sha256: Option<String>,
    /// Keep it tied to its folder: each new thread gets what that holds at that moment
    #[arg(long)]
    pub(super) link: bool,
    /// With `--link`: idle threads change over at once, too
    #[arg(long, requires = "link")]
    pub(super) live: bool,
    /// Approve what it can run, without asking
    #[arg(long)]
    pub(super) trust: bool,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// Its name or id
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct Update {
    /// Its name or id [default: all]
    #[arg(value_name = "NAME")]
    pub(super) name: Option<String>,
    /// Another branch, tag, commit or version than before
    #[arg(long = "ref", value_name = "REF", requires = "name")]
    pub(super) reference: Option<String>,
    /// Only say what would change
    #[arg(long, conflicts_with = "yes")]
    pub(super) dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub(super) yes: bool,
    /// Approve what the new content can run
    #[arg(long)]
    pub(super) trust: bool,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct Remove {
    /// Its name or id
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Its name or id [default: all]
    #[arg(value_name = "NAME")]
    pub(super) name: Option<String>,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct Trust {
    /// `sha256:…`, as `bundle show` prints it
    #[arg(value_name = "DIGEST")]
    pub(super) digest: String,
    /// Take the approval back
    #[arg(long)]
    pub(super) revoke: bool,
    #[command(flatten)]
    pub(super) output: Output,
}

/// Runs a verb; tells whether all is well.
pub(super) async fn bundle(verb: BundleVerb) -> Result<(String, bool)> {
    let loadouts = Loadouts::of_this_user()?;
    let text = match verb {
        BundleVerb::Add(arguments) => add(&loadouts, arguments).await?,
        BundleVerb::List(arguments) => {
            let bundles = loadouts.bundles().await?;
            match arguments.output.json {
                true => pretty(&Page::whole(bundles))?,
                false => {
                    let rows: Vec<Vec<String>> = bundles.iter().map(row).collect();
                    columns(&["BUNDLE", "VERSION", "APPROVED", "FROM", "DIGEST"], &rows)
                }
            }
        }
        BundleVerb::Show(arguments) => {
            let shown = loadouts.bundle(&arguments.name).await?;
            match arguments.output.json {
                true => pretty(&shown)?,
                false => for_people(&shown),
            }
        }
        BundleVerb::Update(arguments) => update(&loadouts, arguments).await?,
        BundleVerb::Remove(arguments) => {
            let cwd = std::env::current_dir()?;
            let removed = loadouts.remove_bundle(&arguments.name, &cwd).await?;
            match arguments.output.json {
                true => pretty(&removed)?,
                false => format!("removed `{}`\n", removed.name),
            }
        }
        BundleVerb::Lock(arguments) => bundle_lock::lock(&loadouts, arguments).await?,
        BundleVerb::Sync(arguments) => bundle_lock::sync(&loadouts, arguments).await?,
        BundleVerb::Verify(arguments) => return verify(&loadouts, arguments).await,
        BundleVerb::Trust(arguments) => {
            let Trust {
                digest,
                revoke,
                output,
            } = arguments;
            let wanted = CapabilityBundleTrustParams { digest, revoke };
            let trusted = loadouts.trust_bundle(wanted).await?;
            match output.json {
                true => pretty(&trusted)?,
                false => {
                    let verb = if trusted.approved {
                        "may run"
                    } else {
                        "may no longer run"
                    };
                    format!("`{}` {verb}:\n{}", trusted.name, runs(&trusted.executes))
                }
            }
        }
    };
    Ok((text, true))
}

async fn add(loadouts: &Arc<Loadouts>, arguments: Add) -> Result<String> {
    let link = match (arguments.link, arguments.live) {
        (true, true) => Some(BundleLink::Live),
        (true, false) => Some(BundleLink::Link),
        (false, _) => None,
    };
    let wanted = CapabilityBundleAddParams {
        source: arguments.source,
        reference: arguments.reference,
        path: arguments.path,
        plugin: arguments.plugin,
        name: arguments.name,
        sha256: arguments.sha256,
        link,
        trust: arguments.trust,
    };
    let cwd = std::env::current_dir()?;
    let mut added = loadouts.add_bundle(wanted, &cwd, &waiting()).await?;
    let json = arguments.output.json;
    if !added.bundle.approved && !json {
        let question = format!(
            "`{}` can run:\n{}Approve that?",
            added.bundle.name,
            runs(&added.bundle.current.executes)
        );
        if confirms(&question)? {
            let digest = added.bundle.approval_digest.clone();
            let wanted = CapabilityBundleTrustParams {
                digest,
                revoke: false,
            };
            loadouts.trust_bundle(wanted).await?;
            added.bundle.approved = true;
        }
    }
    match json {
        true => pretty(&added),
        false => Ok(for_people(&added)),
    }
}

/// Without a terminal to ask at, and without `--yes`, nothing changes.
async fn update(loadouts: &Arc<Loadouts>, arguments: Update) -> Result<String> {
    let mut wanted = CapabilityBundleUpdateParams {
        name: arguments.name,
        reference: arguments.reference,
        dry_run: !arguments.yes,
        expected: None,
        trust: arguments.trust,
    };
    let waiting = waiting();
    let mut result = loadouts.update_bundles(&wanted, &waiting).await?;
    let json = arguments.output.json;
    if !arguments.yes && !arguments.dry_run && !json {
        for update in &mut result.data {
            if update.from == update.to || !confirms(&format!("{}Update?", changed(update)))? {
                continue;
            }
            wanted.name = Some(update.name.clone());
            wanted.expected = Some(update.to.clone());
            wanted.dry_run = false;
            let applied = loadouts.update_bundles(&wanted, &waiting).await?;
            if let Some(applied) = applied.data.into_iter().next() {
                *update = applied;
            }
        }
    }
    if json {
        return pretty(&result);
    }
    let told: Vec<String> = result.data.iter().map(told).collect();
    Ok(match told.is_empty() {
        true => "there are no bundles\n".to_owned(),
        false => told.concat(),
    })
}

async fn verify(loadouts: &Arc<Loadouts>, arguments: Verify) -> Result<(String, bool)> {
    let wanted = CapabilityBundleVerifyParams {
        name: arguments.name,
    };
    let verified = loadouts.verify_bundles(&wanted).await?;
    let all_are_intact = verified.data.iter().all(|verdict| verdict.intact);
    if arguments.output.json {
        return Ok((pretty(&verified)?, all_are_intact));
    }
    let rows = verified.data.into_iter().map(|verdict| {
        let found = verdict.problem.unwrap_or_else(|| "intact".to_owned());
        vec![verdict.name, found, verdict.digest]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    Ok((
        columns(&["BUNDLE", "FOUND", "DIGEST"], &rows),
        all_are_intact,
    ))
}
