//! The rows of bundles: what was added, what was fetched of it, and which contents may run what they have.

use std::collections::HashSet;

use codex_loadout_protocol::audit::AuditEvent;
use codex_loadout_protocol::bundle::{BundleLink, BundleVersion, bundle_id};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::audit::Happening;
use super::error::RecordsError;
use super::marker::Marker;
use super::store::Records;
use crate::bundle::Digest;

/// A bundle as it is on record.
#[derive(Debug, Clone, PartialEq)]
pub struct BundleRecord {
    /// Its name.
    pub name: String,
    /// The name of the plugin in it: the namespace of its skills.
    pub plugin: String,
    /// Its entry in the marketplace that it was found by.
    pub entry: Option<Map<String, Value>>,
    /// Where it comes from, as it was asked for.
    pub origin: Map<String, Value>,
    /// Whether it stays tied to its folder.
    pub link: Option<BundleLink>,
    /// What new threads get.
    pub current: BundleVersion,
}

/// What of a bundle a start needs to know.
#[derive(Debug, Clone, PartialEq)]
pub struct BundleHead {
    /// Its name.
    pub name: String,
    /// The name of the plugin in it: the namespace of its skills.
    pub plugin: String,
    /// Its entry in the marketplace that it was found by.
    pub entry: Option<Map<String, Value>>,
    /// Its author's word for the version.
    pub version: Option<String>,
    /// Where it comes from, as it was asked for.
    pub origin: Map<String, Value>,
    /// Whether it stays tied to its folder.
    pub link: Option<BundleLink>,
    /// The content that new threads get.
    pub digest: Digest,
}

const SELECT: &str = "SELECT bundles.name, plugin, entry, origin, link, detail FROM bundles
    JOIN bundle_versions ON bundle_versions.name = bundles.name AND bundle_versions.digest = bundles.digest";

impl Records {
    /// What a start needs to know of all bundles, by name.
    ///
    /// # Errors
    /// [`RecordsError`], also for a single one that can't be read.
    pub async fn bundle_heads(&self) -> Result<Vec<BundleHead>, RecordsError> {
        if !Marker::Bundles.is_there(self.state_home()) {
            return Ok(Vec::new());
        }
        let rows = sqlx::query(
            "SELECT name, plugin, entry, version, origin, link, digest FROM bundles ORDER BY name",
        )
        .fetch_all(self.database.reader())
        .await?;
        rows.iter().map(head).collect()
    }

    /// All bundles, by name.
    ///
    /// # Errors
    /// [`RecordsError`], also for a single one that can't be read.
    pub async fn bundles(&self) -> Result<Vec<BundleRecord>, RecordsError> {
        let rows = sqlx::query(&format!("{SELECT} ORDER BY bundles.name"))
            .fetch_all(self.database.reader())
            .await?;
        rows.iter().map(bundle).collect()
    }

    /// One bundle.
    ///
    /// # Errors
    /// [`RecordsError`].
    pub async fn bundle(&self, name: &str) -> Result<Option<BundleRecord>, RecordsError> {
        let row = sqlx::query(&format!("{SELECT} WHERE bundles.name = $1"))
            .bind(name)
            .fetch_optional(self.database.reader())
            .await?;
        row.as_ref().map(bundle).transpose()
    }

    /// Every version of a bundle that is on record, the newest first.
    ///
    /// # Errors
    /// [`RecordsError`].
    pub async fn bundle_versions(&self, name: &str) -> Result<Vec<BundleVersion>, RecordsError> {
        let details: Vec<String> = sqlx::query_scalar(
            "SELECT detail FROM bundle_versions WHERE name = $1 ORDER BY added_at DESC, digest",
        )
        .bind(name)
        .fetch_all(self.database.reader())
        .await?;
        let read = details.iter().map(|detail| decode(name, detail));
        read.collect()
    }

