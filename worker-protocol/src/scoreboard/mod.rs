//! The words of the memory that a master and its workers share: where they are, what they pack, who writes them.
//!
//! Pure: it works on a slice of `AtomicU64` that `sys` maps; it maps nothing, reads no clock (times are arguments,
//! microseconds of the monotonic clock) and wakes nobody. Used in the master ([`Scoreboard::create`]) and in each
//! worker ([`Scoreboard::attach`]). Lines are 64 bytes, so that no two writers share a cache line:
//!
//! | line | written by | words |
//! | --- | --- | --- |
//! | 0, header | the master, before the first fork | magic and version, seats, threads, words of a seat |
//! | 1, capacity | everyone, read-modify-write only | [`Capacity`]'s word, [`Notices`]' word, [`Trial`]'s words |
//! | then for each seat: master | the master | order and life |
//! | … worker | the worker | life, flags, boot time, memory, process id, number |
//! | … six for each thread (core) | that thread | state, requests, exceptions, running time, bytes, wait, mean, errors; how long requests took and waited, in buckets; failures |
//! | behind all seats, 2 KiB for each core | that thread | what its request is about, where that is asked for |
//!
//! # Who writes, and in what order
//!
//! Each word has one writer, except those of line 1, which are only changed by single atomic operations. What must be
//! read together is one word: a core's state and the start of its request; an order and the life it is meant for.
//! Counters and figures are `Relaxed`: each stands alone. Words that announce something (state, life, order) are
//! stored with `Release` and loaded with `Acquire`, so that who sees them sees what was written before.
//!
//! # The counter of busy cores and its correction
//!
//! A core begins a request by *entering* (state word), adding itself to the counter, and being *busy* (state word); it
//! ends by *leaving*, subtracting itself, and being *idle*. A worker killed in between leaves the counter too high, for
//! the dead do not subtract. [`Scoreboard::resync`] counts the busy cores of the living and puts the sum into the
//! counter by compare-and-swap against the value it read before counting. Every change of the counter also counts a
//! sequence number up, so any change during the count makes the swap fail; and a core seen entering or leaving, whose
//! addition may or may not be in that value, makes the count start over. Why that is enough: an addition that precedes
//! the first read of the counter (`Acquire`, the addition is `AcqRel`) makes *entering* visible, so the core is counted
//! or the attempt dropped; and a core seen *busy* or *idle* (`Acquire`) has its addition or subtraction behind it, so
//! either the first read had it or the swap fails.
//!
//! ```
//! use std::sync::atomic::AtomicU64;
//! use worker_protocol::ids::{Generation, Life, Seat};
//! use worker_protocol::scoreboard::{
//!     Armed, Capacity, Core, CoreFigures, Histogram, Layout, MasterSeat, Notice, Notices, Presence, Scoreboard, SeatOrder,
//!     Served, Share, Signals, Tasks, Trial, Turn, WorkerFigures, WorkerSeat,
//! };
//!
//! let layout = Layout::new(1, 1)?;
//! let memory: Vec<AtomicU64> = (0..layout.words()).map(|_| AtomicU64::new(0)).collect();
//! let board = Scoreboard::create(&memory, layout)?;
//!
//! // An order is for one life of a seat.
//! let (master, worker): (MasterSeat<'_>, WorkerSeat<'_>) =
//!     (board.master(Seat(0)).expect("a seat"), board.worker(Seat(0)).expect("the same"));
//! worker.take(Life(1));
//! worker.set_presence(Presence::Accepting);
//! master.set_order(SeatOrder::Retire, Life(1));
//! assert_eq!((worker.order(Life(1)), master.presence()), (SeatOrder::Retire, Presence::Accepting));
//!
//! // The master is told when so many cores are busy.
//! let capacity: Capacity<'_> = board.capacity();
//! assert_eq!(capacity.arm(1), Armed::Waiting);
//! let core: Core<'_> = worker.core(0).expect("its thread");
//! assert!(core.begin_request(1_000), "it takes what was armed");
//! core.end_request(3_000, Served::default());
//! let WorkerFigures { requests, .. } = master.figures();
//! let CoreFigures { durations, .. } = master.core_figures(0).expect("its thread");
//! assert_eq!((requests, durations.total(), durations.sum_us), (1, 1, 2_000));
//! assert_eq!(Histogram::default().total(), 0);
//!
//! // Beside requests a process handles signals, or does tasks in their place.
//! worker.begin_signal(17);
//! worker.end_signal();
//! assert_eq!((master.signals(), master.tasks()), (Signals { handled: 1, under_way: None }, Tasks::default()));
//!
//! // A warning is said once by all workers together, and a generation on trial takes its share.
//! let (notices, trial): (Notices<'_>, Trial<'_>) = (board.notices(), board.trial());
//! assert!(notices.is_news(Notice::NoMethod) && !notices.is_news(Notice::NoMethod));
//! assert_eq!(trial.turn(Generation(1)), Turn::Anyone);
//! trial.begin(Generation(2), Share::of(1, 2));
//! assert!(trial.is_of(Generation(2)));
//! # Ok::<(), worker_protocol::scoreboard::Error>(())
//! ```

mod board;
mod capacity;
mod description;
mod histogram;
mod layout;
mod master;
mod notices;
mod tasks;
mod trial;
mod words;
mod worker;

pub use self::board::{RESYNC_ATTEMPTS_MAX, Scoreboard};
pub use self::capacity::{Armed, CORES_MAX, Capacity};
pub use self::description::DESCRIPTION_BYTES_MAX;
pub use self::histogram::{BOUNDS_US, BUCKETS, Histogram};
pub use self::layout::{Error, LINE_WORDS, Layout, MAGIC, SEATS_MAX, THREADS_MAX};
pub use self::master::{CoreFigures, MasterSeat, WorkerFigures};
pub use self::notices::{Notice, Notices};
pub use self::tasks::{Signals, Tasks};
pub use self::trial::{Share, Trial, Turn};
pub use self::words::{CoreState, Presence, SeatOrder};
pub use self::worker::{Core, Served, WorkerSeat};
