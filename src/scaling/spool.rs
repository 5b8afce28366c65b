//! How many processes of a spool directory run (`spooler-cheaper`): what [`adaptive`](super::adaptive) is for workers.
//!
//! - **Grow** when every process has had a task in hand, and others have waited, for a tenth of a second: short tasks may queue.
//!   Up to twice as many at a time, and no more than there are tasks.
//! - **Shrink** one by one when no moment of the last ten seconds needed so many.
//!
//! Pure; used in the master.

use serde::{Deserialize, Serialize};

use super::needs::Needs;

/// How long tasks must have waited with everybody busy before there are more.
const STANDING_US: u64 = 100_000;
/// How long a need is remembered.
const PATIENCE_US: u64 = 10_000_000;
/// From one look to the next while there are more than the fewest, and from one that goes to the next.
const STEP_US: u64 = 1_000_000;

/// A spool directory at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sight {
    /// Monotonic.
    pub now_us: u64,
    /// Fewest processes that are to run.
    pub fewest: u32,
    /// Most that may.
    pub most: u32,
    /// Those that are to run, up or not yet.
    pub wanted: u32,
    /// Those that have a task in hand.
    pub busy: u32,
    /// Tasks that wait, as far as anybody has seen.
    pub waiting: u64,
}

/// What is remembered from look to look.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    needs: Needs,
    standing_since_us: Option<u64>,
}

/// What is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decided {
    /// How many are to run.
    pub wanted: u32,
    /// When to look again though nobody calls; `None`: there is no need to.
    pub next_look_us: Option<u64>,
}

/// Looks at a directory and decides.
pub fn look(memory: &mut Memory, seen: &Sight) -> Decided {
    let within = |count: u32| count.max(seen.fewest).min(seen.most.max(seen.fewest));
    let now = within(seen.wanted);
    let need = seen.busy.saturating_add(u32::try_from(seen.waiting).unwrap_or(u32::MAX));
    memory.needs.note(seen.now_us, within(need), PATIENCE_US);
    let stands = seen.waiting > 0 && seen.busy >= now;
    let since_us = stands.then(|| memory.standing_since_us.unwrap_or(seen.now_us));
    let has_stood = since_us.is_some_and(|since_us| since_us.saturating_add(STANDING_US) <= seen.now_us);
    memory.standing_since_us = since_us.filter(|_| !has_stood);
    let wanted = if has_stood {
        within(need.min(now.saturating_mul(2)))
    } else if memory.needs.largest() < now {
        now - 1
    } else {
        now
    };
    let grows_at_us = memory.standing_since_us.filter(|_| wanted < seen.most).map(|us| us.saturating_add(STANDING_US));
    let shrinks_at_us = (wanted > seen.fewest).then(|| seen.now_us.saturating_add(STEP_US));
    Decided { wanted, next_look_us: grows_at_us.into_iter().chain(shrinks_at_us).min() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000;
    const SECOND: u64 = 1_000_000;

    /// Looks at these moments, each with how many are busy and how many wait; how many run after each.
    fn run(looks: &[(u64, u32, u64)]) -> Vec<u32> {
        let (mut memory, mut wanted) = (Memory::default(), 1);
        let look = |&(now_us, busy, waiting): &(u64, u32, u64)| {
            let seen = Sight { now_us, fewest: 1, most: 8, wanted, busy, waiting };
            wanted = look(&mut memory, &seen).wanted;
            wanted
        };
        looks.iter().map(look).collect()
    }

    #[test]
    fn the_number_of_processes_follows_the_queue() {
        let ms = |time_ms: u64, busy, waiting| (time_ms * MS, busy, waiting);
        for (told, looks, expected) in [
            ("nothing to do", vec![ms(0, 0, 0), ms(60_000, 0, 0)], vec![1, 1]),
            ("one task at a time needs one", vec![ms(0, 1, 0), ms(5_000, 1, 0)], vec![1, 1]),
            ("an idle one will take it", vec![ms(0, 0, 5), ms(200, 0, 5)], vec![1, 1]),
            ("short tasks may queue", vec![ms(0, 1, 50), ms(99, 1, 9), ms(150, 0, 0)], vec![1, 1, 1]),
            ("a queue that stands", vec![ms(0, 1, 50), ms(100, 1, 50)], vec![1, 2]),
            (
                "twice as many at a time, up to the most",
                vec![ms(0, 1, 50), ms(100, 1, 50), ms(120, 2, 40), ms(220, 2, 40), ms(240, 4, 40), ms(340, 4, 40)],
                vec![1, 2, 2, 4, 4, 8],
            ),
            ("those on their way are waited for", vec![ms(0, 1, 50), ms(100, 1, 50), ms(300, 1, 50)], vec![1, 2, 2]),
            (
                "no more than there are tasks",
                vec![ms(0, 1, 1), ms(100, 1, 1), ms(110, 2, 1), ms(210, 2, 1)],
                vec![1, 2, 2, 3],
            ),
            (
                "a need is remembered for ten seconds, then one goes after the other",
                vec![ms(0, 1, 3), ms(100, 1, 3), ms(200, 2, 2), ms(300, 2, 2), ms(1_000, 0, 0), ms(10_300, 0, 0)]
                    .into_iter()
                    .chain([ms(10_301, 0, 0), ms(11_301, 0, 0), ms(12_301, 0, 0), ms(13_301, 0, 0)])
                    .collect(),
                vec![1, 2, 2, 4, 4, 4, 3, 2, 1, 1],
            ),
            (
                "who is needed stays",
                vec![ms(0, 1, 1), ms(100, 1, 1), ms(11_000, 2, 0), ms(30_000, 2, 0)],
                vec![1, 2, 2, 2],
            ),
        ] {
            assert_eq!(run(&looks), expected, "{told}");
        }
    }

    #[test]
    fn an_idle_directory_asks_for_no_look_and_others_for_the_next_that_matters() {
        let mut memory = Memory::default();
        let idle = Sight { now_us: SECOND, fewest: 1, most: 4, wanted: 1, ..Sight::default() };
        assert_eq!(look(&mut memory, &idle), Decided { wanted: 1, next_look_us: None });
        let standing = Sight { busy: 1, waiting: 9, ..idle };
        assert_eq!(look(&mut memory, &standing).next_look_us, Some(SECOND + STANDING_US));
        let more = look(&mut memory, &Sight { now_us: 2 * SECOND, ..standing });
        assert_eq!(more, Decided { wanted: 2, next_look_us: Some(3 * SECOND) });
        let full = Sight { now_us: 3 * SECOND, wanted: 4, busy: 4, ..standing };
        assert_eq!(look(&mut memory, &full), Decided { wanted: 4, next_look_us: Some(4 * SECOND) });
    }

    #[test]
    fn another_configuration_holds_at_the_next_look() {
        let seen = Sight { now_us: SECOND, fewest: 2, most: 3, wanted: 8, busy: 8, waiting: 0 };
        assert_eq!(look(&mut Memory::default(), &seen).wanted, 3);
        assert_eq!(look(&mut Memory::default(), &Sight { wanted: 0, busy: 0, ..seen }).wanted, 2);
    }
}
