//! What becomes of a child, and the line for it: one set of words for all kinds, and for each kind its own text.
//!
//! Pure; used in the master.

use super::event::{ExitStatus, LeaveReason};
use super::farewell::{Farewell, Seconds};
use super::identity::ProcessId;
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
    /// How loud the line of an executed child is.
    pub(super) fn level(&self) -> Level {
        match self {
            Word::Unfit { .. } | Word::NoMercy | Word::Died { .. } | Word::Delayed { .. } => Level::Warn,
            Word::Begun { .. } | Word::Ready { .. } => Level::Debug,
            Word::Leaving(_) | Word::Retired(_) | Word::Gone { .. } | Word::DiedLeaving { .. } => Level::Info,
        }
    }
}

/// The line of an executed child, in uWSGI's words where it has any (uWSGI's manual, "Managing external daemons").
pub(super) struct ExecutedLine<'a> {
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
