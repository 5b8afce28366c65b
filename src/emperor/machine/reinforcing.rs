//! Reinforcements: more vassals of a file whose vassal asks for them (uWSGI's manual, "The Emperor", broodlord mode). They come
//! one after the other, share what happens to their file, and do not come again when they have gone. Pure.

use super::vassal::Vassal;
use super::{Action, Event, Machine, Phase};
use crate::supervision::time::Time;

impl Machine {
    /// One asks for another beside it. It gets one if there may be more, none is on its way to it already, and the last one
    /// did not fail a moment ago.
    pub(super) fn reinforce(&mut self, now: Time, name: &str) {
        // A reinforcement asks for all of its file.
        let asks = self.vassals.get(name).map(|vassal| vassal.stands_by.as_ref().map_or(name, |(of, _)| of.as_str()));
        let Some(of) = asks.map(str::to_owned).filter(|_| !self.stopping) else { return };
        let Some(leader) = self.vassals.get(&of) else { return };
        let all = self.vassals.values().filter(|vassal| vassal.stands_by.is_some()).count();
        let on_its_way = self.reinforcements(&of).any(|(_, vassal)| vassal.ready.is_none());
        if leader.reinforcing.not_before() > now || on_its_way || leader.phase() != Phase::Running {
            return;
        }
        if all >= self.policy.reinforcements_max {
            let text =
                format!("vassal {of} gets no reinforcement: {all} are out, and emperor-broodlord allows no more");
            return self.actions.push_back(Action::Note { warns: false, text });
        }
        let name_of = |number: u32| format!("{of}:zerg-{number}");
        let Some(number) = (1..u32::MAX).find(|number| !self.vassals.contains_key(&name_of(*number))) else { return };
        let fresh = Vassal { stands_by: Some((of.clone(), number)), ..Vassal::new(false, now) };
        self.vassals.insert(name_of(number), fresh);
        self.actions.push_back(Action::Enlist { name: name_of(number), of, number });
    }

    /// What happens to a file happens to all that stand by its vassal.
    pub(super) fn command_reinforcements(&mut self, now: Time, of: &str, event: &Event) {
        let event = match event {
            Event::Changed => Event::Changed,
            // They are others' as well then.
            Event::Vanished | Event::Replaced => Event::Vanished,
            _ => return,
        };
        let all = self.reinforcements(of).filter(|(_, vassal)| vassal.phase() != Phase::Leaving);
        let all: Vec<String> = all.map(|(name, _)| name.clone()).collect();
        all.iter().for_each(|name| self.apply(now, name, event.clone()));
    }

    /// One is gone that was not told to go. Whoever needs it asks again; where it has failed, that is heard later each time.
    pub(super) fn bury_reinforcement(&mut self, now: Time, name: &str, how: String, clean: bool) {
        let Some(vassal) = self.vassals.get(name) else { return };
        let (failed, of) = (!clean && vassal.loyal.is_none(), vassal.stands_by.clone());
        let pace = self.policy.pace;
        if let Some(leader) = of.and_then(|(of, _)| self.vassals.get_mut(&of)) {
            match failed {
                true => drop(leader.reinforcing.blame(now, pace)),
                false => leader.reinforcing.forgive(),
            }
        }
        if failed {
            let text = format!("vassal {name} failed ({how}); it comes again when it is asked for");
            self.actions.push_back(Action::Note { warns: true, text });
        }
        self.remove(name);
    }

    fn reinforcements<'a>(&'a self, of: &'a str) -> impl Iterator<Item = (&'a String, &'a Vassal)> {
        let stands_by = move |vassal: &Vassal| vassal.stands_by.as_ref().is_some_and(|(leader, _)| leader == of);
        self.vassals.iter().filter(move |(_, vassal)| stands_by(vassal))
    }
}
