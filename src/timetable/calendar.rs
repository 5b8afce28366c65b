//! The wall clock as cron looks at it: minutes since 1970, and the calendar of a minute. Pure; used in the master.

/// A moment of the wall clock, and how far local time is ahead of UTC then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WallClock {
    /// Seconds since 1970 in UTC.
    pub epoch_s: i64,
    /// Seconds that local time is ahead.
    pub offset_s: i64,
}

impl WallClock {
    /// Minutes since 1970 in UTC.
    pub fn minute(self) -> i64 {
        self.epoch_s.div_euclid(60)
    }

    /// Minutes since 1970 of local time.
    pub fn local_minute(self) -> i64 {
        (self.epoch_s + self.offset_s).div_euclid(60)
    }

    /// Microseconds until the next minute begins.
    pub fn until_next_minute_us(self) -> u64 {
        (60 - self.epoch_s.rem_euclid(60)).unsigned_abs() * 1_000_000
    }
}

/// What a calendar says of a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Civil {
    pub(super) minute: i64,
    pub(super) hour: i64,
    /// From 1.
    pub(super) day: i64,
    /// From 1.
    pub(super) month: i64,
    /// From Sunday, which is 0.
    pub(super) weekday: i64,
}

impl Civil {
    /// The calendar of a minute since 1970.
    pub(super) fn of(minute: i64) -> Civil {
        let days = minute.div_euclid(1_440);
        let of_day = minute.rem_euclid(1_440);
        let (month, day) = month_and_day(days);
        // 1970 began on a Thursday.
        Civil { minute: of_day % 60, hour: of_day / 60, day, month, weekday: (days + 4).rem_euclid(7) }
    }
}

/// Counts in years that begin in March, so that the leap day is the last one.
fn month_and_day(days: i64) -> (i64, i64) {
    const DAYS_TO_1970: i64 = 719_468;
    const DAYS_OF_400_YEARS: i64 = 146_097;
    let of_era = (days + DAYS_TO_1970).rem_euclid(DAYS_OF_400_YEARS);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    (if shifted < 10 { shifted + 3 } else { shifted - 9 }, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_knows_leap_days_and_weekdays() {
        let civil = |minute, hour, day, month, weekday| Civil { minute, hour, day, month, weekday };
        for (epoch_s, expected) in [
            (0, civil(0, 0, 1, 1, 4)),
            (951_782_400, civil(0, 0, 29, 2, 2)),
            (951_868_799, civil(59, 23, 29, 2, 2)),
            (951_868_800, civil(0, 0, 1, 3, 3)),
            (1_709_164_800, civil(0, 0, 29, 2, 4)),
            (4_107_542_400, civil(0, 0, 1, 3, 1)),
            (-60, civil(59, 23, 31, 12, 3)),
        ] {
            assert_eq!(Civil::of(WallClock { epoch_s, offset_s: 0 }.local_minute()), expected, "{epoch_s}");
        }
    }
}
