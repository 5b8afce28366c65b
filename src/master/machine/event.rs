//! What can wake the master: the closed list of events, and the orders among them.
//!
//! The driver makes these from messages, deaths, signals and timers. Pure; used in the master.

use super::identity::{Generation, Post, ProcessId, RecipeId, Role, Seat};
use super::plan::Plan;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something that happened. What the driver keeps to:
///
/// - One process's messages come in the order in which they were sent; between two processes any order is fine.
/// - What a zygote sent before its death comes before [`Event::ZygoteExited`].
/// - After [`Event::Exited`] nothing more of that child comes.
/// - Of a worker whose zygote died before it could tell the pid, nothing comes before [`Event::Forked`], which
///   the driver sends when it finds such a process.
/// - [`Event::Elapsed`] comes when no other event waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A zygote has loaded the application and takes orders.
    ZygoteLoaded {
        /// Which.
        generation: Generation,
        /// Microseconds from its exec.
        boot_us: u64,
    },
    /// A zygote could not load the application; it ends by itself.
    ZygoteLoadFailed {
        /// Which.
        generation: Generation,
        /// What it is going to exit with, see uWSGI's manual, "Things to know".
        exit_code: i32,
        /// Why, in the application's words.
        reason: String,
    },
    /// A zygote is gone (or could not be executed at all).
    ZygoteExited {
        /// Which.
        generation: Generation,
        /// How.
        status: ExitStatus,
    },
    /// The child that was ordered into this seat is there: its zygote forked it, or it is being executed.
    Forked {
        /// Where.
        seat: Seat,
        /// What it is.
        pid: ProcessId,
    },
    /// The child that was ordered into this seat cannot be made.
    ForkFailed {
        /// For which seat.
        seat: Seat,
        /// Why, as the system's error number.
        errno: i32,
    },
    /// A child is up: a worker accepts, a program runs. A worker's may overtake its [`Event::Forked`], which comes from
    /// the zygote.
    Ready {
        /// Where.
        seat: Seat,
        /// Microseconds from its fork.
        boot_us: u64,
        /// The process that is up, if it is another than the one that was started: some programs leave to the
        /// background by themselves.
        pid: Option<ProcessId>,
    },
    /// A child can never do its part; it ends by itself.
    NotReady {
        /// Where.
        seat: Seat,
        /// What it is going to exit with.
        exit_code: i32,
        /// Why, in the application's words.
        reason: String,
    },
    /// A worker stopped accepting by itself, finishes what it holds and wants a successor.
    Leaving {
        /// Where.
        seat: Seat,
        /// Why.
        reason: LeaveReason,
    },
    /// A worker serves on, but wants a successor.
    Worn {
        /// Where.
        seat: Seat,
        /// Why.
        reason: LeaveReason,
    },
    /// A worker has served long enough to be the mold of others.
    Seasoned {
        /// Where.
        seat: Seat,
    },
    /// A worker that was to become the mold has become it. It says and does nothing more as a worker.
    Molded {
        /// Where.
        seat: Seat,
    },
    /// A child is gone, or is not the instance's any more.
    Exited {
        /// Where.
        seat: Seat,
        /// What it was.
        pid: ProcessId,
        /// How.
        status: ExitStatus,
    },
    /// An operator, a signal, a watched file or the application wants something. How many workers should run is not
    /// among it: that is the policies' to say, and comes as [`Event::Target`].
    Order(Order),
    /// The answer to [`Action::ReadConfiguration`](super::Action::ReadConfiguration), one for each: the numbers of the
    /// new configuration, or why it is refused.
    ConfigurationRead(Result<Plan, String>),
    /// So many workers should run, 0 to N; the policies' bounds are applied before. Whoever decides tells the log.
    Target {
        /// How many.
        workers: u32,
        /// The seats that are idle at this moment, any order: preferred when workers are to go.
        idle: Vec<Seat>,
        /// The seats whose workers have asked to go: the first to go, busy or not.
        volunteers: Vec<Seat>,
    },
    /// A generation's workers are not such as its configuration allows (`cheaper-rss-limit-soft`).
    GenerationUnfit {
        /// Which.
        generation: Generation,
        /// What a first start ends with.
        exit_code: i32,
        /// Why.
        reason: String,
    },
    /// A worker does not mind the deadlines of its requests any more: it is killed.
    Stuck {
        /// Where.
        seat: Seat,
    },
    /// A worker takes more memory than it may: it is killed.
    Overgrown {
        /// Where.
        seat: Seat,
    },
    /// There is a verdict on a generation on trial: it shall take over, or not, and why.
    TrialEnds {
        /// Which.
        generation: Generation,
        /// What speaks for it, or against it.
        verdict: Result<String, String>,
    },
    /// What this recipe makes is to be made anew (a file of `touch=` was touched).
    Renew {
        /// Which.
        recipe: RecipeId,
    },
    /// Somebody is to be in this post of a mule or a spooler process, or not any more.
    Want {
        /// Which.
        post: Post,
        /// Whether.
        wanted: bool,
    },
    /// All children of a role are to be made anew (`touch-mules-reload`).
    RenewAll {
        /// Which.
        role: Role,
    },
    /// [`Machine::deadline`](super::Machine::deadline) has come (or the driver was woken for nothing). Sent when no
    /// other event waits.
    Elapsed,
}

