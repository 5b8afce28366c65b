//! Everything that the documents are made of, as values. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use worker_protocol::scoreboard::Histogram;

use super::health::Readiness;
use super::services::Services;

/// An instance at one moment.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The instance as a whole.
    pub instance: Instance,
    /// What it listens on.
    pub listeners: Vec<Listener>,
    /// One for each worker that may be, by number.
    pub workers: Vec<Worker>,
    /// The processes that have loaded the application, and fork the workers.
    pub zygotes: Vec<Zygote>,
    /// What forking workers from one that has served saves, in bytes; `None`: none are.
    pub refork_saved_bytes: Option<u64>,
    /// Whose memory cannot be told of, and why.
    pub unread: Vec<String>,
    /// Workers on their way in or out, over and above those that serve.
    pub running: Vec<Running>,
    /// What applications lean on.
    pub services: Services,
    /// What only ever grows.
    pub totals: Totals,
    /// The last decisions on the number of workers, the oldest first.
    pub decisions: Vec<Decision>,
}

/// The instance as a whole.
#[derive(Debug, Clone, Default)]
pub struct Instance {
    /// Of rhinod.
    pub version: &'static str,
    /// The master's.
    pub pid: u32,
    /// The master's.
    pub uid: u32,
    /// The master's.
    pub gid: u32,
    /// The master's directory.
    pub cwd: String,
    /// When it was started, in microseconds since the epoch.
    pub started_us: u64,
    /// Which loading of the application serves.
    pub generation: u32,
    /// How the trial of another one stands, or what became of the last one, in words.
    pub canary: Option<String>,
    /// Whether a request would be served.
    pub readiness: Readiness,
    /// Workers that are to run.
    pub workers_wanted: u32,
    /// Fewest that may.
    pub workers_min: u32,
    /// Most that may.
    pub workers_max: u32,
    /// Threads of each.
    pub threads: u32,
    /// How long the newest generation took to load, in microseconds.
    pub load_us: Option<u64>,
    /// The master's own memory.
    pub resident_bytes: u64,
}

/// A socket that is listened on.
#[derive(Debug, Clone, Default)]
pub struct Listener {
    /// Its address.
    pub name: String,
    /// What is spoken there.
    pub protocol: &'static str,
    /// Connections that wait; `None` where the system does not tell.
    pub queue: Option<u32>,
    /// How many may.
    pub queue_max: u32,
    /// Whether threads for that send answers to slow clients.
    pub can_offload: bool,
}

/// What a worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum WorkerStatus {
    /// There is none with this number.
    #[default]
    Cheap,
    /// Told not to accept, and without a request.
    Paused,
    /// Has at least one request.
    Busy,
    /// Has none.
    Idle,
}

/// A worker's number, and who has it.
#[derive(Debug, Clone, Default)]
pub struct Worker {
    /// From 1.
    pub number: u32,
    /// 0 if there is none.
    pub pid: i32,
    /// Which loading of the application it runs; 0 if there is none.
    pub generation: u32,
    /// Whether it takes requests.
    pub accepting: bool,
    /// What it is doing.
    pub status: WorkerStatus,
    /// Of all that have had the number.
    pub requests: u64,
    /// Of this one.
    pub delta_requests: u64,
    /// Of all: requests whose application failed.
    pub exceptions: u64,
    /// Of all: those that were killed since a request took too long.
    pub harakiris: u64,
    /// Resident memory.
    pub rss_bytes: u64,
    /// Virtual memory.
    pub vsz_bytes: u64,
    /// What it holds of the machine's memory, as of some seconds ago; `None` where that is not known (yet).
    pub holding: Option<Holding>,
    /// Of all: signals of the application that were handled.
    pub signals: u64,
    /// The signal whose function runs now.
    pub signal: Option<u8>,
    /// Of all: time within requests.
    pub running_us: u64,
    /// When this one was forked, in seconds since the epoch; 0 if there was none yet.
    pub spawned_s: u64,
    /// How many have had the number.
    pub spawns: u64,
    /// Of all: bytes sent.
    pub sent_bytes: u64,
    /// uWSGI's `avg_rt`.
    pub average_us: u64,
    /// What it serves.
    pub application: Application,
    /// Its threads.
    pub cores: Vec<Core>,
}

/// What a process holds of the machine's memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holding {
    /// In pages that no other process maps.
    pub private_bytes: u64,
    /// In pages that others map as well.
    pub shared_bytes: u64,
    /// The first, and its part of the second (PSS).
    pub proportional_bytes: u64,
}

/// A process that has loaded the application, and forks the workers.
#[derive(Debug, Clone, Default)]
pub struct Zygote {
    /// Which loading of the application.
    pub generation: u32,
    /// Its process.
    pub pid: i32,
    /// What it holds; `None` where that is not known (yet).
    pub holding: Option<Holding>,
}

/// What a worker serves.
#[derive(Debug, Clone, Default)]
pub struct Application {
    /// How long this worker took to be ready, in microseconds.
    pub boot_us: u64,
}

/// A thread of a worker.
#[derive(Debug, Clone, Default)]
pub struct Core {
    /// Of all that have had the place.
    pub requests: u64,
    /// Those that a file was the answer to.
    pub static_requests: u64,
    /// Those of which a thread for that sent the rest of the answer.
    pub offloaded_requests: u64,
    /// The same.
    pub write_errors: u64,
    /// The same.
    pub read_errors: u64,
    /// Whether it has a request.
    pub is_busy: bool,
    /// When that began, in seconds since the epoch.
    pub since_s: Option<u64>,
    /// `KEY=value` of that request, as far as they are told.
    pub variables: Vec<String>,
}

/// How many workers of a generation are in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    /// One word.
    pub state: &'static str,
    /// Which loading of the application.
    pub generation: u32,
    /// How many.
    pub count: u32,
}

/// A decision that has changed the number of workers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Decision {
    /// When, in microseconds since the epoch.
    pub at_us: u64,
    /// Where to.
    pub direction: String,
    /// How many are to run since.
    pub workers: u32,
    /// Why.
    pub reason: String,
}

/// How often something happened, by one word for what.
pub type Tally = BTreeMap<String, u64>;

/// Decisions on the number of workers: by direction, then by reason.
pub type ScaledBy = BTreeMap<String, Tally>;

/// What only ever grows, over all workers there were.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Requests answered.
    pub requests: u64,
    /// Requests whose application failed.
    pub exceptions: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Requests that could not be read.
    pub read_errors: u64,
    /// Answers that could not be written.
    pub write_errors: u64,
    /// How long requests took.
    pub durations: Histogram,
    /// How long they had waited, where the web server tells when they came.
    pub waits: Histogram,
    /// How long workers took to be ready.
    pub boots: Histogram,
    /// Workers forked.
    pub spawns: u64,
    /// Forks that failed.
    pub failed_forks: u64,
    /// Requests that workers held when they died.
    pub lost_requests: u64,
    /// Ends of workers, by cause.
    pub ends: Tally,
    /// Reloads, by kind and then by outcome.
    pub reloads: BTreeMap<String, Tally>,
    /// Decisions on the number of workers.
    pub decisions: ScaledBy,
    /// Workers killed since a request took too long.
    pub harakiris: u64,
}

impl Report {
    /// Requests that are being answered now.
    pub fn requests_running(&self) -> u64 {
        self.workers.iter().flat_map(|worker| &worker.cores).filter(|core| core.is_busy).count() as u64
    }

    /// Connections that wait now.
    pub fn requests_queued(&self) -> u64 {
        self.listeners.iter().filter_map(|listener| listener.queue).map(u64::from).sum()
    }
}
