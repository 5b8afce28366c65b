//! One worker's place in the scoreboard, from both sides: what the worker writes, what the master writes, and what
//! either may read.
//!
//! The two types have no setter in common. Used in the worker ([`WorkerSeat`], [`Core`]) and the master
//! ([`MasterSeat`]).

use std::sync::atomic::{AtomicU64, Ordering, fence};

use super::capacity::Capacity;
use super::{LINE_WORDS, SEAT_HEAD_LINES};
use crate::control::Slot;

/// What the master wants of the worker in a seat. It repeats what the control socket says, for the accept loop to see
/// without a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Accept.
    Run,
    /// Accept no more for now.
    Pause,
    /// Accept no more, finish, leave.
    Retire,
}

/// Largest life: it shares a word with the order and has 62 bits of it.
pub const LIFE_MAX: u64 = PAYLOAD_MASK;

/// Words of two parts hold a number of two bits above what it is about.
const KIND_SHIFT: u32 = 62;
const PAYLOAD_MASK: u64 = (1 << KIND_SHIFT) - 1;

impl Order {
    fn pack(self, life: u64) -> u64 {
        let number = match self {
            Order::Run => 0,
            Order::Pause => 1,
            Order::Retire => 2,
        };
        number << KIND_SHIFT | life & PAYLOAD_MASK
    }

    fn unpack(word: u64) -> (Order, u64) {
        let order = match word >> KIND_SHIFT {
            0 => Order::Run,
            1 => Order::Pause,
            _ => Order::Retire,
        };
        (order, word & PAYLOAD_MASK)
    }
}

/// What a core is doing, and since when: one word, kind in bits 62 and 63, microseconds below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoreState {
    /// Waits for a request.
    Idle,
    /// Begins a request; its addition to the busy count is under way.
    Entering {
        /// Monotonic time.
        since_us: u64,
    },
    /// Holds a request.
    Busy {
        /// Monotonic time.
        since_us: u64,
    },
    /// Ends a request; its subtraction from the busy count is under way.
    Leaving {
        /// Monotonic time of the request's start.
        since_us: u64,
    },
}

impl CoreState {
    /// When the request began; `None` when idle.
    pub fn since_us(self) -> Option<u64> {
        match self {
            CoreState::Idle => None,
            CoreState::Entering { since_us } | CoreState::Busy { since_us } | CoreState::Leaving { since_us } => {
                Some(since_us)
            }
        }
    }

    fn pack(self) -> u64 {
        let number = match self {
            CoreState::Idle => 0,
            CoreState::Entering { .. } => 1,
            CoreState::Busy { .. } => 2,
            CoreState::Leaving { .. } => 3,
        };
        number << KIND_SHIFT | self.since_us().unwrap_or(0) & PAYLOAD_MASK
    }

    fn unpack(word: u64) -> CoreState {
        let since_us = word & PAYLOAD_MASK;
        match word >> KIND_SHIFT {
            0 => CoreState::Idle,
            1 => CoreState::Entering { since_us },
            2 => CoreState::Busy { since_us },
            _ => CoreState::Leaving { since_us },
        }
    }
}

/// Words of the master's line.
mod master_line {
    pub(super) const ORDER: usize = 0;
}

/// Words of the worker's line, counted from the seat's start.
mod worker_line {
    use super::LINE_WORDS;
    pub(super) const LIFE: usize = LINE_WORDS;
    pub(super) const FLAGS: usize = LINE_WORDS + 1;
    pub(super) const BOOT_US: usize = LINE_WORDS + 2;
    pub(super) const RSS_BYTES: usize = LINE_WORDS + 3;
    pub(super) const VSZ_BYTES: usize = LINE_WORDS + 4;
    pub(super) const PROCESS: usize = LINE_WORDS + 5;
    pub(super) const NUMBER: usize = LINE_WORDS + 6;
}

/// Words of a core's line.
mod core_line {
    pub(super) const STATE: usize = 0;
    pub(super) const REQUESTS: usize = 1;
    pub(super) const EXCEPTIONS: usize = 2;
    pub(super) const RUNNING_US: usize = 3;
    pub(super) const SENT_BYTES: usize = 4;
    pub(super) const LAST_WAIT_US: usize = 5;
    pub(super) const AVERAGE_US: usize = 6;
    pub(super) const IO_ERRORS: usize = 7;
}

