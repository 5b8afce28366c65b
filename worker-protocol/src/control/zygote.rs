//! What master and zygote say to each other.

use super::kind;
use super::record::{DESCRIPTORS_MAX, Error, Message, Record, signed};
use crate::ids::{Generation, Life, ProcessId, Seat};
use crate::post::Post;

/// The argument with which a zygote is executed; the number of its control socket follows.
pub const ZYGOTE_ARGUMENT: &str = "__zygote";

/// Descriptors beside [`ToZygote::Setup`] before the listeners: scoreboard, wake eventfd, settings, in this order.
pub const SETUP_DESCRIPTORS: usize = 3;

/// Most listening sockets beside [`ToZygote::Setup`]; the others follow beside [`ToZygote::Listeners`].
pub const SETUP_LISTENERS_MAX: usize = DESCRIPTORS_MAX - SETUP_DESCRIPTORS;

/// Most mailboxes beside one [`ToZygote::Mailboxes`].
pub const MAILBOXES_MAX: usize = DESCRIPTORS_MAX / 2;

/// Master to zygote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToZygote {
    /// The first record. Beside it, in this order: the scoreboard's memory, the eventfd that wakes the master, the
    /// settings file, then the listening sockets in the order of the settings, as many as there is room for. The
    /// application is to be loaded when all of them have come.
    Setup {
        /// The number of this loading.
        generation: Generation,
        /// Seats of the scoreboard.
        seats: u32,
        /// Threads of each worker.
        threads: u32,
        /// Listening sockets, also those that follow.
        listeners: u32,
    },
    /// Follows the first record where not all listening sockets have room beside that: the next ones. Beside it: them.
    Listeners {
        /// Which one is the first of these, from 0.
        first: u32,
        /// How many they are.
        count: u32,
    },
    /// Follows the listening sockets: mailboxes of the instance, in the order in which the settings name them. Beside it:
    /// the two ends of each, first the one that is written to.
    Mailboxes {
        /// Which one is the first of these, from 0.
        first: u32,
        /// How many they are.
        count: u32,
    },
    /// Follows the listening sockets where the settings name memories that all processes share: the next ones. Beside it:
    /// them.
    Memories {
        /// Which one is the first of these, from 0.
        first: u32,
        /// How many they are.
        count: u32,
    },
    /// Fork a child. Beside it: the child's control socket.
    Fork {
        /// Where it writes its state.
        seat: Seat,
        /// What it is to be.
        post: Post,
        /// Which fork this is; the worker writes it into its seat (see [`crate::scoreboard`]).
        life: Life,
        /// How many children there were in this post, this one included.
        nth: u32,
    },
    /// Fork no more and leave. Its workers are the master's to stop.
    Stop,
    /// Write the log there from now on. Beside it: the file.
    LogTo,
    /// Another generation has taken over: what else lives in this process, threads of the application, is to stand still.
    Rest,
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
    /// The application started threads while it was loaded; they run in the zygote and will not exist in workers.
    LiveThreads {
        /// How many.
        count: u32,
        /// Their names.
        text: String,
    },
    /// The application could not be loaded, and the workers will serve errors in its place.
    NoApplication,
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

impl ToZygote {
    /// The records that set a zygote up, in the order in which they are sent.
    pub fn set_up(
        generation: Generation,
        seats: u32,
        threads: u32,
        listeners: u32,
        mailboxes: u32,
        memories: u32,
    ) -> Vec<ToZygote> {
        let setup = ToZygote::Setup { generation, seats, threads, listeners };
        let listeners = parts(listeners.min(SETUP_LISTENERS_MAX as u32), listeners, DESCRIPTORS_MAX)
            .map(|(first, count)| ToZygote::Listeners { first, count });
        let mailboxes = parts(0, mailboxes, MAILBOXES_MAX).map(|(first, count)| ToZygote::Mailboxes { first, count });
        let memories = parts(0, memories, DESCRIPTORS_MAX).map(|(first, count)| ToZygote::Memories { first, count });
        std::iter::once(setup).chain(listeners).chain(mailboxes).chain(memories).collect()
    }
}

