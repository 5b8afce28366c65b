//! The values of the application's metrics: one word of shared memory each, which every process changes without a lock. Pure;
//! members change them, the master reads them.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// What is done to a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It becomes that.
    Set,
    /// It becomes that if it was less.
    SetMax,
    /// It becomes that if it was more.
    SetMin,
    /// So much is added.
    Increase,
    /// So much is taken away.
    Decrease,
    /// It is multiplied.
    Multiply,
    /// It is divided.
    Divide,
}

impl Change {
    /// The change of this name, as `uwsgi.metric_NAME` has it.
    pub fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "set" => Self::Set,
            "set_max" => Self::SetMax,
            "set_min" => Self::SetMin,
            "inc" => Self::Increase,
            "dec" => Self::Decrease,
            "mul" => Self::Multiply,
            "div" => Self::Divide,
            _ => return None,
        })
    }

    /// What a value becomes; `None` for what is no number of 64 bits: it stays as it was.
    fn of(self, old: i64, by: i64) -> Option<i64> {
        match self {
            Self::Set => Some(by),
            Self::SetMax => Some(old.max(by)),
            Self::SetMin => Some(old.min(by)),
            Self::Increase => old.checked_add(by),
            Self::Decrease => old.checked_sub(by),
            Self::Multiply => old.checked_mul(by),
            Self::Divide => old.checked_div(by),
        }
    }
}

/// Changes a metric, in one step for everybody. False: it cannot be changed like that.
pub fn change(word: &AtomicU64, change: Change, by: i64) -> bool {
    word.fetch_update(Relaxed, Relaxed, |old| change.of(old.cast_signed(), by).map(i64::cast_unsigned)).is_ok()
}

/// The value of a metric.
pub fn value(word: &AtomicU64) -> i64 {
    word.load(Relaxed).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_does_what_it_is_called_and_none_leaves_the_numbers() {
        let word = AtomicU64::new(0);
        let after = |name: &str, by| {
            let done = change(&word, Change::of_name(name).unwrap(), by);
            (done, value(&word))
        };
        assert_eq!(after("set", -7), (true, -7));
        assert_eq!(after("inc", 10), (true, 3));
        assert_eq!(after("mul", -4), (true, -12));
        assert_eq!(after("div", 5), (true, -2));
        assert_eq!(after("dec", 1), (true, -3));
        assert_eq!(after("set_max", -9), (true, -3));
        assert_eq!(after("set_min", -9), (true, -9));
        assert_eq!(after("div", 0), (false, -9));
        assert_eq!(after("set", i64::MAX), (true, i64::MAX));
        assert_eq!(after("inc", 1), (false, i64::MAX));
        assert_eq!(Change::of_name("get"), None);
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        let word = AtomicU64::new(0);
        let add = || (0..10_000).for_each(|_| assert!(change(&word, Change::Increase, 1)));
        std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(add))));
        assert_eq!(value(&word), 40_000);
    }
}
