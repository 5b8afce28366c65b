//! Carries out what the tables of workers and zygotes say, and draws the consequences for the instance.
//!
//! A worker is taken out of its seat, and what becomes of it is put back; so is a zygote's phase. Pure; used in the
//! master.

use super::action::Action;
use super::change::Change;
use super::event::ExitStatus;
use super::identity::{Generation, ProcessId, Seat, Slot, Time};
use super::note::{Farewell, Note};
use super::worker::{Incident, Manner, Phase, Worker};
use super::zygote::Zygote;
use super::{FORK_PATIENCE_US, Machine, Stage, slot, stop, worker, zygote};

/// A worker that dies before it is ready, or within this time after, died young: the next one waits.
const YOUNG_US: u64 = 1_000_000;
/// How long a seat stays closed when its zygote died with the order to fork in its hands.
const QUARANTINE_US: u64 = 5_000_000;
/// How long a zygote may take to end once it has no workers.
const ZYGOTE_PATIENCE_US: u64 = 2_000_000;
/// A back-off of at least this is worth a line.
const DELAY_TOLD_US: u64 = 100_000;

impl Machine {
    /// Acts on every patience that has ended.
    pub(super) fn expire(&mut self) {
        let now = self.now;
        self.looked = now;
        let workers = self.seats_where(|worker| worker.until().is_some_and(|until| until <= now));
        self.befall_all(&workers, &Incident::Expire);
        let due = |zygote: &&Zygote| zygote.until().is_some_and(|until| until <= now);
        let zygotes: Vec<Generation> = self.zygotes.iter().filter(due).map(|zygote| zygote.generation).collect();
        for generation in zygotes {
            self.zygote(generation, zygote::Incident::Expire);
        }
    }

    pub(super) fn befall(&mut self, seat: Seat, incident: Incident) {
        let Some(place) = self.seats.get_mut(seat.0 as usize) else {
            self.impossible(format!("{incident:?} in seat {seat}, which there is not"));
            return;
        };
        let state = worker::State::of(place.as_ref());
        let step = worker::step(state, incident.stimulus());
        match (step, place.take(), incident) {
            (worker::Step::Impossible, before, incident) => {
                *place = before;
                self.impossible(format!("{incident:?} in seat {seat}, which is {state:?}"));
            }
            (worker::Step::Evict, _, Incident::Forked(pid)) => {
                let phase = Phase::Killed { pid, since: self.now, why: Farewell::CalledOff };
                let generation = self.current;
                *place = Some(Worker { slot: Slot(0), generation, life: 0, replace: None, phase });
                self.note(Note::Intruder { seat, pid });
                self.actions.push_back(Action::Kill { seat });
            }
            (worker::Step::Stay, before, _) => *place = before,
            (step, Some(worker), incident) => self.carry_out(seat, worker, step, incident),
            (_, None, _) => {}
        }
    }

    pub(super) fn befall_all(&mut self, seats: &[Seat], incident: &Incident) {
        for seat in seats {
            self.befall(*seat, incident.clone());
        }
    }

    /// Puts what becomes of `worker` into its seat, which is empty at this moment.
    fn carry_out(&mut self, seat: Seat, worker: Worker, step: worker::Step, incident: Incident) {
        use worker::Step;
        match step {
            Step::Begin | Step::Remember | Step::Serve => self.carry_in(seat, worker, step, incident),
            Step::Leave | Step::Reject | Step::Retire | Step::Doom | Step::DoomUnfit | Step::Quarantine => {
                self.see_off(seat, worker, step, incident);
            }
            Step::Kill | Step::GiveUp => self.kill(seat, worker, step, incident),
            Step::Vacate => {}
            Step::Fail => {
                let errno = if let Incident::ForkFailed { errno } = incident { errno } else { 0 };
                let reason = format!("fork failed with error {errno}");
                self.note(Note::WorkerUnfit { slot: worker.slot, pid: None, reason: reason.clone() });
                self.blame(&worker, reason);
            }
            Step::Bury | Step::Judge => self.bury(seat, worker, step, incident),
            Step::BlameZygote => {
                let generation = worker.generation;
                self.sit(seat, Worker { phase: postponed(worker.phase, self.now), ..worker });
                self.zygote(generation, zygote::Incident::Mute);
            }
            Step::Impossible | Step::Stay | Step::Evict => self.sit(seat, worker),
        }
    }

