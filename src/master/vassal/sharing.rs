//! What a vassal of our own Emperor tells it beyond uWSGI's bytes: its load where the Emperor shares out memory, of which it hears
//! how many workers it may have; and that it goes on with old code. Master only.

use super::super::driver::Driver;
use super::line::Vassal;
use crate::scaling::budget::Told;
use crate::scaling::budget::record::{allowance, told_bytes};
use crate::supervision::record::{self, Kind, record};
use crate::sys::clock::monotonic_us;
use crate::sys::memory;

/// How often it tells of a load that has changed, and while it wants more workers than it may have.
const TELL_EVERY_US: u64 = 100_000;
const WANT_EVERY_US: u64 = 2_000;

/// How often a worker's memory is measured.
const MEASURE_EVERY_US: u64 = 10_000_000;

/// When a load may be told that has changed: what is wanted is told at once.
fn may_tell_at_us(before: &Told, now: &Told, told_us: u64) -> u64 {
    let wants = now.wants > now.live || before.wants > before.live;
    told_us.saturating_add(if wants { WANT_EVERY_US } else { TELL_EVERY_US })
}

impl Driver<'_> {
    /// The most workers that the Emperor allows; `None`: it does not say, or there is none that would.
    pub(in crate::master) fn allowance(&self) -> Option<u32> {
        let ours = self.vassal.as_ref().and_then(|vassal| vassal.ours.as_ref())?;
        // until it has spoken: no more than there are
        ours.shares_memory.then(|| ours.allowance.unwrap_or_else(|| self.machine.target()))
    }

    /// Tells the Emperor of the load, if it wants to know and there is something new.
    pub(in crate::master) fn tell_emperor_load(&mut self) {
        let now_us = monotonic_us();
        let Some(mut told) = self.scaler.told().copied() else { return };
        let worker = self.machine.workers().find_map(|worker| worker.pid);
        let Some(Vassal { line, ours: Some(ours), .. }) = &mut self.vassal else { return };
        if !ours.shares_memory {
            return;
        }
        if ours.worker_bytes == 0 || now_us.saturating_sub(ours.measured_us) >= MEASURE_EVERY_US {
            let held = worker.and_then(|pid| memory::held(pid.get()).ok().flatten());
            if let Some(held) = held.filter(|held| held.private_bytes > 0) {
                (ours.worker_bytes, ours.measured_us) = (held.private_bytes, now_us);
            }
        }
        told.worker_bytes = ours.worker_bytes;
        // How long somebody waits changes all the time.
        let news = Told { waited_us: ours.told.waited_us, ..told } != ours.told || told.wants > told.live;
        let at_us = may_tell_at_us(&ours.told, &told, ours.told_us);
        ours.due_us = (news && at_us > now_us).then_some(at_us);
        if news && at_us <= now_us && line.say_all(&record(Kind::Load, &told_bytes(&told, ours.allowance))) {
            (ours.told, ours.told_us) = (told, now_us);
        }
    }

    /// A record has begun on the Emperor's line.
    pub(super) fn hear_emperor_record(&mut self) {
        let Some(Vassal { line, ours: Some(ours), .. }) = &mut self.vassal else {
            return log::warn!("the Emperor says something that means nothing here");
        };
        let Some((kind, content)) = record::rest(|into| line.hear_more(into)) else {
            return log::warn!("the Emperor says something that breaks off");
        };
        if let (Some(Kind::Allowance), Some(workers)) = (kind, allowance(&content)) {
            ours.allowance = Some(workers);
            self.look_due = true;
        }
    }

    /// Tells the Emperor what became of a reload: why the old code goes on, or that it does not.
    pub(in crate::master) fn tell_emperor_of_reload(&mut self, failure: Option<&str>) {
        let Some(Vassal { line, ours: Some(ours), .. }) = &mut self.vassal else { return };
        if failure.is_some() || ours.is_stale {
            ours.is_stale = failure.is_some();
            line.say_all(&record(Kind::Stale, failure.unwrap_or_default().as_bytes()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_is_told_at_once_and_all_else_ten_times_a_second() {
        let told = |live, wants| Told { live, wants, ..Told::default() };
        assert_eq!(may_tell_at_us(&told(1, 1), &told(1, 3), 5), 2_005);
        assert_eq!(may_tell_at_us(&told(1, 3), &told(3, 3), 5), 2_005, "that it is enough as well");
        assert_eq!(may_tell_at_us(&told(3, 3), &told(2, 2), 5), 100_005);
    }
}
