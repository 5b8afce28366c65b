//! Where a test that draws lots takes its seeds from: so many from a first one in an ordinary run, from any seed on and
//! for as long as one likes in `make soak`. A failure names its seed and how to run it again.
//!
//! | variable | means |
//! | --- | --- |
//! | `TEST_SEED` | the first seed |
//! | `TEST_SEEDS` | how many |
//! | `TEST_SECONDS` | not so many, but for so long; for a test of a time: for so long |

use std::any::Any;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, thread};

/// The seeds of one run of a test. Each is given out once.
#[derive(Debug)]
pub struct Seeds {
    first: u64,
    given: AtomicU64,
    end: End,
    usual: bool,
}

#[derive(Debug, Clone, Copy)]
enum End {
    After(u64),
    At(Instant),
}

impl Seeds {
    /// `count` seeds from 1 on, unless the environment says otherwise.
    ///
    /// # Panics
    /// When it says something that is no number.
    pub fn of_this_run(count: u64) -> Self {
        Self::chosen(count, variable("TEST_SEED"), variable("TEST_SEEDS"), variable("TEST_SECONDS"))
    }

    fn chosen(usual: u64, first: Option<u64>, count: Option<u64>, seconds: Option<u64>) -> Self {
        let end = match (seconds, count) {
            (Some(seconds), _) => End::At(Instant::now() + Duration::from_secs(seconds)),
            (None, count) => End::After(count.unwrap_or(usual)),
        };
        let is_usual = first.is_none() && count.is_none() && seconds.is_none();
        Seeds { first: first.unwrap_or(1), given: AtomicU64::new(0), end, usual: is_usual }
    }

    /// Whether nothing was asked for: only the usual seeds together have to bring about everything that a test expects to
    /// see at least once.
    pub fn are_usual(&self) -> bool {
        self.usual
    }

    /// How many were given out.
    pub fn given(&self) -> u64 {
        self.given.load(Ordering::Relaxed)
    }

    fn next(&self) -> Option<u64> {
        if let End::At(when) = self.end
            && Instant::now() >= when
        {
            return None;
        }
        let given = self.given.fetch_add(1, Ordering::Relaxed);
        match self.end {
            End::After(count) if given >= count => {
                self.given.fetch_sub(1, Ordering::Relaxed);
                None
            }
            _ => Some(self.first.wrapping_add(given)),
        }
    }

    /// Tries seed after seed, on as many threads as there are processors; each thread's `S` remembers what it likes. All
    /// of those are returned.
    ///
    /// # Panics
    /// When a try fails or panics, with its seed. No other seed is begun then.
    pub fn try_all<S: Default + Send>(&self, one: impl Fn(&mut S, u64) -> Result<(), String> + Sync) -> Vec<S> {
        let (failed, one) = (AtomicBool::new(false), &one);
        let share = || {
            let mut memory = S::default();
            while !failed.load(Ordering::Relaxed)
                && let Some(seed) = self.next()
            {
                let outcome = catch_unwind(AssertUnwindSafe(|| one(&mut memory, seed)));
                if let Some(failure) = failure_of(outcome) {
                    failed.store(true, Ordering::Relaxed);
                    return Err(named(seed, &failure));
                }
            }
            Ok(memory)
        };
        let threads = thread::available_parallelism().map_or(1, |count| count.get());
        let outcomes: Vec<Result<S, String>> = thread::scope(|scope| {
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(share)).collect();
            running.into_iter().map(|thread| thread.join().expect("every try is caught")).collect()
        });
        let memories = outcomes.into_iter().collect::<Result<_, _>>().unwrap_or_else(|failure| panic!("{failure}"));
        self.say();
        memories
    }

    /// Tries seed after seed, here, for what cannot be done twice at once.
    ///
    /// # Panics
    /// When a try panics, with its seed.
    pub fn try_in_turn(&self, mut one: impl FnMut(u64)) {
        while let Some(seed) = self.next() {
            let outcome = catch_unwind(AssertUnwindSafe(|| one(seed)));
            if let Some(failure) = failure_of(outcome.map(Ok)) {
                panic!("{}", named(seed, &failure));
            }
        }
        self.say();
    }

    fn say(&self) {
        println!("{} seeds from {} on", self.given(), self.first);
    }
}

/// How long a test goes on that draws no lots but is about a time: `TEST_SECONDS`, or the usual ones.
///
/// # Panics
/// When the environment says something that is no number.
pub fn seconds_of_this_run(usual: u64) -> Duration {
    Duration::from_secs(variable("TEST_SECONDS").unwrap_or(usual))
}

/// `name=N` of the environment.
fn variable<T: FromStr<Err: Debug>>(name: &str) -> Option<T> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, which is no number")))
}

fn failure_of(outcome: Result<Result<(), String>, Box<dyn Any + Send>>) -> Option<String> {
    match outcome {
        Ok(outcome) => outcome.err(),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Some(text.unwrap_or("a panic without words").to_owned())
        }
    }
}

fn named(seed: u64, failure: &str) -> String {
    format!("seed {seed} (again: TEST_SEED={seed} TEST_SEEDS=1): {failure}")
}

#[cfg(test)]
mod tests {
    use super::Seeds;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn seen(seeds: &Seeds) -> Vec<u64> {
        let each = seeds.try_all(|seen: &mut Vec<u64>, seed| {
            seen.push(seed);
            Ok(())
        });
        let mut all = each.concat();
        all.sort_unstable();
        all
    }

    fn said(run: impl FnOnce()) -> String {
        let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("it fails");
        *panic.downcast::<String>().expect("a message")
    }

    #[test]
    fn each_seed_is_given_out_once() {
        let usual = Seeds::chosen(100, None, None, None);
        assert_eq!(seen(&usual), (1..=100).collect::<Vec<_>>());
        assert!(usual.are_usual() && usual.given() == 100);
    }

    #[test]
    fn they_go_on_from_a_given_one() {
        let chosen = Seeds::chosen(100, Some(7), Some(3), None);
        assert_eq!((seen(&chosen), chosen.are_usual()), (vec![7, 8, 9], false));
    }

    #[test]
    fn they_end_with_the_time() {
        assert_eq!(seen(&Seeds::chosen(100, None, Some(5), Some(0))), [0_u64; 0]);
    }

    #[test]
    fn a_failure_and_a_panic_name_their_seed() {
        let failing = || Seeds::chosen(50, None, None, None);
        let refused = said(|| {
            failing().try_all(|(): &mut (), seed| if seed == 31 { Err("no".to_owned()) } else { Ok(()) });
        });
        assert_eq!(refused, "seed 31 (again: TEST_SEED=31 TEST_SEEDS=1): no");
        let panicked = said(|| failing().try_in_turn(|seed| assert_ne!(seed, 4, "four")));
        assert!(panicked.starts_with("seed 4 (again: TEST_SEED=4 TEST_SEEDS=1): ") && panicked.contains("four"));
    }
}
