//! What one broker counts, for Prometheus.
//!
//! Each broker counts for itself, however many there are in a process: nothing
//! of it is global.

use std::sync::Arc;

use metrics::{Counter, Gauge, IntoLabels, Key, Level, Metadata, Recorder as _};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};
use wasipool_shared::api::Stats;

static METADATA: Metadata<'_> = Metadata::new("wasipool", Level::INFO, None);

/// The metrics of a broker; clones are the same ones.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<PrometheusRecorder>);

/// What the pool is at the moment of a scrape.
const POOL: [(&str, &str); 6] = [
    ("wasipool_slots", "Tasks that the providers take at a time."),
    ("wasipool_slots_busy", "Slots that have a task."),
    ("wasipool_tasks_queued", "Tasks that wait for a slot."),
    ("wasipool_tasks_running", "Tasks that providers have."),
    ("wasipool_jobs", "Jobs that haven't ended."),
    ("wasipool_stored_bytes", "Bytes of blobs and results."),
];

/// What all others are.
const DESCRIBED: [(&str, &str); 8] = [
    ("wasipool_providers", "Providers that are connected."),
    ("wasipool_tasks_total", "Tasks that ended, by outcome."),
    (
        "wasipool_dropped_outcomes_total",
        "Outcomes of attempts that no longer counted.",
    ),
    ("wasipool_http_requests_total", "Requests."),
    (
        "wasipool_http_request_micros_total",
        "Microseconds that requests took.",
    ),
    ("wasipool_store_commits_total", "Transactions of the store."),
    (
        "wasipool_store_results_total",
        "Results in transactions of the store.",
    ),
    (
        "wasipool_blob_bytes_sent_total",
        "Bytes of blobs that providers were sent.",
    ),
];

impl Default for Metrics {
    fn default() -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        for (name, text) in POOL.into_iter().chain(DESCRIBED) {
            if name.ends_with("_total") {
                recorder.describe_counter(name.into(), None, text.into());
            } else {
                recorder.describe_gauge(name.into(), None, text.into());
            }
        }
        Self(Arc::new(recorder))
    }
}

impl Metrics {
    /// A number that grows.
    pub fn counter(&self, name: &'static str, labels: impl IntoLabels) -> Counter {
        let key = Key::from_parts(name, labels);
        self.0.register_counter(&key, &METADATA)
    }

    /// A number that goes up and down.
    pub fn gauge(&self, name: &'static str, labels: impl IntoLabels) -> Gauge {
        let key = Key::from_parts(name, labels);
        self.0.register_gauge(&key, &METADATA)
    }

    /// Sets what the pool is now; these aren't kept up to date in between.
    pub fn set_pool(&self, stats: &Stats) {
        let values = [
            stats.slots,
            stats.busy,
            stats.queued,
            stats.running,
            stats.jobs,
            stats.stored_bytes,
        ];
        for ((name, _), value) in POOL.into_iter().zip(values) {
            self.gauge(name, NO_LABELS).set(value as f64);
        }
    }

    /// All of them, in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.handle().render()
    }
}

/// Metrics without labels.
pub const NO_LABELS: &[(&str, &str)] = &[];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_count_for_themselves() {
        let (one, other) = (Metrics::default(), Metrics::default());
        let seen = one.clone();
        one.counter("done_total", NO_LABELS).increment(2);
        one.gauge("here", &[("kind", "native")]).increment(1.0);
        other.counter("done_total", NO_LABELS).increment(5);
        let text = seen.render();
        assert!(text.contains("\ndone_total 2\n"), "{text}");
        assert!(text.contains("\nhere{kind=\"native\"} 1\n"), "{text}");
        assert!(other.render().contains("\ndone_total 5\n"));
    }
}
