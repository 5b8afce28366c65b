//! What one generation of the application wants of signals. Pure; used in the master.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::calendar::WallClock;
use super::cron::{CronTime, Served};
use super::target::Target;
use super::timer::Timer;
use super::wish::Wish;

/// Most entries of each kind: an application that goes on adding is at fault.
const ENTRIES_MAX: usize = 1_000;

/// Targets, timers, crons and files.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    targets: BTreeMap<u8, String>,
    timers: Vec<Timer>,
    crons: Vec<Cron>,
    files: Vec<(u8, String)>,
}

/// A signal that is raised at certain minutes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cron {
    /// Which.
    pub signal: u8,
    /// When.
    pub time: CronTime,
    served: Option<Served>,
    /// How often it has been.
    #[serde(default)]
    pub raised: u64,
}

impl Table {
    /// Takes a wish in. The same again changes nothing: where each worker loads the application, each has the same wishes.
    pub(super) fn take(&mut self, wish: &Wish, now_us: u64) {
        match wish {
            Wish::Raise(_) | Wish::Alarm(..) => {}
            Wish::Register(signal, target) => drop(self.targets.insert(*signal, target.clone())),
            Wish::Timer(signal, every_us, left) => {
                let due_us = now_us.saturating_add(*every_us);
                let timer = Timer { signal: *signal, every_us: *every_us, left: *left, due_us, raised: 0 };
                if !self.timers.iter().any(|known| known.is_like(&timer)) && self.timers.len() < ENTRIES_MAX {
                    self.timers.push(timer);
                }
            }
            Wish::Cron(signal, time) => {
                let known = self.crons.iter().any(|known| known.signal == *signal && known.time == *time);
                if !known && self.crons.len() < ENTRIES_MAX {
                    self.crons.push(Cron { signal: *signal, time: *time, served: None, raised: 0 });
                }
            }
            Wish::File(signal, path) => {
                let file = (*signal, path.clone());
                if !self.files.contains(&file) && self.files.len() < ENTRIES_MAX {
                    self.files.push(file);
                }
            }
        }
    }

    /// Holds from now on in the place of another one: what both have goes on as it was, the rest begins now.
    pub(super) fn succeed(&mut self, old: &Table, now_us: u64) {
        for timer in &mut self.timers {
            match old.timers.iter().find(|known| known.is_like(timer)) {
                Some(known) => {
                    (timer.due_us, timer.left, timer.raised) = (known.due_us, known.left, known.raised);
                }
                None => timer.due_us = now_us.saturating_add(timer.every_us),
            }
        }
        for cron in &mut self.crons {
            let known = old.crons.iter().find(|known| known.signal == cron.signal && known.time == cron.time);
            (cron.served, cron.raised) = known.map_or((None, 0), |known| (known.served, known.raised));
        }
    }

    /// The signals that are due.
    pub(super) fn fire(&mut self, now_us: u64, clock: WallClock) -> Vec<u8> {
        let mut due: Vec<u8> =
            self.timers.iter_mut().filter_map(|timer| timer.goes_off(now_us).then_some(timer.signal)).collect();
        due.extend(self.crons.iter_mut().filter_map(|cron| {
            let is_due = cron.time.look(&mut cron.served, clock);
            cron.raised = cron.raised.saturating_add(is_due.into());
            is_due.then_some(cron.signal)
        }));
        due
    }

    /// When to look again, in monotonic time.
    pub fn due_us(&self, now_us: u64, clock: WallClock) -> Option<u64> {
        let timers = self.timers.iter().filter(|timer| timer.left != Some(0)).map(|timer| timer.due_us).min();
        let unseen = self.crons.iter().any(|cron| cron.served.is_none());
        let minute = if unseen { 0 } else { clock.until_next_minute_us() };
        let crons = (!self.crons.is_empty()).then(|| now_us.saturating_add(minute));
        timers.into_iter().chain(crons).min()
    }

    /// To whom a signal goes; one that nobody has registered goes to the workers.
    pub fn target(&self, signal: u8) -> Target {
        Target::of(self.targets.get(&signal).map_or("", String::as_str))
    }

    /// The timers, in the order in which they were added.
    pub fn timers(&self) -> &[Timer] {
        &self.timers
    }

    /// The crons, in the order in which they were added.
    pub fn crons(&self) -> &[Cron] {
        &self.crons
    }

    /// The files and directories whose changes raise signals.
    pub fn files(&self) -> &[(u8, String)] {
        &self.files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_wish_of_every_worker_is_one_wish() {
        let mut table = Table::default();
        for now_us in 0..4 {
            table.take(&Wish::Timer(1, 10_000_000, None), now_us);
            table.take(&Wish::Cron(2, CronTime::of([-1; 5])), now_us);
            table.take(&Wish::File(3, "/a".to_owned()), now_us);
        }
        assert_eq!(table.files().len(), 1);
        let clock = WallClock { epoch_s: 0, offset_s: 0 };
        assert_eq!(table.fire(10_000_000, clock), [1, 2]);
    }
}
