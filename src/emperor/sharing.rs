//! The memory that vassals share (`emperor-memory`): hears what each needs, and tells each how many workers it may have. Who gets
//! what is decided by `scaling::budget`. Emperor only.

use super::driver::Driver;
use crate::scaling::budget::record::allowance_bytes;
use crate::scaling::budget::{Change, Told, Why};
use crate::supervision::record::{Kind, record};

impl Driver<'_> {
    /// A vassal tells of its load, and how many workers it believes to be allowed.
    pub(super) fn share(&mut self, name: &str, told: Told, believed: Option<u32>) {
        let Some(number) = self.court.seats().get(name).map(|seat| seat.number) else { return };
        let Some(sharing) = &mut self.sharing else { return };
        let changes = sharing.budget.hear(number, told);
        let is_too_small = sharing.budget.is_too_small();
        if is_too_small && !sharing.is_too_small {
            log::warn!(
                "[emperor] the fewest workers of all vassals take more than emperor-memory; they have them all the same"
            );
        }
        sharing.is_too_small = is_too_small;
        let allowed = sharing.budget.of(number).map(|(workers, _)| workers);
        self.allow_all(&changes);
        // It has missed what it was told, or its master is another image.
        if allowed != believed && !changes.iter().any(|change| change.who == number) {
            allowed.into_iter().for_each(|workers| self.allow(number, workers));
        }
    }

    /// A vassal is gone, or will be soon: what it has is others'.
    pub(super) fn share_without(&mut self, name: &str) {
        let Some(number) = self.court.seats().get(name).map(|seat| seat.number) else { return };
        let Some(sharing) = &mut self.sharing else { return };
        sharing.told_us.remove(&number);
        let changes = sharing.budget.part(number);
        self.allow_all(&changes);
    }

    fn allow_all(&mut self, changes: &[Change]) {
        for change in changes {
            self.allow(change.who, change.workers);
            let name = |who| self.court.name_of(who).cloned().unwrap_or_default();
            let workers = change.workers;
            let line = match change.why {
                Why::Joins | Why::Keeps => continue,
                Why::Wants { waiting, waited_us } => {
                    let waited_ms = waited_us / 1_000;
                    format!("may have {workers} workers: {waiting} connections wait, one for {waited_ms} ms")
                }
                Why::GivesUp { to } => {
                    format!("may have {workers} workers: memory is short, and {} needs it", name(to))
                }
            };
            let who = name(change.who);
            match self.sharing.as_mut().is_some_and(|sharing| sharing.may_tell(change.who)) {
                true => log::info!("[emperor] vassal {who} {line}"),
                false => log::debug!("[emperor] vassal {who} {line}"),
            }
        }
    }

    /// Tells it so many workers. What it does not hear it is told again when it tells of itself.
    fn allow(&mut self, number: u32, workers: u32) {
        let Some(name) = self.court.name_of(number) else { return };
        if let Some(line) = self.court.seats().get(name).and_then(|seat| seat.line.as_ref()) {
            line.say_all(&record(Kind::Allowance, &allowance_bytes(workers)));
        }
    }
}
