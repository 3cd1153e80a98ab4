//! Work on files at places that somebody else chose, where it holds up nobody and not for ever.
//!
//! A disk may hang, a network share be gone, a folder be too large to walk. The thread that waits for it is lost
//! for as long, but no request is.

use std::time::Duration;

/// How long reading what lies in users' folders may take.
pub(crate) const READ_WITHIN: Duration = Duration::from_secs(10);

/// Work on files that came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlockingError {
    /// It goes on, and nobody waits for it any more.
    #[error("it takes longer than {} s", limit.as_secs())]
    TooLong {
        /// What was allowed.
        limit: Duration,
    },
    /// It panicked.
    #[error("it failed: {0}")]
    Failed(#[from] tokio::task::JoinError),
}

/// Runs blocking work on a thread of its own and waits this long for it.
///
/// # Errors
/// [`BlockingError`] when it takes longer, or panics.
pub(crate) async fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, BlockingError> {
    let work = tokio::task::spawn_blocking(work);
    match tokio::time::timeout(limit, work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(BlockingError::TooLong { limit }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[tokio::test]
    async fn work_that_hangs_is_waited_for_no_longer_than_it_may() {
        let (let_go, hangs) = channel::<()>();
        let limit = Duration::from_millis(20);
        let error = within(limit, move || hangs.recv()).await.unwrap_err();
        assert!(matches!(error, BlockingError::TooLong { .. }), "{error}");
        drop(let_go);
        assert_eq!(within(READ_WITHIN, || 1).await.unwrap(), 1);
        let error = within(READ_WITHIN, || panic!("no")).await.unwrap_err();
        assert!(matches!(error, BlockingError::Failed(_)), "{error}");
    }
}
