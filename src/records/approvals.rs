//! The rows of approvals: which contents of bundles may run what they have.

use std::collections::HashSet;

use codex_loadout_protocol::bundle::Executable;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::audit::Happening;
use super::bundles::{decode, encode, read_digest};
use super::error::RecordsError;
use super::store::Records;
use crate::bundle::Digest;

/// A content that may run what it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The content.
    pub digest: Digest,
    /// The bundle that it is of.
    pub name: String,
    /// What it could run when it was approved.
    pub executes: Vec<Executable>,
}

impl Records {
    /// The contents that may run what they have.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn approved_contents(&self) -> Result<HashSet<Digest>, RecordsError> {
        let digests: Vec<String> = sqlx::query_scalar("SELECT digest FROM approvals")
            .fetch_all(self.database.reader())
            .await?;
        let digests = digests.iter().map(|digest| read_digest(digest));
        digests.collect()
    }

    /// The content of a bundle that was approved last, and what it could run.
    ///
    /// # Errors
    /// [`RecordsError`].
    pub async fn last_approval(&self, name: &str) -> Result<Option<Approval>, RecordsError> {
        let row = sqlx::query(
            "SELECT digest, name, executes FROM approvals WHERE name = $1 ORDER BY approved_at DESC, digest LIMIT 1",
        )
        .bind(name)
        .fetch_optional(self.database.reader())
        .await?;
        row.as_ref().map(approval).transpose()
    }

    /// Lets a content run what it has.
    ///
    /// # Errors
    /// [`RecordsError`].
    pub async fn approve(
        &self,
        approval: &Approval,
        at: i64,
        happening: &Happening,
    ) -> Result<(), RecordsError> {
        let mut write = self.database.write().await?;
        sqlx::query(
            "INSERT INTO approvals (digest, name, executes, approved_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (digest) DO UPDATE SET name = excluded.name, executes = excluded.executes, approved_at = excluded.approved_at",
        )
        .bind(approval.digest.to_string())
        .bind(&approval.name)
        .bind(encode(&approval.name, &approval.executes)?)
        .bind(at)
        .execute(&mut *write)
        .await?;
        self.commit_change(write, happening).await
    }

    /// Takes an approval back; tells whether there was one.
    ///
    /// # Errors
    /// [`RecordsError::Database`].
    pub async fn revoke(
        &self,
        digest: &Digest,
        happening: &Happening,
    ) -> Result<bool, RecordsError> {
        let mut write = self.database.write().await?;
        let gone = sqlx::query("DELETE FROM approvals WHERE digest = $1")
            .bind(digest.to_string())
            .execute(&mut *write)
            .await?;
        if gone.rows_affected() == 0 {
            return Ok(false);
        }
        self.commit_change(write, happening).await?;
        Ok(true)
    }
}

fn approval(row: &SqliteRow) -> Result<Approval, RecordsError> {
    let name: String = row.try_get("name")?;
    Ok(Approval {
        digest: read_digest(row.try_get("digest")?)?,
        executes: decode(&name, row.try_get("executes")?)?,
        name,
    })
}

#[cfg(test)]
mod tests {
    use codex_loadout_protocol::audit::AuditEvent;

    use super::super::happened;
    use super::*;

    #[tokio::test]
    async fn a_content_is_approved_and_no_longer() {
        let home = tempfile::tempdir().unwrap();
        let records = Records::open(home.path()).await.unwrap();
        let digest = Digest::of_parts([b"1".as_slice()]);
        let happening = happened(AuditEvent::BundleTrust, "a", "", "approved");
        let given = Approval {
            digest,
            name: "a".to_owned(),
            executes: Vec::new(),
        };
        records.approve(&given, 5, &happening).await.unwrap();
        assert_eq!(records.last_approval("a").await.unwrap(), Some(given));
        assert_eq!(
            records.approved_contents().await.unwrap(),
            HashSet::from([digest])
        );
        assert!(records.revoke(&digest, &happening).await.unwrap());
        assert!(!records.revoke(&digest, &happening).await.unwrap());
        assert!(records.approved_contents().await.unwrap().is_empty());
    }
}
