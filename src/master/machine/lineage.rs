//! Carries out what the table of zygotes says, and draws the consequences for the generations.
//!
//! Pure; used in the master.

use super::action::Action;
use super::change::Change;
use super::child::{Incident as WorkerIncident, Manner};
use super::event::ExitStatus;
use super::identity::{Generation, Role};
use super::note::Note;
use super::zygote::{Incident, Phase, State, Step, Zygote, step};
use super::{Machine, Stage, stop};
use crate::supervision::back_off::Pace;
use crate::supervision::role::Rule;

/// How long a zygote may take to end once it has no workers.
const ZYGOTE_PATIENCE_US: u64 = 2_000_000;

impl Machine {
    /// Takes in what happened to a zygote, or is to happen to it.
    pub(super) fn zygote(&mut self, generation: Generation, incident: Incident) {
        let Some(zygote) = self.zygotes.iter().find(|zygote| zygote.generation == generation) else {
            return self.impossible(format!("{incident:?} of generation {generation}, which has no zygote"));
        };
        let Zygote { phase: before, root, .. } = *zygote;
        let state = State::of(before);
        match step(state, incident.stimulus()) {
            Step::Impossible => self.impossible(format!("{incident:?} of generation {generation}, which is {state:?}")),
            Step::Stay => {}
            Step::Start => self.start_zygote(generation),
            Step::Serve => self.zygote_serves(generation, &incident),
            Step::Stop => {
                self.actions.push_back(Action::StopZygote { generation });
                self.await_zygote(generation);
            }
            Step::Reject => {
                self.await_zygote(generation);
                self.blame_generation((generation, root), before, incident);
            }
            Step::Kill => self.kill_zygote(generation),
            Step::GiveUp => {
                self.kill_zygote(generation);
                self.blame_generation((generation, root), before, incident);
            }
            Step::Bury | Step::Forget => self.remove_zygote(generation),
            Step::Judge => {
                self.remove_zygote(generation);
                self.blame_generation((generation, root), before, incident);
            }
        }
    }

    fn set_phase(&mut self, generation: Generation, phase: Phase) {
        for zygote in self.zygotes.iter_mut().filter(|zygote| zygote.generation == generation) {
            zygote.phase = phase;
        }
    }

    fn start_zygote(&mut self, generation: Generation) {
        self.actions.push_back(Action::StartZygote { generation, candidate: false });
        let until = self.plan.load_timeout_us.map(|us| self.after_us(us));
        self.set_phase(generation, Phase::Loading { until });
    }

    fn zygote_serves(&mut self, generation: Generation, incident: &Incident) {
        if let Incident::Loaded { boot_us } = *incident {
            self.note(Note::Loaded { generation, boot_us });
        }
        self.set_phase(generation, Phase::Loaded { since: self.now });
        if matches!(self.stage, Stage::Loading) {
            self.stage = Stage::Starting;
        }
    }

    fn await_zygote(&mut self, generation: Generation) {
        let until = self.after_us(ZYGOTE_PATIENCE_US);
        self.set_phase(generation, Phase::Stopping { until });
    }

    fn kill_zygote(&mut self, generation: Generation) {
        self.actions.push_back(Action::KillZygote { generation });
        self.set_phase(generation, Phase::Killed);
        self.await_killed();
    }

    /// Its workers are the master's own from now on; the orders in its hands may have been carried out.
    fn remove_zygote(&mut self, generation: Generation) {
        self.zygotes.retain(|zygote| zygote.generation != generation);
        let orphans = self.seats_where(|child| child.is_of(generation));
        self.befall_all(&orphans, &WorkerIncident::Orphan);
    }

    /// Draws the consequences of a generation that cannot do its part: the first load ends the instance, a reload is
    /// called off, and the current generation gets a new zygote.
    /// A mold is no more than its root's way to save memory: workers come from that again. `root`: of a mold.
    fn blame_generation(
        &mut self,
        (generation, root): (Generation, Option<Generation>),
        before: Phase,
        incident: Incident,
    ) {
        let (exit_code, reason) = verdict(before, incident);
        match self.stage {
            Stage::Stopping { .. } | Stage::Gone => {}
            Stage::Loading => {
                self.note(Note::GenerationFailed { generation, reason, again_in_us: None });
                self.begin_stop(if exit_code == 0 { stop::FAILURE } else { exit_code }, Manner::Graceful);
            }
            Stage::Starting | Stage::Serving if self.candidate() == Some(generation) => self.fail_change(reason),
            Stage::Starting | Stage::Serving if self.current == generation => {
                if root.is_none_or(|root| !self.forsake_mold(root, &reason)) {
                    self.replace_zygote(generation, before, reason);
                }
            }
            Stage::Starting | Stage::Serving if self.root() == generation => {
                self.replace_zygote(generation, before, reason)
            }
            Stage::Starting | Stage::Serving => {}
        }
    }

    /// The workers of a generation are not such as its configuration allows: the first start ends, a reload is called
    /// off. One that serves already goes on.
    pub(super) fn refuse_generation(&mut self, generation: Generation, exit_code: i32, reason: String) {
        match self.stage {
            Stage::Starting if self.current == generation => self.begin_stop(exit_code, Manner::Graceful),
            Stage::Starting | Stage::Serving if self.candidate() == Some(generation) => self.fail_change(reason),
            Stage::Starting | Stage::Serving => self.note(Note::Misfit { generation, reason }),
            Stage::Loading | Stage::Stopping { .. } | Stage::Gone => {}
        }
    }

    /// The same configuration gets a new generation. Workers of the old one go on until those of the new are ready.
    fn replace_zygote(&mut self, failed: Generation, before: Phase, reason: String) {
        // A zygote is judged as the workers are for whom it is there.
        let rule = Rule::of(Role::Worker);
        let proved = matches!(before, Phase::Loaded { since } if self.now.since_us(since) >= rule.young_us);
        self.zygote_failures = if proved { 0 } else { self.zygote_failures.saturating_add(1) };
        let delay_us = Pace { first_us: rule.first_delay_us, max_us: self.plan.respawn_delay_max_us }
            .delay_us(self.zygote_failures);
        self.note(Note::GenerationFailed { generation: failed, reason: reason.clone(), again_in_us: Some(delay_us) });
        self.current = self.new_generation();
        let phase = Phase::Waiting { until: self.after_us(delay_us) };
        self.zygotes.push(Zygote { generation: self.current, phase, root: None });
        if delay_us == 0 {
            self.zygote(self.current, Incident::Expire);
        }
        if matches!(self.change, Some(Change::Rolling { .. })) {
            self.fail_change(reason);
        }
    }

    /// The number of the next generation.
    pub(super) fn new_generation(&mut self) -> Generation {
        self.generations_made = self.generations_made.saturating_add(1);
        Generation(self.generations_made)
    }
}

/// What a generation is blamed for, and the exit code if that ends the instance.
fn verdict(before: Phase, incident: Incident) -> (i32, String) {
    match incident {
        Incident::LoadFailed { exit_code, reason } => (exit_code, reason),
        Incident::Exited(status) => {
            let code = if let ExitStatus::Code(code) = status { code } else { stop::FAILURE };
            let loading = matches!(before, Phase::Loading { .. });
            (code, if loading { format!("zygote {status} while loading") } else { format!("zygote {status}") })
        }
        Incident::Mute => (stop::FAILURE, "the zygote does not answer".to_owned()),
        Incident::Loaded { .. } | Incident::Dismiss | Incident::Kill | Incident::Expire => {
            (stop::FAILURE, "not loaded in time (load-timeout)".to_owned())
        }
    }
}
