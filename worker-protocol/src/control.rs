//! The records that master, zygote and worker send each other over their control sockets.
//!
//! Each message is one packet of a `SOCK_SEQPACKET` unix socket: a record of 32 bytes, little-endian, for some kinds
//! followed by a text. Descriptors travel beside it (`SCM_RIGHTS`); [`Message::descriptors`] says how many and each kind
//! which. End-of-file is a message too: the other side is gone. This module only turns messages into bytes and back;
//! sending is `sys`' business. Used in the master, the zygote and the worker.
//!
//! | offset | bytes | field |
//! | --- | --- | --- |
//! | 0 | 2 | kind |
//! | 2 | 2 | version, [`VERSION`] |
//! | 4 | 4 | generation |
//! | 8 | 4 | seat |
//! | 12 | 4 | slot |
//! | 16 | 8 | a |
//! | 24 | 8 | b |
//!
//! What a kind does not use is written as 0 and not looked at. Kinds are unique over all four directions, so that a
//! record in the wrong direction is an unknown one. A change of meaning changes the version.

use std::fmt;

use thiserror::Error;

/// The version that this crate speaks.
pub const VERSION: u16 = 1;
/// Bytes of a record.
pub const RECORD_BYTES: usize = 32;
/// Most bytes of the text after a record: a long traceback fits, a flood does not.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Most bytes of a message; a receive buffer of this size never truncates one.
pub const MESSAGE_BYTES_MAX: usize = RECORD_BYTES + TEXT_BYTES_MAX;
/// Descriptors beside [`ToZygote::Setup`] before the listeners: scoreboard, wake eventfd, settings, in this order.
pub const SETUP_DESCRIPTORS: usize = 3;

/// One loaded version of the application: a zygote and the workers that it forked. Counts from 1 and never repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Generation(pub u32);

/// A worker's place in shared memory, from 0. Belongs to one process at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Seat(pub u32);

/// A worker's number as operators know it, from 1. A worker and its successor share it for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Slot(pub u32);

/// The id of one process: greater than 0, so that no signal can go to a group or to everyone by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "i32", into = "i32"))]
pub struct ProcessId(i32);

impl ProcessId {
    /// `None` for 0 and below.
    pub fn new(id: i32) -> Option<ProcessId> {
        (id > 0).then_some(ProcessId(id))
    }

    /// The number, for system calls.
    pub fn get(self) -> i32 {
        self.0
    }
}

impl TryFrom<i32> for ProcessId {
    type Error = &'static str;

    fn try_from(id: i32) -> Result<ProcessId, &'static str> {
        ProcessId::new(id).ok_or("a process id is greater than 0")
    }
}

