//! What the machine does because time has passed or room has come: starts those that wait, kills those that do not go. Pure.

use super::vassal::{Reloading, State, Then, Vassal};
use super::{Action, Machine, Phase, STARTING_US};
use crate::supervision::time::Time;
use crate::supervision::vassal::ToVassal;

impl Machine {
    /// When something is due although nothing happens.
    pub(in crate::emperor) fn deadline(&self, now: Time) -> Option<Time> {
        let full = self.starting(now) >= self.policy.starts_max;
        let due = |vassal: &Vassal| match vassal.state {
            State::Waiting { not_before, sleeps_then, .. } if sleeps_then || !full => Some(not_before),
            State::Leaving { kill_at, .. } => Some(kill_at),
            // Then it no longer keeps the others from it.
            _ if full => vassal.is_at_it_since().map(|since| since.plus_us(STARTING_US)).filter(|until| *until > now),
            _ => None,
        };
        let silent = |vassal: &Vassal| {
            let minded = matches!(vassal.phase(), Phase::Starting | Phase::Running);
            vassal.heartbeat.filter(|_| minded).map(|last| last.plus_us(self.policy.heartbeat_us))
        };
        self.vassals.values().filter_map(|vassal| due(vassal).into_iter().chain(silent(vassal)).min()).min()
    }

    pub(super) fn reconcile(&mut self, now: Time) {
        self.end_overdue(now);
        self.put_to_sleep(now);
        self.start_due(now);
        if self.stopping && self.vassals.is_empty() && !self.ended {
            self.ended = true;
            self.actions.push_back(Action::Exit);
        }
    }

    /// Kills who does not go, and who has fallen silent.
    fn end_overdue(&mut self, now: Time) {
        let heartbeat_us = self.policy.heartbeat_us;
        for (name, vassal) in &mut self.vassals {
            match &mut vassal.state {
                State::Leaving { kill_at, .. } if *kill_at <= now => {
                    *kill_at = now.plus_us(self.policy.curse_us);
                    let text = format!("NO MERCY for vassal {name} !!! it does not end");
                    self.actions.push_back(Action::Note { warns: true, text });
                }
                State::Starting { .. } | State::Running
                    if vassal.heartbeat.is_some_and(|last| last.plus_us(heartbeat_us) <= now) =>
                {
                    vassal.heartbeat = None;
                    vassal.state = State::Leaving { then: Then::ByItself, kill_at: now.plus_us(self.policy.curse_us) };
                    let seconds = heartbeat_us / 1_000_000;
                    let text = format!("vassal {name} sent no heartbeat in {seconds} s: it is killed");
                    self.actions.push_back(Action::Note { warns: true, text });
                }
                _ => continue,
            }
            self.actions.push_back(Action::Kill(name.clone()));
        }
    }

    fn put_to_sleep(&mut self, now: Time) {
        let is_due = |vassal: &Vassal| matches!(vassal.state, State::Waiting { sleeps_then: true, not_before, .. } if not_before <= now);
        let due: Vec<String> =
            self.vassals.iter().filter(|(_, vassal)| is_due(vassal)).map(|(name, _)| name.clone()).collect();
        due.iter().for_each(|name| self.sleep(name));
    }

    /// Starts who may start and has those reload whose files have changed, in the order in which they began to wait, and no
    /// more at once than there may be.
    fn start_due(&mut self, now: Time) {
        let mut room = self.policy.starts_max.saturating_sub(self.starting(now));
        let mut due: Vec<(Time, String)> = self
            .vassals
            .iter()
            .filter_map(|(name, vassal)| match (vassal.state, vassal.reloading) {
                (State::Waiting { since, not_before, sleeps_then: false }, _) if not_before <= now => {
                    Some((since, name.clone()))
                }
                (State::Running, Reloading::Wanted(since)) => Some((since, name.clone())),
                _ => None,
            })
            .collect();
        due.sort();
        for (_, name) in due {
            let Some(vassal) = self.vassals.get_mut(&name).filter(|_| room > 0) else { return };
            room -= 1;
            if vassal.state == State::Running {
                vassal.reloading = Reloading::Told(now);
                self.actions.push_back(Action::Tell(name, ToVassal::Reload));
            } else {
                vassal.begin(now);
                self.actions.push_back(Action::Start(name));
            }
        }
    }

    /// How many are starting or reloading and keep others from it.
    pub(in crate::emperor) fn starting(&self, now: Time) -> usize {
        let since = self.vassals.values().filter_map(Vassal::is_at_it_since);
        since.filter(|since| now.since_us(*since) < STARTING_US).count()
    }
}