    /// The ways in: towards being ready.
    fn carry_in(&mut self, seat: Seat, worker: Worker, step: worker::Step, incident: Incident) {
        let slot = worker.slot;
        let phase = match (step, worker.phase, incident) {
            (worker::Step::Begin, Phase::Forking { ready, .. }, Incident::Forked(pid)) => {
                self.note(spawn_note(&worker, pid, self.plan.threads));
                match ready {
                    Some(since) => Phase::Ready { pid, since, paused: false },
                    None => Phase::Starting { pid, until: self.plan.load_timeout_us.map(|us| self.after_us(us)) },
                }
            }
            (worker::Step::Remember, Phase::Forking { until, .. }, _) => {
                Phase::Forking { until, ready: Some(self.now) }
            }
            (worker::Step::Serve, Phase::Starting { pid, .. }, Incident::Ready { boot_us }) => {
                self.note(Note::WorkerReady { slot, pid, boot_us });
                Phase::Ready { pid, since: self.now, paused: false }
            }
            (_, phase, _) => phase,
        };
        self.sit(seat, Worker { phase, ..worker });
    }

    /// The ways out that end with the worker's own exit.
    fn see_off(&mut self, seat: Seat, worker: Worker, step: worker::Step, incident: Incident) {
        use worker::Step;
        let since = self.now;
        let until = self.after_us(self.plan.mercy_us);
        let phase = match (step, worker.phase, worker.pid()) {
            (Step::Leave, _, Some(pid)) => {
                self.prove(&worker);
                if let Incident::Leaving(reason) = incident {
                    self.note(Note::WorkerLeaving { slot: worker.slot, pid, reason });
                }
                Phase::Leaving { pid, since, until, why: Farewell::Itself }
            }
            (Step::Reject, _, Some(pid)) => {
                self.sit(
                    seat,
                    Worker { phase: Phase::Leaving { pid, since, until, why: Farewell::Unfit }, ..worker.clone() },
                );
                self.unfit(&worker, incident);
                return;
            }
            (Step::Retire, _, Some(pid)) => {
                self.actions.push_back(Action::Retire { seat });
                Phase::Retiring { pid, since, until, why: farewell(&incident) }
            }
            (Step::DoomUnfit, Phase::Forking { until, .. }, _) => {
                self.sit(seat, Worker { phase: Phase::Doomed { until }, ..worker.clone() });
                self.unfit(&worker, incident);
                return;
            }
            (Step::Doom, Phase::Forking { until, .. }, _) => Phase::Doomed { until },
            (Step::Quarantine, _, _) => Phase::Lost { until: self.after_us(QUARANTINE_US) },
            (_, phase, _) => phase,
        };
        self.sit(seat, Worker { phase, ..worker });
    }

    fn kill(&mut self, seat: Seat, worker: Worker, step: worker::Step, incident: Incident) {
        let (pid, since, why) = match (worker.phase, &incident) {
            (Phase::Leaving { pid, since, why, .. } | Phase::Retiring { pid, since, why, .. }, Incident::Expire) => {
                self.note(Note::NoMercy { slot: worker.slot, pid });
                (pid, since, why)
            }
            (Phase::Leaving { pid, since, why, .. } | Phase::Retiring { pid, since, why, .. }, _) => (pid, since, why),
            (Phase::Doomed { .. } | Phase::Lost { .. } | Phase::Forking { .. }, Incident::Forked(pid)) => {
                (*pid, self.now, Farewell::CalledOff)
            }
            (Phase::Starting { pid, .. } | Phase::Ready { pid, .. }, _) => (pid, self.now, farewell(&incident)),
            (Phase::Doomed { .. } | Phase::Lost { .. } | Phase::Forking { .. } | Phase::Killed { .. }, _) => {
                self.sit(seat, worker);
                return;
            }
        };
        self.actions.push_back(Action::Kill { seat });
        self.await_killed();
        self.sit(seat, Worker { phase: Phase::Killed { pid, since, why }, ..worker.clone() });
        if step == worker::Step::GiveUp {
            let reason = "not ready in time".to_owned();
            self.note(Note::WorkerUnfit { slot: worker.slot, pid: Some(pid), reason: reason.clone() });
            self.blame(&worker, reason);
        }
    }