impl From<ProcessId> for i32 {
    fn from(id: ProcessId) -> i32 {
        id.0
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for Seat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What can be sent as one packet of a control socket.
pub trait Message: Sized {
    /// Appends the message to `out`, at most [`MESSAGE_BYTES_MAX`] bytes. Of a longer text the last
    /// [`TEXT_BYTES_MAX`] bytes are sent, because the error of a traceback is its last line.
    fn encode(&self, out: &mut Vec<u8>);

    /// Reads one whole packet. Text that is not UTF-8 is repaired with U+FFFD rather than refused: it is the only
    /// explanation there is.
    fn decode(packet: &[u8]) -> Result<Self, Error>;

    /// How many descriptors travel beside it.
    fn descriptors(&self) -> usize;
}

/// Why a packet is no message. It is a fault of the program on the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Error {
    /// Fewer than [`RECORD_BYTES`].
    #[error("control packet of {bytes} bytes is shorter than a record of 32")]
    Short {
        /// Bytes of the packet.
        bytes: usize,
    },
    /// Another version of the protocol.
    #[error("control record of version {0}, expected 1")]
    Version(u16),
    /// No kind of this direction.
    #[error("unknown control record kind {0}")]
    Kind(u16),
    /// A number outside of what its field can mean.
    #[error("control record kind {kind}: {field} cannot be {value}")]
    Field {
        /// The record's kind.
        kind: u16,
        /// What the field is called in this kind.
        field: &'static str,
        /// As received.
        value: u64,
    },
    /// Bytes after a record whose kind has no text.
    #[error("control record kind {kind} is followed by {bytes} bytes, but carries no text")]
    UnexpectedText {
        /// The record's kind.
        kind: u16,
        /// Bytes after the record.
        bytes: usize,
    },
    /// More than [`TEXT_BYTES_MAX`].
    #[error("text of {bytes} bytes after a control record exceeds 16384")]
    TextTooLong {
        /// Bytes after the record.
        bytes: usize,
    },
}

/// Master to zygote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToZygote {
    /// The first record: load the application. Beside it, in this order: the scoreboard's memory, the eventfd that
    /// wakes the master, the settings file, then one descriptor for each listener.
    Setup {
        /// The number of this loading.
        generation: Generation,
        /// Seats of the scoreboard.
        seats: u32,
        /// Threads of each worker.
        threads: u32,
        /// Listening sockets beside the record.
        listeners: u32,
    },
    /// Fork a worker. Beside it: the worker's control socket.
    Fork {
        /// Where it writes its state.
        seat: Seat,
        /// Who it is.
        slot: Slot,
        /// Unique for each fork of an instance; the worker writes it into its seat (see [`crate::scoreboard`]).
        life: u64,
        /// How many workers there were in this slot, this one included.
        nth: u32,
    },
    /// Fork no more and leave. Its workers are the master's to stop.
    Stop,
    /// Write the log there from now on. Beside it: the file.
    LogTo,
}

/// Zygote to master.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromZygote {
    /// The application is loaded.
    Loaded {
        /// How long that took.
        boot_us: u64,
    },
    /// The application cannot be loaded; the zygote leaves.
    LoadFailed {
        /// What the zygote exits with.
        exit_code: i32,
        /// Why, as far as the zygote can say.
        text: String,
    },
    /// The application started threads while it was loaded; they will not exist in workers.
    LiveThreads {
        /// How many.
        count: u32,
        /// Their names.
        text: String,
    },
    /// A worker was forked. Beside it: its pidfd.
    Forked {
        /// The seat of the order.
        seat: Seat,
        /// The worker.
        pid: ProcessId,
    },
    /// The fork failed.
    ForkFailed {
        /// The seat of the order.
        seat: Seat,
        /// The error number of the system call.
        errno: i32,
    },
    /// A worker was reaped.
    Exited {
        /// Its seat.
        seat: Seat,
        /// The worker.
        pid: ProcessId,
        /// As `waitpid` gives it.
        wait_status: i32,
    },
}

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
}

impl LeaveReason {
    /// All of them, in the order of their numbers on the wire, from 1.
    pub const ALL: [LeaveReason; 5] = [
        LeaveReason::MaxRequests,
        LeaveReason::MaxLifetime,
        LeaveReason::Memory,
        LeaveReason::Signal,
        LeaveReason::Exception,
    ];

    fn number(self) -> u64 {
        match self {
            LeaveReason::MaxRequests => 1,
            LeaveReason::MaxLifetime => 2,
            LeaveReason::Memory => 3,
            LeaveReason::Signal => 4,
            LeaveReason::Exception => 5,
        }
    }

    fn from_number(number: u64) -> Option<LeaveReason> {
        LeaveReason::ALL.into_iter().find(|reason| reason.number() == number)
    }
}