/// What can be ordered (signals and fifo letters: uWSGI's manual, "Managing the uWSGI server").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Order {
    /// Finish what was accepted, then exit.
    Stop,
    /// Exit at once.
    StopNow,
    /// Change something for something newer.
    Reload(Reload),
    /// Stop accepting until resumed.
    Pause,
    /// Accept again.
    Resume,
    /// Pause, or resume when paused (SIGTSTP).
    TogglePause,
    /// Go to no worker at all until the next target.
    Cheap,
    /// Re-execute the master in place as soon as nothing is half done.
    Upgrade,
}

/// The kinds of reload (uWSGI's manual, "The Art of Graceful Reloading"). Each order of one ends in exactly one
/// [`Announcement::ReloadDone`](super::Announcement::ReloadDone).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reload {
    /// New configuration and new code: a new generation; the old workers finish what they hold.
    Graceful,
    /// The same, but the old workers are killed at the switch.
    Brutal,
    /// Every worker anew from the same generation, all at once, each beside its successor until that is ready.
    Workers,
    /// The same, but the old workers are killed when their successors are ready.
    WorkersBrutal,
    /// As `Workers`, one at a time; stops at the first successor that cannot serve.
    Chain,
}

impl Reload {
    /// Whether it needs a new generation.
    #[must_use]
    pub fn is_switch(self) -> bool {
        matches!(self, Reload::Graceful | Reload::Brutal)
    }
}

impl fmt::Display for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reload::Graceful => "reload",
            Reload::Brutal => "brutal reload",
            Reload::Workers => "workers' reload",
            Reload::WorkersBrutal => "brutal workers' reload",
            Reload::Chain => "chain reload",
        })
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ExitStatus {
    /// It exited with this code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
    /// It was not ours to reap, or somebody else has.
    Unknown,
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitStatus::Code(code) => write!(f, "exited with code {code}"),
            ExitStatus::Signal(signal) => write!(f, "killed by signal {signal}"),
            ExitStatus::Unknown => f.write_str("ended"),
        }
    }
}

/// Why a worker leaves by itself (uWSGI's manual, "uWSGI Options").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LeaveReason {
    /// `max-requests`.
    Requests,
    /// `max-worker-lifetime`.
    Lifetime,
    /// `reload-on-rss`, `reload-on-as` and relatives.
    Memory,
    /// `reload-on-exception` and relatives.
    Exception,
    /// A thread of it is stuck in a request that is over its time (`harakiri`).
    Harakiri,
    /// Anything else, a signal sent straight to it for example.
    Other,
}

impl fmt::Display for LeaveReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LeaveReason::Requests => "max requests reached",
            LeaveReason::Lifetime => "lifetime reached",
            LeaveReason::Memory => "memory limit reached",
            LeaveReason::Exception => "monitored exception",
            LeaveReason::Harakiri => "a thread is stuck (harakiri)",
            LeaveReason::Other => "by itself",
        })
    }
}
