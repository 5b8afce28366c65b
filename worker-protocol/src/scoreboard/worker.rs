//! The worker's side of its seat: what it and its threads write, and the order that it reads.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use super::capacity::Capacity;
use super::description;
use super::histogram::bucket;
use super::layout::{DESCRIPTION_WORDS, LINE_WORDS};
use super::words::{CoreState, Presence, SeatOrder, core_line, core_words, master_line, unpack_io_errors, worker_line};
use crate::ids::Life;
use crate::post::Post;

/// The worker's side of its seat: it writes its own lines and reads the order.
#[derive(Debug, Clone, Copy)]
pub struct WorkerSeat<'a> {
    pub(super) words: &'a [AtomicU64],
    pub(super) descriptions: &'a [AtomicU64],
    pub(super) capacity: Capacity<'a>,
}

impl<'a> WorkerSeat<'a> {
    /// The first thing a new worker does: sets its lines to zero and says which life it is. A predecessor may have died
    /// in the middle of a request; the master has read its figures when it reaped it.
    pub fn take(&self, life: Life) {
        for word in &self.words[LINE_WORDS..] {
            word.store(0, Ordering::Relaxed);
        }
        self.descriptions.chunks(DESCRIPTION_WORDS).for_each(description::clear);
        self.words[worker_line::LIFE].store(life.0, Ordering::Release);
    }

    /// Says which process it is, its post, and the how many-th in that.
    pub fn set_identity(&self, process: u32, post: Post, nth: u32) {
        self.words[worker_line::PROCESS].store(process.into(), Ordering::Relaxed);
        self.words[worker_line::NUMBER].store(u64::from(post.pack()) | u64::from(nth) << 32, Ordering::Relaxed);
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

    /// Says by when it looks at its deadlines again; `None`: it has none.
    pub fn set_look_due_us(&self, look_due_us: Option<u64>) {
        self.words[worker_line::LOOK_DUE_US].store(look_due_us.unwrap_or(0), Ordering::Release);
    }

    /// The master's order. One for another life is none: `Run`.
    pub fn order(&self, life: Life) -> SeatOrder {
        match SeatOrder::unpack(self.words[master_line::ORDER].load(Ordering::Acquire)) {
            (order, meant) if meant == life => order,
            _ => SeatOrder::Run,
        }
    }

    /// The line of thread `index`, for that thread alone; `None` beyond the last one.
    pub fn core(&self, index: usize) -> Option<Core<'a>> {
        let words = core_words(self.words, index)?;
        Some(Core {
            words,
            description: self.descriptions.chunks(DESCRIPTION_WORDS).nth(index)?,
            capacity: self.capacity,
        })
    }
}

/// What a thread says of a request that it has finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Served {
    /// Bytes sent, head included.
    pub sent_bytes: u64,
    /// Whether a file was the answer, and no application was asked.
    pub statically: bool,
    /// Whether another thread sends the rest of the answer.
    pub offloaded: bool,
    /// Whether the application failed: an exception, a panic.
    pub exception: bool,
    /// Whether its answer says that the server is at fault (a status of 500 or more), or the application failed.
    pub failed: bool,
    /// Whether reading the request failed.
    pub read_error: bool,
    /// Whether writing the response failed.
    pub write_error: bool,
}

/// One thread's line. Only that thread may call its setters.
#[derive(Debug, Clone, Copy)]
pub struct Core<'a> {
    words: &'a [AtomicU64],
    description: &'a [AtomicU64],
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
    #[inline(always)]
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
    pub fn count_wait(&self, wait_us: u64) {
        self.words[core_line::LAST_WAIT_US].store(wait_us, Ordering::Relaxed);
        self.add(core_line::WAITS + bucket(wait_us), 1);
        self.add(core_line::WAITED_US, wait_us);
    }

    /// What the request under way is about, until it is over.
    pub fn describe_request<'p>(&self, pieces: impl IntoIterator<Item = &'p [u8]>) {
        description::write(self.description, pieces);
    }

    /// Requests of this core in this life, for `max-requests`.
    pub fn requests(&self) -> u64 {
        self.words[core_line::REQUESTS].load(Ordering::Relaxed)
    }

    /// Requests of this core that could not be read, and responses that could not be written, in this life.
    pub fn io_errors(&self) -> (u32, u32) {
        unpack_io_errors(self.words[core_line::IO_ERRORS].load(Ordering::Relaxed))
    }

    #[inline(always)]
    fn leave(&self, since_us: u64) {
        description::clear(self.description);
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

    #[inline(always)]
    fn account(&self, took_us: u64, served: Served) {
        let Served { sent_bytes, statically, offloaded, exception, failed, read_error, write_error } = served;
        self.add(core_line::REQUESTS, 1);
        self.add(core_line::RUNNING_US, took_us);
        self.add(core_line::DURATIONS + bucket(took_us), 1);
        self.add(core_line::SENT_BYTES, sent_bytes);
        // uWSGI's `avg_rt`, no mean: half the old value, half the new (uWSGI's manual, "The uWSGI Stats Server").
        let average = &self.words[core_line::AVERAGE_US];
        average.store(average.load(Ordering::Relaxed).saturating_add(took_us) / 2, Ordering::Relaxed);
        if statically {
            self.add(core_line::STATIC_REQUESTS, 1);
        }
        if offloaded {
            self.add(core_line::OFFLOADED_REQUESTS, 1);
        }
        if exception {
            self.add(core_line::EXCEPTIONS, 1);
        }
        if failed {
            self.add(core_line::FAILURES, 1);
        }
        if read_error || write_error {
            let (read_errors, write_errors) = self.io_errors();
            let (read_errors, write_errors) =
                (read_errors.saturating_add(read_error.into()), write_errors.saturating_add(write_error.into()));
            let both = u64::from(read_errors) << 32 | u64::from(write_errors);
            self.words[core_line::IO_ERRORS].store(both, Ordering::Relaxed);
        }
    }

    /// Adds to a word that only this thread writes, so that no read-modify-write is needed.
    fn add(&self, index: usize, amount: u64) {
        let word = &self.words[index];
        word.store(word.load(Ordering::Relaxed).saturating_add(amount), Ordering::Relaxed);
    }
}