const FLAG_ACCEPTING: u64 = 1;
const FLAG_LEAVING: u64 = 2;

/// Whether a worker takes requests, as it says itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Not yet, or paused.
    NotAccepting,
    /// Yes.
    Accepting,
    /// No more: it finishes what it holds and leaves.
    Leaving,
}

impl Presence {
    fn flags(self) -> u64 {
        match self {
            Presence::NotAccepting => 0,
            Presence::Accepting => FLAG_ACCEPTING,
            Presence::Leaving => FLAG_LEAVING,
        }
    }

    fn from_flags(flags: u64) -> Presence {
        match (flags & FLAG_LEAVING != 0, flags & FLAG_ACCEPTING != 0) {
            (true, _) => Presence::Leaving,
            (false, true) => Presence::Accepting,
            (false, false) => Presence::NotAccepting,
        }
    }
}

/// The worker's side of its seat: it writes its own lines and reads the order.
#[derive(Debug, Clone, Copy)]
pub struct WorkerSeat<'a> {
    pub(super) words: &'a [AtomicU64],
    pub(super) capacity: Capacity<'a>,
}

impl<'a> WorkerSeat<'a> {
    /// The first thing a new worker does: sets its lines to zero and says which life it is. A predecessor may have died
    /// in the middle of a request; the master has read its figures when it reaped it.
    pub fn take(&self, life: u64) {
        for word in &self.words[LINE_WORDS..] {
            word.store(0, Ordering::Relaxed);
        }
        self.words[worker_line::LIFE].store(life, Ordering::Release);
    }

    /// Says which process it is, the number that operators know it by, and the how many-th worker with that number.
    pub fn set_identity(&self, process: u32, slot: Slot, nth: u32) {
        self.words[worker_line::PROCESS].store(process.into(), Ordering::Relaxed);
        self.words[worker_line::NUMBER].store(u64::from(slot.0) | u64::from(nth) << 32, Ordering::Relaxed);
    }

    /// Says whether it takes requests. Of a worker that says so and then looks for orders, and a master that orders and
    /// then looks whether it does, at least one sees the other.
    pub fn set_presence(&self, presence: Presence) {
        self.words[worker_line::FLAGS].store(presence.flags(), Ordering::Release);
        fence(Ordering::SeqCst);
    }

    /// Says how long it took from the fork until it was ready.
    pub fn set_boot_us(&self, boot_us: u64) {
        self.words[worker_line::BOOT_US].store(boot_us, Ordering::Relaxed);
    }

    /// Says how much memory it takes, resident and virtual.
    pub fn set_memory(&self, rss_bytes: u64, vsz_bytes: u64) {
        self.words[worker_line::RSS_BYTES].store(rss_bytes, Ordering::Relaxed);
        self.words[worker_line::VSZ_BYTES].store(vsz_bytes, Ordering::Relaxed);
    }

    /// The master's order. One for another life is none: `Run`.
    pub fn order(&self, life: u64) -> Order {
        match Order::unpack(self.words[master_line::ORDER].load(Ordering::Acquire)) {
            (order, meant) if meant == life => order,
            _ => Order::Run,
        }
    }

    /// The line of thread `index`, for that thread alone; `None` beyond the last one.
    pub fn core(&self, index: usize) -> Option<Core<'a>> {
        Some(Core { words: core_words(self.words, index)?, capacity: self.capacity })
    }
}

fn core_words(seat: &[AtomicU64], index: usize) -> Option<&[AtomicU64]> {
    let start = SEAT_HEAD_LINES.checked_add(index)?.checked_mul(LINE_WORDS)?;
    seat.get(start..start.checked_add(LINE_WORDS)?)
}

/// What a thread says of a request that it has finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Served {
    /// Bytes sent, head included.
    pub sent_bytes: u64,
    /// Whether the application failed: an exception, a panic.
    pub exception: bool,
    /// Whether reading the request failed.
    pub read_error: bool,
    /// Whether writing the response failed.
    pub write_error: bool,
}