impl Message for ToZygote {
    fn encode(&self, out: &mut Vec<u8>) {
        let record = match *self {
            ToZygote::Setup { generation, seats, threads, listeners } => Record {
                generation: generation.0,
                seat: seats,
                post: listeners,
                a: threads.into(),
                ..Record::new(kind::SETUP)
            },
            ToZygote::Fork { seat, post, life, nth } => {
                Record { seat: seat.0, post: post.pack(), a: life.0, b: nth.into(), ..Record::new(kind::FORK) }
            }
            ToZygote::Listeners { first, count } => {
                Record { a: first.into(), b: count.into(), ..Record::new(kind::LISTENERS) }
            }
            ToZygote::Mailboxes { first, count } => {
                Record { a: first.into(), b: count.into(), ..Record::new(kind::MAILBOXES) }
            }
            ToZygote::Memories { first, count } => {
                Record { a: first.into(), b: count.into(), ..Record::new(kind::MEMORIES) }
            }
            ToZygote::Stop => Record::new(kind::STOP),
            ToZygote::LogTo => Record::new(kind::ZYGOTE_LOG_TO),
            ToZygote::Rest => Record::new(kind::REST),
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
                listeners: record.post,
            },
            kind::FORK => ToZygote::Fork {
                seat: Seat(record.seat),
                post: record.post()?,
                life: Life(record.a),
                nth: u32::try_from(record.b).map_err(|_| record.wrong("nth", record.b))?,
            },
            kind::LISTENERS => {
                ToZygote::Listeners { first: record.count("first")?, count: count_beside(&record, DESCRIPTORS_MAX)? }
            }
            kind::MAILBOXES => {
                ToZygote::Mailboxes { first: record.count("first")?, count: count_beside(&record, MAILBOXES_MAX)? }
            }
            kind::MEMORIES => {
                ToZygote::Memories { first: record.count("first")?, count: count_beside(&record, DESCRIPTORS_MAX)? }
            }
            kind::STOP => ToZygote::Stop,
            kind::ZYGOTE_LOG_TO => ToZygote::LogTo,
            kind::REST => ToZygote::Rest,
            other => return Err(Error::Kind(other)),
        };
        text.none(&record)?;
        Ok(message)
    }

    fn descriptors(&self) -> usize {
        match self {
            ToZygote::Setup { listeners, .. } => SETUP_DESCRIPTORS + (*listeners as usize).min(SETUP_LISTENERS_MAX),
            ToZygote::Listeners { count, .. } | ToZygote::Memories { count, .. } => *count as usize,
            ToZygote::Mailboxes { count, .. } => *count as usize * 2,
            ToZygote::Fork { .. } | ToZygote::LogTo => 1,
            ToZygote::Stop | ToZygote::Rest => 0,
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
            FromZygote::NoApplication => (Record::new(kind::ZYGOTE_NO_APPLICATION), ""),
            FromZygote::Forked { seat, pid } => {
                (Record { seat: seat.0, a: signed(pid.get()), ..Record::new(kind::FORKED) }, "")
            }
            FromZygote::ForkFailed { seat, errno } => {
                (Record { seat: seat.0, a: signed(*errno), ..Record::new(kind::FORK_FAILED) }, "")
            }
            FromZygote::Exited { seat, pid, wait_status } => (
                Record { seat: seat.0, a: signed(pid.get()), b: signed(*wait_status), ..Record::new(kind::EXITED) },
                "",
            ),
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
            kind::ZYGOTE_NO_APPLICATION => FromZygote::NoApplication,
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

/// What is to be sent from `first` on, in parts of at most so many: the first of each part and how many they are.
fn parts(first: u32, end: u32, most: usize) -> impl Iterator<Item = (u32, u32)> {
    let firsts = (first..end).step_by(most);
    firsts.map(move |first| (first, (end - first).min(most as u32)))
}

/// How many there are beside a record that has only these: at least one, so that each brings it further.
fn count_beside(record: &Record, most: usize) -> Result<u32, Error> {
    match u32::try_from(record.b) {
        Ok(count) if (1..=most as u32).contains(&count) => Ok(count),
        _ => Err(record.wrong("count", record.b)),
    }
}
