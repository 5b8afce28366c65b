//! How much the master hears of one child: a child may be wrong or malicious, and what it says costs the master time and
//! the log lines. Counts and judges only; what is said and who is killed is for `hearing`. Pure; master only.

/// How long a window is within which things are counted.
const WINDOW_US: u64 = 1_000_000;

/// Packets that are no records, within a window: what they are of is broken, or of another version.
const UNFIT_MAX: u32 = 16;

/// Wishes of the application that are passed on, within a window: each reload calls off the one before.
const WISHES_MAX: u32 = 8;

/// What one child has said within the current window.
#[derive(Debug)]
pub(super) struct Budget {
    packets_max: u32,
    since_us: u64,
    packets: u32,
    unfit: u32,
    wishes: u32,
    /// Whether it has been said that something of it was no record.
    told_unfit: bool,
    /// Whether it has been said that it wishes for too much.
    told_wishes: bool,
    overdrawn: bool,
}

/// What becomes of something that a child has said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It counts, or is told.
    Heard,
    /// It does not count any more; the first time that is told.
    TooMuch {
        /// Whether this is the first time.
        first: bool,
    },
}

impl Budget {
    /// For a worker: it has a handful of things to say in its life, and the wishes of its application.
    pub(super) fn of_worker() -> Self {
        Self::new(1_000)
    }

    /// For a zygote: it tells of the births and deaths in so many seats.
    pub(super) fn of_zygote(seats: u32) -> Self {
        Self::new(seats.saturating_mul(8).saturating_add(1_000))
    }

    fn new(packets_max: u32) -> Self {
        Self {
            packets_max,
            since_us: 0,
            packets: 0,
            unfit: 0,
            wishes: 0,
            told_unfit: false,
            told_wishes: false,
            overdrawn: false,
        }
    }

    /// Another packet has come. `TooMuch`: the child is not heard any more, now or ever.
    pub(super) fn packet(&mut self, now_us: u64) -> Verdict {
        if now_us.saturating_sub(self.since_us) >= WINDOW_US {
            (self.since_us, self.packets, self.unfit, self.wishes) = (now_us, 0, 0, 0);
        }
        self.packets = self.packets.saturating_add(1);
        self.judge(self.packets > self.packets_max)
    }

    /// The packet is no record. `Heard`: to be told; it is once in a child's life.
    pub(super) fn unfit(&mut self) -> Verdict {
        self.unfit += 1;
        if let Verdict::TooMuch { first } = self.judge(self.unfit > UNFIT_MAX) {
            return Verdict::TooMuch { first };
        }
        if std::mem::replace(&mut self.told_unfit, true) { Verdict::TooMuch { first: false } } else { Verdict::Heard }
    }

    /// The packet is a wish of the application.
    pub(super) fn wish(&mut self) -> Verdict {
        self.wishes = self.wishes.saturating_add(1);
        if self.wishes <= WISHES_MAX {
            return Verdict::Heard;
        }
        Verdict::TooMuch { first: !std::mem::replace(&mut self.told_wishes, true) }
    }

    /// Whether the child is not heard any more, and is to go.
    pub(super) fn is_overdrawn(&self) -> bool {
        self.overdrawn
    }

    /// What it has said within the window, for people.
    pub(super) fn account(&self) -> String {
        let Self { packets, unfit, .. } = self;
        format!("{packets} packets within a second, {unfit} of them no records")
    }

    fn judge(&mut self, too_much: bool) -> Verdict {
        if !too_much && !self.overdrawn {
            return Verdict::Heard;
        }
        Verdict::TooMuch { first: !std::mem::replace(&mut self.overdrawn, true) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_US: u64 = 1_000_000;

    #[test]
    fn so_many_packets_are_heard_in_each_second_and_the_first_one_above_is_the_end() {
        let mut budget = Budget::of_worker();
        for second in 1..4 {
            assert!((0..1_000).all(|packet| budget.packet(second * SECOND_US + packet) == Verdict::Heard));
        }
        assert_eq!(budget.packet(3 * SECOND_US + 999_999), Verdict::TooMuch { first: true });
        assert!(budget.is_overdrawn());
        assert_eq!(budget.packet(9 * SECOND_US), Verdict::TooMuch { first: false });
    }

    #[test]
    fn one_packet_that_is_no_record_is_told_and_many_are_the_end() {
        let mut budget = Budget::of_worker();
        for (number, told) in (1..=UNFIT_MAX).zip([true].into_iter().chain(std::iter::repeat(false))) {
            assert_eq!(budget.packet(5), Verdict::Heard, "{number}");
            assert_eq!(budget.unfit() == Verdict::Heard, told, "{number}");
        }
        assert!(!budget.is_overdrawn());
        assert_eq!(budget.packet(6), Verdict::Heard);
        assert_eq!(budget.unfit(), Verdict::TooMuch { first: true });
        assert!(budget.is_overdrawn());
        assert_eq!(budget.account(), "17 packets within a second, 17 of them no records");
    }

    #[test]
    fn wishes_above_what_is_passed_on_are_told_once_and_end_nobody() {
        let mut budget = Budget::of_worker();
        let mut wish = |now_us| {
            assert_eq!(budget.packet(now_us), Verdict::Heard);
            budget.wish()
        };
        assert!((0..WISHES_MAX).all(|_| wish(SECOND_US) == Verdict::Heard));
        assert_eq!([wish(SECOND_US), wish(SECOND_US)], [true, false].map(|first| Verdict::TooMuch { first }));
        assert_eq!(wish(2 * SECOND_US), Verdict::Heard);
        assert!((1..WISHES_MAX).all(|_| wish(2 * SECOND_US) == Verdict::Heard));
        assert_eq!(wish(2 * SECOND_US), Verdict::TooMuch { first: false });
        assert!(!budget.is_overdrawn());
    }
}
