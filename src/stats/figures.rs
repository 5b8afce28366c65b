//! What is pushed to statsd and carbon: the figures of a report by the names of uWSGI's metrics (uWSGI's manual, "The Metrics
//! subsystem"), on one line of JSON. Pure; written in the master, read by the process that pushes.

use serde::{Deserialize, Serialize};

use super::report::{Report, Worker, WorkerStatus};

/// An instance at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    /// By name.
    pub list: Vec<Figure>,
    /// Single workers, by number.
    pub workers: Vec<WorkerFigures>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figure {
    /// What uWSGI calls it.
    pub name: String,
    /// What it stands for.
    pub measure: Measure,
    /// What it is.
    pub value: i64,
}

/// What a figure stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Measure {
    /// What only grows.
    Counter,
    /// What comes and goes.
    Gauge,
    /// The same, by another name.
    Absolute,
    /// Another name of one that is there as well.
    Alias,
}

impl Measure {
    /// uWSGI's number of it.
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// What carbon is told of a worker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkerFigures {
    /// From 1.
    pub number: u32,
    /// Whether there is one.
    pub is_there: bool,
    /// Of all that have had the number.
    pub requests: u64,
    /// Of all: bytes sent.
    pub sent_bytes: u64,
    /// uWSGI's `avg_rt`, in microseconds.
    pub average_us: u64,
    /// Of all: time within requests.
    pub running_us: u64,
    /// Of all: those killed since a request took too long.
    pub harakiris: u64,
    /// Resident memory.
    pub rss_bytes: u64,
    /// Virtual memory.
    pub vsz_bytes: u64,
}

impl Figures {
    /// Of a report; with those of single threads if they are wanted (`metrics-no-cores`).
    pub fn of(report: &Report, with_cores: bool) -> Self {
        let mut list = Vec::new();
        instance(&mut list, report);
        for worker in &report.workers {
            of_worker(&mut list, worker, with_cores);
        }
        for (number, listener) in report.listeners.iter().enumerate() {
            add(&mut list, format!("socket.{number}.listen_queue"), Measure::Gauge, listener.queue.unwrap_or(0).into());
        }
        for metric in &report.services.metrics {
            let measure = match metric.type_number {
                0 => Measure::Counter,
                1 => Measure::Gauge,
                _ => Measure::Absolute,
            };
            list.push(Figure { name: metric.name.clone(), measure, value: metric.value });
        }
        Self { list, workers: report.workers.iter().map(WorkerFigures::of).collect() }
    }

    /// On one line.
    pub fn line(&self) -> String {
        // Numbers, words and lists of them: writing them cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl WorkerFigures {
    fn of(worker: &Worker) -> Self {
        Self {
            number: worker.number,
            is_there: worker.status != WorkerStatus::Cheap,
            requests: worker.requests,
            sent_bytes: worker.sent_bytes,
            average_us: worker.average_us,
            running_us: worker.running_us,
            harakiris: worker.harakiris,
            rss_bytes: worker.rss_bytes,
            vsz_bytes: worker.vsz_bytes,
        }
    }
}

fn add(list: &mut Vec<Figure>, name: impl Into<String>, measure: Measure, value: u64) {
    list.push(Figure { name: name.into(), measure, value: value.try_into().unwrap_or(i64::MAX) });
}

fn instance(list: &mut Vec<Figure>, report: &Report) {
    use Measure::{Alias, Counter, Gauge};
    let workers = &report.workers;
    let count = |status| workers.iter().filter(|worker| worker.status == status).count() as u64;
    let sum = |of: fn(&Worker) -> u64| workers.iter().map(of).fold(0, u64::saturating_add);
    let (rss, vsz) = (sum(|worker| worker.rss_bytes), sum(|worker| worker.vsz_bytes));
    let averages: Vec<u64> = workers.iter().map(|worker| worker.average_us).filter(|us| *us > 0).collect();
    let average = averages.iter().fold(0, |sum: u64, us| sum.saturating_add(*us)) / (averages.len() as u64).max(1);
    add(list, "worker.0.requests", Counter, report.totals.requests);
    add(list, "core.busy_workers", Gauge, count(WorkerStatus::Busy));
    add(list, "core.idle_workers", Gauge, count(WorkerStatus::Idle));
    add(list, "core.total_tx", Counter, report.totals.sent_bytes);
    add(list, "core.total_rss", Gauge, rss);
    add(list, "core.total_vsz", Gauge, vsz);
    add(list, "core.avg_response_time", Gauge, average);
    add(list, "core.total_running_time", Counter, sum(|worker| worker.running_us));
    add(list, "rss_size", Alias, rss);
    add(list, "vsz_size", Alias, vsz);
}

fn of_worker(list: &mut Vec<Figure>, worker: &Worker, with_cores: bool) {
    use Measure::{Absolute, Counter, Gauge};
    let name = |name: &str| format!("worker.{}.{name}", worker.number);
    add(list, name("requests"), Counter, worker.requests);
    add(list, name("delta_requests"), Absolute, worker.delta_requests);
    add(list, name("avg_response_time"), Gauge, worker.average_us);
    add(list, name("total_tx"), Counter, worker.sent_bytes);
    add(list, name("rss_size"), Gauge, worker.rss_bytes);
    add(list, name("vsz_size"), Gauge, worker.vsz_bytes);
    add(list, name("running_time"), Counter, worker.running_us);
    add(list, name("respawns"), Counter, worker.spawns);
    for (number, core) in worker.cores.iter().enumerate().filter(|_| with_cores) {
        for (what, count) in [
            ("requests", core.requests),
            ("write_errors", core.write_errors),
            ("static_requests", core.static_requests),
            ("offloaded_requests", core.offloaded_requests),
            ("read_errors", core.read_errors),
        ] {
            add(list, name(&format!("core.{number}.{what}")), Counter, count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Core;
    use super::*;

    #[test]
    fn figures_have_uwsgis_names_and_travel_as_they_are() {
        let core = Core { requests: 4, ..Core::default() };
        let worker = Worker {
            number: 2,
            requests: 5,
            average_us: 30,
            rss_bytes: 7,
            status: WorkerStatus::Busy,
            cores: vec![core],
            ..Worker::default()
        };
        let report = Report { workers: vec![Worker::default(), worker], ..Report::default() };
        let value = |figures: &Figures, name: &str| {
            figures.list.iter().find(|figure| figure.name == name).map(|figure| (figure.measure.number(), figure.value))
        };
        let figures = Figures::of(&report, true);
        assert_eq!(value(&figures, "worker.2.requests"), Some((0, 5)));
        assert_eq!(value(&figures, "worker.2.core.0.requests"), Some((0, 4)));
        assert_eq!(value(&figures, "core.busy_workers"), Some((1, 1)));
        assert_eq!(value(&figures, "core.avg_response_time"), Some((1, 30)));
        assert_eq!(value(&figures, "worker.2.delta_requests"), Some((2, 0)));
        assert_eq!(value(&figures, "rss_size"), Some((3, 7)));
        assert_eq!(value(&Figures::of(&report, false), "worker.2.core.0.requests"), None);
        assert_eq!(serde_json::from_str::<Figures>(&figures.line()).expect("JSON"), figures);
    }
}
