//! What becomes of a child, and the line for it: one set of words for all kinds, and for each kind its own text.
//!
//! Pure; used in the master.

use super::event::{ExitStatus, LeaveReason};
use super::farewell::{Farewell, Seconds};
use super::identity::{Post, ProcessId, Role};
use log::Level;
use std::fmt;

/// What became of a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// It has begun.
    Begun {
        /// Whether it is the first one in its post.
        first: bool,
        /// Threads of a worker.
        threads: u32,
    },
    /// It is up.
    Ready {
        /// Microseconds from its beginning.
        boot_us: u64,
    },
    /// It leaves by itself.
    Leaving(LeaveReason),
    /// It is told to go.
    Retired(Farewell),
    /// It cannot do its part.
    Unfit {
        /// Why.
        reason: String,
    },
    /// It outlived the mercy.
    NoMercy,
    /// It had to go and is gone.
    Gone {
        /// Why.
        why: Farewell,
        /// How long that took.
        after_us: u64,
        /// Whether by SIGKILL.
        killed: bool,
    },
    /// It had to go and ended otherwise than that.
    DiedLeaving {
        /// By this signal.
        signal: i32,
    },
    /// It is gone, and nobody had asked it to go.
    Died {
        /// How.
        status: ExitStatus,
    },
    /// The next one has to wait.
    Delayed {
        /// So long.
        delay_us: u64,
    },
}

impl Word {
    /// How loud the line of a child that is no worker is.
    pub(super) fn level(&self) -> Level {
        match self {
            Word::Unfit { .. } | Word::NoMercy | Word::Died { .. } | Word::Delayed { .. } => Level::Warn,
            Word::Ready { .. } | Word::Begun { .. } => Level::Debug,
            Word::Leaving(_) | Word::Retired(_) | Word::Gone { .. } | Word::DiedLeaving { .. } => Level::Info,
        }
    }
}

/// The line of a mule or a spooler process, in uWSGI's words where it has any (uWSGI's manual, "uWSGI Mules", "The uWSGI
/// Spooler").
pub(super) struct CompanionLine<'a> {
    pub(super) post: Post,
    pub(super) pid: Option<ProcessId>,
    pub(super) word: &'a Word,
}

impl fmt::Display for CompanionLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CompanionLine { post, .. } = self;
        let pid = self.pid.map_or(0, ProcessId::get);
        match self.word {
            Word::Begun { .. } => write!(f, "spawned uWSGI {post} (pid: {pid})"),
            Word::Ready { boot_us } => write!(f, "{post} (pid: {pid}) ready in {} s", Seconds(*boot_us)),
            Word::Leaving(reason) => write!(f, "{post} (pid: {pid}) leaves: {reason}"),
            Word::Retired(_) => write!(f, "{post} (pid: {pid}) is told to leave"),
            Word::Unfit { reason } => write!(f, "OOPS ! no {post}: {reason}"),
            Word::NoMercy => write!(f, "{post} (pid: {pid}) is taking too much time to die...NO MERCY !!!"),
            Word::Gone { .. } | Word::DiedLeaving { .. } => write!(f, "{post} (pid: {pid}) annihilated"),
            Word::Died { status } if post.role == Role::Spooler => {
                write!(f, "OOOPS the spooler is no more...trying respawn... ({post}, pid: {pid}, {status})")
            }
            Word::Died { status } => {
                write!(f, "OOOPS {post} (pid: {pid}) crippled...trying respawn... ({status})")
            }
            Word::Delayed { delay_us } => {
                write!(f, "{post} respawning too fast !!! i have to sleep a bit ({} seconds)...", Seconds(*delay_us))
            }
        }
    }
}

/// The line of an executed child, in uWSGI's words where it has any (uWSGI's manual, "Managing external daemons").
pub(super) struct ExecutedLine<'a> {
    pub(super) role: Role,
    pub(super) title: &'a str,
    /// Whether it goes on when it is let go.
    pub(super) outlives: bool,
    pub(super) pid: Option<ProcessId>,
    pub(super) word: &'a Word,
}

impl fmt::Display for ExecutedLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ExecutedLine { title, .. } = self;
        let pid = self.pid.map_or(0, ProcessId::get);
        if self.role == Role::Router {
            return router_line(f, pid, self.word);
        }
        f.write_str("[uwsgi-daemons] ")?;
        match self.word {
            Word::Begun { .. } => write!(f, "daemon \"{title}\" (pid: {pid}) begins"),
            Word::Ready { boot_us } => write!(f, "daemon \"{title}\" (pid: {pid}) is up after {} s", Seconds(*boot_us)),
            Word::Leaving(reason) => write!(f, "daemon \"{title}\" (pid: {pid}) leaves: {reason}"),
            Word::Retired(why) if self.outlives && why.is_parting() => {
                write!(f, "leaving daemon \"{title}\" (pid: {pid}) to itself")
            }
            Word::Retired(_) => write!(f, "stopping daemon (pid: {pid}): {title}"),
            Word::Unfit { reason } => write!(f, "cannot run \"{title}\": {reason}"),
            Word::NoMercy => write!(f, "daemon did not die in time, killing (pid: {pid}): {title}"),
            Word::Gone { .. } | Word::DiedLeaving { .. } => {
                write!(f, "daemon \"{title}\" (pid: {pid}) annihilated")
            }
            Word::Died { status } => write!(f, "daemon \"{title}\" (pid: {pid}) died: {status}"),
            Word::Delayed { delay_us } => write!(f, "throttling \"{title}\" for {} seconds", Seconds(*delay_us)),
        }
    }
}

fn router_line(f: &mut fmt::Formatter<'_>, pid: i32, word: &Word) -> fmt::Result {
    match word {
        Word::Begun { .. } => write!(f, "router (pid: {pid}) begins"),
        Word::Ready { .. } => write!(f, "spawned router (pid: {pid})"),
        Word::Leaving(reason) => write!(f, "router (pid: {pid}) leaves: {reason}"),
        Word::Retired(_) => write!(f, "router (pid: {pid}) is told to go when its connections have ended"),
        Word::Unfit { reason } => write!(f, "no router (pid: {pid}): {reason}"),
        Word::NoMercy => write!(f, "router (pid: {pid}) still has connections, killing it"),
        Word::Gone { .. } | Word::DiedLeaving { .. } => write!(f, "router (pid: {pid}) is gone"),
        Word::Died { status } => write!(f, "router (pid: {pid}) died: {status}"),
        Word::Delayed { delay_us } => write!(f, "the next router waits for {} seconds", Seconds(*delay_us)),
    }
}
