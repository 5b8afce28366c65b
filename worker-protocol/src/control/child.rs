//! What the master and a process that a zygote forked say to each other.

use super::kind;
use super::record::{Error, Message, Record, signed};
use crate::ids::Generation;

/// Master to worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToWorker {
    /// Accept no more, finish what you hold, leave.
    Retire,
    /// Accept no more until [`ToWorker::Resume`].
    Pause,
    /// Accept again.
    Resume,
    /// Write the log there from now on. Beside it: the file.
    LogTo,
    /// For a router: what certificates are shown from now on. Beside it: what their files hold.
    Certificates,
    /// A signal of the application, for this worker.
    Signal {
        /// Which.
        number: u8,
    },
    /// When you leave, do not end: become the mold of this generation, a zygote from which workers are forked.
    Mold {
        /// Which.
        generation: Generation,
    },
}

/// Worker to master.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromWorker {
    /// It accepts from now on.
    Ready {
        /// Time from the fork.
        boot_us: u64,
    },
    /// It cannot serve; it leaves.
    NotReady {
        /// What the worker exits with.
        exit_code: i32,
        /// Why, as far as the worker can say.
        text: String,
    },
    /// It has stopped accepting by itself and asks to be replaced; it leaves when it has finished what it holds.
    Leaving {
        /// Why.
        reason: LeaveReason,
    },
    /// The application asks for a graceful reload.
    AskReload,
    /// The application asks the instance to stop.
    AskStop,
    /// The application asks for this worker to be stopped without a replacement (`uwsgi.cheap`-like calls).
    AskCheap,
    /// It serves errors in place of an application that it could not load.
    NoApplication,
    /// It is to be replaced, and serves until its successor is ready.
    Worn {
        /// Why.
        reason: LeaveReason,
    },
    /// It has answered enough requests to be worth being the mold of others.
    Seasoned,
    /// It has become the mold that it was told to become. Beside it: the control socket of the zygote that it is from now on;
    /// on this one nothing more comes.
    Molded,
    /// It cannot become the mold, and leaves.
    NotMolded {
        /// Why: what it holds that must not be shared.
        text: String,
    },
}

/// Why a worker leaves by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LeaveReason {
    /// `max-requests` reached.
    MaxRequests,
    /// `max-worker-lifetime` reached.
    MaxLifetime,
    /// `reload-on-rss` or `reload-on-as` reached.
    Memory,
    /// A signal told it to.
    Signal,
    /// `reload-on-exception`.
    Exception,
    /// A thread is stuck in a request that is over its time.
    Harakiri,
}

impl LeaveReason {
    /// All of them, in the order of their numbers on the wire, from 1.
    pub const ALL: [LeaveReason; 6] = [
        LeaveReason::MaxRequests,
        LeaveReason::MaxLifetime,
        LeaveReason::Memory,
        LeaveReason::Signal,
        LeaveReason::Exception,
        LeaveReason::Harakiri,
    ];

    fn of(record: &Record) -> Result<LeaveReason, Error> {
        LeaveReason::from_number(record.a).ok_or(record.wrong("reason", record.a))
    }

    fn number(self) -> u64 {
        match self {
            LeaveReason::MaxRequests => 1,
            LeaveReason::MaxLifetime => 2,
            LeaveReason::Memory => 3,
            LeaveReason::Signal => 4,
            LeaveReason::Exception => 5,
            LeaveReason::Harakiri => 6,
        }
    }

    fn from_number(number: u64) -> Option<LeaveReason> {
        LeaveReason::ALL.into_iter().find(|reason| reason.number() == number)
    }
}

