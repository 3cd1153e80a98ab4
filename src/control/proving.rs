//! `thread/capability/prove`: on a Codex of its own, so that the host's hears nothing of it.

use codex_loadout_protocol::binding::{Carrier, Rule};
use codex_loadout_protocol::method::ThreadCapabilityProof;
use codex_loadout_protocol::selection::FIELD;
use codex_loadout_protocol::{CapabilitySelection, ErrorItem, ErrorKind, LoadoutError};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::context::Context;
use super::params::folder;
use crate::proof::{self, Subject};

/// The params, with the selection as its text: what is wrong with it is told by its own reader.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProveParams {
    thread_id: Option<String>,
    capability_selection: Option<Box<RawValue>>,
    cwd: Option<String>,
}

pub(super) async fn prove(
    params: ProveParams,
    context: &Context,
) -> Result<ThreadCapabilityProof, LoadoutError> {
    let subject = match (params.thread_id, params.capability_selection) {
        (Some(thread), None) => {
            let cwd = params.cwd.map(|cwd| folder(Some(cwd))).transpose()?;
            Subject::Thread(thread, cwd)
        }
        (None, Some(text)) => {
            let rule = Rule::without_key(
                Carrier::Field,
                Some(CapabilitySelection::from_json(text.get())?),
            );
            let cwd = folder(params.cwd)?;
            let selected = context.loadouts.select(rule, &cwd).await?;
            Subject::Selection(Box::new(selected.unwrap_or_default()), cwd)
        }
        _ => {
            return Err(LoadoutError::new(
                ErrorKind::InvalidSelection,
                "either a thread or a selection is proven",
            )
            .with_hint("Send `threadId` or `capabilitySelection`, and not both.")
            .with_items(vec![ErrorItem::named("threadId"), ErrorItem::named(FIELD)]));
        }
    };
    let codex = &context.codex;
    proof::prove(&context.loadouts, &codex.command, &codex.arguments, subject).await
}
