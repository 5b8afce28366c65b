//! What becomes of vassals: decides, does nothing. An event and a time go in, actions come out; nothing is assumed to have
//! worked because it was ordered. `table` says what is done about an event, this file carries that out; `due` says what is
//! done because time has passed, `reinforcing` when a file has more than one vassal.
//!
//! Pure; used in the Emperor. Not for processes, files and lines: those are the drivers' beside it.

mod due;
mod reinforcing;
mod table;
mod vassal;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

pub(super) use table::Phase;
use table::{Deed, Kind, deed};
use vassal::Reloading;
pub(super) use vassal::{State, Then, Vassal};

use crate::supervision::back_off::Pace;
use crate::supervision::time::Time;
use crate::supervision::vassal::{FromVassal, ToVassal};

/// One that lives longer than this is not taken for one that cannot start.
const YOUNG_US: u64 = 60_000_000;

/// How long one may be starting and keep others from it.
const STARTING_US: u64 = 10_000_000;

/// By what vassals are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy {
    /// How long one waits that fails again and again.
    pub(super) pace: Pace,
    /// Whether failures are forgotten.
    pub(super) forgives: bool,
    /// How long one may take to go.
    pub(super) curse_us: u64,
    /// The same when the Emperor ends.
    pub(super) mercy_us: u64,
    /// How long one may be silent that tells that it lives.
    pub(super) heartbeat_us: u64,
    /// How many may be starting or reloading at once.
    pub(super) starts_max: usize,
    /// How many there may be that others have asked for.
    pub(super) reinforcements_max: usize,
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// A vassal's file is there; whether its first connection is to start it.
    Found { on_demand: bool },
    /// The same, and it lives and is to come until then: it is not started before.
    FoundAlive(Time),
    /// It has come.
    Adopted,
    /// It has changed.
    Changed,
    /// It belongs to somebody else.
    Replaced,
    /// It is gone.
    Vanished,
    /// Somebody connects to one that sleeps.
    Wanted,
    /// It says something.
    Said(FromVassal),
    /// It could not reload, and goes on as it was.
    Stale,
    /// Its line has ended.
    HungUp,
    /// It could not be started, or has ended: how, and whether that was an end without a fault.
    Ended { how: String, clean: bool },
}

/// What the Emperor is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Stop all of them, and end.
    Stop,
    /// Reload all of them.
    Reload,
    /// Forget all failures.
    Forgive,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// Execute it.
    Start(String),
    /// Tell it something.
    Tell(String, ToVassal),
    /// Kill its processes.
    Kill(String),
    /// Wait for connections in its place.
    Watch(String),
    /// Take up another vassal of a file, beside the one that has its name: which of these it is.
    Enlist { name: String, of: String, number: u32 },
    /// Forget it.
    Remove(String),
    /// A line of the log: what of whom, and whether it is a warning.
    Note { warns: bool, text: String },
    /// End.
    Exit,
}

/// Knows all vassals.
#[derive(Debug)]
pub(super) struct Machine {
    policy: Policy,
    vassals: BTreeMap<String, Vassal>,
    stopping: bool,
    ended: bool,
    actions: VecDeque<Action>,
}

impl Machine {
    pub(super) fn new(policy: Policy) -> Self {
        Self { policy, vassals: BTreeMap::new(), stopping: false, ended: false, actions: VecDeque::new() }
    }

