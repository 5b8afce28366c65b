//! When a cron is due (uWSGI's manual, "The uWSGI cron-like interface"), each minute once whatever the clock does.
//!
//! One whose hour is fixed goes by what local clocks show: of an hour that there is twice it has had the first, and what it
//! would have had in an hour that is left out, it gets right after that. All others go by how much time has passed: a clock that
//! is set back does not hold them up. Minutes that were missed, in a leap of the clock or a stall of up to three hours, are made up
//! for by one run; after a longer one only the present minute counts. Pure; used in the master.

use serde::{Deserialize, Serialize};

use super::calendar::{Civil, WallClock};

/// The longest leap that is made up for, in minutes: no change to or from summer time is longer.
const LEAP_MAX: i64 = 180;

/// When something is to be done: a number is equal to its part of the calendar, -1 to all, and -n to every n-th.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CronTime {
    /// 0 to 59.
    pub minute: i32,
    /// 0 to 23.
    pub hour: i32,
    /// 1 to 31.
    pub day: i32,
    /// 1 to 12.
    pub month: i32,
    /// 0 to 7; both are Sunday.
    pub weekday: i32,
}

/// Which minute was looked at last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    minute: i64,
    local: i64,
}

impl CronTime {
    /// The parts in the order in which they are written.
    pub fn of(parts: [i32; 5]) -> CronTime {
        let [minute, hour, day, month, weekday] = parts;
        CronTime { minute, hour, day, month, weekday }
    }

    /// Whether it is due now, given which minute was looked at last; and that this one was.
    pub fn look(&self, served: &mut Option<Served>, clock: WallClock) -> bool {
        let now = Served { minute: clock.minute(), local: clock.local_minute() };
        let Some(last) = served.replace(now) else { return self.matches(now.local) };
        let passed = if self.hour >= 0 { now.local - last.local } else { now.minute - last.minute };
        match passed {
            0 => false,
            1..=LEAP_MAX => (0..passed).any(|ago| self.matches(now.local - ago)),
            // These local minutes were served before.
            _ if self.hour >= 0 && passed < 0 && -passed <= LEAP_MAX => {
                *served = Some(Served { minute: now.minute, local: last.local });
                false
            }
            _ => self.matches(now.local),
        }
    }

    fn matches(&self, local_minute: i64) -> bool {
        let civil = Civil::of(local_minute);
        let sunday = civil.weekday == 0 && self.weekday == 7;
        let day = fits(self.day, civil.day);
        let weekday = sunday || fits(self.weekday, civil.weekday);
        let either = self.day >= 0 && self.weekday >= 0;
        fits(self.minute, civil.minute)
            && fits(self.hour, civil.hour)
            && fits(self.month, civil.month)
            && if either { day || weekday } else { day && weekday }
    }
}

