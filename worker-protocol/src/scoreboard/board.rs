//! The whole memory: made by the master, attached to by workers, and the correction of its counter after a death.

use std::sync::atomic::{AtomicU64, Ordering};

use super::capacity::{CORES_MAX, Capacity};
use super::layout::{CAPACITY_WORD, Error, Layout, MAGIC, NOTICES_WORD, TRIAL_WORD, USED_WORD};
use super::master::MasterSeat;
use super::notices::Notices;
use super::trial::{TRIAL_WORDS, Trial};
use super::worker::WorkerSeat;
use crate::ids::{Life, Seat};

/// How often [`Scoreboard::resync`] counts before it gives up.
pub const RESYNC_ATTEMPTS_MAX: usize = 16;

/// The whole memory. Cheap to copy; all views borrow the same words.
///
/// ```
/// use std::sync::atomic::AtomicU64;
/// use worker_protocol::ids::{Life, Seat};
/// use worker_protocol::scoreboard::{CoreState, Layout, Scoreboard, Served};
///
/// let layout = Layout::new(2, 1)?;
/// let memory: Vec<AtomicU64> = (0..layout.words()).map(|_| AtomicU64::new(0)).collect();
/// let (masters, workers) = (Scoreboard::create(&memory, layout)?, Scoreboard::attach(&memory)?);
///
/// let seat = workers.worker(Seat(1)).expect("the second seat");
/// seat.take(Life(7));
/// let core = seat.core(0).expect("its only thread");
/// core.begin_request(1_000);
/// let seen = masters.master(Seat(1)).expect("the same seat");
/// assert_eq!(seen.core_state(0), Some(CoreState::Busy { since_us: 1_000 }));
/// core.end_request(1_500, Served::default());
/// assert_eq!(seen.core_state(0), Some(CoreState::Idle));
/// # Ok::<(), worker_protocol::scoreboard::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Scoreboard<'a> {
    layout: Layout,
    words: &'a [AtomicU64],
}

impl<'a> Scoreboard<'a> {
    /// Master: writes the header into fresh memory, which must be all zero.
    pub fn create(words: &'a [AtomicU64], layout: Layout) -> Result<Scoreboard<'a>, Error> {
        let board = Scoreboard::fit(words, layout)?;
        board.write_header();
        Ok(board)
    }

    /// Writes the header once more, for whoever attaches by it: an application may have overwritten it.
    pub fn write_header(&self) {
        let header =
            [u64::from(self.layout.seats()), u64::from(self.layout.threads()), self.layout.seat_words() as u64];
        for (word, value) in self.words[1..].iter().zip(header) {
            word.store(value, Ordering::Relaxed);
        }
        self.words[0].store(MAGIC, Ordering::Release);
    }

    /// For who knows the layout from elsewhere: what the header says by now counts for nothing.
    pub fn fit(words: &'a [AtomicU64], layout: Layout) -> Result<Scoreboard<'a>, Error> {
        let needed = layout.words();
        if words.len() < needed {
            return Err(Error::TooSmall { words: words.len(), needed });
        }
        Ok(Scoreboard { layout, words })
    }

    /// Worker: finds the layout in the header.
    pub fn attach(words: &'a [AtomicU64]) -> Result<Scoreboard<'a>, Error> {
        let word = |index: usize| words.get(index).map_or(0, |word| word.load(Ordering::Acquire));
        if word(0) != MAGIC {
            return Err(Error::Magic { found: word(0) });
        }
        let narrow = |wide: u64| u32::try_from(wide).unwrap_or(u32::MAX);
        Scoreboard::fit(words, Layout::new(narrow(word(1)), narrow(word(2)))?)
    }

    /// How the memory is laid out.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The counter of busy cores, and the master's wish to be woken.
    pub fn capacity(&self) -> Capacity<'a> {
        Capacity { word: &self.words[CAPACITY_WORD] }
    }

    /// What is told once for each instance.
    pub fn notices(&self) -> Notices<'a> {
        Notices { word: &self.words[NOTICES_WORD] }
    }

    /// Which generation is on trial, and its share of the connections.
    pub fn trial(&self) -> Trial<'a> {
        Trial { words: &self.words[TRIAL_WORD..TRIAL_WORD + TRIAL_WORDS] }
    }

    /// Master: a seat is about to be used.
    pub fn use_seat(&self, seat: Seat) {
        self.words[USED_WORD].fetch_max(u64::from(seat.0).saturating_add(1), Ordering::Relaxed);
    }

    /// The seats that have ever been used, or may have been: whoever looks at all of them looks at no others.
    pub fn used_seats(&self) -> impl Iterator<Item = Seat> + use<> {
        let seats = self.layout.seats();
        let used = self.words[USED_WORD].load(Ordering::Relaxed);
        let used = u32::try_from(used).ok().filter(|used| (1..=seats).contains(used)).unwrap_or(seats);
        (0..used).map(Seat)
    }

    /// The worker's side of a seat; `None` beyond the last one.
    pub fn worker(&self, seat: Seat) -> Option<WorkerSeat<'a>> {
        let (words, descriptions) = (self.seat(seat)?, self.descriptions(seat)?);
        Some(WorkerSeat { words, descriptions, capacity: self.capacity() })
    }

    /// The master's side of a seat; `None` beyond the last one.
    pub fn master(&self, seat: Seat) -> Option<MasterSeat<'a>> {
        Some(MasterSeat { words: self.seat(seat)?, descriptions: self.descriptions(seat)? })
    }

    fn seat(&self, seat: Seat) -> Option<&'a [AtomicU64]> {
        let start = self.layout.seat_start(seat)?;
        self.words.get(start..start + self.layout.seat_words())
    }

    fn descriptions(&self, seat: Seat) -> Option<&'a [AtomicU64]> {
        self.words.get(self.layout.descriptions(seat)?)
    }

    /// Master: corrects the counter of busy cores after a death, as the module's page explains. `living` are the seats
    /// of workers that run, with their lives; it is gone over once for each attempt.
    ///
    /// The number of busy cores, or `None` when in [`RESYNC_ATTEMPTS_MAX`] attempts some core was always just beginning
    /// or ending: ask again later.
    pub fn resync(&self, living: impl Iterator<Item = (Seat, Life)> + Clone) -> Option<u32> {
        (0..RESYNC_ATTEMPTS_MAX).find_map(|_| self.try_resync(living.clone()))
    }

    fn try_resync(&self, mut living: impl Iterator<Item = (Seat, Life)>) -> Option<u32> {
        let capacity = self.capacity();
        let before = capacity.word.load(Ordering::Acquire);
        let busy = living.try_fold(0, |sum: u32, (seat, life)| {
            let cores = self.master(seat).map_or(Some(0), |seat| seat.busy_settled(life))?;
            sum.checked_add(cores).filter(|&sum| sum <= CORES_MAX)
        })?;
        capacity.replace_busy(before, busy).then_some(busy)
    }
}
