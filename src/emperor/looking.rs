//! What becomes of the files that the monitors find: each is a vassal that is taken up, and one that has changed or gone is
//! told of. Emperor only.

use std::os::fd::AsRawFd;

use mio::unix::SourceFd;
use mio::{Interest, Token};

use super::addresses::{self, Answer, Place};
use super::birth::Reinforcement;
use super::driver::{Driver, KIND, QUESTION, now};
use super::machine::{Event, Phase, Vassal};
use super::monitors::Candidate;
use super::succession::AWAITED_US;
use crate::sys::clock::monotonic_us;

/// How long one waits that could not be taken up.
const AGAIN_US: u64 = 3_000_000;

impl Driver<'_> {
    /// Compares the files that there are with those that are known.
    pub(super) fn look_for_vassals(&mut self) {
        if self.machine.is_stopping() {
            return;
        }
        let look = self.monitors.look();
        for (place, error) in &look.unread {
            log::warn!("[emperor] {place} cannot be read: {error}; its vassals stay as they are");
        }
        let unread = |candidate: &Candidate| look.unread.iter().any(|(place, _)| *place == candidate.monitor);
        let vanished: Vec<String> = self
            .court
            .seats()
            .iter()
            .filter(|(_, seat)| seat.stands_by.is_none())
            .filter(|(name, seat)| !look.found.contains_key(*name) && !unread(&seat.candidate))
            .map(|(name, _)| name.clone())
            .collect();
        for name in vanished {
            if self.machine.vassals().get(&name).is_some_and(Vassal::lives) {
                log::info!("[emperor] stop the uwsgi instance {name}");
            }
            self.machine.handle(now(), &name, Event::Vanished);
        }
        for (name, candidate) in look.found {
            self.take_up(&name, candidate);
        }
    }

    fn take_up(&mut self, name: &str, candidate: Candidate) {
        if self.config.emperor.tyrant && (candidate.owner.0 == 0 || candidate.owner.1 == 0) {
            if self.court.seats().get(name).is_none_or(|seat| seat.candidate != candidate) {
                log::warn!("[emperor-tyrant] invalid permissions for vassal {name}: it is root's");
            }
            return;
        }
        let Some(seat) = self.court.get_mut(name) else {
            return self.welcome(name, candidate);
        };
        let before = std::mem::replace(&mut seat.candidate, candidate.clone());
        let event = if self.config.emperor.tyrant && before.owner != candidate.owner {
            log::warn!("[emperor] the owner of {name} has changed: it is started anew");
            Event::Replaced
        } else if before.stamp != candidate.stamp {
            log::info!("[emperor] reload the uwsgi instance {name}");
            Event::Changed
        } else {
            // One that goes may be one whose file was away for a moment.
            Event::Found { on_demand: false }
        };
        let is_leaving = self.machine.vassals().get(name).is_some_and(|vassal| vassal.phase() == Phase::Leaving);
        if is_leaving || !matches!(event, Event::Found { .. }) {
            self.machine.handle(now(), name, event);
        }
    }

    /// Takes up one that was not there before, or asks first where it is to be waited for.
    fn welcome(&mut self, name: &str, candidate: Candidate) {
        match addresses::place_of(&self.config.emperor.on_demand, name, &candidate.path) {
            Ok(Place::Asked(command)) => self.ask(&command, name, &candidate),
            place => self.admit(Answer { name: name.to_owned(), candidate, place }),
        }
    }

    fn ask(&mut self, command: &str, name: &str, candidate: &Candidate) {
        let asked = self.questions.ask(command, name, candidate).and_then(|number| {
            let Some(number) = number else { return Ok(()) };
            let Some(raw) = self.questions.source(number).map(|pipe| pipe.as_raw_fd()) else { return Ok(()) };
            let token = Token(QUESTION << KIND | number as usize);
            self.poll.registry().register(&mut SourceFd(&raw), token, Interest::READABLE)
        });
        if let Err(error) = asked {
            log::warn!("[emperor] vassal {name}: emperor-on-demand-exec: {error}");
            self.monitors.look_within(AGAIN_US);
        }
    }

    /// A command that was asked has said something.
    pub(super) fn hear_answer(&mut self, number: u32) {
        let Some(answer) = self.questions.hear(number) else { return };
        self.admit(answer);
        // Its file may have gone meanwhile, and others may have waited for their turn.
        self.monitors.look_within(0);
    }

    pub(super) fn give_up_questions(&mut self) {
        for answer in self.questions.give_up(monotonic_us()) {
            self.admit(answer);
        }
    }

    fn admit(&mut self, Answer { name, candidate, place }: Answer) {
        if self.machine.is_stopping() {
            return;
        }
        let socket = match place {
            Ok(Place::At(address)) => addresses::listen(address).map(Some),
            Ok(Place::Nowhere | Place::Asked(_)) => Ok(None),
            Err(reason) => Err(reason),
        };
        match socket {
            Ok(socket) => {
                log::info!("[emperor] vassal {name} has been found");
                let on_demand = socket.is_some();
                self.court.admit(&name, candidate, socket, None);
                let lives = !on_demand && self.succession.as_ref().is_some_and(|succession| succession.awaits(&name));
                let event = match lives {
                    true => Event::FoundAlive(now().plus_us(AWAITED_US)),
                    false => Event::Found { on_demand },
                };
                self.machine.handle(now(), &name, event);
            }
            Err(reason) => {
                log::warn!("[emperor] vassal {name}: {reason}");
                self.monitors.look_within(AGAIN_US);
            }
        }
    }

    /// One more vassal of a file is wanted.
    pub(super) fn enlist(&mut self, name: &str, of: String, number: u32) {
        let Some(candidate) = self.court.seats().get(&of).map(|seat| seat.candidate.clone()) else { return };
        log::info!("[emperor] vassal {name} reinforces {of}");
        self.court.admit(name, candidate, None, Some(Reinforcement { of, number }));
    }
}
