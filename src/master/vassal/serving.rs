//! What the master does for the Emperor whose vassal it is, and what it tells him. Master only.

use super::super::driver::Driver;
use super::super::machine::{Order, Reload};
use super::super::wanted::Wanted;
use super::line::{Heard, Vassal};
use super::orphan::Orphan;
use crate::config::model::HookPhase;
use crate::failure::StartFailure;
use crate::supervision::vassal::{FromVassal, ToVassal};
use crate::sys::clock::monotonic_us;

/// How often is looked whether a first request was answered: at first, and twice as long each time up to the last.
const LOYAL_FIRST_US: u64 = 250_000;
const LOYAL_LAST_US: u64 = 32_000_000;

impl Driver<'_> {
    /// From here on the Emperor is heard, if there is one.
    ///
    /// # Errors
    /// When the event loop cannot wait for it.
    pub(in crate::master) fn serve_emperor(&mut self, vassal: Option<Vassal>) -> Result<(), StartFailure> {
        if let Some(vassal) = &vassal {
            vassal.watch(&self.poll).map_err(|error| StartFailure::system("hear the Emperor", &error))?;
        }
        self.vassal = vassal;
        Ok(())
    }

    /// The Emperor says something, or is gone.
    pub(in crate::master) fn hear_emperor(&mut self) {
        while let Some(heard) = self.vassal.as_ref().and_then(Vassal::hear) {
            match heard {
                Heard::Wants(ToVassal::Reload) => {
                    self.run_emperor_hook(HookPhase::EmperorReload);
                    self.obey(Wanted::Order(Order::Reload(Reload::Graceful)));
                }
                Heard::Wants(stop @ (ToVassal::Stop | ToVassal::StopNow)) => {
                    self.run_emperor_hook(HookPhase::EmperorStop);
                    let order = if stop == ToVassal::Stop { Order::Stop } else { Order::StopNow };
                    self.obey(Wanted::Order(order));
                }
                Heard::Record => self.hear_emperor_record(),
                Heard::Strange(byte) => log::warn!("the Emperor says {byte}, which means nothing here"),
                Heard::Lost => {
                    if let Some(vassal) = self.vassal.take() {
                        vassal.forget(&self.poll);
                    }
                    self.run_emperor_hook(HookPhase::EmperorLost);
                    self.orphan = Orphan::of_environment();
                    if self.orphan.is_some() && !self.machine.is_stopping() {
                        log::warn!("lost connection with my emperor: going on until there is another one");
                    } else if !self.machine.is_stopping() {
                        log::warn!("lost connection with my emperor !!!");
                        self.obey(Wanted::Order(Order::Stop));
                    }
                }
            }
        }
    }

    /// What the configuration wants done about what the Emperor orders. Nobody waits for it.
    fn run_emperor_hook(&self, phase: HookPhase) {
        crate::hooks::run_aside(&self.in_force.config.hooks, phase, &[]);
    }

    /// Tells the Emperor that workers serve: after the start, and after each reload.
    pub(in crate::master) fn tell_emperor_ready(&mut self) {
        let heartbeat = self.in_force.config.emperor.heartbeat;
        let now_us = monotonic_us();
        let plead_us = self.first_plea_us(now_us);
        let Some(vassal) = &mut self.vassal else { return };
        vassal.say(FromVassal::Ready);
        vassal.say(FromVassal::Accepting);
        vassal.plead_us = plead_us;
        vassal.beat_us = heartbeat.map(|_| now_us);
        vassal.look = Some((now_us.saturating_add(LOYAL_FIRST_US), LOYAL_FIRST_US));
    }

    /// Tells it what is due.
    pub(in crate::master) fn tell_emperor(&mut self) {
        let now_us = monotonic_us();
        if self.vassal.as_ref().and_then(Vassal::due_us).is_none_or(|due_us| due_us > now_us) {
            return;
        }
        self.plead_if_needed(now_us);
        self.tell_emperor_load();
        let has_answered = self.has_answered();
        let heartbeat = self.in_force.config.emperor.heartbeat;
        let Some(vassal) = &mut self.vassal else { return };
        if let (Some(due_us), Some(every)) = (vassal.beat_us, heartbeat)
            && due_us <= now_us
        {
            vassal.say(FromVassal::Heartbeat);
            vassal.beat_us = Some(now_us.saturating_add(u64::try_from(every.as_micros()).unwrap_or(u64::MAX)));
        }
        if let Some((due_us, after_us)) = vassal.look
            && due_us <= now_us
        {
            let after_us = after_us.saturating_mul(2).min(LOYAL_LAST_US);
            vassal.look = (!has_answered).then_some((now_us.saturating_add(after_us), after_us));
            if has_answered {
                vassal.say(FromVassal::Loyal);
            }
        }
    }

    /// Tells the Emperor that the instance ends since there is nothing to do, and may sleep until there is.
    pub(in crate::master) fn tell_emperor_idle(&self) {
        self.vassal.iter().for_each(|vassal| vassal.say(FromVassal::Idle));
    }
}
