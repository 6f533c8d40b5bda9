//! What one broker counts, for Prometheus.
//!
//! Each broker counts for itself, however many there are in a process: nothing
//! of it is global.

use std::sync::Arc;

use metrics::{Counter, Gauge, IntoLabels, Key, Level, Metadata, Recorder as _};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};

static METADATA: Metadata<'_> = Metadata::new("wasipool", Level::INFO, None);

/// The metrics of a broker; clones are the same ones.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<PrometheusRecorder>);

impl Default for Metrics {
    fn default() -> Self {
        Self(Arc::new(PrometheusBuilder::new().build_recorder()))
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
