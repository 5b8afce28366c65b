//! Carries out what the table of children says, and draws the consequences for the instance.
//!
//! A child is taken out of its seat and what becomes of it is put back. Pure; used in the master.

use super::action::Action;
use super::child::{Child, Incident, Manner, Origin, Phase, State, Step, Wear, step};
use super::event::{ExitStatus, LeaveReason};
use super::farewell::Farewell;
use super::identity::{Generation, Post, ProcessId, Seat};
use super::note::Note;
use super::word::Word;
use super::{FORK_PATIENCE_US, Machine, Stage, stop, zygote};
use crate::supervision::back_off::Pace;

/// How long a seat stays closed when its zygote died with the order to fork in its hands.
const QUARANTINE_US: u64 = 5_000_000;
/// The signal that no process can catch, whatever its number may be elsewhere.
const SIGKILL: i32 = 9;
/// So many that were killed by others are replaced at once at a time, and one more for each worker that there may be:
/// whoever kills all of them at once means no crash loop.
const EXCUSED_AT_ONCE: u32 = 20;
/// One more after so long: twenty a second are forked without anybody noticing.
const EXCUSED_EVERY_US: u64 = 50_000;
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
            (step, Some(child)) => self.carry_out(seat, child, step, incident),
            (_, None) => self.evict(seat, &incident),
        }
    }

    pub(super) fn befall_all(&mut self, seats: &[Seat], incident: &Incident) {
        for seat in seats {
            self.befall(*seat, incident.clone());
        }
    }

    /// The zygote of a generation has answered an order: whoever waits behind in its queue has a whole patience again, so that
    /// many orders on a busy machine are not taken for a zygote that does not answer.
    fn renew_patience(&mut self, generation: Generation) {
        let renewed = self.after_us(FORK_PATIENCE_US);
        for child in self.seats.iter_mut().flatten().filter(|child| child.is_of(generation)) {
            if let Phase::Forking { until, .. } | Phase::Doomed { until, .. } = &mut child.phase {
                *until = renewed;
            }
        }
    }

    /// Puts what becomes of `child` into its seat, which is empty at this moment.
    fn carry_out(&mut self, seat: Seat, child: Child, step: Step, incident: Incident) {
        if let (Incident::Forked(_) | Incident::ForkFailed { .. }, Some(generation)) = (&incident, child.generation()) {
            self.renew_patience(generation);
        }
        match (step, incident) {
            (Step::Begin, Incident::Forked(pid)) => self.begin(seat, child, pid),
            (Step::Remember, _) => self.remember(seat, child),
            (Step::Serve, Incident::Ready { boot_us }) => self.serve(seat, child, boot_us),
            (Step::Leave, Incident::Leaving(reason)) => self.leave(seat, child, reason),
            (Step::Reject | Step::DoomUnfit, Incident::NotReady { exit_code, reason }) => {
                self.reject(seat, child, exit_code, reason);
            }
            (Step::Retire, Incident::Dismiss(why)) => self.retire(seat, child, why),
            (Step::Doom, Incident::Kill(_)) => self.doom(seat, child, Manner::Brutal),
            (Step::Doom, _) => self.doom(seat, child, Manner::Graceful),
            (Step::Withdraw, Incident::Forked(pid)) => self.withdraw_doomed(seat, child, pid),
            (Step::Withdraw, Incident::Dismiss(why)) => self.withdraw(seat, child, why),
            (Step::Quarantine, _) => {
                let phase = Phase::Lost { until: self.after_us(QUARANTINE_US) };
                self.sit(seat, Child { phase, ..child });
            }
            (Step::Kill, Incident::Expire) => self.lose_patience(seat, child),
            (Step::Kill, Incident::Dismiss(why) | Incident::Kill(why)) => self.kill_known(seat, child, why),
            (Step::GiveUp, _) => self.give_up(seat, child),
            (Step::Vacate, _) => {}
            (Step::Release, _) => self.actions.push_back(Action::Release { seat }),
            (Step::Fail, Incident::ForkFailed { errno }) => self.fail_fork(&child, errno),
            (Step::Mold, _) => self.mold(seat, &child),
            (Step::Bury, Incident::Exited { pid, status }) => self.bury(seat, child, pid, status),
            (Step::Judge, Incident::Exited { pid, status }) => self.judge(seat, child, pid, status),
            (Step::BlameZygote, _) => self.blame_zygote(seat, child),
            (step, incident) => {
                self.impossible(format!("{step:?} because of {incident:?}"));
                self.sit(seat, child);
            }
        }
    }

    // The ways in.

    fn begin(&mut self, seat: Seat, child: Child, pid: ProcessId) {
        self.tell(&child, Some(pid), Word::Begun { first: child.nth <= 1, threads: self.plan.threads });
        let phase = match child.phase {
            Phase::Forking { ready: Some(since), .. } => Phase::Ready { pid, since, paused: false },
            _ => Phase::Starting { pid, until: self.ready_within_us(&child).map(|us| self.after_us(us)) },
        };
        self.sit(seat, Child { phase, ..child });
    }

    fn remember(&mut self, seat: Seat, child: Child) {
        let until = child.until().unwrap_or(self.now);
        self.sit(seat, Child { phase: Phase::Forking { until, ready: Some(self.now) }, ..child });
    }

    fn serve(&mut self, seat: Seat, child: Child, boot_us: u64) {
        let Some(pid) = child.pid() else { return self.sit(seat, child) };
        self.tell(&child, Some(pid), Word::Ready { boot_us });
        self.sit(seat, Child { phase: Phase::Ready { pid, since: self.now, paused: false }, ..child });
    }

    // The ways out that end with the child's own exit.

    fn leave(&mut self, seat: Seat, child: Child, reason: LeaveReason) {
        let Some(pid) = child.pid() else { return self.sit(seat, child) };
        self.prove(&child);
        self.tell(&child, Some(pid), Word::Leaving(reason));
        let phase = self.leaving(&child, pid, Farewell::Itself);
        self.sit(seat, Child { phase, ..child });
    }

    fn leaving(&self, child: &Child, pid: ProcessId, why: Farewell) -> Phase {
        Phase::Leaving { pid, since: self.now, until: self.after_us(self.mercy_us(child)), why }
    }

    fn retire(&mut self, seat: Seat, child: Child, why: Farewell) {
        let Some(pid) = child.pid() else { return self.sit(seat, child) };
        self.tell(&child, Some(pid), Word::Retired(why));
        let order = self.parting_order(seat, &child, why);
        self.actions.push_back(order);
        let phase = Phase::Retiring { pid, since: self.now, until: self.after_us(self.mercy_us(&child)), why };
        self.sit(seat, Child { phase, ..child });
    }

    /// A child said that it can never serve. At the start that may be the end of the instance.
    fn reject(&mut self, seat: Seat, child: Child, exit_code: i32, reason: String) {
        let phase = match child.pid() {
            Some(pid) => self.leaving(&child, pid, Farewell::Unfit),
            None => Phase::Doomed { until: child.until().unwrap_or(self.now), manner: Manner::Brutal },
        };
        self.tell(&child, child.pid(), Word::Unfit { reason: reason.clone() });
        self.sit(seat, Child { phase, ..child.clone() });
        let first = matches!(self.stage, Stage::Starting) && self.change.is_none() && child.rule().counts;
        if first && exit_code == stop::NO_APPLICATION {
            self.begin_stop(stop::NO_APPLICATION, Manner::Graceful);
        } else {
            self.blame(&child, reason);
        }
    }

    fn doom(&mut self, seat: Seat, child: Child, manner: Manner) {
        let until = child.until().unwrap_or(self.now);
        if child.recipe().is_none() {
            self.actions.push_back(Action::CallOff { seat });
        }
        self.sit(seat, Child { phase: Phase::Doomed { until, manner }, ..child });
    }

    // The ways out that end with SIGKILL.

    fn kill(&mut self, seat: Seat, child: Child, pid: ProcessId, why: Farewell) {
        let since = match child.phase {
            Phase::Leaving { since, .. } | Phase::Retiring { since, .. } | Phase::Killed { since, .. } => since,
            _ => self.now,
        };
        self.actions.push_back(Action::Kill { seat, post: child.post });
        self.await_killed();
        self.sit(seat, Child { phase: Phase::Killed { pid, since, until: None, why }, ..child });
    }

    /// Takes back a child that has not said that it is ready.
    fn withdraw(&mut self, seat: Seat, child: Child, why: Farewell) {
        let Some(pid) = child.pid() else { return self.sit(seat, child) };
        self.actions.push_back(Action::Withdraw { seat, post: child.post, why });
        self.await_killed();
        let until = Some(self.after_us(self.mercy_us(&child)));
        self.sit(seat, Child { phase: Phase::Killed { pid, since: self.now, until, why }, ..child });
    }

    /// The pid of a child that is no longer wanted has come.
    fn withdraw_doomed(&mut self, seat: Seat, child: Child, pid: ProcessId) {
        if let Phase::Doomed { manner: Manner::Brutal, .. } = child.phase {
            return self.kill(seat, child, pid, Farewell::CalledOff);
        }
        let phase = Phase::Starting { pid, until: None };
        self.withdraw(seat, Child { phase, ..child }, Farewell::CalledOff);
    }

    fn kill_known(&mut self, seat: Seat, child: Child, why: Farewell) {
        match child.pid() {
            Some(pid) => self.kill(seat, child, pid, why),
            None => self.sit(seat, child),
        }
    }

    fn lose_patience(&mut self, seat: Seat, child: Child) {
        match child.phase {
            // Taken back in this very look, by the consequences of another one's end.
            Phase::Killed { until, .. } if until.is_none_or(|until| until > self.now) => self.sit(seat, child),
            Phase::Leaving { pid, why, .. } | Phase::Retiring { pid, why, .. } | Phase::Killed { pid, why, .. } => {
                self.tell(&child, Some(pid), Word::NoMercy);
                self.kill(seat, child, pid, why);
            }
            _ => self.sit(seat, child),
        }
    }

    fn give_up(&mut self, seat: Seat, child: Child) {
        let reason = if child.recipe().is_none() { "not ready in time (load-timeout)" } else { "not up in time" };
        self.tell(&child, child.pid(), Word::Unfit { reason: reason.to_owned() });
        self.withdraw(seat, child.clone(), Farewell::Unfit);
        self.blame(&child, reason.to_owned());
    }

    /// A process where none was ordered. The seat is closed until it is gone.
    fn evict(&mut self, seat: Seat, incident: &Incident) {
        let Incident::Forked(pid) = *incident else { return };
        self.note(Note::Intruder { seat, pid });
        let phase = Phase::Lost { until: self.now };
        let origin = Origin::Generation(self.current);
        let stranger =
            Child { post: Post::worker(0), origin, nth: 0, replace: None, wear: Wear::None, mold: None, phase };
        self.kill(seat, stranger, pid, Farewell::CalledOff);
    }

    // Ends.

    fn bury(&mut self, seat: Seat, child: Child, pid: ProcessId, status: ExitStatus) {
        if !self.is_the_dead(seat, &child, pid, status) {
            return self.sit(seat, child);
        }
        match (child.phase, status) {
            (Phase::Leaving { .. } | Phase::Retiring { .. }, ExitStatus::Signal(signal)) => {
                self.tell(&child, Some(pid), Word::DiedLeaving { signal });
            }
            (Phase::Leaving { since, why, .. }, _)
            | (Phase::Retiring { since, why, .. }, _)
            | (Phase::Killed { since, why, .. }, _) => {
                let after_us = self.now.since_us(since);
                let killed = matches!(child.phase, Phase::Killed { .. });
                self.tell(&child, Some(pid), Word::Gone { why, after_us, killed });
            }
            _ => {}
        }
    }

    /// A child died that nobody had asked to go.
    fn judge(&mut self, seat: Seat, child: Child, pid: ProcessId, status: ExitStatus) {
        if !self.is_the_dead(seat, &child, pid, status) {
            return self.sit(seat, child);
        }
        self.tell(&child, Some(pid), Word::Died { status });
        let young_us = child.rule().young_us;
        let young = child.ready_since().is_none_or(|since| self.now.since_us(since) < young_us);
        let counts_on_it = self.is_candidates(&child) || is_vital(&child);
        if young && !counts_on_it && self.excuses(&child, status) {
            // Neither blamed nor forgiven: it tells nothing of how such children do.
        } else if young || counts_on_it {
            self.blame(&child, format!("{} {status}", child.post));
        } else if let Some(post) = self.posts.get_mut(child.post) {
            post.back_off.forgive();
        }
    }

    /// Whether a child that served has died because others killed it (an operator, the kernel when memory is short), and
    /// not so many have that this is how they die.
    fn excuses(&mut self, child: &Child, status: ExitStatus) -> bool {
        let burst = EXCUSED_AT_ONCE.saturating_add(self.plan.bounds.maximum());
        let killed = status == ExitStatus::Signal(SIGKILL) && child.ready_since().is_some();
        child.rule().excuses_sigkill && killed && self.killed.take(self.now, burst, EXCUSED_EVERY_US)
    }

    /// Whether the process that ended is the one in the seat; says so if not.
    fn is_the_dead(&mut self, seat: Seat, child: &Child, pid: ProcessId, status: ExitStatus) -> bool {
        let same = child.pid() == Some(pid);
        if !same {
            self.impossible(format!("process {pid} {status} in seat {seat}, which has {:?}", child.pid()));
        }
        same
    }

    fn fail_fork(&mut self, child: &Child, errno: i32) {
        let reason = format!("fork failed: {}", std::io::Error::from_raw_os_error(errno));
        self.tell(child, None, Word::Unfit { reason: reason.clone() });
        self.blame(child, reason);
    }

    /// The zygote did not answer in time: it is killed, and what it says or does until then has time to arrive.
    fn blame_zygote(&mut self, seat: Seat, child: Child) {
        let until = self.after_us(FORK_PATIENCE_US);
        let phase = match child.phase {
            Phase::Forking { ready, .. } => Phase::Forking { until, ready },
            Phase::Doomed { manner, .. } => Phase::Doomed { until, manner },
            other => other,
        };
        let generation = child.generation();
        self.sit(seat, Child { phase, ..child });
        if let Some(generation) = generation {
            self.zygote(generation, zygote::Incident::Mute);
        }
    }

    /// Draws the consequences of a child that could not do its part: one whose end is the instance's ends it, a reload
    /// that counted on it is called off, and the next child of its post waits.
    fn blame(&mut self, child: &Child, reason: String) {
        if is_vital(child) && !self.is_stopping() {
            return self.begin_stop(0, Manner::Graceful);
        }
        if self.is_candidates(child) {
            return self.fail_change(reason);
        }
        self.doubt_mold(child, &reason);
        if self.is_successor_of_marked(child) {
            self.fail_change(reason);
        }
        let max_us = child.recipe().map_or(self.plan.respawn_delay_max_us, |recipe| recipe.respawn_delay_max_us);
        let pace = Pace { first_us: child.rule().first_delay_us, max_us };
        let now = self.now;
        let Some(post) = self.posts.get_mut(child.post) else { return };
        let delay_us = post.back_off.blame(now, pace);
        if delay_us >= DELAY_TOLD_US {
            self.tell(child, None, Word::Delayed { delay_us });
        }
    }

    /// Whether a child is of the generation that is to become current.
    pub(super) fn is_candidates(&self, child: &Child) -> bool {
        self.candidate().is_some_and(|candidate| child.is_of(candidate))
    }

    /// How long it may take to leave.
    pub(super) fn mercy_us(&self, child: &Child) -> u64 {
        match child.recipe() {
            Some(recipe) => recipe.mercy_us,
            None if child.rule().counts => self.plan.mercy_us,
            None => self.plan.companion_mercy_us,
        }
    }

    fn ready_within_us(&self, child: &Child) -> Option<u64> {
        child.recipe().map_or(self.plan.load_timeout_us, |recipe| Some(recipe.ready_within_us))
    }

    fn tell(&mut self, child: &Child, pid: Option<ProcessId>, word: Word) {
        if let Some(note) = word.about(child, pid) {
            self.note(note);
        }
    }
}

/// Whether its end is the instance's.
fn is_vital(child: &Child) -> bool {
    child.recipe().is_some_and(|recipe| recipe.vital)
}