/// One thread's line. Only that thread may call its setters.
#[derive(Debug, Clone, Copy)]
pub struct Core<'a> {
    words: &'a [AtomicU64],
    capacity: Capacity<'a>,
}

impl Core<'_> {
    /// A request begins. `true`: the master wants to know, write to its eventfd. Without effect while one is under way.
    #[must_use = "the master sleeps until it is woken"]
    pub fn begin_request(&self, now_us: u64) -> bool {
        if self.state() != CoreState::Idle {
            return false;
        }
        self.set_state(CoreState::Entering { since_us: now_us });
        let wake = self.capacity.enter();
        self.set_state(CoreState::Busy { since_us: now_us });
        wake
    }

    /// The request is over. Without effect when none is under way.
    pub fn end_request(&self, now_us: u64, served: Served) {
        let CoreState::Busy { since_us } = self.state() else { return };
        self.account(now_us.saturating_sub(since_us), served);
        self.leave(since_us);
    }

    /// A connection was closed without a request in it: as [`Core::end_request`], but nothing is counted.
    pub fn abandon_request(&self) {
        let CoreState::Busy { since_us } = self.state() else { return };
        self.leave(since_us);
    }

    /// How long the request waited before it was accepted.
    pub fn set_last_wait_us(&self, wait_us: u64) {
        self.words[core_line::LAST_WAIT_US].store(wait_us, Ordering::Relaxed);
    }

    /// Requests of this core in this life, for `max-requests`.
    pub fn requests(&self) -> u64 {
        self.words[core_line::REQUESTS].load(Ordering::Relaxed)
    }

    /// Requests of this core that could not be read, and responses that could not be written, in this life.
    pub fn io_errors(&self) -> (u32, u32) {
        unpack_io_errors(self.words[core_line::IO_ERRORS].load(Ordering::Relaxed))
    }

    fn leave(&self, since_us: u64) {
        self.set_state(CoreState::Leaving { since_us });
        self.capacity.leave();
        self.set_state(CoreState::Idle);
    }

    fn state(&self) -> CoreState {
        CoreState::unpack(self.words[core_line::STATE].load(Ordering::Relaxed))
    }

    fn set_state(&self, state: CoreState) {
        self.words[core_line::STATE].store(state.pack(), Ordering::Release);
    }

    fn account(&self, took_us: u64, served: Served) {
        let Served { sent_bytes, exception, read_error, write_error } = served;
        self.add(core_line::REQUESTS, 1);
        self.add(core_line::RUNNING_US, took_us);
        self.add(core_line::SENT_BYTES, sent_bytes);
        // uWSGI's `avg_rt`, no mean: half the old value, half the new (uWSGI's manual, "The uWSGI Stats Server").
        let average = &self.words[core_line::AVERAGE_US];
        average.store(average.load(Ordering::Relaxed).saturating_add(took_us) / 2, Ordering::Relaxed);
        if exception {
            self.add(core_line::EXCEPTIONS, 1);
        }
        if read_error || write_error {
            self.add(core_line::IO_ERRORS, u64::from(write_error) | u64::from(read_error) << 32);
        }
    }

    /// Adds to a word that only this thread writes, so that no read-modify-write is needed.
    fn add(&self, index: usize, amount: u64) {
        let word = &self.words[index];
        word.store(word.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
    }
}

/// Errors of reading and of writing, which share a word.
fn unpack_io_errors(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

/// The master's side of a seat: it writes the order and reads everything.
#[derive(Debug, Clone, Copy)]
pub struct MasterSeat<'a> {
    pub(super) words: &'a [AtomicU64],
}