fn fits(wanted: i32, value: i64) -> bool {
    match i64::from(wanted) {
        number @ 0.. => number == value,
        step => value % -step == 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::seeds::Seeds;

    const MINUTE: i64 = 60;
    const HOUR: i64 = 3_600;
    /// Sunday, 29 March 2026, 00:00 UTC: in Berlin the clocks go from 2:00 to 3:00 an hour later.
    const SPRING: i64 = 1_774_742_400;
    /// Sunday, 25 October 2026, 00:00 UTC: in Berlin they go from 3:00 back to 2:00 an hour later.
    const AUTUMN: i64 = 1_792_886_400;

    fn berlin(epoch_s: i64) -> WallClock {
        let summer = (SPRING + HOUR..AUTUMN + HOUR).contains(&epoch_s);
        WallClock { epoch_s, offset_s: if summer { 2 * HOUR } else { HOUR } }
    }

    /// At which moments it was due, of those at which it was looked.
    fn runs(parts: [i32; 5], clocks: impl IntoIterator<Item = WallClock>) -> Vec<i64> {
        let (cron, mut served) = (CronTime::of(parts), None);
        let due = |clock: WallClock| cron.look(&mut served, clock).then_some(clock.epoch_s);
        clocks.into_iter().filter_map(due).collect()
    }

    fn utc(epoch_s: i64) -> WallClock {
        WallClock { epoch_s, offset_s: 0 }
    }

    #[test]
    fn the_parts_mean_what_they_mean_to_uwsgi() {
        // Thursday, 1 January 1970; a Sunday is the 4th.
        let at = |day: i64, hour: i64, minute: i64| utc((day - 1) * 24 * HOUR + hour * HOUR + minute * MINUTE);
        for (parts, clock, expected) in [
            ([-1, -1, -1, -1, -1], at(1, 7, 13), true),
            ([13, 7, 1, 1, 4], at(1, 7, 13), true),
            ([14, 7, 1, 1, 4], at(1, 7, 13), false),
            ([-5, -1, -1, -1, -1], at(1, 0, 10), true),
            ([-5, -1, -1, -1, -1], at(1, 0, 11), false),
            ([-1, -1, -2, -1, -1], at(2, 0, 0), true),
            ([-1, -1, -2, -1, -1], at(3, 0, 0), false),
            ([-1, -1, -1, -3, -1], at(1, 0, 0), false),
            ([-1, -1, -1, -1, 7], at(4, 0, 0), true),
            ([-1, -1, -1, -1, 0], at(4, 0, 0), true),
            // Either, where both are numbers; else both.
            ([-1, -1, 2, -1, 0], at(4, 0, 0), true),
            ([-1, -1, 4, -1, 3], at(4, 0, 0), true),
            ([-1, -1, 4, -1, -2], at(4, 0, 0), true),
            ([-1, -1, 3, -1, -2], at(4, 0, 0), false),
            ([60, -1, -1, -1, -1], at(1, 0, 0), false),
        ] {
            assert_eq!(!runs(parts, [clock]).is_empty(), expected, "{parts:?} at {clock:?}");
        }
    }

    /// The calendar by counting: minute, hour, day, month, weekday.
    fn counted(minute: i64) -> [i64; 5] {
        let (mut day, mut year, mut month) = (minute / 1_440, 1970, 1);
        let weekday = (day + 4) % 7;
        loop {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let days = match month {
                2 => 28 + i64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            if day < days {
                return [minute % 60, minute / 60 % 24, day + 1, month, weekday];
            }
            day -= days;
            (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        }
    }

    /// Whether it is due by the manual, for parts in their ranges.
    fn is_due(parts: [i32; 5], minute: i64) -> bool {
        let now = counted(minute);
        let fits = |at: usize| match i64::from(parts[at]) {
            wanted @ 0.. => wanted == now[at] || at == 4 && wanted == 7 && now[at] == 0,
            step => now[at] % -step == 0,
        };
        let of_day = if parts[2] >= 0 && parts[4] >= 0 { fits(2) || fits(4) } else { fits(2) && fits(4) };
        fits(0) && fits(1) && fits(3) && of_day
    }

    #[test]
    fn mutants_of_crons_are_due_when_a_calendar_says_so() {
        Seeds::of_this_run(200).try_all(|(): &mut (), seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            let highest = [59, 23, 31, 12, 7];
            let lowest = [0, 0, 1, 1, 0];
            let parts: [i32; 5] = std::array::from_fn(|at| match random.u8(..4) {
                0 => random.i32(lowest[at]..=highest[at]),
                1 => -random.i32(1..=12),
                _ => -1,
            });
            let first = random.i64(0..200 * 366 * 1_440);
            let due = runs(parts, (first..first + 300).map(|minute| utc(minute * MINUTE + random.i64(0..MINUTE))));
            let due: Vec<i64> = due.into_iter().map(|epoch_s| epoch_s / MINUTE).collect();
            let expected: Vec<i64> = (first..first + 300).filter(|minute| is_due(parts, *minute)).collect();
            if due == expected { Ok(()) } else { Err(format!("{parts:?}: {due:?} instead of {expected:?}")) }
        });
    }

    #[test]
    fn whatever_mutants_and_their_clock_are_no_minute_has_two_runs_in_a_row() {
        Seeds::of_this_run(200).try_all(|(): &mut (), seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            let cron = CronTime::of(std::array::from_fn(|_| match random.u8(..3) {
                0 => random.i32(..),
                1 => random.i32(-5..70),
                _ => [i32::MIN, i32::MAX, -1, 0][random.usize(..4)],
            }));
            let mut served = None;
            let mut clock = WallClock { epoch_s: random.i64(-(1 << 40)..1 << 40), offset_s: 0 };
            for _ in 0..100 {
                match random.u8(..8) {
                    0 => clock.epoch_s = random.i64(-(1 << 40)..1 << 40),
                    1 => clock.offset_s = random.i64(-14..=14) * HOUR,
                    2 => clock.epoch_s += random.i64(-5 * HOUR..5 * HOUR),
                    _ => clock.epoch_s += random.i64(0..100),
                }
                cron.look(&mut served, clock);
                assert!(!cron.look(&mut served, clock), "{cron:?} at {clock:?}");
                assert!((1..=60_000_000).contains(&clock.until_next_minute_us()), "{clock:?}");
            }
            Ok(())
        });
    }

    #[test]
    fn each_minute_is_served_once_however_often_and_late_it_is_looked_at() {
        let looks = (0..600).map(|step| utc(step * 13));
        assert_eq!(runs([-1, -1, -1, -1, -1], looks).len(), 130);
        // A stall of ten minutes is made up for by one run.
        assert_eq!(runs([5, -1, -1, -1, -1], [utc(0), utc(10 * MINUTE)]), [10 * MINUTE]);
        assert_eq!(runs([-1, -1, -1, -1, -1], [utc(0), utc(10 * MINUTE)]).len(), 2);
        assert_eq!(runs([5, -1, -1, -1, -1], [utc(0), utc(4 * HOUR)]), [0; 0], "a leap that is too long");
    }

    #[test]
    fn a_clock_that_is_set_back_holds_up_nothing_and_repeats_nothing_that_has_its_hour() {
        let back = [utc(10 * HOUR), utc(9 * HOUR), utc(9 * HOUR + MINUTE), utc(10 * HOUR), utc(10 * HOUR + MINUTE)];
        assert_eq!(runs([-1, -1, -1, -1, -1], back).len(), 5);
        assert_eq!(runs([0, 10, -1, -1, -1], back), [10 * HOUR]);
        assert_eq!(runs([0, 9, -1, -1, -1], [utc(20 * HOUR), utc(9 * HOUR)]), [9 * HOUR], "another time altogether");
    }

    #[test]
    fn a_night_on_which_the_clocks_change_has_each_of_its_hours_once() {
        let night = |begin: i64| (0..6 * 60).map(move |minute| berlin(begin - 2 * HOUR + minute * MINUTE));
        // 2:30 is left out in spring: it is run at 3:00, right after the leap.
        assert_eq!(runs([30, 2, -1, -1, -1], night(SPRING)), [SPRING + HOUR]);
        // In autumn it is there twice: the first one counts.
        assert_eq!(runs([30, 2, -1, -1, -1], night(AUTUMN)), [AUTUMN + HOUR / 2]);
        for begin in [SPRING, AUTUMN] {
            assert_eq!(runs([0, -1, -1, -1, -1], night(begin)).len(), 6, "every hour that passes");
            assert_eq!(runs([0, 4, -1, -1, -1], night(begin)).len(), 1);
        }
    }
}
