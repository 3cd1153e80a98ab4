//! What Codex said, as long as it would say the same.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use dashmap::DashMap;

use super::converted::Conversions;
use super::inputs::{InputState, Sign, look};
use super::model::{Catalog, InstalledPlugin};
use super::newcomers::newcomers;
use super::read::{Offered, read_catalog};
use crate::blocking::{self, READ_WITHIN};
use crate::bundle::Digest;
use crate::connection::{RpcClient, RpcError};
use crate::freshness::{MAX_AGE, Watch};

/// A request that changes Codex's mind takes effect within this long.
const IN_EFFECT_AFTER: Duration = Duration::from_secs(2);
/// Folders that are remembered at once.
const FOLDERS: usize = 64;
/// For how long after Codex gave no answer another question about the same folder is not asked: a host that sent
/// its requests together has them answered together.
const NO_ANSWER_COUNTS: Duration = Duration::from_secs(1);

/// Held while Codex is asked about a folder; when it last gave no answer, and to what.
type Turn = Arc<tokio::sync::Mutex<Option<(Instant, RpcError)>>>;

/// The catalogs of one connection, by folder.
#[derive(Debug, Default)]
pub(crate) struct CatalogCache {
    known: DashMap<PathBuf, Arc<CachedCatalog>>,
    pub(super) conversions: Arc<Conversions>,
    /// Bundles that were added here, by name, with the content that they were read from.
    pub(super) added_bundles: DashMap<String, (Digest, InstalledPlugin)>,
    /// Questions under way, by folder: the others wait for what Codex says.
    asking: DashMap<PathBuf, Turn>,
    /// When a request last changed what Codex would say, without a file to show it.
    unsettled: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct CachedCatalog {
    sign: Sign,
    watch: Option<Watch>,
    catalog: Arc<Catalog>,
    read_at: Instant,
}

impl CatalogCache {
    /// Everything that could be selected in a folder, now.
    ///
    /// # Errors
    /// [`RpcError`] if Codex has to be asked and does not tell.
    pub(crate) async fn get(
        &self,
        rpc: &RpcClient,
        codex_home: &Path,
        cwd: &Path,
    ) -> Result<Arc<Catalog>, RpcError> {
        if let Some(known) = self.fresh(codex_home, cwd).await {
            return Ok(known);
        }
        self.ask(rpc, codex_home, cwd, &Offered::Unasked).await
    }

    /// As [`Self::get`], with Codex made to look at its folders again, and at what marketplaces have: for names that are
    /// not known. Of what is only offered, plugins of these names and ids are read.
    ///
    /// # Errors
    /// [`RpcError`] if Codex does not tell.
    pub(crate) async fn get_anew(
        &self,
        rpc: &RpcClient,
        codex_home: &Path,
        cwd: &Path,
        plugins: BTreeSet<String>,
    ) -> Result<Arc<Catalog>, RpcError> {
        let offered = Offered::Named(plugins);
        self.ask(rpc, codex_home, cwd, &offered).await
    }

    /// As [`Self::get`], with the ids of what marketplaces have.
    ///
    /// # Errors
    /// [`RpcError`] if Codex does not tell.
    pub(crate) async fn get_with_offered(
        &self,
        rpc: &RpcClient,
        codex_home: &Path,
        cwd: &Path,
    ) -> Result<Arc<Catalog>, RpcError> {
        self.ask(rpc, codex_home, cwd, &Offered::Ids).await
    }

    /// Asks Codex, one question about a folder at a time. Whoever waits meanwhile has the answer as well; if none
    /// comes, nobody waits for another one, so that the time for that is not waited for again and again.
    async fn ask(
        &self,
        rpc: &RpcClient,
        codex_home: &Path,
        cwd: &Path,
        offered: &Offered,
    ) -> Result<Arc<Catalog>, RpcError> {
        let came = Instant::now();
        if self.asking.len() >= FOLDERS {
            self.asking.retain(|_, turn| Arc::strong_count(turn) > 1);
        }
        let turn = self.asking.entry(cwd.to_owned()).or_default().clone();
        let mut no_answer = turn.lock().await;
        if *offered == Offered::Unasked
            && let Some(known) = self.fresh(codex_home, cwd).await
        {
            return Ok(known);
        }
        if let Some((at, error)) = &*no_answer
            && came < *at + NO_ANSWER_COUNTS
        {
            return Err(error.clone());
        }
        let read = self.read(rpc, codex_home, cwd, offered).await;
        *no_answer = match &read {
            Err(error @ RpcError::NoAnswer { .. }) => Some((Instant::now(), error.clone())),
            _ => None,
        };
        read
    }

