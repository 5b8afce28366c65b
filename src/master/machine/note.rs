//! The master's life-cycle lines: what happened as data, and its text.
//!
//! Where uWSGI has a line that operators grep for, the text is that line to the letter, its name included
//! (uWSGI's manual, "Managing the uWSGI server"). Pure; used in the master.

use super::event::{ExitStatus, LeaveReason, Reload};
use super::farewell::{Farewell, Seconds};
use super::identity::{Generation, Post, ProcessId, Role, Seat};
use super::word::{CompanionLine, ExecutedLine, Word};
use log::Level;
use std::fmt;

/// Something that the log should say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are named by their types; times end in their unit")]
pub enum Note {
    /// The application is loaded.
    Loaded { generation: Generation, boot_us: u64 },
    /// A generation could not load, or its zygote died.
    GenerationFailed { generation: Generation, reason: String, again_in_us: Option<u64> },
    /// A generation that serves is not such as its configuration wants it.
    Misfit { generation: Generation, reason: String },
    /// The first worker of this number.
    Spawned { post: Post, pid: ProcessId, threads: u32 },
    /// A later worker of this number.
    Respawned { post: Post, pid: ProcessId },
    /// A worker accepts.
    WorkerReady { post: Post, pid: ProcessId, boot_us: u64 },
    /// A worker leaves by itself.
    WorkerLeaving { post: Post, pid: ProcessId, reason: LeaveReason },
    /// A worker is to have a successor.
    WorkerWorn { post: Post, pid: ProcessId, reason: LeaveReason },
    /// A worker is to become the mold of others.
    Seasoned { post: Post, pid: ProcessId },
    /// It is.
    Molded { post: Post, pid: ProcessId, generation: Generation },
    /// Workers do not come from a mold any more.
    Forsaken { generation: Generation, reason: String },
    /// A worker that nobody had asked to go is gone.
    WorkerDied { post: Post, pid: ProcessId, status: ExitStatus },
    /// A worker that had to go is gone.
    WorkerGone { post: Post, pid: ProcessId, why: Farewell, after_us: u64 },
    /// A worker that had to go ended otherwise than that.
    WorkerDiedLeaving { post: Post, pid: ProcessId, signal: i32 },
    /// A worker cannot serve.
    WorkerUnfit { post: Post, pid: Option<ProcessId>, reason: String },
    /// A worker outlived the mercy.
    NoMercy { post: Post, pid: ProcessId },
    /// The next worker of this number has to wait.
    RespawnDelayed { post: Post, delay_us: u64 },
    /// What became of a mule or a spooler process.
    Companion { post: Post, pid: Option<ProcessId>, word: Word },
    /// What became of a child that was executed.
    Executed { role: Role, title: String, outlives: bool, pid: Option<ProcessId>, word: Word },
    /// The number of workers changes on an order.
    Target { from: u32, to: u32, order: &'static str },
    /// No worker is wanted until a connection comes.
    Cheap,
    /// A reload begins.
    ReloadBegins { reload: Reload },
    /// A chain reload replaces this worker next.
    ChainNext { post: Post },
    /// Workers of a new generation serve beside those of the old one.
    TrialBegins { generation: Generation, workers: usize },
    /// The new generation may take over.
    TrialPassed { generation: Generation, reason: String },
    /// A reload is over and the new serves.
    ReloadDone { reload: Reload, generation: Generation },
    /// A reload is over and the old serves.
    ReloadFailed { reload: Reload, reason: String },
    /// An order that cannot be followed now.
    Refused { what: String, why: &'static str },
    /// Workers stop accepting for now.
    Paused,
    /// Workers accept again.
    Resumed,
    /// A graceful stop begins.
    Stopping,
    /// A stop at once begins.
    StoppingNow,
    /// The end.
    Goodbye,
    /// The end, although something is still there.
    LeftBehind { workers: u32, zygotes: u32, others: u32 },
    /// An event that cannot happen in the state there is: a fault of this program, survived.
    Impossible { what: String },
    /// A worker nobody knows of appeared in a seat.
    Intruder { seat: Seat, pid: ProcessId },
}

impl Note {
    /// How loud it is.
    #[must_use]
    pub fn level(&self) -> Level {
        match self {
            Note::GenerationFailed { .. } | Note::ReloadFailed { .. } | Note::LeftBehind { .. } => Level::Error,
            Note::WorkerDied { .. }
            | Note::Forsaken { .. }
            | Note::WorkerDiedLeaving { .. }
            | Note::WorkerUnfit { .. }
            | Note::NoMercy { .. }
            | Note::RespawnDelayed { .. }
            | Note::Misfit { .. }
            | Note::Refused { .. }
            | Note::Impossible { .. }
            | Note::Intruder { .. } => Level::Warn,
            Note::WorkerReady { .. } => Level::Debug,
            Note::Companion { word: Word::Begun { .. }, .. } => Level::Info,
            Note::Companion { word, .. } | Note::Executed { word, .. } => word.level(),
            Note::Loaded { .. }
            | Note::Spawned { .. }
            | Note::Respawned { .. }
            | Note::WorkerLeaving { .. }
            | Note::WorkerWorn { .. }
            | Note::Seasoned { .. }
            | Note::Molded { .. }
            | Note::WorkerGone { .. }
            | Note::Target { .. }
            | Note::Cheap
            | Note::ReloadBegins { .. }
            | Note::ChainNext { .. }
            | Note::TrialBegins { .. }
            | Note::TrialPassed { .. }
            | Note::ReloadDone { .. }
            | Note::Paused
            | Note::Resumed
            | Note::Stopping
            | Note::StoppingNow
            | Note::Goodbye => Level::Info,
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Loaded { generation, boot_us } => {
                write!(f, "generation {generation} loaded in {} s", Seconds(*boot_us))
            }
            Note::GenerationFailed { generation, reason, again_in_us: None } => {
                write!(f, "generation {generation} failed: {reason}")
            }
            Note::GenerationFailed { generation, reason, again_in_us: Some(delay) } => {
                write!(f, "generation {generation} failed: {reason}; loading again in {} s", Seconds(*delay))
            }
            Note::Misfit { generation, reason } => write!(f, "generation {generation} goes on although {reason}"),
            Note::Spawned { post, pid, threads } => {
                write!(f, "spawned uWSGI {post} (pid: {pid}, cores: {threads})")
            }
            Note::Respawned { post, pid } => write!(f, "Respawned uWSGI {post} (new pid: {pid})"),
            Note::WorkerReady { post, pid, boot_us } => {
                write!(f, "{post} (pid: {pid}) ready in {} s", Seconds(*boot_us))
            }
            Note::WorkerLeaving { post, pid, reason } => write!(f, "{post} (pid: {pid}) leaves: {reason}"),
            Note::WorkerWorn { post, pid, reason } => {
                write!(f, "{post} (pid: {pid}) serves until its successor is ready: {reason}")
            }
            Note::Seasoned { post, pid } => {
                write!(
                    f,
                    "refork: {post} (pid: {pid}) serves until its successor is ready, then others are forked from it"
                )
            }
            Note::Molded { post, pid, generation } => {
                write!(f, "refork: workers are forked from process {pid}, which was {post}, as generation {generation}")
            }
            Note::Forsaken { generation, reason } => {
                write!(
                    f,
                    "refork: workers are forked from what was loaded again, not as generation {generation}: {reason}"
                )
            }
            Note::WorkerDied { post, pid, status: ExitStatus::Signal(signal) } => {
                write!(f, "DAMN ! {post} (pid: {pid}) died, killed by signal {signal} :( trying respawn ...")
            }
            Note::WorkerDied { post, pid, status: ExitStatus::Code(_) | ExitStatus::Unknown } => {
                write!(f, "DAMN ! {post} (pid: {pid}) died :( trying respawn ...")
            }
            Note::WorkerGone { post, pid, why, after_us } => write_gone(f, *post, *pid, *why, *after_us),
            Note::WorkerDiedLeaving { post, pid, signal } => {
                write!(f, "{post} (pid: {pid}) died while it was leaving, killed by signal {signal}")
            }
            Note::WorkerUnfit { post, pid: Some(pid), reason } => {
                write!(f, "OOPS ! failed loading app in {post} (pid {pid}): {reason}")
            }
            Note::WorkerUnfit { post, pid: None, reason } => write!(f, "OOPS ! no {post}: {reason}"),
            Note::NoMercy { post, pid } => {
                write!(f, "{post} (pid: {pid}) is taking too much time to die...NO MERCY !!!")
            }
            Note::RespawnDelayed { post, delay_us } => {
                write!(f, "{post} respawning too fast !!! i have to sleep a bit ({} seconds)...", Seconds(*delay_us))
            }
            Note::Companion { post, pid, word } => CompanionLine { post: *post, pid: *pid, word }.fmt(f),
            Note::Executed { role, title, outlives, pid, word } => {
                ExecutedLine { role: *role, title, outlives: *outlives, pid: *pid, word }.fmt(f)
            }
            Note::Target { from, to, order } => write!(f, "workers: {from} -> {to}: {order}, as ordered"),
            Note::Cheap => f.write_str("cheap mode enabled: waiting for socket connection..."),
            Note::ReloadBegins { reload: Reload::Chain } => f.write_str("chain reload starting..."),
            Note::ReloadBegins { reload: Reload::Brutal } => {
                f.write_str("brutal reload: loading, then ...brutally killing workers...")
            }
            Note::ReloadBegins { reload } => write!(f, "{reload}: starting, then ...gracefully killing workers..."),
            Note::ChainNext { post } => write!(f, "chain next victim is {post}"),
            Note::TrialBegins { generation, workers: 1 } => {
                write!(f, "canary: 1 worker of generation {generation} serves on trial")
            }
            Note::TrialBegins { generation, workers } => {
                write!(f, "canary: {workers} workers of generation {generation} serve on trial")
            }
            Note::TrialPassed { generation, reason } => {
                write!(f, "canary: generation {generation} takes over: {reason}")
            }
            Note::ReloadDone { reload: Reload::Chain, .. } => f.write_str("chain reloading complete"),
            Note::ReloadDone { reload, generation } => write!(f, "{reload} done: generation {generation} serves"),
            Note::ReloadFailed { reload, reason } => write!(f, "{reload} failed, the old goes on serving: {reason}"),
            Note::Refused { what, why } => write!(f, "{what} refused: {why}"),
            Note::Paused => {
                f.write_str("*** PAUSE (press start to resume, if you do not have a joypad send SIGTSTP) ***")
            }
            Note::Resumed => f.write_str("*** (SIGTSTP received) resuming workers ***"),
            Note::Stopping => f.write_str("graceful shutdown triggered..."),
            Note::StoppingNow => f.write_str("SIGINT/SIGTERM received...killing workers..."),
            Note::Goodbye => f.write_str("goodbye to uWSGI."),
            Note::LeftBehind { workers, zygotes, others: 0 } => {
                write!(f, "leaving although {workers} workers and {zygotes} zygotes did not die")
            }
            Note::LeftBehind { workers, zygotes, others } => {
                write!(f, "leaving although {workers} workers, {zygotes} zygotes and {others} others did not die")
            }
            Note::Impossible { what } => write!(f, "impossible, please report: {what}"),
            Note::Intruder { seat, pid } => write!(f, "killing process {pid}, which seat {seat} does not know"),
        }
    }
}

fn write_gone(f: &mut fmt::Formatter<'_>, post: Post, pid: ProcessId, why: Farewell, after_us: u64) -> fmt::Result {
    match why {
        Farewell::Scaled => write!(f, "uWSGI {post} cheaped."),
        Farewell::Replaced | Farewell::Stop => {
            write!(f, "{post} buried after {} seconds", after_us / 1_000_000)
        }
        Farewell::Itself | Farewell::CalledOff | Farewell::Unfit | Farewell::Harakiri | Farewell::Overgrown => {
            write!(f, "{post} killed successfully (pid: {pid})")
        }
    }
}
