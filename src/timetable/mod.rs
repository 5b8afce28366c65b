//! When signals of the application are raised, and to whom they go (uWSGI's manual, "The uWSGI Signal Framework"): what it has
//! registered, its timers and its crons, as the master keeps them. And when commands of the configuration run (`errands`).
//!
//! Decides only: moments come in as arguments, and whoever is to get a signal is named. Pure; used in the master.

mod calendar;
mod cron;
mod errands;
mod table;
mod target;
mod timer;
mod wish;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use worker_protocol::ids::Generation;

pub use self::calendar::WallClock;
pub use self::cron::{CronTime, Served};
pub use self::errands::{CronCommand, Due, End, Errand, Errands};
pub use self::table::{Cron, Table};
pub use self::target::Target;
pub use self::timer::Timer;
pub use self::wish::Wish;

/// What holds now, and what each generation wants that is not in force yet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Timetable {
    of: u32,
    current: Table,
    coming: BTreeMap<u32, Table>,
}

impl Timetable {
    /// Takes in what a process of a generation wants. Whether that is about what holds now.
    pub fn hear(&mut self, generation: Generation, wish: &Wish, now_us: u64) -> bool {
        match generation.0.cmp(&self.of) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => {
                self.current.take(wish, now_us);
                true
            }
            std::cmp::Ordering::Greater => {
                self.coming.entry(generation.0).or_default().take(wish, now_us);
                false
            }
        }
    }

    /// From now on what this generation wants holds. What it has in common with the one before goes on as it was, so that
    /// nothing is raised twice or left out.
    pub fn take_over(&mut self, generation: Generation, now_us: u64) {
        if generation.0 <= self.of {
            return;
        }
        let mut new = self.coming.remove(&generation.0).unwrap_or_default();
        new.succeed(&self.current, now_us);
        self.current = new;
        self.of = generation.0;
        self.coming.retain(|later, _| *later > generation.0);
    }

    /// What holds now.
    pub fn current(&self) -> &Table {
        &self.current
    }

    /// The signals that are due, each as often as it is.
    pub fn fire(&mut self, now_us: u64, clock: WallClock) -> Vec<u8> {
        self.current.fire(now_us, clock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;
    const NOON: WallClock = WallClock { epoch_s: 43_200, offset_s: 0 };

    fn wish(text: &str) -> Wish {
        Wish::read(text.as_bytes()).expect("a wish").1
    }

    #[test]
    fn a_timer_that_a_reload_brings_again_keeps_its_deadline() {
        let mut timetable = Timetable::default();
        timetable.hear(Generation(1), &wish("1 timer 5 10"), 0);
        timetable.take_over(Generation(1), 0);
        assert_eq!(timetable.fire(10 * SECOND, NOON), [5]);
        // The next one is due at 20 s, whatever is loaded until then.
        timetable.hear(Generation(2), &wish("2 timer 5 10"), 18 * SECOND);
        timetable.hear(Generation(2), &wish("2 timer 6 3"), 18 * SECOND);
        assert_eq!(timetable.fire(19 * SECOND, NOON), [0; 0]);
        timetable.take_over(Generation(2), 19 * SECOND);
        assert_eq!(timetable.fire(20 * SECOND, NOON), [5]);
        assert_eq!(timetable.fire(22 * SECOND, NOON), [6], "a new one counts from the moment at which it holds");
    }

    /// From 10 ms to an hour, as many of each order of magnitude; the shorter ones so often that they go on for a while.
    fn thousand_timers() -> Vec<(u64, Option<u32>)> {
        let of = |number: u32| {
            let every_us = (10_000.0 * 360_000_f64.powf(f64::from(number) / 999.0)).round() as u64;
            (every_us, (every_us < 1_500 * SECOND).then_some(40))
        };
        (0..1_000).map(of).collect()
    }

    #[test]
    fn over_three_days_with_reloads_each_of_thousand_timers_goes_off_when_it_is_due_and_never_twice() {
        const END: u64 = 3 * 86_400 * SECOND;
        let timers = thousand_timers();
        let mut timetable = Timetable::default();
        let load = |timetable: &mut Timetable, generation: u32, now_us: u64| {
            for (number, (every_us, times)) in (0..=u8::MAX).cycle().zip(&timers) {
                timetable.hear(Generation(generation), &Wish::Timer(number, *every_us, *times), now_us);
            }
        };
        load(&mut timetable, 1, 0);
        timetable.take_over(Generation(1), 0);
        let mut random = fastrand::Rng::with_seed(7);
        let (mut generation, mut reload_us, mut raised, mut moments) = (1, 0, 0, 0_u32);
        while let Some(now_us) = timetable.current().due_us(0, NOON).filter(|due_us| *due_us <= END) {
            // Reloads, ever more seldom, each of which ends a moment before something is due.
            if now_us > reload_us {
                generation += 1;
                load(&mut timetable, generation, now_us - 1);
                timetable.take_over(Generation(generation), now_us - 1);
                reload_us = now_us + random.u64(1..=now_us / 4);
            }
            // What goes off too often is seen in the sums below; when, here, at so many moments.
            let looks_close = moments.is_multiple_of(16);
            moments += 1;
            if looks_close {
                assert_eq!(timetable.fire(now_us - 1, NOON), [0; 0], "before its time");
            }
            raised += timetable.fire(now_us, NOON).len() as u64;
            if looks_close {
                assert_eq!(timetable.fire(now_us, NOON), [0; 0], "twice");
            }
        }
        assert!(generation > 100, "{generation} generations");
        let times = |every_us: u64, most: Option<u32>| most.map_or(END / every_us, u64::from);
        for (timer, (every_us, most)) in timetable.current().timers().iter().zip(&timers) {
            assert_eq!((timer.every_us, timer.raised), (*every_us, times(*every_us, *most)));
        }
        assert_eq!(raised, timers.iter().map(|(every_us, most)| times(*every_us, *most)).sum::<u64>());
    }

    #[test]
    fn what_a_generation_wants_that_never_holds_is_forgotten() {
        let mut timetable = Timetable::default();
        timetable.take_over(Generation(1), 0);
        timetable.hear(Generation(2), &wish("2 register 7 mules"), 0);
        timetable.hear(Generation(3), &wish("3 register 7 workers"), 0);
        assert_eq!(timetable.current().target(7), Target::AnyWorker);
        timetable.take_over(Generation(3), 0);
        assert_eq!(timetable.current().target(7), Target::Workers);
        assert!(!timetable.hear(Generation(2), &wish("2 register 7 mule"), 0));
        assert_eq!(timetable.current().target(7), Target::Workers);
    }

    #[test]
    fn a_cron_that_a_reload_brings_again_is_not_run_twice_in_its_minute() {
        let mut timetable = Timetable::default();
        timetable.hear(Generation(1), &wish("1 cron 9 0 12 -1 -1 -1"), 0);
        timetable.take_over(Generation(1), 0);
        assert_eq!(timetable.fire(0, NOON), [9]);
        timetable.hear(Generation(2), &wish("2 cron 9 0 12 -1 -1 -1"), SECOND);
        timetable.take_over(Generation(2), SECOND);
        assert_eq!(timetable.fire(2 * SECOND, NOON), [0; 0]);
    }
}
