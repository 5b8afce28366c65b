//! The machine's picture as data, handed to the next image of the master when that replaces itself in place.
//!
//! Taken only when nothing is half done (see [`Action::Upgrade`](super::Action::Upgrade)), so there is no reload, no
//! load and no fork in it. Its moments are those of the system's monotonic clock, which an exec does not disturb. Pure;
//! used in the master, by both images.

use super::identity::{Generation, Time};
use super::plan::Plan;
use super::worker::Worker;
use super::zygote::Zygote;
use super::{Count, Machine, Stage, slot};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Everything the next image of the master must know to go on as if nothing had happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    plan: Plan,
    current: Generation,
    generations_made: u32,
    zygotes: Vec<Zygote>,
    seats: Vec<Option<Worker>>,
    slots: Vec<slot::Slot>,
    paused: bool,
}

impl Machine {
    /// The picture at this moment. Complete only while [`Action::Upgrade`](super::Action::Upgrade) is carried out.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            plan: self.plan.clone(),
            current: self.current,
            generations_made: self.generations_made,
            zygotes: self.zygotes.clone(),
            seats: self.seats.clone(),
            slots: self.slots.clone(),
            paused: self.paused,
        }
    }

    /// Goes on where the image before stopped, instead of [`Machine::start`].
    ///
    /// # Errors
    /// The sentence that says what in the snapshot does not fit together.
    pub fn adopt(now: Time, snapshot: Snapshot) -> Result<Machine, String> {
        let Snapshot { plan, current, generations_made, zygotes, seats, slots, paused } = snapshot;
        plan.check()?;
        if seats.len() < plan.seats as usize || slots.len() < plan.workers as usize || generations_made < current.0 {
            return Err("the snapshot of the master before is not whole".to_owned());
        }
        let mut machine = Machine {
            now,
            looked: now,
            stage: Stage::Serving,
            plan,
            current,
            generations_made,
            zygotes,
            zygote_failures: 0,
            seats,
            slots,
            paused,
            change: None,
            queued: None,
            upgrade_due: false,
            answers_due: 0,
            told: Count::default(),
            impossible: 0,
            actions: VecDeque::new(),
        };
        machine.expire();
        machine.reconcile();
        Ok(machine)
    }
}
