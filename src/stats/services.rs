//! What the documents tell of what runs beside the workers, and of what all processes share, as values. Pure.

/// What applications lean on besides workers.
#[derive(Debug, Clone, Default)]
pub struct Services {
    /// Programs beside the workers.
    pub daemons: Vec<Daemon>,
    /// Commands that run at certain minutes.
    pub crons: Vec<Cron>,
    /// Signals that are raised every so often.
    pub timers: Vec<Timer>,
    /// Signals that are raised at certain minutes.
    pub signal_crons: Vec<SignalCron>,
    /// Signals and other wishes of the application that wait for the master, in bytes.
    pub signal_queue_bytes: u64,
    /// Signals that wait for the first worker that has time.
    pub signals_for_workers: u64,
    /// Mules by number.
    pub mules: Vec<Mule>,
    /// Groups of them.
    pub farms: Vec<Farm>,
    /// Spooler processes by number.
    pub spoolers: Vec<Spooler>,
    /// What may be locked, and the process or thread that has it; 0: nobody.
    pub locks: Vec<(String, i32)>,
    /// Caches that the processes share.
    pub caches: Vec<Cache>,
    /// The queue that the processes share, if there is one.
    pub queue: Option<Queue>,
    /// The application's metrics.
    pub metrics: Vec<Metric>,
}

/// A command that runs at certain minutes.
#[derive(Debug, Clone, Default)]
pub struct Cron {
    /// Minute, hour, day, month and weekday; -1 is each, -5 every fifth.
    pub time: [i32; 5],
    /// For the shell.
    pub command: String,
    /// Whether it runs only when it does not already.
    pub unique: bool,
    /// The newest process that runs it.
    pub pid: Option<i32>,
    /// When the newest run began, in seconds since the epoch; 0 if there was none.
    pub started_s: u64,
    /// Runs that went well.
    pub done: u64,
    /// Runs that did not.
    pub failed: u64,
    /// How the last one ended.
    pub last_end: Option<String>,
}

/// A signal that is raised every so often.
#[derive(Debug, Clone, Default)]
pub struct Timer {
    /// Which.
    pub signal: u8,
    /// How often, in whole seconds: of a part of one, one.
    pub every_s: u64,
    /// How often still; `None`: for ever.
    pub left: Option<u32>,
    /// When next, in seconds since the epoch; `None`: not any more.
    pub next_s: Option<u64>,
    /// How often it has been.
    pub raised: u64,
}

/// A signal that is raised at certain minutes.
#[derive(Debug, Clone, Default)]
pub struct SignalCron {
    /// Which.
    pub signal: u8,
    /// Minute, hour, day, month and weekday; -1 is each, -5 every fifth.
    pub time: [i32; 5],
    /// How often it has been.
    pub raised: u64,
}

/// A mule's or a spooler process' number, and who has it.
#[derive(Debug, Clone, Default)]
pub struct Companion {
    /// From 1.
    pub number: u32,
    /// 0 if there is none.
    pub pid: i32,
    /// How many have had the number.
    pub spawns: u64,
    /// How many of them ended that nobody had asked to.
    pub deaths: u64,
    /// Of all: tasks, or messages, that are done.
    pub done: u64,
    /// Of all: those that failed, or are to be run again.
    pub failed: u64,
    /// Since when one is under way, in seconds since the epoch.
    pub since_s: Option<u64>,
    /// Of all: signals of the application that were handled.
    pub signals: u64,
    /// The signal whose function runs now.
    pub signal: Option<u8>,
    /// Resident memory.
    pub rss_bytes: u64,
}

impl Companion {
    /// How often there was another one in its place.
    pub fn respawns(&self) -> u64 {
        self.spawns.saturating_sub(1)
    }
}

/// A mule.
#[derive(Debug, Clone, Default)]
pub struct Mule {
    /// The process.
    pub process: Companion,
    /// Messages that wait for it alone, in bytes.
    pub queue_bytes: u64,
    /// Signals that wait for it alone.
    pub signal_queue: u64,
}

/// A group of mules.
#[derive(Debug, Clone, Default)]
pub struct Farm {
    /// What it is called.
    pub name: String,
    /// The numbers of its mules.
    pub mules: Vec<u32>,
    /// Messages that wait for the first of them that has time, in bytes.
    pub queue_bytes: u64,
}

/// A spooler process.
#[derive(Debug, Clone, Default)]
pub struct Spooler {
    /// The process.
    pub process: Companion,
    /// Where its tasks are.
    pub directory: String,
    /// Whether it is to run (`spooler-cheaper`).
    pub is_wanted: bool,
    /// Tasks that it has seen waiting at its last look.
    pub waiting: u64,
}

/// A program beside the workers.
#[derive(Debug, Clone, Default)]
pub struct Daemon {
    /// As configured.
    pub command: String,
    /// 0 if it does not run.
    pub pid: i32,
    /// How often it was begun again.
    pub respawns: u64,
}

/// A cache that the processes share.
#[derive(Debug, Clone, Default)]
pub struct Cache {
    /// What applications call it.
    pub name: String,
    /// Chains in which keys are looked up.
    pub buckets: u64,
    /// Most bytes of a key.
    pub key_bytes: u64,
    /// Entries, those included that have expired and have not been removed.
    pub items: u64,
    /// Most entries.
    pub items_max: u64,
    /// Blocks of data.
    pub blocks: u64,
    /// Bytes of a block.
    pub block_bytes: u64,
    /// Values that were found.
    pub hits: u64,
    /// Values that were not.
    pub misses: u64,
    /// How often there was no room.
    pub full: u64,
    /// When it changed last, in seconds since the epoch; 0 where that is not kept.
    pub changed_s: u64,
}

/// The queue that the processes share.
#[derive(Debug, Clone, Copy, Default)]
pub struct Queue {
    /// Most items.
    pub slots: u64,
    /// Items between its ends.
    pub items: u64,
}

/// A number that the application changes.
#[derive(Debug, Clone, Default)]
pub struct Metric {
    /// What it is called.
    pub name: String,
    /// Whether it only grows.
    pub is_counter: bool,
    /// uWSGI's number of its type.
    pub type_number: u8,
    /// What SNMP would call it.
    pub oid: String,
    /// What it is.
    pub value: i64,
}
