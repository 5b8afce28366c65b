//! When a vassal asks its Emperor for reinforcements: all its workers are busy (`vassal-sos`), connections queue
//! (`vassal-sos-backlog`), or somebody says so (fifo `B`). Master only.

use super::super::driver::Driver;
use crate::config::model::Plea;
use crate::supervision::vassal::FromVassal;

/// How often it looks whether it needs any.
const LOOK_EVERY_US: u64 = 1_000_000;

/// What there is to do, and what with.
#[derive(Debug, Clone, Copy)]
struct Strain {
    running: u32,
    /// Requests that all workers together can have at once.
    most: u32,
    /// Connections in the fullest queue.
    waiting: u32,
}

impl Strain {
    /// Whether there is need, by what the configuration says.
    fn needs(self, plea: &Plea) -> bool {
        let all_busy = plea.every.is_some() && self.most > 0 && self.running >= self.most;
        all_busy || plea.backlog.is_some_and(|backlog| u64::from(self.waiting) >= backlog)
    }
}

/// When to look again: no plea follows another sooner than the configuration wants.
fn next_look_us(plea: &Plea, pleads: bool, now_us: u64) -> u64 {
    let every_us = plea.every.map_or(0, |every| u64::try_from(every.as_micros()).unwrap_or(u64::MAX));
    now_us.saturating_add(if pleads { every_us.max(LOOK_EVERY_US) } else { LOOK_EVERY_US })
}

impl Driver<'_> {
    /// When to begin to look, as the configuration has it.
    pub(super) fn first_plea_us(&self, now_us: u64) -> Option<u64> {
        let Plea { every, backlog } = &self.in_force.config.emperor.plea;
        (every.is_some() || backlog.is_some()).then_some(now_us)
    }

    /// Asks the Emperor for reinforcements, if there is need.
    pub(super) fn plead_if_needed(&mut self, now_us: u64) {
        if self.vassal.as_ref().and_then(|vassal| vassal.plead_us).is_none_or(|due_us| due_us > now_us) {
            return;
        }
        let plea = self.in_force.config.emperor.plea.clone();
        let pleads = !self.machine.is_stopping() && self.strain().needs(&plea);
        let Some(vassal) = &mut self.vassal else { return };
        vassal.plead_us = Some(next_look_us(&plea, pleads, now_us));
        if pleads {
            vassal.say(FromVassal::Sos);
        }
    }

    /// Asks for them because somebody wants it.
    pub(in crate::master) fn plead(&self) {
        match &self.vassal {
            Some(vassal) => vassal.say(FromVassal::Sos),
            None => log::warn!("there is no Emperor that could send reinforcements"),
        }
    }

    fn strain(&self) -> Strain {
        let plan = self.machine.plan();
        let running = self.children.board().map_or(0, |board| board.capacity().busy());
        let waiting = self.listeners().iter().filter_map(|listener| listener.queue).max().unwrap_or(0);
        Strain { running, most: plan.bounds.maximum().saturating_mul(plan.threads), waiting }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_asks_when_all_are_busy_or_a_queue_is_long_and_only_for_what_it_was_told_to_mind() {
        let plea = |every: Option<u64>, backlog| Plea { every: every.map(Duration::from_secs), backlog };
        let strain = |running, waiting| Strain { running, most: 4, waiting };
        assert!(strain(4, 0).needs(&plea(Some(3), None)));
        assert!(!strain(3, 50).needs(&plea(Some(3), None)));
        assert!(strain(0, 10).needs(&plea(None, Some(10))));
        assert!(!strain(4, 9).needs(&plea(None, Some(10))));
        assert!(!Strain { running: 0, most: 0, waiting: 0 }.needs(&plea(Some(3), None)));
    }

    #[test]
    fn it_looks_every_second_and_asks_no_more_often_than_it_may() {
        let plea = Plea { every: Some(Duration::from_secs(3)), backlog: None };
        assert_eq!((next_look_us(&plea, false, 0), next_look_us(&plea, true, 0)), (1_000_000, 3_000_000));
        assert_eq!(next_look_us(&Plea { every: None, backlog: Some(9) }, true, 0), 1_000_000);
    }
}
