//! What a host's request says around its selection: the params of `thread/start`, `thread/resume` and `thread/fork`.

use std::path::PathBuf;

use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use serde_json::{Map, Value};

use crate::lowering::{HostConfig, Lowered, MergeMode};
use crate::messages::thread::RESUMABLE;
use crate::resolver::RequestServers;
use crate::wire::{Frame, RawObject};

/// `selectedCapabilityRoots`, Codex's own experimental field.
pub(super) const ROOTS: &str = "selectedCapabilityRoots";

/// The developer's instructions, as a field of start, resume and fork.
pub(crate) const INSTRUCTIONS: &str = "developerInstructions";
/// The same, as a key of `config`.
const INSTRUCTIONS_KEY: &str = "developer_instructions";

/// The request's `params`.
///
/// # Errors
/// `invalidSelection` if they are no object.
pub(crate) fn read_params(request: &Frame) -> Result<RawObject<'_>, LoadoutError> {
    let text = std::str::from_utf8(request.bytes()).unwrap_or_default();
    let message = RawObject::parse(text, "message")?;
    let Some(params) = message.get("params") else {
        return Ok(RawObject::default());
    };
    // The text outlives the message it was found in: both are of the frame's bytes.
    let start = params.as_ptr() as usize - text.as_ptr() as usize;
    let params = text.get(start..start + params.len()).unwrap_or_default();
    Ok(RawObject::parse(params, "params")?)
}

/// The thread's folder: the request's `cwd`, a relative one taken from Codex's own, or that.
#[must_use]
pub(crate) fn cwd_of(params: &RawObject<'_>) -> Option<PathBuf> {
    let cwd = PathBuf::from(params.get_string("cwd")?);
    std::path::absolute(&cwd).ok()
}

/// What a request says of its thread that a resume can say again, `config` included.
#[must_use]
pub(crate) fn resumable_params(params: &RawObject<'_>) -> Map<String, Value> {
    let given = RESUMABLE.iter().chain(&["config"]).filter_map(|field| {
        let value: Value = serde_json::from_str(params.get(field)?).ok()?;
        (!value.is_null()).then(|| ((*field).to_owned(), value))
    });
    given.collect()
}

/// What the host's request gives its thread of them: in the field, else in `config`.
pub(super) fn instructions_of_host(params: &RawObject<'_>) -> Option<String> {
    params.get_string(INSTRUCTIONS).or_else(|| {
        let config = RawObject::parse(params.get("config")?, "config").ok()?;
        config.get_string(INSTRUCTIONS_KEY)
    })
}

/// As [`merge_config`], of the request's own `config`.
pub(super) fn merged_config(
    params: &RawObject<'_>,
    lowered: &Lowered,
) -> Result<String, LoadoutError> {
    merge_config(config_of_host(params), lowered)
}

/// The request's own `config`; empty if it has none.
pub(super) fn config_of_host<'p>(params: &'p RawObject<'_>) -> &'p str {
    params.get("config").unwrap_or_default()
}

/// The config to send: the host's own text, with ours on top.
///
/// # Errors
/// `invalidSelection` if the host's would widen the loadout.
pub(crate) fn merge_config(of_host: &str, lowered: &Lowered) -> Result<String, LoadoutError> {
    let config = RawObject::parse(of_host, "config")?;
    HostConfig::parse(&config)?.merged_with(lowered)
}

/// The MCP servers that a request defines in its `config`.
///
/// # Errors
/// `invalidSelection` if its `config` can't be read.
pub(crate) fn request_servers(params: &RawObject<'_>) -> Result<RequestServers, LoadoutError> {
    let config = RawObject::parse(config_of_host(params), "config")?;
    Ok(HostConfig::parse(&config)?.servers())
}

/// The host's own roots, which would widen a guarded loadout.
pub(super) fn roots_of_host(
    params: &RawObject<'_>,
    mode: MergeMode,
) -> Result<Vec<Value>, LoadoutError> {
    let text = params.get(ROOTS).unwrap_or("null");
    let roots: Option<Vec<Value>> = serde_json::from_str(text).map_err(|_| {
        LoadoutError::new(
            ErrorKind::InvalidSelection,
            format!("`{ROOTS}` is not a list"),
        )
        .with_hint("Send it in the shape of Codex's own schema.")
        .with_items(vec![ErrorItem::named(ROOTS)])
    })?;
    let roots = roots.unwrap_or_default();
    if mode == MergeMode::Guarded && !roots.is_empty() {
        return Err(LoadoutError::new(
            ErrorKind::InvalidSelection,
            format!("`{ROOTS}` would widen the loadout"),
        )
        .with_hint("Leave it out, or use the mode `extend`.")
        .with_items(vec![ErrorItem::named(ROOTS)]));
    }
    Ok(roots)
}

/// The loadout's files lie on this machine: a thread that runs elsewhere, or nowhere, can't see them.
pub(crate) fn check_environments(params: &RawObject<'_>) -> Result<(), LoadoutError> {
    let environments: Option<Vec<Value>> = params
        .get("environments")
        .and_then(|text| serde_json::from_str(text).ok());
    let Some(environments) = environments else {
        return Ok(());
    };
    let id = |environment: &Value| {
        environment
            .get("environmentId")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let others: Vec<String> = environments
        .iter()
        .map(id)
        .filter(|id| id != "local")
        .collect();
    if others.is_empty() && !environments.is_empty() {
        return Ok(());
    }
    Err(LoadoutError::new(
        ErrorKind::EnvironmentUnsupported,
        "a loadout can only be seen in the environment `local`",
    )
    .with_hint("Leave `environments` out, or start the thread without `capabilitySelection`.")
    .with_items(others.into_iter().map(ErrorItem::named).collect()))
}

/// Whether a fork is of the kind that takes no `config` but its loaded source's.
#[must_use]
pub(crate) fn is_prediction(params: &RawObject<'_>) -> bool {
    params
        .get("experimentalPredictionMode")
        .is_some_and(|mode| !matches!(mode, "null" | "false"))
}