/// The numbers of the kinds, as they stand on the wire.
pub mod kind {
    /// [`super::ToZygote::Setup`]: generation; seats in `seat`, listeners in `slot`, threads in `a`.
    pub const SETUP: u16 = 1;
    /// [`super::ToZygote::Fork`]: seat, slot; life in `a`.
    pub const FORK: u16 = 2;
    /// [`super::ToZygote::Stop`].
    pub const STOP: u16 = 3;
    /// [`super::ToZygote::LogTo`].
    pub const ZYGOTE_LOG_TO: u16 = 4;
    /// [`super::FromZygote::Loaded`]: microseconds in `a`.
    pub const LOADED: u16 = 16;
    /// [`super::FromZygote::LoadFailed`]: exit code in `a`; text.
    pub const LOAD_FAILED: u16 = 17;
    /// [`super::FromZygote::LiveThreads`]: count in `a`; text.
    pub const LIVE_THREADS: u16 = 18;
    /// [`super::FromZygote::Forked`]: seat; process id in `a`.
    pub const FORKED: u16 = 19;
    /// [`super::FromZygote::ForkFailed`]: seat; error number in `a`.
    pub const FORK_FAILED: u16 = 20;
    /// [`super::FromZygote::Exited`]: seat; process id in `a`, wait status in `b`.
    pub const EXITED: u16 = 21;
    /// [`super::ToWorker::Retire`].
    pub const RETIRE: u16 = 32;
    /// [`super::ToWorker::Pause`].
    pub const PAUSE: u16 = 33;
    /// [`super::ToWorker::Resume`].
    pub const RESUME: u16 = 34;
    /// [`super::ToWorker::LogTo`].
    pub const WORKER_LOG_TO: u16 = 35;
    /// [`super::FromWorker::Ready`]: microseconds in `a`.
    pub const READY: u16 = 48;
    /// [`super::FromWorker::NotReady`]: exit code in `a`; text.
    pub const NOT_READY: u16 = 49;
    /// [`super::FromWorker::Leaving`]: reason in `a`: 1 max-requests, 2 max-lifetime, 3 memory, 4 application,
    /// 5 exception.
    pub const LEAVING: u16 = 50;
    /// [`super::FromWorker::AskReload`].
    pub const ASK_RELOAD: u16 = 51;
    /// [`super::FromWorker::AskStop`].
    pub const ASK_STOP: u16 = 52;
    /// [`super::FromWorker::AskCheap`].
    pub const ASK_CHEAP: u16 = 53;
}

impl Message for ToZygote {
    fn encode(&self, out: &mut Vec<u8>) {
        let record = match *self {
            ToZygote::Setup { generation, seats, threads, listeners } => Record {
                generation: generation.0,
                seat: seats,
                slot: listeners,
                a: threads.into(),
                ..Record::new(kind::SETUP)
            },
            ToZygote::Fork { seat, slot, life, nth } => {
                Record { seat: seat.0, slot: slot.0, a: life, b: nth.into(), ..Record::new(kind::FORK) }
            }
            ToZygote::Stop => Record::new(kind::STOP),
            ToZygote::LogTo => Record::new(kind::ZYGOTE_LOG_TO),
        };
        record.append(out, "");
    }

    fn decode(packet: &[u8]) -> Result<ToZygote, Error> {
        let (record, text) = Record::split(packet)?;
        let message = match record.kind {
            kind::SETUP => ToZygote::Setup {
                generation: Generation(record.generation),
                seats: record.seat,
                threads: record.count("threads")?,
                listeners: record.slot,
            },
            kind::FORK => ToZygote::Fork {
                seat: Seat(record.seat),
                slot: Slot(record.slot),
                life: record.a,
                nth: u32::try_from(record.b).map_err(|_| record.wrong("nth", record.b))?,
            },
            kind::STOP => ToZygote::Stop,
            kind::ZYGOTE_LOG_TO => ToZygote::LogTo,
            other => return Err(Error::Kind(other)),
        };
        text.none(&record)?;
        Ok(message)
    }

    fn descriptors(&self) -> usize {
        match self {
            ToZygote::Setup { listeners, .. } => SETUP_DESCRIPTORS + *listeners as usize,
            ToZygote::Fork { .. } | ToZygote::LogTo => 1,
            ToZygote::Stop => 0,
        }
    }
}

