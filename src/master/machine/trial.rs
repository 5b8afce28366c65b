//! The trial of a new generation (`reload-canary`): a part of its workers serves beside the whole old generation, until
//! somebody who looks at what they answer has a verdict. The machine does not judge; it begins and ends the trial. Pure;
//! used in the master.

use super::Machine;
use super::action::Action;
use super::change::{Change, Switch, Trial};
use super::identity::{Generation, Time};
use super::note::Note;

impl Machine {
    /// The generation that is tried at this moment, and since when.
    #[must_use]
    pub fn trial(&self) -> Option<(Generation, Time)> {
        let Some(Change::Switching(switch)) = &self.change else { return None };
        match switch.trial {
            Trial::UnderWay(since) => Some((switch.generation, since)),
            Trial::Due | Trial::Gathering | Trial::Passed => None,
        }
    }

    /// How many workers the candidate needs at this moment where `wanted` would serve.
    pub(super) fn on_trial(switch: &Switch, wanted: u32) -> u32 {
        match switch.plan.canary {
            Some(portion) if switch.trial != Trial::Passed => portion.workers(wanted),
            _ => wanted,
        }
    }

    /// Before the first of the candidate's workers is ordered: from its first connection on it takes its part only. That follows
    /// the number of workers that are wanted; where nobody is, nothing can be tried.
    pub(super) fn divide_requests(&mut self) {
        let target = self.target();
        let Some(Change::Switching(switch)) = &mut self.change else { return };
        let generation = switch.generation;
        let Some(portion) = switch.plan.canary.filter(|_| switch.trial != Trial::Passed) else { return };
        if target == 0 {
            return self.conclude_trial(generation, Ok("no worker is wanted, so that nothing can be tried".to_owned()));
        }
        let share = portion.requests(target);
        if switch.trial == Trial::Due {
            switch.trial = Trial::Gathering;
            self.actions.push_back(Action::BeginTrial { generation, share });
        } else if switch.share != share {
            self.actions.push_back(Action::ShareTrial { generation, share });
        }
        switch.share = share;
    }

    /// The workers on trial are all ready and have been for the time of probation. Whether the switch may go on.
    pub(super) fn may_go_on(&mut self, workers: usize) -> bool {
        let now = self.now;
        let Some(Change::Switching(switch)) = &mut self.change else { return false };
        match switch.trial {
            Trial::Passed => return true,
            Trial::UnderWay(_) => return false,
            Trial::Due | Trial::Gathering => switch.trial = Trial::UnderWay(now),
        }
        let generation = switch.generation;
        self.note(Note::TrialBegins { generation, workers });
        false
    }

    /// What became of the trial of a generation. A verdict on another one is late: it has been decided on.
    pub(super) fn conclude_trial(&mut self, generation: Generation, verdict: Result<String, String>) {
        let Some(Change::Switching(switch)) = &mut self.change else { return };
        if switch.generation != generation || switch.trial == Trial::Passed {
            return;
        }
        match verdict {
            Ok(reason) => {
                if std::mem::replace(&mut switch.trial, Trial::Passed) != Trial::Due {
                    self.actions.push_back(Action::EndTrial { generation });
                }
                self.note(Note::TrialPassed { generation, reason });
            }
            Err(reason) => self.fail_change(reason),
        }
    }
}
