//! Metrics in writing: families, samples and their labels, in the form that Prometheus reads
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>) and in that of OpenMetrics; or as messages of OTLP. Pure.

use std::fmt::Write as _;

use worker_protocol::scoreboard::{BOUNDS_US, Histogram};

use crate::otlp::{self, Message, Metrics};

/// Which of the two forms of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// Prometheus' own, version 0.0.4.
    Plain,
    /// OpenMetrics 1.0.
    Open,
}

impl Form {
    /// What HTTP calls it.
    pub fn content_type(self) -> &'static str {
        match self {
            Form::Plain => "text/plain; version=0.0.4; charset=utf-8",
            Form::Open => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A document in the making.
pub(super) enum Exposition {
    /// Text.
    Text(String, Form),
    /// Messages for a collector of OpenTelemetry's.
    Otlp(Metrics),
}

/// What a family counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// What only grows. Its samples end in `_total`.
    Counter,
    /// What comes and goes.
    Gauge,
    /// Durations.
    Histogram,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }

    fn for_collectors(self) -> otlp::Kind {
        match self {
            Kind::Counter => otlp::Kind::Sum,
            Kind::Gauge => otlp::Kind::Gauge,
            Kind::Histogram => otlp::Kind::Histogram,
        }
    }
}

/// A family in the making: the samples of one name.
pub(super) struct Family<'e> {
    out: &'e mut Exposition,
    name: &'static str,
    kind: Kind,
}

/// A sample's labels: name and value.
pub(super) type Labels<'l> = &'l [(&'l str, &'l str)];

impl Exposition {
    pub(super) fn new(form: Form) -> Self {
        Self::Text(String::with_capacity(16 * 1024), form)
    }

    /// Begins a family. The name of a counter is given without `_total`.
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> Family<'_> {
        match self {
            Self::Text(text, form) => {
                let ending = if kind == Kind::Counter && *form == Form::Plain { "_total" } else { "" };
                let _ = writeln!(text, "# HELP {name}{ending} {help}");
                let _ = writeln!(text, "# TYPE {name}{ending} {}", kind.word());
            }
            Self::Otlp(metrics) => metrics.family(name, kind.for_collectors(), help),
        }
        Family { out: self, name, kind }
    }

    /// The document.
    pub(super) fn finish(self) -> Vec<u8> {
        match self {
            Self::Text(mut text, form) => {
                if form == Form::Open {
                    text.push_str("# EOF\n");
                }
                text.into_bytes()
            }
            Self::Otlp(metrics) => Message::into_bytes(metrics.finish()),
        }
    }
}

impl Family<'_> {
    /// Adds a sample that is a whole number.
    pub(super) fn whole(&mut self, labels: Labels<'_>, value: u64) {
        match self.out {
            Exposition::Text(text, _) => {
                begin(text, self.name, self.kind, labels);
                let _ = writeln!(text, " {value}");
            }
            Exposition::Otlp(metrics) => metrics.whole(labels, value.try_into().unwrap_or(i64::MAX)),
        }
    }

    /// Adds a sample that is a whole number, which may be below zero.
    pub(super) fn signed(&mut self, labels: Labels<'_>, value: i64) {
        match self.out {
            Exposition::Text(text, _) => {
                begin(text, self.name, self.kind, labels);
                let _ = writeln!(text, " {value}");
            }
            Exposition::Otlp(metrics) => metrics.whole(labels, value),
        }
    }

    /// Adds a sample that is a time.
    pub(super) fn seconds(&mut self, labels: Labels<'_>, us: u64) {
        match self.out {
            Exposition::Text(text, _) => {
                begin(text, self.name, self.kind, labels);
                let _ = writeln!(text, " {}", Seconds(us));
            }
            Exposition::Otlp(metrics) => metrics.decimal(labels, us as f64 / 1e6),
        }
    }

    /// Adds all samples of a histogram.
    pub(super) fn histogram(&mut self, histogram: &Histogram) {
        match self.out {
            Exposition::Text(text, _) => push_histogram(text, self.name, histogram),
            Exposition::Otlp(metrics) => {
                let bounds = BOUNDS_US.map(|us| us as f64 / 1e6);
                metrics.histogram(&histogram.counts, &bounds, histogram.sum_us as f64 / 1e6);
            }
        }
    }
}

