//! Carries out what the table of workers says, and draws the consequences for the instance.
//!
//! A worker is taken out of its seat and what becomes of it is put back. Pure; used in the master.

use super::action::Action;
use super::event::{ExitStatus, LeaveReason};
use super::identity::{ProcessId, Seat, Slot, Time};
use super::note::{Farewell, Note};
use super::worker::{Incident, Manner, Phase, State, Step, Worker, step};
use super::{FORK_PATIENCE_US, Machine, Stage, slot, stop, zygote};

/// A worker that dies before it is ready, or within this time after, died young: the next one waits.
pub(super) const YOUNG_US: u64 = 1_000_000;
/// How long a seat stays closed when its zygote died with the order to fork in its hands.
const QUARANTINE_US: u64 = 5_000_000;
/// A back-off of at least this is worth a line.
const DELAY_TOLD_US: u64 = 100_000;

impl Machine {
    /// Takes in what happened to a seat, or is to happen to it.
    pub(super) fn befall(&mut self, seat: Seat, incident: Incident) {
        let Some(place) = self.seats.get_mut(seat.0 as usize) else {
            return self.impossible(format!("{incident:?} in seat {seat}, which there is not"));
        };
        let state = State::of(place.as_ref());
        match (step(state, incident.stimulus()), place.take()) {
            (Step::Stay, before) => *place = before,
            (Step::Impossible, before) => {
                *place = before;
                self.impossible(format!("{incident:?} in seat {seat}, which is {state:?}"));
            }
            (step, Some(worker)) => self.carry_out(seat, worker, step, incident),
            (_, None) => self.evict(seat, &incident),
        }
    }

    pub(super) fn befall_all(&mut self, seats: &[Seat], incident: &Incident) {
        for seat in seats {
            self.befall(*seat, incident.clone());
        }
    }

    /// Puts what becomes of `worker` into its seat, which is empty at this moment.
    fn carry_out(&mut self, seat: Seat, worker: Worker, step: Step, incident: Incident) {
        match (step, incident) {
            (Step::Begin, Incident::Forked(pid)) => self.begin(seat, worker, pid),
            (Step::Remember, _) => self.remember(seat, worker),
            (Step::Serve, Incident::Ready { boot_us }) => self.serve(seat, worker, boot_us),
            (Step::Leave, Incident::Leaving(reason)) => self.leave(seat, worker, reason),
            (Step::Reject | Step::DoomUnfit, Incident::NotReady { exit_code, reason }) => {
                self.reject(seat, worker, exit_code, reason);
            }
            (Step::Retire, Incident::Dismiss(why)) => self.retire(seat, worker, why),
            (Step::Doom, Incident::Kill(_)) => self.doom(seat, worker, Manner::Brutal),
            (Step::Doom, _) => self.doom(seat, worker, Manner::Graceful),
            (Step::Withdraw, Incident::Forked(pid)) => self.withdraw_doomed(seat, worker, pid),
            (Step::Withdraw, Incident::Dismiss(why)) => self.withdraw(seat, worker, why),
            (Step::Quarantine, _) => {
                let phase = Phase::Lost { until: self.after_us(QUARANTINE_US) };
                self.sit(seat, Worker { phase, ..worker });
            }
            (Step::Kill, Incident::Expire) => self.lose_patience(seat, worker),
            (Step::Kill, Incident::Dismiss(why) | Incident::Kill(why)) => self.kill_known(seat, worker, why),
            (Step::GiveUp, _) => self.give_up(seat, worker),
            (Step::Vacate, _) => {}
            (Step::Fail, Incident::ForkFailed { errno }) => self.fail_fork(&worker, errno),
            (Step::Bury, Incident::Exited { pid, status }) => self.bury(seat, worker, pid, status),
            (Step::Judge, Incident::Exited { pid, status }) => self.judge(seat, worker, pid, status),
            (Step::BlameZygote, _) => self.blame_zygote(seat, worker),
            (step, incident) => {
                self.impossible(format!("{step:?} because of {incident:?}"));
                self.sit(seat, worker);
            }
        }
    }

    // The ways in.

    fn begin(&mut self, seat: Seat, worker: Worker, pid: ProcessId) {
        let slot = worker.slot;
        let first = worker.life <= 1;
        let threads = self.plan.threads;
        self.note(if first { Note::Spawned { slot, pid, threads } } else { Note::Respawned { slot, pid } });
        let phase = match worker.phase {
            Phase::Forking { ready: Some(since), .. } => Phase::Ready { pid, since, paused: false },
            _ => Phase::Starting { pid, until: self.plan.load_timeout_us.map(|us| self.after_us(us)) },
        };
        self.sit(seat, Worker { phase, ..worker });
    }

