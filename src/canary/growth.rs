//! Do workers of the new generation take more memory than those of the old one, and ever more?
//!
//! Every worker grows while it is young: it writes to pages that it shared, imports late, fills its caches. So growth alone
//! says nothing. The new generation is refused for it only when two things come together at the end of the trial. Its workers
//! hold more than the largest of the old ones that has answered more requests in its life: no worker of equal code does,
//! however it grows with its requests. And in the second half of the trial's requests they have grown further, by more for each
//! request than the old ones at the same time, in nearly all of sixteen parts: where both grow alike, one is as likely ahead as
//! the other in each part, so that this happens by chance in fewer than three of ten thousand trials (the sign test; Dixon
//! and Mood, "The statistical sign test", Journal of the American Statistical Association 41, 1946). Pure.

/// By so much more must a worker hold: a quarter, and what an allocator takes at a time.
const MATTERS: f64 = 1.25;
const MATTERS_BYTES: f64 = (4 << 20) as f64;

/// Parts of the second half.
const PARTS: u64 = 16;

/// In how many of them the new generation must have grown by more: 17 of 65,536 by chance.
const AHEAD: usize = 15;

/// Most looks that are kept: of twice as many every second one is.
const LOOKS_MAX: usize = 1_024;

/// What workers of one side hold at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Holding {
    /// How many were looked at.
    pub(crate) workers: u64,
    /// Memory of their own, all together.
    pub(crate) bytes: u64,
    /// The same of the one that holds most.
    pub(crate) most_bytes: u64,
    /// The most requests that one of them has answered in its life.
    pub(crate) most_requests: u64,
}

impl Holding {
    /// One worker more.
    pub(crate) fn add(&mut self, bytes: u64, requests: u64) {
        self.workers = self.workers.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
        self.most_bytes = self.most_bytes.max(bytes);
        self.most_requests = self.most_requests.max(requests);
    }

    fn mean(&self) -> f64 {
        self.bytes as f64 / self.workers.max(1) as f64
    }
}

/// One side at one look: what its workers hold, and what all of them have answered since the trial began.
type Side = (Holding, u64);

/// How both sides have grown so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Growth {
    looks: Vec<[Side; 2]>,
}

impl Growth {
    /// A look at both sides, the old one first.
    pub(super) fn note(&mut self, old: Side, new: Side) {
        self.looks.push([old, new]);
        if self.looks.len() >= 2 * LOOKS_MAX {
            let mut kept = false;
            self.looks.retain(|_| {
                kept = !kept;
                kept
            });
        }
    }

    /// The sentence that says how the new generation grows; `None` when it does not, or when that cannot be told.
    pub(super) fn grows(&self) -> Option<String> {
        let [(old, _), (new, requests)] = *self.looks.last()?;
        let larger = new.mean() > MATTERS * old.most_bytes as f64 + MATTERS_BYTES;
        if !larger || old.workers == 0 || new.most_requests > old.most_requests {
            return None;
        }
        let bounds = self.bounds(requests)?;
        let ahead = bounds.windows(2).filter(|part| gain(part, 1) > gain(part, 0).max(0.0)).count();
        let whole = [*bounds.first()?, *bounds.last()?];
        (ahead >= AHEAD).then(|| {
            format!(
                "its workers hold {} of their own and gain {:.1} kB with each request; of the old generation's, which have \
                 answered more, none holds more than {}",
                Mebibytes(new.mean()),
                gain(&whole, 1) / 1e3,
                Mebibytes(old.most_bytes as f64)
            )
        })
    }

    /// The looks between the parts of the second half of so many requests; `None` when there were too few.
    fn bounds(&self, requests: u64) -> Option<Vec<[Side; 2]>> {
        let mut from = 0;
        let mut bounds = Vec::with_capacity(PARTS as usize + 1);
        for part in 0..=PARTS {
            // A half and so many of its sixteenths.
            let wanted = requests / 2 + requests.div_ceil(2).saturating_mul(part) / PARTS;
            let index = from + self.looks.get(from..)?.iter().position(|[_, (_, done)]| *done >= wanted)?;
            bounds.push(self.looks[index]);
            from = index + 1;
        }
        Some(bounds)
    }
}

/// By how many bytes the workers of a side have grown with each request between the first look and the last.
fn gain(looks: &[[Side; 2]], side: usize) -> f64 {
    let (Some(first), Some(last)) = (looks.first(), looks.last()) else { return 0.0 };
    let ((before, done_before), (after, done)) = (first[side], last[side]);
    let requests = done.saturating_sub(done_before).max(1) as f64;
    (after.mean() - before.mean()) * after.workers as f64 / requests
}

/// A size for people.
struct Mebibytes(f64);

