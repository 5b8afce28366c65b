//! Between how many workers an instance moves.
//!
//! The one place where the numbers of `processes`, `cheaper` and `cheaper-initial` become bounds that hold: whoever has
//! [`Bounds`] need not judge them again. What is wrong with the numbers is said by the judgement on options. Pure; used
//! in the master.

use serde::{Deserialize, Serialize};

/// Fewest workers, workers at start, and most workers: `1 <= minimum <= initial <= maximum <= WORKERS_MAX`, whatever was
/// asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Asked")]
pub struct Bounds {
    minimum: u32,
    initial: u32,
    maximum: u32,
}

/// Bounds as they are written down.
#[derive(Deserialize)]
struct Asked {
    minimum: u32,
    initial: u32,
    maximum: u32,
}

impl Bounds {
    /// More workers than any machine can use; keeps the picture of them small.
    pub const WORKERS_MAX: u32 = 10_000;

    /// What holds when these numbers are asked for: the most counts first, then the fewest.
    pub fn new(minimum: u32, initial: u32, maximum: u32) -> Bounds {
        let maximum = maximum.clamp(1, Bounds::WORKERS_MAX);
        let minimum = minimum.clamp(1, maximum);
        Bounds { minimum, initial: initial.clamp(minimum, maximum), maximum }
    }

    /// Always so many workers.
    pub fn fixed(workers: u32) -> Bounds {
        Bounds::new(workers, workers, workers)
    }

    /// Fewest workers while the instance is awake.
    pub fn minimum(self) -> u32 {
        self.minimum
    }

    /// Workers at start.
    pub fn initial(self) -> u32 {
        self.initial
    }

    /// Most workers.
    pub fn maximum(self) -> u32 {
        self.maximum
    }
}

impl From<Asked> for Bounds {
    fn from(asked: Asked) -> Bounds {
        Bounds::new(asked.minimum, asked.initial, asked.maximum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_whatever_is_asked_for() {
        let numbers = [0, 1, 2, 7, Bounds::WORKERS_MAX, u32::MAX];
        for minimum in numbers {
            for initial in numbers {
                for maximum in numbers {
                    let bounds = Bounds::new(minimum, initial, maximum);
                    let ordered = [1, bounds.minimum, bounds.initial, bounds.maximum, Bounds::WORKERS_MAX];
                    assert!(ordered.is_sorted(), "{minimum} {initial} {maximum}: {bounds:?}");
                    let written = format!(r#"{{"minimum":{minimum},"initial":{initial},"maximum":{maximum}}}"#);
                    assert_eq!(serde_json::from_str::<Bounds>(&written).unwrap(), bounds);
                }
            }
        }
        assert_eq!(Bounds::new(2, 3, 4), Bounds { minimum: 2, initial: 3, maximum: 4 });
    }
}