    fn bury(&mut self, seat: Seat, worker: Worker, step: worker::Step, incident: Incident) {
        let Incident::Exited { pid, status } = incident else { return self.sit(seat, worker) };
        if worker.pid() != Some(pid) {
            self.impossible(format!("process {pid} {status} in seat {seat}, which has {:?}", worker.pid()));
            return self.sit(seat, worker);
        }
        let slot = worker.slot;
        match (worker.phase, status) {
            (Phase::Leaving { .. } | Phase::Retiring { .. }, ExitStatus::Signal(signal)) => {
                self.note(Note::WorkerDiedLeaving { slot, pid, signal });
            }
            (
                Phase::Leaving { since, why, .. }
                | Phase::Retiring { since, why, .. }
                | Phase::Killed { since, why, .. },
                _,
            ) => {
                let after_us = self.now.since_us(since);
                self.note(Note::WorkerGone { slot, pid, why, after_us });
            }
            (
                Phase::Forking { .. }
                | Phase::Doomed { .. }
                | Phase::Lost { .. }
                | Phase::Starting { .. }
                | Phase::Ready { .. },
                _,
            ) => {}
        }
        if step == worker::Step::Judge {
            self.note(Note::WorkerDied { slot: worker.slot, pid, status });
            self.judge(&worker, status);
        }
    }

    /// A worker died that nobody had asked to go.
    fn judge(&mut self, worker: &Worker, status: ExitStatus) {
        let young = match worker.phase {
            Phase::Ready { since, .. } => self.now.since_us(since) < YOUNG_US,
            _ => true,
        };
        if young || self.candidate() == Some(worker.generation) {
            self.blame(worker, format!("worker {} {status}", worker.slot));
        } else if let Some(slot) = self.slot_mut(worker.slot) {
            slot.failures = 0;
            slot.not_before = Time::default();
        }
    }

    /// A worker said that it can never serve.
    fn unfit(&mut self, worker: &Worker, incident: Incident) {
        let Incident::NotReady { exit_code, reason } = incident else { return };
        self.note(Note::WorkerUnfit { slot: worker.slot, pid: worker.pid(), reason: reason.clone() });
        let first = matches!(self.stage, Stage::Starting) && worker.generation == self.current;
        if first && exit_code == stop::NO_APPLICATION {
            self.begin_stop(stop::NO_APPLICATION, Manner::Graceful);
        } else {
            self.blame(worker, reason);
        }
    }

    /// Draws the consequences of a worker that could not do its part: a reload that counted on it is called off, and
    /// the next worker of its slot waits.
    fn blame(&mut self, worker: &Worker, reason: String) {
        if self.candidate() == Some(worker.generation) {
            return self.fail_change(reason);
        }
        if self.is_successor_of_marked(worker) {
            self.fail_change(reason);
        }
        let now = self.now;
        let max = self.plan.respawn_delay_max_us;
        let Some(slot) = self.slot_mut(worker.slot) else { return };
        slot.failures = slot.failures.saturating_add(1);
        let delay_us = slot::delay_us(slot.failures, max);
        slot.not_before = now.plus_us(delay_us);
        if delay_us >= DELAY_TOLD_US {
            self.note(Note::RespawnDelayed { slot: worker.slot, delay_us });
        }
    }

    pub(super) fn zygote(&mut self, generation: Generation, incident: zygote::Incident) {
        let Some(index) = self.zygotes.iter().position(|zygote| zygote.generation == generation) else {
            self.impossible(format!("{incident:?} of generation {generation}, which has no zygote"));
            return;
        };
        let phase = self.zygotes[index].phase;
        let state = zygote::State::of(phase);
        let step = zygote::step(state, incident.stimulus());
        self.actions.extend(match step {
            zygote::Step::Start => Some(Action::StartZygote { generation, candidate: false }),
            zygote::Step::Stop => Some(Action::StopZygote { generation }),
            zygote::Step::Kill | zygote::Step::GiveUp => Some(Action::KillZygote { generation }),
            _ => None,
        });
        match step {
            zygote::Step::Impossible => {
                self.impossible(format!("{incident:?} of generation {generation}, which is {state:?}"));
            }
            zygote::Step::Stay => {}
            zygote::Step::Start => {
                let until = self.plan.load_timeout_us.map(|us| self.after_us(us));
                self.zygotes[index].phase = zygote::Phase::Loading { until };
            }
            zygote::Step::Serve => self.zygotes[index].phase = zygote::Phase::Loaded { since: self.now },
            zygote::Step::Stop | zygote::Step::Reject => {
                self.zygotes[index].phase = zygote::Phase::Stopping { until: self.after_us(ZYGOTE_PATIENCE_US) };
            }
            zygote::Step::Kill | zygote::Step::GiveUp => {
                self.zygotes[index].phase = zygote::Phase::Killed;
                self.await_killed();
            }
            zygote::Step::Bury | zygote::Step::Judge | zygote::Step::Forget => {
                self.zygotes.remove(index);
                let orphans = self.seats_where(|worker| worker.generation == generation);
                self.befall_all(&orphans, &Incident::Orphan);
            }
        }
        self.after_zygote(generation, phase, step, incident);
    }

