//! What `rhinod top` reads: the figures of a report that a terminal has room for, on one line of JSON. Its length has a bound
//! whatever the instance is like. What a version does not know it leaves out. Pure; written in the master, read in the command.

use serde::{Deserialize, Serialize};
use worker_protocol::scoreboard::Histogram;

use super::report::{Core, Decision, Report, Worker, WorkerStatus};

/// Most workers that are told of one by one.
const WORKERS_MAX: usize = 128;

/// Most threads of each.
const CORES_MAX: usize = 4;

/// Most characters of a request.
const REQUEST_CHARACTERS_MAX: usize = 80;

/// An instance at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Brief {
    /// Of rhinod.
    pub version: String,
    /// The master's.
    pub pid: u32,
    /// Which loading of the application serves.
    pub generation: u32,
    /// Whether a request would be served, in a word.
    pub readiness: String,
    /// The moment, in microseconds since the epoch.
    pub now_us: u64,
    /// Workers that are to run, the fewest and the most that may.
    pub wanted: u32,
    /// The fewest that may.
    pub fewest: u32,
    /// The most that may.
    pub most: u32,
    /// Threads of each.
    pub threads: u32,
    /// Workers that there are.
    pub there: u32,
    /// Requests that are being answered.
    pub running: u64,
    /// Connections that wait.
    pub queued: u64,
    /// Requests answered so far.
    pub requests: u64,
    /// Those whose application failed.
    pub exceptions: u64,
    /// How long requests took.
    pub durations: Histogram,
    /// How long they had waited.
    pub waits: Histogram,
    /// Workers by number: those that are there, and those that have answered anything.
    pub workers: Vec<BriefWorker>,
    /// The last decisions on the number of workers, the oldest first.
    pub decisions: Vec<Decision>,
}

/// A worker's number, and who has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BriefWorker {
    /// From 1.
    pub number: u32,
    /// 0 if there is none.
    pub pid: i32,
    /// What it is doing, in a word.
    pub state: String,
    /// Of all that have had the number.
    pub requests: u64,
    /// Those of them whose application failed.
    pub exceptions: u64,
    /// Resident memory.
    pub rss_bytes: u64,
    /// What its threads are busy with.
    pub busy: Vec<BriefRequest>,
}

/// A request that is being answered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BriefRequest {
    /// For how long, in seconds.
    pub since_s: u64,
    /// Method and URI, where the instance keeps them.
    pub request: String,
}

impl Brief {
    /// The figures of a report.
    pub fn of(report: &Report, now_us: u64) -> Self {
        let instance = &report.instance;
        let is_there = |worker: &&Worker| worker.status != WorkerStatus::Cheap;
        let told = report.workers.iter().filter(|worker| is_there(worker) || worker.requests > 0);
        Self {
            version: instance.version.to_owned(),
            pid: instance.pid,
            generation: instance.generation,
            readiness: instance.readiness.word().to_owned(),
            now_us,
            wanted: instance.workers_wanted,
            fewest: instance.workers_min,
            most: instance.workers_max,
            threads: instance.threads,
            there: u32::try_from(report.workers.iter().filter(is_there).count()).unwrap_or(u32::MAX),
            running: report.requests_running(),
            queued: report.requests_queued(),
            requests: report.totals.requests,
            exceptions: report.totals.exceptions,
            durations: report.totals.durations,
            waits: report.totals.waits,
            workers: told.take(WORKERS_MAX).map(|worker| BriefWorker::of(worker, now_us)).collect(),
            decisions: report.decisions.clone(),
        }
    }

    /// On one line.
    pub fn line(&self) -> String {
        // Numbers, words and lists of them: writing them cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl BriefWorker {
    fn of(worker: &Worker, now_us: u64) -> Self {
        let busy = worker.cores.iter().filter(|core| core.is_busy).take(CORES_MAX);
        Self {
            number: worker.number,
            pid: worker.pid,
            state: match worker.status {
                WorkerStatus::Cheap => "-",
                WorkerStatus::Paused => "paused",
                WorkerStatus::Busy => "busy",
                WorkerStatus::Idle => "idle",
            }
            .to_owned(),
            requests: worker.requests,
            exceptions: worker.exceptions,
            rss_bytes: worker.rss_bytes,
            busy: busy.map(|core| BriefRequest::of(core, now_us)).collect(),
        }
    }
}

impl BriefRequest {
    fn of(core: &Core, now_us: u64) -> Self {
        let value = |name: &str| {
            let pair = core.variables.iter().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            pair.unwrap_or_default()
        };
        let (method, uri) = (value("REQUEST_METHOD"), value("REQUEST_URI"));
        let request = if uri.is_empty() { method.to_owned() } else { format!("{method} {uri}") };
        let since_s = core.since_s.map_or(0, |since_s| (now_us / 1_000_000).saturating_sub(since_s));
        // One byte and one column for each character.
        let plain = |one: char| if one == ' ' || one.is_ascii_graphic() { one } else { '?' };
        Self { since_s, request: request.chars().take(REQUEST_CHARACTERS_MAX).map(plain).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(number: u32, status: WorkerStatus, requests: u64) -> Worker {
        Worker { number, status, requests, ..Worker::default() }
    }

    #[test]
    fn who_is_there_or_has_answered_is_told_of_with_what_it_does() {
        let variables = vec!["REQUEST_URI=/a?ä".to_owned(), "REQUEST_METHOD=GET".to_owned()];
        let core = Core { is_busy: true, since_s: Some(7), variables, ..Core::default() };
        let busy = Worker { cores: vec![Core::default(), core], ..worker(1, WorkerStatus::Busy, 5) };
        let workers = vec![busy, worker(2, WorkerStatus::Cheap, 3), worker(3, WorkerStatus::Cheap, 0)];
        let report = Report { workers, ..Report::default() };
        let brief = Brief::of(&report, 9_500_000);
        assert_eq!(brief.workers.iter().map(|worker| worker.number).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((brief.there, brief.running), (1, 1));
        assert_eq!(brief.workers[0].busy, [BriefRequest { since_s: 2, request: "GET /a??".to_owned() }]);
        assert_eq!(serde_json::from_str::<Brief>(&brief.line()).unwrap(), brief);
        assert_eq!(serde_json::from_str::<Brief>(r#"{"new": 1}"#).unwrap(), Brief::default());
    }

    #[test]
    fn it_stays_short_whatever_the_instance_is_like() {
        let core =
            Core { is_busy: true, variables: vec![format!("REQUEST_URI=/{}", "\"".repeat(9_000))], ..Core::default() };
        // Many cores of some hundred workers only: they are copied.
        let cores = |number| vec![core.clone(); if number < 300 { 64 } else { 1 }];
        let worker = |number| Worker { cores: cores(number), ..worker(number, WorkerStatus::Busy, u64::MAX) };
        let report = Report { workers: (1..5_000).map(worker).collect(), ..Report::default() };
        let line = Brief::of(&report, u64::MAX).line();
        assert!(line.len() < 128 << 10 && !line.contains('\n'), "{}", line.len());
    }
}