impl std::fmt::Display for Mebibytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} MiB", self.0 / f64::from(1 << 20))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How a worker grows: what it holds at first, what its youth adds and within how many requests most of it, and what each
    /// request leaks.
    #[derive(Clone, Copy)]
    struct Nature {
        born: f64,
        youth: f64,
        within: f64,
        leak: f64,
    }

    /// Django's, as far as its youth goes.
    const PAGES: Nature = Nature { born: 20e6, youth: 15e6, within: 300.0, leak: 0.0 };

    struct World {
        dice: fastrand::Rng,
        /// Memory is taken from the system in pieces of this size.
        piece: f64,
    }

    impl World {
        /// What a worker holds after so many requests of its life; `luck` is its own.
        fn held(&mut self, nature: Nature, requests: f64, luck: f64) -> u64 {
            let youth = nature.youth * (1.0 - (-requests / nature.within).exp());
            let noise = self.dice.f64() * 64e3;
            let bytes = nature.born + luck * (youth + nature.leak * requests) + noise;
            ((bytes / self.piece).ceil() * self.piece) as u64
        }

        /// What is told at the end of a trial of so many looks, in each of which a worker of the canary answers 50 requests.
        fn trial(&mut self, looks: u64, [old, new]: [Nature; 2], old_age: f64) -> Option<String> {
            let mut growth = Growth::default();
            let luck: Vec<f64> = (0..9).map(|_| 0.9 + 0.2 * self.dice.f64()).collect();
            for look in 0..=looks {
                let done = 50 * look;
                let mut sides = [Holding::default(); 2];
                for worker in &luck[1..] {
                    let requests = old_age + done as f64;
                    sides[0].add(self.held(old, requests, *worker), requests as u64);
                }
                sides[1].add(self.held(new, done as f64, luck[0]), done);
                growth.note((sides[0], 8 * done), (sides[1], done));
            }
            growth.grows()
        }
    }

    #[test]
    fn of_equal_generations_less_than_one_in_a_thousand_is_refused_however_they_grow() {
        let slow_youth = Nature { within: 5_000.0, youth: 80e6, ..PAGES };
        let both_leak = Nature { leak: 20e3, ..PAGES };
        let mut refused = Vec::new();
        for nature in [PAGES, slow_youth, both_leak] {
            for (piece, old_age) in [(4e3, 50_000.0), (256e3, 50_000.0), (4e3, 0.0), (1e6, 0.0)] {
                let mut world = World { dice: fastrand::Rng::with_seed(22), piece };
                refused.push((0..250).filter(|_| world.trial(60, [nature; 2], old_age).is_some()).count());
            }
        }
        assert!(refused.iter().sum::<usize>() <= 3, "of 250 each: {refused:?}");
    }

    #[test]
    fn one_that_keeps_twenty_kilobytes_of_each_request_is_told_of() {
        for piece in [4e3, 256e3] {
            let mut world = World { dice: fastrand::Rng::with_seed(22), piece };
            let leaks = [PAGES, Nature { leak: 20e3, ..PAGES }];
            let found = (0..200).filter(|_| world.trial(60, leaks, 50_000.0).is_some()).count();
            assert!(found >= 180, "in pieces of {piece}: {found} of 200");
        }
        let mut world = World { dice: fastrand::Rng::with_seed(22), piece: 4e3 };
        let told = world.trial(60, [PAGES, Nature { leak: 100e3, ..PAGES }], 50_000.0).expect("it is told of");
        assert!(told.starts_with("its workers hold 3") && told.contains(" with each request; "), "{told}");
    }

    #[test]
    fn a_larger_one_that_does_not_grow_any_more_passes() {
        let mut world = World { dice: fastrand::Rng::with_seed(22), piece: 4e3 };
        let larger = Nature { born: 90e6, ..PAGES };
        let told = (0..200).filter(|_| world.trial(60, [PAGES, larger], 50_000.0).is_some()).count();
        assert_eq!(told, 0);
    }

    #[test]
    fn nothing_is_said_after_a_short_trial_or_beside_younger_workers() {
        let leaks = [PAGES, Nature { leak: 500e3, ..PAGES }];
        let mut world = World { dice: fastrand::Rng::with_seed(22), piece: 4e3 };
        assert_eq!(world.trial(20, leaks, 50_000.0), None);
        assert!(world.trial(60, leaks, 50_000.0).is_some());
        let mut growth = Growth::default();
        (0..60).for_each(|look| {
            let [mut old, mut new] = [Holding::default(); 2];
            old.add(20 << 20, look);
            new.add((30 << 20) + (look << 20), 10 * look);
            growth.note((old, 10 * look), (new, 10 * look));
        });
        assert_eq!(growth.grows(), None, "they have answered less in their lives");
    }

    #[test]
    fn long_trials_are_kept_in_bounds_and_absurd_figures_survived() {
        let mut growth = Growth::default();
        for look in 0..10_000 {
            growth.note((Holding::default(), look), (Holding::default(), u64::MAX - look));
        }
        assert!(growth.looks.len() < 2 * LOOKS_MAX);
        let absurd = Holding { workers: 1, bytes: u64::MAX, most_bytes: 0, most_requests: 0 };
        growth.note((absurd, u64::MAX), (absurd, u64::MAX));
        assert_eq!(growth.grows(), None);
    }
}