impl MasterSeat<'_> {
    /// Orders the worker of one life; any other does not feel meant. See [`WorkerSeat::set_presence`].
    pub fn set_order(&self, order: Order, life: u64) {
        self.words[master_line::ORDER].store(order.pack(life), Ordering::Release);
        fence(Ordering::SeqCst);
    }

    /// Whether the worker of this life has taken the seat.
    pub fn is_taken_by(&self, life: u64) -> bool {
        self.words[worker_line::LIFE].load(Ordering::Acquire) == life
    }

    /// Whether the worker takes requests, as it says itself.
    pub fn presence(&self) -> Presence {
        Presence::from_flags(self.words[worker_line::FLAGS].load(Ordering::Acquire))
    }

    /// How many cores the seat has.
    pub fn cores(&self) -> usize {
        self.words.len() / LINE_WORDS - SEAT_HEAD_LINES
    }

    /// What a core is doing; `None` beyond the last one.
    pub fn core_state(&self, index: usize) -> Option<CoreState> {
        let words = core_words(self.words, index)?;
        Some(CoreState::unpack(words[core_line::STATE].load(Ordering::Acquire)))
    }

    /// The worker's figures, the cores added up. Each figure is exact, together they are of slightly different times.
    pub fn figures(&self) -> WorkerFigures {
        let word = |index: usize| self.words[index].load(Ordering::Relaxed);
        let mut figures = WorkerFigures {
            boot_us: word(worker_line::BOOT_US),
            rss_bytes: word(worker_line::RSS_BYTES),
            vsz_bytes: word(worker_line::VSZ_BYTES),
            process: word(worker_line::PROCESS) as u32,
            slot: word(worker_line::NUMBER) as u32,
            nth: (word(worker_line::NUMBER) >> 32) as u32,
            ..WorkerFigures::default()
        };
        for core in (0..self.cores()).filter_map(|index| core_words(self.words, index)) {
            figures.add(core);
        }
        figures
    }

    /// Busy cores of the worker of this life, 0 if another one sits here; `None` while one is just beginning or ending.
    pub(super) fn busy_settled(&self, life: u64) -> Option<u32> {
        if !self.is_taken_by(life) {
            return Some(0);
        }
        (0..self.cores()).filter_map(|index| self.core_state(index)).try_fold(0, |busy, state| match state {
            CoreState::Idle => Some(busy),
            CoreState::Busy { .. } => Some(busy + 1),
            CoreState::Entering { .. } | CoreState::Leaving { .. } => None,
        })
    }
}

/// What a worker has done in this life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkerFigures {
    /// From the fork until it was ready.
    pub boot_us: u64,
    /// Resident memory as of its last look.
    pub rss_bytes: u64,
    /// Virtual memory as of its last look.
    pub vsz_bytes: u64,
    /// Its process id.
    pub process: u32,
    /// Its slot, from 1; 0 if nobody has taken the seat yet.
    pub slot: u32,
    /// The how many-th worker in its slot it is, from 1.
    pub nth: u32,
    /// Cores that hold a request.
    pub busy_cores: u32,
    /// When the oldest request under way began, monotonic.
    pub oldest_since_us: Option<u64>,
    /// Requests finished.
    pub requests: u64,
    /// Requests whose application failed.
    pub exceptions: u64,
    /// Time within requests, over all cores.
    pub running_us: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Longest of the cores' last waits.
    pub last_wait_us: u64,
    /// Highest of the cores' `avg_rt`.
    pub average_us: u64,
    /// Responses that could not be written.
    pub write_errors: u64,
    /// Requests that could not be read.
    pub read_errors: u64,
}

impl WorkerFigures {
    /// Adds a core, by its line.
    fn add(&mut self, core: &[AtomicU64]) {
        let word = |index: usize| core[index].load(Ordering::Relaxed);
        if let Some(since_us) = CoreState::unpack(core[core_line::STATE].load(Ordering::Acquire)).since_us() {
            self.busy_cores += 1;
            self.oldest_since_us = Some(self.oldest_since_us.map_or(since_us, |oldest| oldest.min(since_us)));
        }
        let (read_errors, write_errors) = unpack_io_errors(word(core_line::IO_ERRORS));
        self.read_errors += u64::from(read_errors);
        self.write_errors += u64::from(write_errors);
        // A broken worker may write anything; a sum must not be what brings the master down.
        self.requests = self.requests.saturating_add(word(core_line::REQUESTS));
        self.exceptions = self.exceptions.saturating_add(word(core_line::EXCEPTIONS));
        self.running_us = self.running_us.saturating_add(word(core_line::RUNNING_US));
        self.sent_bytes = self.sent_bytes.saturating_add(word(core_line::SENT_BYTES));
        self.last_wait_us = self.last_wait_us.max(word(core_line::LAST_WAIT_US));
        self.average_us = self.average_us.max(word(core_line::AVERAGE_US));
    }
}
