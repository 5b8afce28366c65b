//! How a new generation on trial takes its share of the connections, and no more.
//!
//! Three words of the line that everyone shares. In the first is which generation is on trial and its share of all
//! connections in 65,536ths; 0: none is. The second counts the connections that were accepted since the trial began, the
//! third those of them that the generation on trial has taken. A connection is *due* to it while it has taken fewer than
//! its share of them all, the one at hand included: that generation accepts only what is due to it, and the others
//! leave it to it for a moment before they take it themselves. So the share is kept however the kernel distributes
//! wake-ups, and a generation on trial that is stuck or gone keeps nobody waiting.
//!
//! The application may write to these words like to all of the memory. What comes of it is a wrong share until the trial
//! ends, which the master decides by its own count of requests. Pure; the master begins and ends, workers count.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::ids::Generation;

/// The whole of the connections.
const WHOLE: u64 = 1 << 16;
const GENERATION_SHIFT: u32 = 32;
const SHARE_MASK: u64 = (1 << GENERATION_SHIFT) - 1;

/// How many words there are.
pub(super) const TRIAL_WORDS: usize = 3;

/// A share of all connections: more than none, at most all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

impl Share {
    /// `part` of `whole`. What is less than a 65,536th counts as one, what is more than all as all.
    pub fn of(part: u32, whole: u32) -> Share {
        let share = (u64::from(part) * WHOLE) / u64::from(whole.max(1));
        Share(u32::try_from(share.clamp(1, WHOLE)).unwrap_or(1))
    }

    /// The same, from 0 to 1.
    pub fn as_fraction(self) -> f64 {
        f64::from(self.0) / WHOLE as f64
    }
}

/// Whose the next connection is, from where a worker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Whoever comes first: there is no trial.
    Anyone,
    /// This worker's generation.
    Ours,
    /// The other side's.
    Theirs,
}

/// The trial that is under way, if one is.
#[derive(Debug, Clone, Copy)]
pub struct Trial<'a> {
    pub(super) words: &'a [AtomicU64],
}

impl Trial<'_> {
    /// Master: from now on this generation has this share.
    pub fn begin(&self, generation: Generation, share: Share) {
        self.end();
        self.divide(generation, share);
    }

    /// Master: the generation on trial has this share of the connections that come from now on.
    pub fn divide(&self, generation: Generation, share: Share) {
        for counter in &self.words[1..TRIAL_WORDS] {
            counter.store(0, Ordering::Relaxed);
        }
        self.words[0].store(u64::from(generation.0) << GENERATION_SHIFT | u64::from(share.0), Ordering::Release);
    }

    /// Master: there is no trial any more.
    pub fn end(&self) {
        self.words[0].store(0, Ordering::Release);
    }

    /// Whether this generation is on trial.
    pub fn is_of(&self, generation: Generation) -> bool {
        self.under_way().is_some_and(|(tried, _)| tried == generation)
    }

    /// Whose the next connection is, for a worker of `generation`.
    #[inline]
    pub fn turn(&self, generation: Generation) -> Turn {
        match self.under_way() {
            None => Turn::Anyone,
            Some((tried, share)) if self.is_due(share) == (tried == generation) => Turn::Ours,
            Some(_) => Turn::Theirs,
        }
    }

    /// A worker of `generation` has accepted a connection.
    #[inline]
    pub fn count(&self, generation: Generation) {
        if let Some((tried, _)) = self.under_way() {
            self.words[1].fetch_add(1, Ordering::Relaxed);
            if tried == generation {
                self.words[2].fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn under_way(&self) -> Option<(Generation, u64)> {
        let word = self.words[0].load(Ordering::Acquire);
        (word != 0).then_some((Generation((word >> GENERATION_SHIFT) as u32), word & SHARE_MASK))
    }

    /// Whether the next connection belongs to the generation on trial.
    fn is_due(&self, share: u64) -> bool {
        let [all, taken] = [1, 2].map(|index: usize| self.words[index].load(Ordering::Relaxed));
        let due = (u128::from(all) + 1) * u128::from(share) / u128::from(WHOLE);
        due > u128::from(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Generation = Generation(4);
    const NEW: Generation = Generation(5);

    fn words() -> Vec<AtomicU64> {
        std::iter::repeat_with(AtomicU64::default).take(TRIAL_WORDS).collect()
    }

    #[test]
    fn without_a_trial_whoever_comes_first_takes_a_connection() {
        let words = words();
        let trial = Trial { words: &words };
        trial.count(OLD);
        assert_eq!((trial.turn(OLD), trial.turn(NEW), trial.is_of(NEW)), (Turn::Anyone, Turn::Anyone, false));
        assert_eq!(words[1].load(Ordering::Relaxed), 0, "nothing is counted, nothing written");
    }

    #[test]
    fn the_generation_on_trial_takes_its_share_to_the_connection() {
        let words = words();
        let trial = Trial { words: &words };
        for (part, whole) in [(1, 100), (1, 10), (1, 5), (1, 2), (2, 3), (1, 1)] {
            trial.begin(NEW, Share::of(part, whole));
            assert!(trial.is_of(NEW) && !trial.is_of(OLD));
            let mut taken = 0;
            for connection in 1..=10_000_u32 {
                let whose = if trial.turn(NEW) == Turn::Ours { NEW } else { OLD };
                assert_eq!(trial.turn(OLD) == Turn::Ours, whose == OLD, "of two sides it is one's");
                trial.count(whose);
                taken += u32::from(whose == NEW);
                assert!(taken.abs_diff(connection * part / whole) <= 1, "{part}/{whole}: {taken} of {connection}");
            }
        }
        trial.end();
        assert_eq!(trial.turn(OLD), Turn::Anyone);
    }

    #[test]
    fn another_share_counts_from_its_beginning_and_no_worker_sees_an_end() {
        let words = words();
        let trial = Trial { words: &words };
        trial.begin(NEW, Share::of(1, 2));
        (0..500).for_each(|_| trial.count(NEW));
        trial.divide(NEW, Share::of(1, 10));
        assert!(trial.is_of(NEW));
        let mut taken = 0;
        for _ in 0..100 {
            let whose = if trial.turn(NEW) == Turn::Ours { NEW } else { OLD };
            trial.count(whose);
            taken += u32::from(whose == NEW);
        }
        assert!((9..=10).contains(&taken), "{taken} of 100");
    }

    #[test]
    fn what_it_could_not_take_stays_due() {
        let words = words();
        let trial = Trial { words: &words };
        trial.begin(NEW, Share::of(1, 10));
        (0..100).for_each(|_| trial.count(OLD));
        for _ in 0..11 {
            assert_eq!(trial.turn(NEW), Turn::Ours);
            trial.count(NEW);
        }
        assert_eq!(trial.turn(NEW), Turn::Theirs);
    }

    #[test]
    fn words_that_nobody_of_ours_has_written_are_survived() {
        let words = words();
        let trial = Trial { words: &words };
        for wild in [u64::MAX, 1, 1 << 63] {
            words.iter().for_each(|word| word.store(wild, Ordering::Relaxed));
            let _ = (trial.turn(OLD), trial.is_of(NEW));
            trial.count(NEW);
        }
    }
}
