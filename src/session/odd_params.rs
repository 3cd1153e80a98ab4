//! `params` that are no object. Codex takes a list in the order of its fields, and tells what is wrong with anything
//! else: so it is asked, unless what stands in the list may be a thread with a loadout.

use std::path::PathBuf;

use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};

use super::opening::thread_at;
use super::request_handlers::RequestHandlers;
use crate::loadouts::Recorded;
use crate::messages::thread;
use crate::router::Prepared;
use crate::wire::Frame;

impl RequestHandlers {
    /// A resume or fork whose `params` are no object.
    pub(super) async fn with_odd_params(&self, frame: &Frame) -> Result<Prepared, LoadoutError> {
        let home = self.upstream().await?.codex_home;
        for text in thread::texts_in_list_of_params(frame) {
            let at_path = thread_at(PathBuf::from(&text)).await?;
            for id in at_path.into_iter().chain([text]) {
                if !matches!(self.loadouts.recorded(&id, &home).await?, Recorded::Native) {
                    return Err(list_of_params(&id));
                }
            }
        }
        Ok(Prepared::Pass(frame.bytes().clone()))
    }
}

fn list_of_params(thread: &str) -> LoadoutError {
    let message = format!("`params` is a list, and names thread `{thread}`, which has a loadout");
    LoadoutError::new(ErrorKind::InvalidSelection, message)
        .with_hint("Send `params` as an object, in the shape of Codex's own schema.")
        .with_items(vec![ErrorItem::named("params")])
}