impl Message for FromZygote {
    fn encode(&self, out: &mut Vec<u8>) {
        let (record, text) = match self {
            FromZygote::Loaded { boot_us } => (Record { a: *boot_us, ..Record::new(kind::LOADED) }, ""),
            FromZygote::LoadFailed { exit_code, text } => {
                (Record { a: signed(*exit_code), ..Record::new(kind::LOAD_FAILED) }, text.as_str())
            }
            FromZygote::LiveThreads { count, text } => {
                (Record { a: (*count).into(), ..Record::new(kind::LIVE_THREADS) }, text.as_str())
            }
            FromZygote::Forked { seat, pid } => {
                (Record { seat: seat.0, a: signed(pid.0), ..Record::new(kind::FORKED) }, "")
            }
            FromZygote::ForkFailed { seat, errno } => {
                (Record { seat: seat.0, a: signed(*errno), ..Record::new(kind::FORK_FAILED) }, "")
            }
            FromZygote::Exited { seat, pid, wait_status } => {
                (Record { seat: seat.0, a: signed(pid.0), b: signed(*wait_status), ..Record::new(kind::EXITED) }, "")
            }
        };
        record.append(out, text);
    }

    fn decode(packet: &[u8]) -> Result<FromZygote, Error> {
        let (record, text) = Record::split(packet)?;
        let seat = Seat(record.seat);
        let message = match record.kind {
            kind::LOAD_FAILED => {
                return Ok(FromZygote::LoadFailed { exit_code: record.signed_a("exit code")?, text: text.read()? });
            }
            kind::LIVE_THREADS => {
                return Ok(FromZygote::LiveThreads { count: record.count("count")?, text: text.read()? });
            }
            kind::LOADED => FromZygote::Loaded { boot_us: record.a },
            kind::FORKED => FromZygote::Forked { seat, pid: record.pid()? },
            kind::FORK_FAILED => FromZygote::ForkFailed { seat, errno: record.signed_a("error number")? },
            kind::EXITED => FromZygote::Exited { seat, pid: record.pid()?, wait_status: record.wait_status()? },
            other => return Err(Error::Kind(other)),
        };
        text.none(&record)?;
        Ok(message)
    }

    fn descriptors(&self) -> usize {
        usize::from(matches!(self, FromZygote::Forked { .. }))
    }
}

impl Message for ToWorker {
    fn encode(&self, out: &mut Vec<u8>) {
        let kind = match self {
            ToWorker::Retire => kind::RETIRE,
            ToWorker::Pause => kind::PAUSE,
            ToWorker::Resume => kind::RESUME,
            ToWorker::LogTo => kind::WORKER_LOG_TO,
        };
        Record::new(kind).append(out, "");
    }

    fn decode(packet: &[u8]) -> Result<ToWorker, Error> {
        let (record, text) = Record::split(packet)?;
        let message = match record.kind {
            kind::RETIRE => ToWorker::Retire,
            kind::PAUSE => ToWorker::Pause,
            kind::RESUME => ToWorker::Resume,
            kind::WORKER_LOG_TO => ToWorker::LogTo,
            other => return Err(Error::Kind(other)),
        };
        text.none(&record)?;
        Ok(message)
    }

    fn descriptors(&self) -> usize {
        usize::from(*self == ToWorker::LogTo)
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
        };
        record.append(out, text);
    }

    fn decode(packet: &[u8]) -> Result<FromWorker, Error> {
        let (record, text) = Record::split(packet)?;
        let message = match record.kind {
            kind::NOT_READY => {
                return Ok(FromWorker::NotReady { exit_code: record.signed_a("exit code")?, text: text.read()? });
            }
            kind::READY => FromWorker::Ready { boot_us: record.a },
            kind::LEAVING => FromWorker::Leaving { reason: record.leave_reason()? },
            kind::ASK_RELOAD => FromWorker::AskReload,
            kind::ASK_STOP => FromWorker::AskStop,
            kind::ASK_CHEAP => FromWorker::AskCheap,
            other => return Err(Error::Kind(other)),
        };
        text.none(&record)?;
        Ok(message)
    }

    fn descriptors(&self) -> usize {
        0
    }
}