    async fn read(
        &self,
        rpc: &RpcClient,
        codex_home: &Path,
        cwd: &Path,
        offered: &Offered,
    ) -> Result<Arc<Catalog>, RpcError> {
        self.known.remove(cwd);
        // Watched from before Codex is asked, so that no change falls between.
        let before = look_around(codex_home, cwd).await;
        let (sign, watch, skills) = match before {
            Some((seen, watch)) => (Some(seen.sign), watch, seen.skills),
            None => (None, None, Vec::new()),
        };
        let read_at = Instant::now();
        let catalog = read_catalog(rpc, codex_home, cwd, offered, &self.conversions).await?;
        let catalog = Arc::new(with_newcomers(catalog, skills).await);
        let Some(sign) = sign.filter(|_| self.is_settled(read_at)) else {
            return Ok(catalog);
        };
        let known = Arc::new(CachedCatalog {
            sign,
            watch,
            catalog: catalog.clone(),
            read_at,
        });
        // A watch misses nothing; times may hide a change that follows at once.
        let sure = known.watch.is_some() || known.sign.is_settled(SystemTime::now());
        if sure && known.is_fresh(codex_home, cwd).await {
            self.known
                .retain(|_, known| known.read_at.elapsed() < MAX_AGE);
            if self.known.len() >= FOLDERS {
                self.known.clear();
            }
            self.known.insert(cwd.to_owned(), known);
        }
        Ok(catalog)
    }

    /// What Codex said, if it would say the same.
    async fn fresh(&self, codex_home: &Path, cwd: &Path) -> Option<Arc<Catalog>> {
        let known = self.known.get(cwd)?.clone();
        let fresh = known.read_at.elapsed() < MAX_AGE && known.is_fresh(codex_home, cwd).await;
        fresh.then(|| known.catalog.clone())
    }

    /// A request or a notice says that Codex would now say something else.
    pub(crate) fn forget(&self) {
        *self
            .unsettled
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.known.clear();
    }

    fn is_settled(&self, read_at: Instant) -> bool {
        let unsettled = *self
            .unsettled
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        unsettled.is_none_or(|since| read_at.duration_since(since) >= IN_EFFECT_AFTER)
    }
}

impl CachedCatalog {
    /// Whether every file is as it was when Codex was asked.
    async fn is_fresh(&self, codex_home: &Path, cwd: &Path) -> bool {
        match &self.watch {
            Some(watch) => watch.is_quiet(),
            None => look_around(codex_home, cwd)
                .await
                .is_some_and(|(seen, _)| seen.sign == self.sign),
        }
    }
}

/// Looks at the files where that holds up nobody, and keeps an eye on them.
async fn look_around(codex_home: &Path, cwd: &Path) -> Option<(InputState, Option<Watch>)> {
    let (codex_home, cwd) = (codex_home.to_owned(), cwd.to_owned());
    let looked = blocking::within(READ_WITHIN, move || {
        let seen = look(&codex_home, &cwd)?;
        let watch = Watch::on(&seen.targets);
        Some((seen, watch))
    });
    looked.await.ok().flatten()
}

async fn with_newcomers(catalog: Catalog, skills: Vec<PathBuf>) -> Catalog {
    let unchanged = catalog.clone();
    let added = blocking::within(READ_WITHIN, move || Catalog {
        newcomers: newcomers(&catalog, &skills),
        ..catalog
    });
    added.await.unwrap_or(unchanged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::write_lines;
    use futures_util::future::join_all;

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_for_a_codex_that_does_not_answer_wait_together() {
        let (near, _far) = tokio::io::duplex(1024 * 1024);
        let rpc = RpcClient::new("own/".to_owned(), write_lines(near).0);
        let home = tempfile::tempdir().unwrap();
        let cache = CatalogCache::default();
        let begin = tokio::time::Instant::now();
        let wait = async |force| {
            let answer = match force {
                true => {
                    cache
                        .get_anew(&rpc, home.path(), home.path(), BTreeSet::new())
                        .await
                }
                false => cache.get(&rpc, home.path(), home.path()).await,
            };
            assert!(matches!(answer, Err(RpcError::NoAnswer { .. })));
            begin.elapsed().as_secs()
        };
        let waits = join_all([false, false, true, false, true].map(wait)).await;
        assert!(waits.iter().all(|seconds| *seconds == 30), "{waits:?}");
        // One that waited for another of them, and asks as soon as that was refused.
        assert_eq!(wait(false).await, 30);
    }
}
