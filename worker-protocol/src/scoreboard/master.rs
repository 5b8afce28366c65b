//! The master's side of a seat: the order that it writes, and all that it may read. It has no setter in common with the
//! worker's side.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use super::description;
use super::histogram::{BUCKETS, Histogram};
use super::layout::{CORE_LINES, DESCRIPTION_WORDS, LINE_WORDS, SEAT_HEAD_LINES};
use super::words::{CoreState, Presence, SeatOrder, core_line, core_words, master_line, unpack_io_errors, worker_line};
use crate::ids::Life;
use crate::post::Post;

/// The master's side of a seat: it writes the order and reads everything.
#[derive(Debug, Clone, Copy)]
pub struct MasterSeat<'a> {
    pub(super) words: &'a [AtomicU64],
    pub(super) descriptions: &'a [AtomicU64],
}

impl MasterSeat<'_> {
    /// Orders the worker of one life; any other does not feel meant. See [`WorkerSeat::set_presence`](super::WorkerSeat::set_presence).
    pub fn set_order(&self, order: SeatOrder, life: Life) {
        self.words[master_line::ORDER].store(order.pack(life), Ordering::Release);
        fence(Ordering::SeqCst);
    }

    /// Whether the worker of this life has taken the seat.
    pub fn is_taken_by(&self, life: Life) -> bool {
        self.words[worker_line::LIFE].load(Ordering::Acquire) == life.0
    }

    /// Whether the worker takes requests, as it says itself.
    pub fn presence(&self) -> Presence {
        Presence::from_flags(self.words[worker_line::FLAGS].load(Ordering::Acquire))
    }

    /// By when the worker wants to have looked at its deadlines again, monotonic; `None`: it has none.
    pub fn look_due_us(&self) -> Option<u64> {
        Some(self.words[worker_line::LOOK_DUE_US].load(Ordering::Acquire)).filter(|due_us| *due_us > 0)
    }

    /// How many cores the seat has.
    pub fn cores(&self) -> usize {
        (self.words.len() / LINE_WORDS).saturating_sub(SEAT_HEAD_LINES) / CORE_LINES
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
            post: Post::unpack(word(worker_line::NUMBER) as u32).filter(|post| post.number > 0),
            nth: (word(worker_line::NUMBER) >> 32) as u32,
            ..WorkerFigures::default()
        };
        for core in (0..self.cores()).filter_map(|index| core_words(self.words, index)) {
            figures.add(core);
        }
        figures
    }

    /// Who has written what stands here: its post, and the how many-th in it. Nobody, while the next one has not begun.
    pub fn author(&self) -> Option<(Post, u32)> {
        let word = self.words[worker_line::NUMBER].load(Ordering::Relaxed);
        let post = Post::unpack(word as u32).filter(|post| post.number > 0)?;
        Some((post, (word >> 32) as u32))
    }

    /// Requests answered, alone: each line of the log tells how many all workers have.
    pub fn requests(&self) -> u64 {
        let cores = (0..self.cores()).filter_map(|index| core_words(self.words, index));
        cores.map(|core| core[core_line::REQUESTS].load(Ordering::Relaxed)).fold(0, u64::saturating_add)
    }

    /// What a core has done; `None` beyond the last one.
    pub fn core_figures(&self, index: usize) -> Option<CoreFigures> {
        core_words(self.words, index).map(CoreFigures::of)
    }

    /// What the request of a core is about, where that is written down; `None` when it has none.
    pub fn description(&self, index: usize) -> Option<Vec<u8>> {
        description::read(self.descriptions.chunks(DESCRIPTION_WORDS).nth(index)?)
    }

    /// Makes the seat ready for the next worker while nobody sits in it, so that nothing of the last one is taken for
    /// something of the next.
    pub fn vacate(&self) {
        for word in &self.words[LINE_WORDS..] {
            word.store(0, Ordering::Relaxed);
        }
        self.descriptions.chunks(DESCRIPTION_WORDS).for_each(description::clear);
    }

    /// Busy cores of the worker of this life, 0 if another one sits here; `None` while one is just beginning or ending.
    pub(super) fn busy_settled(&self, life: Life) -> Option<u32> {
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
    /// Its post; `None` if nobody has taken the seat yet.
    pub post: Option<Post>,
    /// The how many-th in its post it is, from 1.
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

/// What a thread has done in its worker's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CoreFigures {
    /// Whether it has a request.
    pub is_busy: bool,
    /// When that began, monotonic.
    pub since_us: Option<u64>,
    /// Requests finished.
    pub requests: u64,
    /// Those of them that a file was the answer to.
    pub static_requests: u64,
    /// Those of which another thread sent the rest of the answer.
    pub offloaded_requests: u64,
    /// Requests whose answer said that the server is at fault, or whose application failed.
    pub failures: u64,
    /// Responses that could not be written.
    pub write_errors: u64,
    /// Requests that could not be read.
    pub read_errors: u64,
    /// How long its requests took.
    pub durations: Histogram,
    /// How long they had waited, where the web server tells when they came.
    pub waits: Histogram,
}

impl CoreFigures {
    fn of(core: &[AtomicU64]) -> Self {
        let word = |index: usize| core[index].load(Ordering::Relaxed);
        let since_us = CoreState::unpack(core[core_line::STATE].load(Ordering::Acquire)).since_us();
        let (read_errors, write_errors) = unpack_io_errors(word(core_line::IO_ERRORS));
        let counts = |start: usize| std::array::from_fn::<u64, BUCKETS, _>(|bucket| word(start + bucket));
        Self {
            is_busy: since_us.is_some(),
            since_us,
            requests: word(core_line::REQUESTS),
            static_requests: word(core_line::STATIC_REQUESTS),
            offloaded_requests: word(core_line::OFFLOADED_REQUESTS),
            failures: word(core_line::FAILURES),
            write_errors: write_errors.into(),
            read_errors: read_errors.into(),
            durations: Histogram { counts: counts(core_line::DURATIONS), sum_us: word(core_line::RUNNING_US) },
            waits: Histogram { counts: counts(core_line::WAITS), sum_us: word(core_line::WAITED_US) },
        }
    }
}
