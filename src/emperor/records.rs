//! What vassals of ours say beyond uWSGI's bytes: their load, and that they go on with old code. Nothing of it is believed
//! further than it is of use to who says it. Emperor only.

use super::driver::{Driver, now};
use super::machine::Event;
use crate::escape;
use crate::scaling::budget::record;
use crate::supervision::record::{Kind, rest};

impl Driver<'_> {
    /// A record has begun on a vassal's line.
    pub(super) fn hear_record(&mut self, name: &str) {
        let Some(line) = self.court.get_mut(name).and_then(|seat| seat.line.as_ref()) else { return };
        let Some((kind, content)) = rest(|into| line.hear_more(into)) else {
            return log::warn!("[emperor] vassal {name} says something that breaks off");
        };
        match kind {
            Some(Kind::Load) => match record::told(&content) {
                Some((told, believed)) => self.share(name, told, believed),
                None => log::warn!("[emperor] vassal {name} tells its load in a way that cannot be read"),
            },
            Some(Kind::Stale) => self.note_stale(name, &String::from_utf8_lossy(&content)),
            // Of a later version.
            Some(Kind::Allowance | Kind::Returns) | None => {}
        }
    }

    /// It goes on with old code, or does not any more.
    fn note_stale(&mut self, name: &str, reason: &str) {
        if !reason.is_empty() {
            self.machine.handle(now(), name, Event::Stale);
        }
        let Some(seat) = self.court.get_mut(name) else { return };
        let reason = escape::on_one_line(reason);
        let stale = (!reason.trim().is_empty()).then(|| reason.trim().to_owned());
        match (&stale, &seat.stale) {
            (Some(reason), _) => {
                log::warn!("[emperor] vassal {name} could not reload and goes on with old code: {reason}")
            }
            (None, Some(_)) => log::info!("[emperor] vassal {name} goes on with new code"),
            (None, None) => {}
        }
        seat.stale = stale;
    }
}