/// The 32 bytes, unpacked.
struct Record {
    kind: u16,
    generation: u32,
    seat: u32,
    slot: u32,
    a: u64,
    b: u64,
}

impl Record {
    fn new(kind: u16) -> Record {
        Record { kind, generation: 0, seat: 0, slot: 0, a: 0, b: 0 }
    }

    fn append(&self, out: &mut Vec<u8>, text: &str) {
        out.extend_from_slice(&self.kind.to_le_bytes());
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.generation.to_le_bytes());
        out.extend_from_slice(&self.seat.to_le_bytes());
        out.extend_from_slice(&self.slot.to_le_bytes());
        out.extend_from_slice(&self.a.to_le_bytes());
        out.extend_from_slice(&self.b.to_le_bytes());
        out.extend_from_slice(last_bytes(text, TEXT_BYTES_MAX).as_bytes());
    }

    /// Splits a packet into record and text.
    fn split(packet: &[u8]) -> Result<(Record, Text<'_>), Error> {
        let (bytes, text) = packet.split_first_chunk::<RECORD_BYTES>().ok_or(Error::Short { bytes: packet.len() })?;
        let version = u16::from_le_bytes(field(bytes, 2));
        if version != VERSION {
            return Err(Error::Version(version));
        }
        let record = Record {
            kind: u16::from_le_bytes(field(bytes, 0)),
            generation: u32::from_le_bytes(field(bytes, 4)),
            seat: u32::from_le_bytes(field(bytes, 8)),
            slot: u32::from_le_bytes(field(bytes, 12)),
            a: u64::from_le_bytes(field(bytes, 16)),
            b: u64::from_le_bytes(field(bytes, 24)),
        };
        Ok((record, Text(text)))
    }

    fn count(&self, field: &'static str) -> Result<u32, Error> {
        u32::try_from(self.a).map_err(|_| self.wrong(field, self.a))
    }

    fn signed_a(&self, field: &'static str) -> Result<i32, Error> {
        unsigned(self.a).ok_or(self.wrong(field, self.a))
    }

    fn wait_status(&self) -> Result<i32, Error> {
        unsigned(self.b).ok_or(self.wrong("wait status", self.b))
    }

    fn pid(&self) -> Result<ProcessId, Error> {
        unsigned(self.a).and_then(ProcessId::new).ok_or(self.wrong("process id", self.a))
    }

    fn leave_reason(&self) -> Result<LeaveReason, Error> {
        LeaveReason::from_number(self.a).ok_or(self.wrong("reason", self.a))
    }

    fn wrong(&self, field: &'static str, value: u64) -> Error {
        Error::Field { kind: self.kind, field, value }
    }
}

/// What follows a record.
struct Text<'a>(&'a [u8]);

impl Text<'_> {
    fn none(&self, record: &Record) -> Result<(), Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(Error::UnexpectedText { kind: record.kind, bytes: self.0.len() })
    }

    fn read(&self) -> Result<String, Error> {
        if self.0.len() > TEXT_BYTES_MAX {
            return Err(Error::TextTooLong { bytes: self.0.len() });
        }
        Ok(String::from_utf8_lossy(self.0).into_owned())
    }
}

/// The `N` bytes at `offset`.
fn field<const N: usize>(record: &[u8; RECORD_BYTES], offset: usize) -> [u8; N] {
    std::array::from_fn(|index| record[offset + index])
}

/// A signed 32-bit number in a 64-bit field: its two's complement in the lower half.
fn signed(number: i32) -> u64 {
    u64::from(number.cast_unsigned())
}

fn unsigned(field: u64) -> Option<i32> {
    u32::try_from(field).ok().map(u32::cast_signed)
}

/// The last `bytes_max` bytes of `text` or fewer, beginning with a whole character.
fn last_bytes(text: &str, bytes_max: usize) -> &str {
    let first = text.len().saturating_sub(bytes_max);
    let start = (first..text.len()).find(|&index| text.is_char_boundary(index));
    start.map_or("", |start| &text[start..])
}