    /// Writes down a bundle that new threads get in this version from now on, and in the audit how that came.
    /// `before` is the digest that they got until now; if that is another meanwhile, nothing is written.
    /// Tells whether it was.
    ///
    /// # Errors
    /// [`RecordsError`].
    pub async fn put_bundle(
        &self,
        bundle: &BundleRecord,
        before: Option<&str>,
        happening: &Happening,
    ) -> Result<bool, RecordsError> {
        let BundleRecord { name, current, .. } = bundle;
        let link = bundle.link.map(|link| encode(name, &link)).transpose()?;
        let origin = encode(name, &bundle.origin)?;
        let entry = bundle.entry.as_ref();
        let entry = entry.map(|entry| encode(name, entry)).transpose()?;
        self.mark(Marker::Bundles)?;
        let mut write = self.database.write().await?;
        // The first statement takes the right to write: what it finds stays so until the commit.
        let written = match before {
            None => sqlx::query(
                "INSERT INTO bundles (name, origin, digest, link, added_at, version, plugin, entry) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                 ON CONFLICT (name) DO NOTHING",
            ),
            Some(_) => sqlx::query(
                "UPDATE bundles SET origin = $2, digest = $3, link = $4, added_at = $5, version = $6, plugin = $7, entry = $8
                 WHERE name = $1 AND digest = $9",
            ),
        };
        let mut written = written
            .bind(name)
            .bind(origin)
            .bind(&current.digest)
            .bind(link)
            .bind(current.at)
            .bind(&current.version)
            .bind(&bundle.plugin)
            .bind(entry);
        if let Some(before) = before {
            written = written.bind(before);
        }
        if written.execute(&mut *write).await?.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO bundle_versions (name, digest, detail, added_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (name, digest) DO UPDATE SET detail = excluded.detail, added_at = excluded.added_at",
        )
        .bind(name)
        .bind(&current.digest)
        .bind(encode(name, current)?)
        .bind(current.at)
        .execute(&mut *write)
        .await?;
        self.commit_change(write, happening).await?;
        self.mark(Marker::Bundles)?;
        Ok(true)
    }

    /// Removes a bundle and its versions; tells whether it was there. Approvals stay: they are of contents.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn remove_bundle(
        &self,
        name: &str,
        happening: &Happening,
    ) -> Result<bool, RecordsError> {
        let mut write = self.database.write().await?;
        let gone = sqlx::query("DELETE FROM bundles WHERE name = $1")
            .bind(name)
            .execute(&mut *write)
            .await?;
        if gone.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query("DELETE FROM bundle_versions WHERE name = $1")
            .bind(name)
            .execute(&mut *write)
            .await?;
        self.commit_change(write, happening).await?;
        self.unmark_if_none_is_left(Marker::Bundles).await?;
        Ok(true)
    }

    /// Removes the versions of bundles that are neither current nor among those that are still needed.
    ///
    /// # Errors
    /// [`RecordsError`].
    pub async fn forget_bundle_versions(
        &self,
        needed: &HashSet<Digest>,
    ) -> Result<(), RecordsError> {
        let old: Vec<(String, String)> = sqlx::query_as(
            "SELECT name, digest FROM bundle_versions WHERE NOT EXISTS (
                 SELECT 1 FROM bundles WHERE bundles.name = bundle_versions.name AND bundles.digest = bundle_versions.digest)",
        )
        .fetch_all(self.database.reader())
        .await?;
        let is_needed =
            |digest: &String| digest.parse().is_ok_and(|digest| needed.contains(&digest));
        let mut old = old
            .into_iter()
            .filter(|(_, digest)| !is_needed(digest))
            .peekable();
        if old.peek().is_none() {
            return Ok(());
        }
        let mut write = self.database.write().await?;
        for (name, digest) in old {
            sqlx::query("DELETE FROM bundle_versions WHERE name = $1 AND digest = $2")
                .bind(name)
                .bind(digest)
                .execute(&mut *write)
                .await?;
        }
        Ok(write.commit().await?)
    }

    /// The contents that bundles have now.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn current_contents(&self) -> Result<HashSet<Digest>, RecordsError> {
        let digests: Vec<String> = sqlx::query_scalar("SELECT digest FROM bundles")
            .fetch_all(self.database.reader())
            .await?;
        let digests = digests.iter().map(|digest| read_digest(digest));
        digests.collect()
    }
}

fn head(row: &SqliteRow) -> Result<BundleHead, RecordsError> {
    let name: String = row.try_get("name")?;
    Ok(BundleHead {
        plugin: row.try_get("plugin")?,
        entry: optional(row, "entry", &name)?,
        version: row.try_get("version")?,
        origin: decode(&name, row.try_get("origin")?)?,
        link: optional(row, "link", &name)?,
        digest: read_digest(row.try_get("digest")?)?,
        name,
    })
}

fn optional<T: DeserializeOwned>(
    row: &SqliteRow,
    column: &str,
    name: &str,
) -> Result<Option<T>, RecordsError> {
    let text: Option<String> = row.try_get(column)?;
    text.map(|text| decode(name, &text)).transpose()
}