    /// All vassals, by name.
    pub(super) fn vassals(&self) -> &BTreeMap<String, Vassal> {
        &self.vassals
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// The next thing to do.
    pub(super) fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Something happens to one of them.
    pub(super) fn handle(&mut self, now: Time, name: &str, event: Event) {
        if let Event::Found { on_demand } = event
            && !self.vassals.contains_key(name)
        {
            if !self.stopping {
                self.vassals.insert(name.to_owned(), Vassal::new(on_demand, now));
                if on_demand {
                    self.actions.push_back(Action::Watch(name.to_owned()));
                }
            }
        } else if let Event::FoundAlive(until) = event
            && !self.vassals.contains_key(name)
        {
            let vassal = Vassal {
                state: State::Waiting { since: now, not_before: until, sleeps_then: false },
                ..Vassal::new(false, now)
            };
            self.vassals.insert(name.to_owned(), vassal);
        } else {
            self.command_reinforcements(now, name, &event);
            self.apply(now, name, event);
        }
        self.reconcile(now);
    }

    /// The Emperor is told something.
    pub(super) fn obey(&mut self, now: Time, order: Order) {
        let names: Vec<String> = self.vassals.keys().cloned().collect();
        match order {
            Order::Stop if self.stopping => names.iter().for_each(|name| self.kill(name)),
            Order::Stop => {
                self.stopping = true;
                for name in &names {
                    self.apply(now, name, Event::Vanished);
                }
            }
            Order::Reload => names.iter().for_each(|name| self.apply(now, name, Event::Changed)),
            Order::Forgive => {
                for vassal in self.vassals.values_mut() {
                    vassal.forgive();
                    if let State::Waiting { not_before, .. } = &mut vassal.state {
                        *not_before = now;
                    }
                }
            }
        }
        self.reconcile(now);
    }

    /// Time has passed.
    pub(super) fn elapse(&mut self, now: Time) {
        self.reconcile(now);
    }

    fn apply(&mut self, now: Time, name: &str, event: Event) {
        let Some(vassal) = self.vassals.get_mut(name) else { return };
        let (kind, how) = match event {
            Event::Found { .. } | Event::FoundAlive(_) => (Kind::Found, None),
            Event::Adopted => (Kind::Adopted, None),
            Event::Changed => (Kind::Changed, None),
            Event::Replaced => (Kind::Replaced, None),
            Event::Vanished => (Kind::Vanished, None),
            Event::Wanted => (Kind::Wanted, None),
            Event::Said(FromVassal::Ready | FromVassal::Accepting) => (Kind::Ready, None),
            Event::Said(FromVassal::Idle) => (Kind::Idle, None),
            Event::Said(FromVassal::Loyal) => {
                vassal.loyal = Some(now);
                return vassal.forgive();
            }
            Event::Said(FromVassal::Heartbeat) => return vassal.heartbeat = Some(now),
            Event::Said(FromVassal::Sos) => return self.reinforce(now, name),
            // Others may reload in its place.
            Event::Stale => return vassal.reloaded(),
            Event::HungUp => (Kind::HungUp, None),
            Event::Ended { how, clean } => (Kind::Ended, Some((how, clean))),
        };
        match deed(kind, vassal.phase()) {
            Deed::Nothing => {}
            Deed::StartNow => {
                let sleeps_then = vassal.on_demand && kind != Kind::Wanted;
                vassal.state = State::Waiting { since: now, not_before: now, sleeps_then };
            }
            // One that serves is told when there is room: too many at once would starve each other. One that is at it has room.
            Deed::Reload if vassal.phase() == Phase::Running => match vassal.reloading {
                Reloading::Wanted(_) => {}
                Reloading::Told(since) if now.since_us(since) < STARTING_US => {
                    vassal.reloading = Reloading::Told(now);
                    self.actions.push_back(Action::Tell(name.to_owned(), ToVassal::Reload));
                }
                Reloading::No | Reloading::Told(_) => vassal.reloading = Reloading::Wanted(now),
            },
            Deed::Reload => self.actions.push_back(Action::Tell(name.to_owned(), ToVassal::Reload)),
            Deed::Dismiss => self.let_go(now, name, Then::Gone),
            Deed::Renew => self.let_go(now, name, Then::Again),
            Deed::Recall => {
                if let State::Leaving { then: then @ Then::Gone, .. } = &mut vassal.state {
                    *then = Then::Again;
                }
            }
            Deed::LullToSleep if vassal.on_demand => self.let_go(now, name, Then::Asleep),
            Deed::LullToSleep if vassal.stands_by.is_some() => self.let_go(now, name, Then::Gone),
            // Nobody could wake it: it is started again when it has gone, as in uWSGI.
            Deed::LullToSleep => self.let_go(now, name, Then::ByItself),
            Deed::Curse => {
                vassal.state = State::Leaving { then: Then::ByItself, kill_at: now.plus_us(self.policy.curse_us) };
            }
            Deed::Forget => self.remove(name),
            Deed::Adopt => vassal.begin(now),
            Deed::Serve => {
                vassal.ready = Some(now);
                vassal.state = State::Running;
                vassal.reloaded();
            }
            Deed::Bury => self.bury(now, name, how),
        }
    }

    /// Tells one to go, if it was not told already, and notes what comes after.
    fn let_go(&mut self, now: Time, name: &str, then: Then) {
        let Some(vassal) = self.vassals.get_mut(name) else { return };
        if let State::Leaving { then: noted, .. } = &mut vassal.state {
            *noted = then;
            return;
        }
        let within_us = if self.stopping { self.policy.mercy_us } else { self.policy.curse_us };
        vassal.state = State::Leaving { then, kill_at: now.plus_us(within_us) };
        self.actions.push_back(Action::Tell(name.to_owned(), ToVassal::Stop));
    }

    fn remove(&mut self, name: &str) {
        if self.vassals.remove(name).is_some() {
            self.actions.push_back(Action::Remove(name.to_owned()));
        }
    }

    fn kill(&mut self, name: &str) {
        if self.vassals.get(name).is_some_and(Vassal::lives) {
            self.actions.push_back(Action::Kill(name.to_owned()));
        }
    }

    /// Its process is gone.
    fn bury(&mut self, now: Time, name: &str, how: Option<(String, bool)>) {
        let Some(vassal) = self.vassals.get_mut(name) else { return };
        let (how, clean) = how.unwrap_or_default();
        let then = match vassal.state {
            State::Leaving { then, .. } => then,
            _ => Then::ByItself,
        };
        match then {
            _ if self.stopping => self.remove(name),
            Then::Gone => self.remove(name),
            _ if vassal.stands_by.is_some() => self.bury_reinforcement(now, name, how, clean),
            Then::Again => {
                vassal.state = State::Waiting { since: now, not_before: now, sleeps_then: vassal.on_demand };
            }
            Then::Asleep => self.sleep(name),
            Then::ByItself if vassal.on_demand && clean => self.sleep(name),
            Then::ByItself => self.blame(now, name, how),
        }
    }

    fn sleep(&mut self, name: &str) {
        let Some(vassal) = self.vassals.get_mut(name) else { return };
        vassal.state = State::Asleep;
        self.actions.push_back(Action::Watch(name.to_owned()));
    }

    /// One that has ended by itself comes again: at once if it was able to serve, else later each time.
    fn blame(&mut self, now: Time, name: &str, how: String) {
        let Some(vassal) = self.vassals.get_mut(name) else { return };
        let lived_us = vassal.last_run.map_or(0, |begun| now.since_us(begun));
        let delay_us = if vassal.loyal.is_some() || lived_us > YOUNG_US || self.policy.forgives {
            vassal.forgive();
            0
        } else {
            vassal.failures = vassal.failures.saturating_add(1);
            vassal.back_off.blame(now, self.policy.pace)
        };
        let not_before = now.plus_us(delay_us);
        vassal.state = State::Waiting { since: now, not_before, sleeps_then: vassal.on_demand };
        let text = match (vassal.failures, delay_us) {
            (0, _) => format!("vassal {name} ended ({how}); it is started again"),
            (failures, _) => {
                let seconds = delay_us as f64 / 1e6;
                format!("vassal {name} failed {failures} times in a row ({how}); the next try in {seconds} s")
            }
        };
        vassal.last_end = Some(how);
        self.actions.push_back(Action::Note { warns: true, text });
    }
}
