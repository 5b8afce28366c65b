//! Metrics as a collector reads them: messages `Metric` of OTLP, one for each family, with all that it has counted since the
//! instance began. Pure; the master, and the exporter for its own.

use super::protobuf::Message;

/// What a family counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What only grows.
    Sum,
    /// What comes and goes.
    Gauge,
    /// Durations in buckets.
    Histogram,
}

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: u64 = 2;

/// Families in the making.
#[derive(Debug)]
pub struct Metrics {
    done: Message,
    open: Option<Open>,
    since_ns: u64,
    now_ns: u64,
}

/// The family that samples are added to.
#[derive(Debug)]
struct Open {
    head: Message,
    kind: Kind,
    points: Message,
}

impl Metrics {
    /// None yet. What they count began at `since_us`, and they are of `now_us`, both in microseconds since the epoch.
    pub fn new(since_us: u64, now_us: u64) -> Self {
        let ns = |us: u64| us.saturating_mul(1_000);
        Self { done: Message::new(), open: None, since_ns: ns(since_us), now_ns: ns(now_us) }
    }

    /// Begins a family. One that gets no sample is left out.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) {
        self.close();
        let unit = match name {
            _ if name.ends_with("_seconds") => "s",
            _ if name.ends_with("_bytes") => "By",
            _ => "1",
        };
        let mut head = Message::new();
        head.text(1, name).text(2, help).text(3, unit);
        self.open = Some(Open { head, kind, points: Message::new() });
    }

    /// Adds a sample that is a whole number.
    pub fn whole(&mut self, labels: &[(&str, &str)], value: i64) {
        let mut point = self.point(7, labels);
        point.fixed64(6, value.cast_unsigned());
        self.add(&point);
    }

    /// Adds one that has decimals.
    pub fn decimal(&mut self, labels: &[(&str, &str)], value: f64) {
        let mut point = self.point(7, labels);
        point.double(4, value);
        self.add(&point);
    }

    /// Adds one of durations: how many are in each bucket, and the bounds of all but the last, which has none.
    pub fn histogram(&mut self, counts: &[u64], bounds: &[f64], sum: f64) {
        let count = counts.iter().fold(0, |all: u64, count| all.saturating_add(*count));
        let mut point = self.point(9, &[]);
        point.fixed64(4, count).double(5, sum);
        point.packed(6, counts.iter().copied()).packed(7, bounds.iter().map(|bound| bound.to_bits()));
        self.add(&point);
    }

    /// The fields of a `ScopeMetrics` with all of them.
    pub fn finish(mut self) -> Message {
        self.close();
        self.done
    }

    fn point(&self, attributes: u64, labels: &[(&str, &str)]) -> Message {
        let mut point = Message::new();
        for (name, value) in labels {
            point.attribute(attributes, name, value);
        }
        point.fixed64(2, self.since_ns).fixed64(3, self.now_ns);
        point
    }

    fn add(&mut self, point: &Message) {
        if let Some(open) = &mut self.open {
            open.points.message(1, point);
        }
    }

    fn close(&mut self) {
        let Some(Open { mut head, kind, mut points }) = self.open.take() else { return };
        if points.is_empty() {
            return;
        }
        let field = match kind {
            Kind::Gauge => 5,
            Kind::Sum => {
                // It only grows.
                points.number(2, CUMULATIVE).number(3, 1);
                7
            }
            Kind::Histogram => {
                points.number(2, CUMULATIVE);
                9
            }
        };
        head.message(field, &points);
        self.done.message(2, &head);
    }
}

#[cfg(test)]
mod tests {
    use super::super::protobuf::{Value, fields};
    use super::*;

    #[test]
    fn a_family_without_samples_is_left_out_and_each_has_its_unit() {
        let mut metrics = Metrics::new(1, 2);
        metrics.family("a_seconds", Kind::Gauge, "Time.");
        metrics.decimal(&[("x", "y")], 0.5);
        metrics.family("b", Kind::Sum, "None.");
        metrics.family("c_bytes", Kind::Sum, "Bytes.");
        metrics.whole(&[], 3);
        let bytes = metrics.finish().into_bytes();
        let units = fields(&bytes).expect("a message").into_iter().map(|(field, value)| {
            let Value::Bytes(metric) = value else { panic!("no message") };
            let unit = fields(metric).expect("a metric").into_iter().find(|(field, _)| *field == 3);
            (field, unit.map(|(_, unit)| unit))
        });
        let expected = [b"s".as_slice(), b"By".as_slice()].map(|unit| (2, Some(Value::Bytes(unit))));
        assert!(units.eq(expected));
    }
}
