//! `codex-loadout metrics`.

use anyhow::Result;
use clap::Args;

use crate::connection::{ListenAddress, get_page};
use crate::session::METRICS;

#[derive(Debug, Args)]
pub(super) struct Metrics {
    /// Where the codex-loadout listens [default: the control socket of Codex]
    #[arg(
        long,
        value_name = "URL",
        default_value = "unix://",
        hide_default_value = true
    )]
    pub(super) listen: ListenAddress,
}

pub(super) async fn metrics(arguments: Metrics) -> Result<String> {
    let text = get_page(&arguments.listen, METRICS).await?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
