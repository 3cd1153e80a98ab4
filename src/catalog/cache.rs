//! What Codex said, as long as it would say the same.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use dashmap::DashMap;

use super::inputs::Sign;
use super::model::Catalog;
use super::read::read_catalog;
use crate::connection::{AskError, Asker};

/// What no file shows (policy of an account) may have changed after this long.
const MAX_AGE: Duration = Duration::from_secs(30);
/// A request that changes Codex's mind takes effect within this long.
const IN_EFFECT_AFTER: Duration = Duration::from_secs(2);
/// Folders that are remembered at once.
const FOLDERS: usize = 64;

/// The catalogs of one connection, by folder.
#[derive(Debug, Default)]
pub struct CatalogCache {
    known: DashMap<PathBuf, Known>,
    /// When a request last changed what Codex would say, without a file to show it.
    unsettled: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Known {
    sign: Sign,
    catalog: Arc<Catalog>,
    read_at: Instant,
}

impl CatalogCache {
    /// Everything that could be selected in a folder, now.
    ///
    /// # Errors
    /// [`AskError`] if Codex has to be asked and does not tell.
    pub async fn get(
        &self,
        asker: &Asker,
        codex_home: &Path,
        cwd: &Path,
    ) -> Result<Arc<Catalog>, AskError> {
        // A few hundred looks at files that the system has in memory: less than handing them to
        // another thread costs.
        let before = Sign::take(codex_home, cwd);
        if let Some(known) = self.known.get(cwd)
            && before.as_ref() == Some(&known.sign)
            && known.read_at.elapsed() < MAX_AGE
        {
            return Ok(known.catalog.clone());
        }
        let read_at = Instant::now();
        let catalog = Arc::new(read_catalog(asker, codex_home, cwd).await?);
        let after = Sign::take(codex_home, cwd);
        match after {
            Some(sign)
                if before.as_ref() == Some(&sign)
                    && sign.is_settled(SystemTime::now())
                    && self.is_settled(read_at) =>
            {
                if self.known.len() >= FOLDERS {
                    self.known.clear();
                }
                self.known.insert(
                    cwd.to_owned(),
                    Known {
                        sign,
                        catalog: catalog.clone(),
                        read_at,
                    },
                );
            }
            _ => {
                self.known.remove(cwd);
            }
        }
        Ok(catalog)
    }

    /// A request or a notice says that Codex would now say something else.
    pub fn forget(&self) {
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