fn push_histogram(text: &mut String, name: &str, histogram: &Histogram) {
    let mut below: u64 = 0;
    for (count, bound_us) in histogram.counts.iter().zip(BOUNDS_US.map(Some).into_iter().chain([None])) {
        below = below.saturating_add(*count);
        let bound = bound_us.map_or_else(|| "+Inf".to_owned(), |us| Seconds(us).to_string());
        let _ = writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {below}");
    }
    let _ = writeln!(text, "{name}_sum {}", Seconds(histogram.sum_us));
    let _ = writeln!(text, "{name}_count {below}");
}

/// Writes a sample's name and labels.
fn begin(text: &mut String, name: &str, kind: Kind, labels: Labels<'_>) {
    text.push_str(name);
    if kind == Kind::Counter {
        text.push_str("_total");
    }
    for (place, (name, value)) in labels.iter().enumerate() {
        let _ = write!(text, "{}{name}=\"", if place == 0 { '{' } else { ',' });
        push_value(text, value);
        text.push('"');
    }
    if !labels.is_empty() {
        text.push('}');
    }
}

/// The value of a label, with what would end it escaped.
fn push_value(text: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            // Parsers that split a document at every kind of line end would find one here.
            other if other.is_control() || matches!(other, '\u{2028}' | '\u{2029}') => {
                text.push(char::REPLACEMENT_CHARACTER);
            }
            other => text.push(other),
        }
    }
}

/// Microseconds, written as seconds without losing any of them.
struct Seconds(u64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, rest) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let rest = format!("{rest:06}");
        match rest.trim_end_matches('0') {
            "" => write!(f, "{whole}.0"),
            digits => write!(f, "{whole}.{digits}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(form: Form, write: impl Fn(&mut Exposition)) -> String {
        let mut exposition = Exposition::new(form);
        write(&mut exposition);
        String::from_utf8(exposition.finish()).expect("text")
    }

    #[test]
    fn a_counter_ends_in_total_and_only_the_newer_form_names_the_family_without() {
        let write = |exposition: &mut Exposition| {
            exposition.family("a_requests", Kind::Counter, "Requests.").whole(&[("b", "x\"\\\n\u{1}\u{85}y")], 3);
        };
        let sample = "a_requests_total{b=\"x\\\"\\\\\\n\u{fffd}\u{fffd}y\"} 3\n";
        let plain = "# HELP a_requests_total Requests.\n# TYPE a_requests_total counter\n";
        assert_eq!(text(Form::Plain, write), format!("{plain}{sample}"));
        let open = "# HELP a_requests Requests.\n# TYPE a_requests counter\n";
        assert_eq!(text(Form::Open, write), format!("{open}{sample}# EOF\n"));
    }

    #[test]
    fn buckets_hold_what_is_below_them_and_the_last_one_everything() {
        let mut histogram = Histogram::default();
        [250, 251, 20_000_000].into_iter().for_each(|took_us| histogram.count(took_us));
        let text = text(Form::Plain, |exposition| {
            exposition.family("a_seconds", Kind::Histogram, "Time.").histogram(&histogram);
        });
        for line in [
            "a_seconds_bucket{le=\"0.00025\"} 1",
            "a_seconds_bucket{le=\"0.0005\"} 2",
            "a_seconds_bucket{le=\"10.0\"} 2",
            "a_seconds_bucket{le=\"+Inf\"} 3",
            "a_seconds_sum 20.000501",
            "a_seconds_count 3",
        ] {
            assert!(text.lines().any(|written| written == line), "no {line} in {text}");
        }
    }
}
