//! The metrics of a server as Prometheus reads them: taken, compared, and the quantiles of their histograms as buckets. Runs in the
//! measuring process.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long a document may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Samples by name and labels, as they stand in the document.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Metrics(BTreeMap<String, f64>);

/// The number of a bucket of the server's histograms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bucket(pub(super) usize);

/// Upper bounds of the buckets in microseconds (docs/MONITORING.md); the last one has none.
const BOUNDS_US: [u64; 15] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000,
];

impl Bucket {
    pub(super) fn shown(self) -> String {
        BOUNDS_US.get(self.0).map_or("more".to_owned(), |us| format!("{}", *us as f64 / 1e3))
    }
}

/// The bucket that a time belongs to.
pub(super) fn bucket_of(us: u64) -> Bucket {
    Bucket(BOUNDS_US.iter().position(|bound| us <= *bound).unwrap_or(BOUNDS_US.len()))
}

/// All that comes from a socket over HTTP, the head included.
///
/// # Errors
/// Nobody is there, or says nothing in time.
pub(super) fn page(socket: &Path, target: &str) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET {target} HTTP/1.0\r\n\r\n").as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Metrics {
    /// Takes them.
    ///
    /// # Errors
    /// As [`page`].
    pub(super) fn read(socket: &Path) -> io::Result<Self> {
        let bytes = page(socket, "/metrics")?;
        Ok(Self::of(&String::from_utf8_lossy(&bytes)))
    }

    fn of(text: &str) -> Self {
        let sample = |line: &str| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        Self(
            text.lines()
                .filter(|line| line.starts_with("rhinod_") || line.starts_with("uwsgi_"))
                .filter_map(sample)
                .collect(),
        )
    }

    /// A sample; 0 where there is none.
    pub(super) fn value(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or(0.0)
    }

    /// The samples of a family.
    pub(super) fn family(&self, name: &str) -> impl Iterator<Item = (&str, f64)> {
        let is_its =
            move |sample: &str| sample.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('{'));
        self.0.iter().filter(move |(sample, _)| is_its(sample)).map(|(sample, value)| (sample.as_str(), *value))
    }

    /// What only grows and is less afterwards, or is not there any more.
    pub(super) fn gone_back(&self, after: &Self) -> Vec<String> {
        let grows = |name: &str| {
            ["_total", "_bucket", "_sum", "_count"]
                .iter()
                .any(|end| name.split('{').next().unwrap_or(name).ends_with(end))
        };
        let less =
            self.0.iter().filter(|(name, before)| grows(name) && after.0.get(*name).is_none_or(|value| value < before));
        less.map(|(name, before)| format!("{name}: {before}, then {:?}", after.0.get(name))).collect()
    }
}

/// The bucket in which a quantile is of what a histogram has counted between two looks.
pub(super) fn quantile_bucket(before: &Metrics, after: &Metrics, family: &str, quantile: f64) -> Bucket {
    let grown = |name: &str| after.value(name) - before.value(name);
    let place = (quantile * grown(&format!("{family}_count"))).ceil();
    let below = |us: &u64| grown(&format!("{family}_bucket{{le=\"{}\"}}", seconds(*us)));
    Bucket(BOUNDS_US.iter().position(|us| below(us) >= place).unwrap_or(BOUNDS_US.len()))
}

/// As the document has it.
fn seconds(us: u64) -> String {
    let text = format!("{}", us as f64 / 1e6);
    if text.contains('.') { text } else { format!("{text}.0") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str =
        "# HELP x\nrhinod_a_total 3\nrhinod_h_bucket{le=\"0.00025\"} 0\nrhinod_h_count 0\nrhinod_g 9\n";

    #[test]
    fn a_counter_that_goes_back_is_found_and_a_gauge_may() {
        let before = Metrics::of(BEFORE);
        assert_eq!(before.gone_back(&Metrics::of(&BEFORE.replace("rhinod_g 9", "rhinod_g 1"))), [""; 0]);
        assert_eq!(before.gone_back(&Metrics::of(&BEFORE.replace("_total 3", "_total 2"))).len(), 1);
        assert_eq!(before.gone_back(&Metrics::default()).len(), 3);
    }

    #[test]
    fn a_quantile_is_in_the_first_bucket_with_so_many_below_it() {
        let after = Metrics::of(
            "rhinod_h_bucket{le=\"0.00025\"} 50\nrhinod_h_bucket{le=\"0.0005\"} 89\nrhinod_h_bucket{le=\"0.001\"} 90\n\
             rhinod_h_bucket{le=\"1.0\"} 100\nrhinod_h_count 100\n",
        );
        let of = |quantile| quantile_bucket(&Metrics::of(BEFORE), &after, "rhinod_h", quantile);
        assert_eq!((of(0.5), of(0.9), of(0.99)), (bucket_of(250), bucket_of(1_000), bucket_of(1_000_000)));
        assert_eq!(
            (seconds(250).as_str(), seconds(2_500_000).as_str(), seconds(5_000_000).as_str()),
            ("0.00025", "2.5", "5.0")
        );
    }
}