fn bundle(row: &SqliteRow) -> Result<BundleRecord, RecordsError> {
    let name: String = row.try_get("name")?;
    Ok(BundleRecord {
        origin: decode(&name, row.try_get("origin")?)?,
        plugin: row.try_get("plugin")?,
        entry: optional(row, "entry", &name)?,
        link: optional(row, "link", &name)?,
        current: decode(&name, row.try_get("detail")?)?,
        name,
    })
}

pub(super) fn read_digest(text: &str) -> Result<Digest, RecordsError> {
    text.parse().map_err(|_| RecordsError::Unreadable {
        id: text.to_owned(),
        reason: "it is no digest".to_owned(),
    })
}

pub(super) fn encode<T: Serialize>(name: &str, value: &T) -> Result<String, RecordsError> {
    serde_json::to_string(value).map_err(|error| unreadable(name, &error))
}

pub(super) fn decode<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, RecordsError> {
    serde_json::from_str(text).map_err(|error| unreadable(name, &error))
}

fn unreadable(name: &str, error: &serde_json::Error) -> RecordsError {
    RecordsError::Unreadable {
        id: name.to_owned(),
        reason: error.to_string(),
    }
}

/// What happened to a bundle.
#[must_use]
pub fn happened(event: AuditEvent, name: &str, digest: &str, what: &str) -> Happening {
    Happening::new(event, format!("bundle `{name}`: {what}"))
        .about_plugin(bundle_id(name))
        .with_digest(digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn version(content: &str, at: i64) -> BundleVersion {
        let digest = Digest::of_parts([content.as_bytes()]).to_string();
        serde_json::from_value(json!({
            "version": "1", "digest": digest, "resolved": { "kind": "folder", "path": "/a" }, "commit": null,
            "skills": ["a:b"], "agents": [], "executes": [], "at": at,
        }))
        .unwrap()
    }

    fn bundle(name: &str, content: &str, at: i64) -> BundleRecord {
        let origin = json!({ "source": { "kind": "folder", "path": "/a" } });
        BundleRecord {
            name: name.to_owned(),
            plugin: "p".to_owned(),
            entry: Some(origin.as_object().unwrap().clone()),
            origin: origin.as_object().unwrap().clone(),
            link: None,
            current: version(content, at),
        }
    }

    #[tokio::test]
    async fn a_bundle_changes_only_from_what_its_writer_saw() {
        let home = tempfile::tempdir().unwrap();
        let records = Records::open(home.path()).await.unwrap();
        let event = |digest: &str| happened(AuditEvent::BundleAdd, "a", digest, "added");
        let (one, two, three) = (
            bundle("a", "1", 1),
            bundle("a", "2", 2),
            bundle("a", "3", 3),
        );
        let [first, second] = [&one, &two].map(|bundle| bundle.current.digest.clone());
        let put = async |bundle: &BundleRecord, before: Option<&str>| {
            let happening = event(&bundle.current.digest);
            records
                .put_bundle(bundle, before, &happening)
                .await
                .unwrap()
        };
        assert!(put(&one, None).await);
        assert!(!put(&two, None).await, "the name is taken");
        assert!(put(&two, Some(&first)).await);
        assert!(!put(&three, Some(&first)).await, "it is another by now");
        assert_eq!(records.bundles().await.unwrap(), std::slice::from_ref(&two));
        let versions = records.bundle_versions("a").await.unwrap();
        assert_eq!(versions, [two.current.clone(), one.current.clone()]);
        records
            .forget_bundle_versions(&HashSet::from([first.parse().unwrap()]))
            .await
            .unwrap();
        assert_eq!(records.bundle_versions("a").await.unwrap().len(), 2);
        records
            .forget_bundle_versions(&HashSet::new())
            .await
            .unwrap();
        assert_eq!(records.bundle_versions("a").await.unwrap().len(), 1);
        let contents = records.current_contents().await.unwrap();
        assert_eq!(contents, HashSet::from([second.parse().unwrap()]));
        // A file says that there are some. Who opens the records looks whether it is right.
        let marker = home.path().join("bundles-v1");
        std::fs::remove_file(&marker).unwrap();
        assert!(records.bundle_heads().await.unwrap().is_empty());
        let records = Records::open(home.path()).await.unwrap();
        assert_eq!(records.bundle_heads().await.unwrap().len(), 1);
        assert!(records.remove_bundle("a", &event("")).await.unwrap());
        assert!(!marker.exists());
        assert!(!records.remove_bundle("a", &event("")).await.unwrap());
        assert!(records.bundle_versions("a").await.unwrap().is_empty());
    }
}
