//! A baseline by the time of the week (`cheaper-schedule`): how many workers a schedule keeps at a moment, and until when
//! that holds. Clocks are the caller's. Pure.

use serde::{Deserialize, Serialize};

use crate::config::model::{DAY_MINUTES, Period};

const DAY_S: i64 = DAY_MINUTES as i64 * 60;
const WEEK_S: i64 = 7 * DAY_S;

/// The longest that a baseline is believed to hold: clocks are set, and summer time begins and ends.
const UNTIL_MAX_US: u64 = 3_600_000_000;

/// What a schedule says of a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// The fewest workers.
    pub workers: u32,
    /// For how long this holds at least, in microseconds.
    pub until_us: u64,
}

impl Baseline {
    /// What periods say together, each with the seconds since 1970 that its clock shows. `None` without any.
    pub fn of<'p>(periods: impl IntoIterator<Item = (&'p Period, i64)>) -> Option<Baseline> {
        periods.into_iter().map(|(period, local_s)| Baseline::at(period, local_s)).reduce(|one, other| Baseline {
            workers: one.workers.max(other.workers),
            until_us: one.until_us.min(other.until_us),
        })
    }

    fn at(period: &Period, local_s: i64) -> Baseline {
        let lasts_s = i64::from(period.minutes()) * 60;
        let (mut workers, mut until_s) = (0, WEEK_S);
        for day in (0..7).filter(|day| period.days[*day as usize]) {
            let begins_s = day * DAY_S + i64::from(period.from) * 60;
            let since_s = (of_week(local_s) - begins_s).rem_euclid(WEEK_S);
            if since_s < lasts_s {
                workers = period.workers;
                until_s = until_s.min(lasts_s - since_s);
            } else {
                until_s = until_s.min(WEEK_S - since_s);
            }
        }
        Baseline { workers, until_us: (until_s.unsigned_abs() * 1_000_000).min(UNTIL_MAX_US) }
    }
}

/// Seconds since the last Sunday began. 1970 began on a Thursday.
fn of_week(local_s: i64) -> i64 {
    (local_s + 4 * DAY_S).rem_euclid(WEEK_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_US: u64 = 1_000_000;

    const MONDAY_S: i64 = 4 * DAY_S;

    fn period(days: &[usize], from: u16, to: u16, workers: u32) -> Period {
        let days = std::array::from_fn(|day| days.contains(&day));
        Period { days, from, to, workers, zone: None, line: "app.ini:1".to_owned() }
    }

    fn at(periods: &[Period], local_s: i64) -> (u32, u64) {
        let baseline = Baseline::of(periods.iter().map(|period| (period, local_s))).unwrap();
        (baseline.workers, baseline.until_us / SECOND_US)
    }

    #[test]
    fn a_period_begins_and_ends_to_the_second() {
        let office = [period(&[1, 2, 3, 4, 5], 8 * 60, 18 * 60, 8)];
        let clock = |day: i64, hour: i64, second: i64| MONDAY_S + day * DAY_S + hour * 3_600 + second;
        assert_eq!(at(&office, clock(0, 8, -1)), (0, 1));
        assert_eq!(at(&office, clock(0, 8, 0)), (8, 3_600), "no longer than an hour");
        assert_eq!(at(&office, clock(4, 17, 3_599)), (8, 1));
        assert_eq!(at(&office, clock(4, 18, 0)), (0, 3_600));
        assert_eq!(at(&office, clock(5, 12, 0)).0, 0, "Saturday");
        assert_eq!(at(&office, clock(-700, 12, 0)).0, 8, "a Monday before 1970 came to that");
    }

    #[test]
    fn a_period_goes_over_midnight_and_the_end_of_the_week() {
        let night = [period(&[6], 22 * 60, 2 * 60, 3)];
        let saturday_s = MONDAY_S + 5 * DAY_S;
        assert_eq!(at(&night, saturday_s + 22 * 3_600).0, 3);
        assert_eq!(at(&night, saturday_s + DAY_S + 2 * 3_600 - 5), (3, 5), "Sunday, before two");
        assert_eq!(at(&night, saturday_s + DAY_S + 2 * 3_600).0, 0);
        let always = [period(&[0, 1, 2, 3, 4, 5, 6], 0, DAY_MINUTES, 2)];
        assert!((0..700).all(|hour| at(&always, hour * 3_600).0 == 2));
    }

    #[test]
    fn of_two_periods_the_one_with_more_workers_counts() {
        let both = [period(&[1], 600, 900, 4), period(&[1], 700, 800, 9)];
        let minute = |minute: i64| at(&both, MONDAY_S + minute * 60);
        assert_eq!([minute(650), minute(750), minute(850)].map(|(workers, _)| workers), [4, 9, 4]);
        assert_eq!(minute(690).1, 600, "until the other one begins");
    }
}