    /// The consequences of a zygote's step for the instance.
    fn after_zygote(
        &mut self,
        generation: Generation,
        before: zygote::Phase,
        step: zygote::Step,
        incident: zygote::Incident,
    ) {
        use zygote::{Incident, Step};
        match (step, incident) {
            (Step::Serve, Incident::Loaded { boot_us }) => {
                self.note(Note::Loaded { generation, boot_us });
                if matches!(self.stage, Stage::Loading) {
                    self.stage = Stage::Starting;
                }
            }
            (Step::Reject, Incident::LoadFailed { exit_code, reason }) => {
                self.blame_generation(generation, before, exit_code, reason);
            }
            (Step::Judge, Incident::Exited(status)) => {
                let code = if let ExitStatus::Code(code) = status { code } else { stop::FAILURE };
                let doing = if matches!(before, zygote::Phase::Loading { .. }) { "while loading" } else { "" };
                self.blame_generation(
                    generation,
                    before,
                    code,
                    format!("zygote {status} {doing}").trim_end().to_owned(),
                );
            }
            (Step::GiveUp, Incident::Mute) => {
                self.blame_generation(generation, before, stop::FAILURE, "the zygote does not answer".to_owned());
            }
            (Step::GiveUp, _) => {
                self.blame_generation(generation, before, stop::FAILURE, "not loaded in time".to_owned());
            }
            _ => {}
        }
    }

    /// Draws the consequences of a generation that cannot do its part: the first load ends the instance, a reload is
    /// called off, and the current generation gets a new zygote.
    fn blame_generation(&mut self, generation: Generation, before: zygote::Phase, exit_code: i32, reason: String) {
        match self.stage {
            Stage::Stopping { .. } | Stage::Gone => {}
            Stage::Loading => {
                self.note(Note::GenerationFailed { generation, reason, again_in_us: None });
                self.begin_stop(if exit_code == 0 { stop::FAILURE } else { exit_code }, Manner::Graceful);
            }
            Stage::Starting | Stage::Serving if self.candidate() == Some(generation) => self.fail_change(reason),
            Stage::Starting | Stage::Serving if self.current == generation => self.replace_zygote(before, reason),
            Stage::Starting | Stage::Serving => {}
        }
    }

    /// The same configuration gets a new generation. Workers of the old one go on until those of the new are ready.
    fn replace_zygote(&mut self, before: zygote::Phase, reason: String) {
        let proved = matches!(before, zygote::Phase::Loaded { since } if self.now.since_us(since) >= YOUNG_US);
        self.zygote_failures = if proved { 0 } else { self.zygote_failures.saturating_add(1) };
        let delay_us = slot::delay_us(self.zygote_failures, self.plan.respawn_delay_max_us);
        let failed = self.current;
        self.current = self.new_generation();
        let phase = zygote::Phase::Waiting { until: self.after_us(delay_us) };
        self.zygotes.push(Zygote { generation: self.current, phase });
        if delay_us == 0 {
            self.zygote(self.current, zygote::Incident::Expire);
        }
        self.note(Note::GenerationFailed { generation: failed, reason: reason.clone(), again_in_us: Some(delay_us) });
        if matches!(self.change, Some(Change::Rolling { .. })) {
            self.fail_change(reason);
        }
    }
}

fn spawn_note(worker: &Worker, pid: ProcessId, threads: u32) -> Note {
    let slot = worker.slot;
    if worker.life <= 1 { Note::Spawned { slot, pid, threads } } else { Note::Respawned { slot, pid } }
}

fn farewell(incident: &Incident) -> Farewell {
    match incident {
        Incident::Dismiss(why) | Incident::Kill(why) => *why,
        Incident::Forked(_)
        | Incident::ForkFailed { .. }
        | Incident::Ready { .. }
        | Incident::NotReady { .. }
        | Incident::Leaving(_)
        | Incident::Exited { .. }
        | Incident::Expire
        | Incident::Orphan => Farewell::Unfit,
    }
}

/// The same phase with new patience.
fn postponed(phase: Phase, now: Time) -> Phase {
    let until = now.plus_us(FORK_PATIENCE_US);
    match phase {
        Phase::Forking { ready, .. } => Phase::Forking { until, ready },
        Phase::Doomed { .. } => Phase::Doomed { until },
        other => other,
    }
}
