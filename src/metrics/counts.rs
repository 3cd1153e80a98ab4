//! The numbers of one process.

use std::time::Instant;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::{AddedLatency, HappeningCounts, Label, Presence, StoreSize};

/// Where the buckets of what requests have waited end, in seconds: from less than anybody notices to the time at which
/// Codex is given up on.
const BUCKETS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
];

/// Who sends messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    Host,
    Codex,
}

/// Messages of all that are of one kind.
#[derive(Debug)]
struct Received {
    messages: Counter,
    bytes: Counter,
}

impl Received {
    fn new(messages: &Family<Label, Counter>, bytes: &Family<Label, Counter>, from: Label) -> Self {
        Self {
            messages: messages.get_or_create_owned(&from),
            bytes: bytes.get_or_create_owned(&from),
        }
    }
}

/// What is counted, and who is there.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Who is there.
    pub presence: Presence,
    /// What happens to threads.
    pub happenings: HappeningCounts,
    since: Instant,
    registry: Registry,
    connections: Counter,
    connected: Gauge,
    from_host: Received,
    from_codex: Received,
    added: Family<Label, Histogram, fn() -> Histogram>,
    restarts: Counter,
    threads: Gauge,
    store_bytes: Gauge,
    store_records: Gauge,
}

impl Metrics {
    /// Nothing was counted yet but what happened to threads.
    #[must_use]
    pub(crate) fn new(happenings: HappeningCounts) -> Self {
        let (messages, bytes) = (Family::default(), Family::default());
        let metrics = Self {
            from_host: Received::new(&messages, &bytes, [("from", "host")]),
            from_codex: Received::new(&messages, &bytes, [("from", "codex")]),
            presence: Presence::default(),
            happenings,
            since: Instant::now(),
            registry: Registry::default(),
            connections: Counter::default(),
            connected: Gauge::default(),
            added: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            restarts: Counter::default(),
            threads: Gauge::default(),
            store_bytes: Gauge::default(),
            store_records: Gauge::default(),
        };
        let mut registry = Registry::with_prefix("codex_loadout");
        let it = &mut registry;
        it.register(
            "connected_hosts",
            "Hosts that are connected now",
            metrics.connected.clone(),
        );
        it.register(
            "connections",
            "Hosts that have been connected",
            metrics.connections.clone(),
        );
        it.register("received_messages", "Messages that came in", messages);
        it.register_with_unit(
            "received",
            "Size of messages that came in",
            Unit::Bytes,
            bytes,
        );
        it.register_with_unit(
            "added_latency",
            "What claimed requests have waited for this program, and for what it asked Codex",
            Unit::Seconds,
            metrics.added.clone(),
        );
        let HappeningCounts { events, refusals } = metrics.happenings.clone();
        it.register(
            "thread_events",
            "What happened to threads with a loadout",
            events,
        );
        it.register(
            "refusals",
            "Requests that were refused, by the kind of the error",
            refusals,
        );
        it.register(
            "codex_restarts",
            "Codex has ended and was started again",
            metrics.restarts.clone(),
        );
        it.register(
            "loaded_threads",
            "Loaded threads that have a loadout",
            metrics.threads.clone(),
        );
        it.register_with_unit(
            "store",
            "Size of all files in the state folder",
            Unit::Bytes,
            metrics.store_bytes.clone(),
        );
        it.register(
            "store_records",
            "Threads that have a record",
            metrics.store_records.clone(),
        );
        Self {
            registry,
            ..metrics
        }
    }

    /// One more host is connected to Codex.
    pub(crate) fn host_came(&self) {
        self.connections.inc();
    }

    /// Messages came in.
    pub(crate) fn received(&self, from: Sender, messages: usize, bytes: usize) {
        let received = match from {
            Sender::Host => &self.from_host,
            Sender::Codex => &self.from_codex,
        };
        received.messages.inc_by(messages as u64);
        received.bytes.inc_by(bytes as u64);
    }

    /// A request of this kind is worked on.
    #[must_use]
    pub(crate) fn added_latency(&self, request: &'static str) -> AddedLatency {
        AddedLatency::new(self.added.get_or_create_owned(&[("request", request)]))
    }

    /// Codex has ended and was started again.
    pub(crate) fn codex_restarted(&self) {
        self.restarts.inc();
    }

    /// How often that has happened.
    pub(crate) fn restarts(&self) -> u64 {
        self.restarts.get()
    }

    /// How long this process counts.
    pub(crate) fn uptime_seconds(&self) -> u64 {
        self.since.elapsed().as_secs()
    }

    /// Everything in the text that Prometheus reads. Of the store, what was last known where `store` is not.
    pub(crate) fn text(&self, threads: usize, store: Option<StoreSize>) -> String {
        let set = |gauge: &Gauge, value: u64| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        set(&self.connected, self.presence.host_count() as u64);
        set(&self.threads, threads as u64);
        if let Some(StoreSize { bytes, records }) = store {
            set(&self.store_bytes, bytes);
            set(&self.store_records, records);
        }
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &self.registry) {
            tracing::warn!(%error, "the metrics can't be written");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use codex_loadout_protocol::ErrorKind;
    use codex_loadout_protocol::audit::AuditEvent;
    use std::time::Duration;

    #[test]
    fn the_text_names_each_number_with_its_unit() {
        let metrics = Metrics::new(HappeningCounts::default());
        metrics.host_came();
        metrics.presence.host_came(crate::threads::HostId(1));
        metrics.received(Sender::Host, 3, 1200);
        metrics.received(Sender::Codex, 1, 7);
        metrics.added_latency("start").add(Duration::from_millis(3));
        metrics.happenings.happened(AuditEvent::Start, None);
        let kind = Some(ErrorKind::UnknownCapability);
        metrics.happenings.happened(AuditEvent::Refusal, kind);
        metrics.codex_restarted();
        let store = StoreSize {
            bytes: 4096,
            records: 2,
        };
        let text = metrics.text(1, Some(store));
        assert!(text.ends_with("# EOF\n"));
        // Values of a label are in no order.
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