impl Message for ToWorker {
    fn encode(&self, out: &mut Vec<u8>) {
        let record = match self {
            ToWorker::Signal { number } => Record { a: u64::from(*number), ..Record::new(kind::SIGNAL) },
            ToWorker::Mold { generation } => Record { generation: generation.0, ..Record::new(kind::MOLD) },
            ToWorker::Retire => Record::new(kind::RETIRE),
            ToWorker::Pause => Record::new(kind::PAUSE),
            ToWorker::Resume => Record::new(kind::RESUME),
            ToWorker::LogTo => Record::new(kind::WORKER_LOG_TO),
            ToWorker::Certificates => Record::new(kind::CERTIFICATES),
        };
        record.append(out, "");
    }

    fn decode(packet: &[u8]) -> Result<ToWorker, Error> {
        let (record, text) = Record::split(packet)?;
        let message = match record.kind {
            kind::RETIRE => ToWorker::Retire,
            kind::PAUSE => ToWorker::Pause,
            kind::RESUME => ToWorker::Resume,
            kind::WORKER_LOG_TO => ToWorker::LogTo,
            kind::CERTIFICATES => ToWorker::Certificates,
            kind::MOLD => ToWorker::Mold { generation: Generation(record.generation) },
            kind::SIGNAL => {
                ToWorker::Signal { number: u8::try_from(record.a).map_err(|_| record.wrong("signal", record.a))? }
            }
            other => return Err(Error::Kind(other)),
        };
        text.none(&record)?;
        Ok(message)
    }

    fn descriptors(&self) -> usize {
        usize::from(matches!(self, ToWorker::LogTo | ToWorker::Certificates))
    }
}

impl Message for FromWorker {
    fn encode(&self, out: &mut Vec<u8>) {
        let (record, text) = match self {
            FromWorker::Ready { boot_us } => (Record { a: *boot_us, ..Record::new(kind::READY) }, ""),
            FromWorker::NotReady { exit_code, text } => {
                (Record { a: signed(*exit_code), ..Record::new(kind::NOT_READY) }, text.as_str())
            }
            FromWorker::Leaving { reason } => (Record { a: reason.number(), ..Record::new(kind::LEAVING) }, ""),
            FromWorker::AskReload => (Record::new(kind::ASK_RELOAD), ""),
            FromWorker::AskStop => (Record::new(kind::ASK_STOP), ""),
            FromWorker::AskCheap => (Record::new(kind::ASK_CHEAP), ""),
            FromWorker::NoApplication => (Record::new(kind::WORKER_NO_APPLICATION), ""),
            FromWorker::Worn { reason } => (Record { a: reason.number(), ..Record::new(kind::WORN) }, ""),
            FromWorker::Seasoned => (Record::new(kind::SEASONED), ""),
            FromWorker::Molded => (Record::new(kind::MOLDED), ""),
            FromWorker::NotMolded { text } => (Record::new(kind::NOT_MOLDED), text.as_str()),
        };
        record.append(out, text);
    }

    fn decode(packet: &[u8]) -> Result<FromWorker, Error> {
        let (record, text) = Record::split(packet)?;
        let message = match record.kind {
            kind::NOT_READY => {
                return Ok(FromWorker::NotReady { exit_code: record.signed_a("exit code")?, text: text.read()? });
            }
            kind::NOT_MOLDED => return Ok(FromWorker::NotMolded { text: text.read()? }),
            kind::READY => FromWorker::Ready { boot_us: record.a },
            kind::LEAVING => FromWorker::Leaving { reason: LeaveReason::of(&record)? },
            kind::ASK_RELOAD => FromWorker::AskReload,
            kind::ASK_STOP => FromWorker::AskStop,
            kind::ASK_CHEAP => FromWorker::AskCheap,
            kind::WORKER_NO_APPLICATION => FromWorker::NoApplication,
            kind::WORN => FromWorker::Worn { reason: LeaveReason::of(&record)? },
            kind::SEASONED => FromWorker::Seasoned,
            kind::MOLDED => FromWorker::Molded,
            other => return Err(Error::Kind(other)),
        };
        text.none(&record)?;
        Ok(message)
    }

    fn descriptors(&self) -> usize {
        usize::from(*self == FromWorker::Molded)
    }
}