    fn remember(&mut self, seat: Seat, worker: Worker) {
        let until = worker.until().unwrap_or(self.now);
        self.sit(seat, Worker { phase: Phase::Forking { until, ready: Some(self.now) }, ..worker });
    }

    fn serve(&mut self, seat: Seat, worker: Worker, boot_us: u64) {
        let Some(pid) = worker.pid() else { return self.sit(seat, worker) };
        self.note(Note::WorkerReady { slot: worker.slot, pid, boot_us });
        self.sit(seat, Worker { phase: Phase::Ready { pid, since: self.now, paused: false }, ..worker });
    }

    // The ways out that end with the worker's own exit.

    fn leave(&mut self, seat: Seat, worker: Worker, reason: LeaveReason) {
        let Some(pid) = worker.pid() else { return self.sit(seat, worker) };
        self.prove(&worker);
        self.note(Note::WorkerLeaving { slot: worker.slot, pid, reason });
        let phase = self.leaving(pid, Farewell::Itself);
        self.sit(seat, Worker { phase, ..worker });
    }

    fn leaving(&self, pid: ProcessId, why: Farewell) -> Phase {
        Phase::Leaving { pid, since: self.now, until: self.after_us(self.plan.mercy_us), why }
    }

    fn retire(&mut self, seat: Seat, worker: Worker, why: Farewell) {
        let Some(pid) = worker.pid() else { return self.sit(seat, worker) };
        self.actions.push_back(Action::Retire { seat });
        let phase = Phase::Retiring { pid, since: self.now, until: self.after_us(self.plan.mercy_us), why };
        self.sit(seat, Worker { phase, ..worker });
    }

    /// A worker said that it can never serve. At the start that may be the end of the instance.
    fn reject(&mut self, seat: Seat, worker: Worker, exit_code: i32, reason: String) {
        let phase = match worker.pid() {
            Some(pid) => self.leaving(pid, Farewell::Unfit),
            None => Phase::Doomed { until: worker.until().unwrap_or(self.now), manner: Manner::Brutal },
        };
        self.note(Note::WorkerUnfit { slot: worker.slot, pid: worker.pid(), reason: reason.clone() });
        self.sit(seat, Worker { phase, ..worker.clone() });
        let first = matches!(self.stage, Stage::Starting) && self.change.is_none();
        if first && exit_code == stop::NO_APPLICATION {
            self.begin_stop(stop::NO_APPLICATION, Manner::Graceful);
        } else {
            self.blame(&worker, reason);
        }
    }

    fn doom(&mut self, seat: Seat, worker: Worker, manner: Manner) {
        let until = worker.until().unwrap_or(self.now);
        self.sit(seat, Worker { phase: Phase::Doomed { until, manner }, ..worker });
    }

    // The ways out that end with SIGKILL.

    fn kill(&mut self, seat: Seat, worker: Worker, pid: ProcessId, why: Farewell) {
        let since = match worker.phase {
            Phase::Leaving { since, .. } | Phase::Retiring { since, .. } | Phase::Killed { since, .. } => since,
            _ => self.now,
        };
        self.actions.push_back(Action::Kill { seat });
        self.await_killed();
        self.sit(seat, Worker { phase: Phase::Killed { pid, since, until: None, why }, ..worker });
    }

    /// Takes back a worker that has not said that it is ready.
    fn withdraw(&mut self, seat: Seat, worker: Worker, why: Farewell) {
        let Some(pid) = worker.pid() else { return self.sit(seat, worker) };
        self.actions.push_back(Action::Withdraw { seat });
        self.await_killed();
        let until = Some(self.after_us(self.plan.mercy_us));
        self.sit(seat, Worker { phase: Phase::Killed { pid, since: self.now, until, why }, ..worker });
    }

    /// The pid of a worker that is no longer wanted has come.
    fn withdraw_doomed(&mut self, seat: Seat, worker: Worker, pid: ProcessId) {
        if let Phase::Doomed { manner: Manner::Brutal, .. } = worker.phase {
            return self.kill(seat, worker, pid, Farewell::CalledOff);
        }
        let phase = Phase::Starting { pid, until: None };
        self.withdraw(seat, Worker { phase, ..worker }, Farewell::CalledOff);
    }

    fn kill_known(&mut self, seat: Seat, worker: Worker, why: Farewell) {
        match worker.pid() {
            Some(pid) => self.kill(seat, worker, pid, why),
            None => self.sit(seat, worker),
        }
    }

    fn lose_patience(&mut self, seat: Seat, worker: Worker) {
        match worker.phase {
            // Taken back in this very look, by the consequences of another one's end.
            Phase::Killed { until, .. } if until.is_none_or(|until| until > self.now) => self.sit(seat, worker),
            Phase::Leaving { pid, why, .. } | Phase::Retiring { pid, why, .. } | Phase::Killed { pid, why, .. } => {
                self.note(Note::NoMercy { slot: worker.slot, pid });
                self.kill(seat, worker, pid, why);
            }
            _ => self.sit(seat, worker),
        }
    }

    fn give_up(&mut self, seat: Seat, worker: Worker) {
        let reason = "not ready in time (load-timeout)".to_owned();
        self.note(Note::WorkerUnfit { slot: worker.slot, pid: worker.pid(), reason: reason.clone() });
        self.withdraw(seat, worker.clone(), Farewell::Unfit);
        self.blame(&worker, reason);
    }

    /// A process where none was ordered. The seat is closed until it is gone.
    fn evict(&mut self, seat: Seat, incident: &Incident) {
        let Incident::Forked(pid) = *incident else { return };
        self.note(Note::Intruder { seat, pid });
        let phase = Phase::Lost { until: self.now };
        let stranger = Worker { slot: Slot(0), generation: self.current, life: 0, replace: None, phase };
        self.kill(seat, stranger, pid, Farewell::CalledOff);
    }

    // Ends.

    fn bury(&mut self, seat: Seat, worker: Worker, pid: ProcessId, status: ExitStatus) {
        if !self.is_the_dead(seat, &worker, pid, status) {
            return self.sit(seat, worker);
        }
        let slot = worker.slot;
        match (worker.phase, status) {
            (Phase::Leaving { .. } | Phase::Retiring { .. }, ExitStatus::Signal(signal)) => {
                self.note(Note::WorkerDiedLeaving { slot, pid, signal });
            }
            (Phase::Leaving { since, why, .. }, _)
            | (Phase::Retiring { since, why, .. }, _)
            | (Phase::Killed { since, why, .. }, _) => {
                let after_us = self.now.since_us(since);
                self.note(Note::WorkerGone { slot, pid, why, after_us });
            }
            _ => {}
        }
    }

    /// A worker died that nobody had asked to go.
    fn judge(&mut self, seat: Seat, worker: Worker, pid: ProcessId, status: ExitStatus) {
        if !self.is_the_dead(seat, &worker, pid, status) {
            return self.sit(seat, worker);
        }
        self.note(Note::WorkerDied { slot: worker.slot, pid, status });
        let young = worker.ready_since().is_none_or(|since| self.now.since_us(since) < YOUNG_US);
        if young || self.candidate() == Some(worker.generation) {
            self.blame(&worker, format!("worker {} {status}", worker.slot));
        } else if let Some(slot) = self.slot_mut(worker.slot) {
            slot.failures = 0;
            slot.not_before = Time::default();
        }
    }

    /// Whether the process that ended is the one in the seat; says so if not.
    fn is_the_dead(&mut self, seat: Seat, worker: &Worker, pid: ProcessId, status: ExitStatus) -> bool {
        let same = worker.pid() == Some(pid);
        if !same {
            self.impossible(format!("process {pid} {status} in seat {seat}, which has {:?}", worker.pid()));
        }
        same
    }

    fn fail_fork(&mut self, worker: &Worker, errno: i32) {
        let reason = format!("fork failed: {}", std::io::Error::from_raw_os_error(errno));
        self.note(Note::WorkerUnfit { slot: worker.slot, pid: None, reason: reason.clone() });
        self.blame(worker, reason);
    }

    /// The zygote did not answer in time: it is killed, and what it says or does until then has time to arrive.
    fn blame_zygote(&mut self, seat: Seat, worker: Worker) {
        let until = self.after_us(FORK_PATIENCE_US);
        let phase = match worker.phase {
            Phase::Forking { ready, .. } => Phase::Forking { until, ready },
            Phase::Doomed { manner, .. } => Phase::Doomed { until, manner },
            other => other,
        };
        let generation = worker.generation;
        self.sit(seat, Worker { phase, ..worker });
        self.zygote(generation, zygote::Incident::Mute);
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
}
