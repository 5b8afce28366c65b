//! Carrying out what the machine decides. What concerns processes is the [`super::children`]'s to carry out, what concerns
//! the configuration of a reload is in [`super::reloading`]. Master only.

use super::candidate::{Candidate, NewLog};
use super::children::Equipment;
use super::driver::Driver;
use super::in_force::InForce;
use super::machine::{Action, Announcement, Generation, Note, Outcome, Reload};
use super::reason::in_one_line;
use crate::sys::clock::{epoch_us, monotonic_us};
use crate::sys::memory;

/// How long after the first word of a process all that follows from it has been carried out, mostly.
const WORDS_LAST_US: u64 = 1_000_000;

impl Driver<'_> {
    /// Carries out all actions there are. The exit code, once there is one.
    pub(super) fn act(&mut self) -> Option<i32> {
        while let Some(action) = self.machine.poll_action() {
            match action {
                Action::Exit { code } => return Some(code),
                Action::Note(note) => {
                    self.ledger.note(&note, epoch_us());
                    if let Note::TrialPassed { generation, reason } = &note {
                        self.last_trial = Some(format!("generation {generation} takes over: {reason}"));
                    }
                    log::log!(note.level(), "{note}");
                }
                Action::Announce(announcement) => self.announce(&announcement),
                Action::ReadConfiguration => self.read_configuration(),
                Action::Commit { generation } => {
                    self.commit();
                    self.children.rest_zygotes_but(generation);
                    self.take_timetable_over(generation);
                }
                Action::Abandon { generation, reason } => {
                    if self.trial.is_some() {
                        let why = in_one_line(&reason);
                        self.last_trial = Some(format!("generation {generation} does not take over: {why}"));
                    }
                    self.end_trial();
                    self.abandon();
                }
                Action::BeginTrial { generation, share } => self.begin_trial(generation, share),
                Action::ShareTrial { generation, share } => self.share_trial(generation, share),
                Action::EndTrial { .. } => self.end_trial(),
                Action::StartZygote { generation, candidate } => self.start_zygote(generation, candidate),
                Action::Upgrade => self.replace(),
                Action::StopZygote { generation } => self.children.stop_zygote(generation),
                Action::KillZygote { generation } => self.children.kill_zygote(generation),
                Action::Fork { generation, seat, post, nth } => {
                    let failed = self.children.fork(generation, seat, post, nth, &self.poll);
                    self.handle_all(failed);
                }
                Action::CallOff { seat } => {
                    let dropped = self.children.call_off(seat);
                    self.handle_all(dropped);
                }
                Action::Execute { seat, post, recipe, nth } => self.execute(seat, post, recipe, nth),
                Action::Retire { seat, post, why } => self.retire(seat, post, why),
                Action::Mold { seat, generation, .. } => {
                    self.note_attempt();
                    self.children.tell_to_mold(seat, generation);
                }
                Action::TakeMold { seat, generation } => {
                    self.note_mold(seat);
                    self.children.take_mold(seat, generation, &self.poll);
                }
                Action::Pause { seat } => self.children.pause(seat),
                Action::Resume { seat } => self.children.resume(seat),
                Action::Withdraw { seat, post, why } => self.withdraw(seat, post, why),
                Action::Kill { seat, post } => self.kill(seat, post),
                Action::Release { seat } => self.children.strike_off(seat),
            }
        }
        None
    }

    /// Executes a zygote for the configuration in force, or for the one that was prepared for a reload.
    fn start_zygote(&mut self, generation: Generation, candidate: bool) {
        if !candidate {
            self.follow_directory();
        }
        let bell = &self.bell;
        let equipment = match &self.candidate {
            Some(Candidate { config, sockets, memories, log, directory, .. }) if candidate => {
                let (log, directory) = (log.as_ref().map(NewLog::file), directory.as_ref());
                Equipment { config, sockets, memories, log, directory, bell }
            }
            _ => {
                let InForce { config, sockets, memories, .. } = &self.in_force;
                Equipment { config, sockets, memories, log: None, directory: None, bell }
            }
        };
        let failed = self.children.start_zygote(generation, &equipment, &self.poll).err();
        self.handle_all(failed.into_iter().flatten());
    }

    fn announce(&mut self, announcement: &Announcement) {
        self.notifier.announce(announcement);
        self.ledger.announce(announcement);
        match announcement {
            Announcement::Ready => {
                self.has_served = true;
                self.tell_emperor_ready();
                self.renew_subscriptions();
                if let Err(error) = self.pid_files.write_safe(&self.in_force.config.pidfiles) {
                    log::error!("{error}");
                }
                crate::logging::forget_starter();
                log::info!("ready to serve: {}", self.machine.count());
                memory::forget_code();
            }
            Announcement::ReloadDone { reload, outcome } => {
                self.reload_done(*reload, outcome);
                memory::forget_code();
            }
            Announcement::Reloading(_) | Announcement::Stopping | Announcement::Status(_) => {}
        }
    }

    /// A process has said something, or has ended: once that is carried out the master mostly sleeps again.
    pub(super) fn note_word(&mut self) {
        self.code_due_us.get_or_insert_with(|| monotonic_us() + WORDS_LAST_US);
    }

    /// Gives back the code that was needed for that.
    pub(super) fn mind_code(&mut self) {
        if self.code_due_us.is_some_and(|due_us| due_us <= monotonic_us()) {
            self.code_due_us = None;
            memory::forget_code();
        }
    }

    fn reload_done(&mut self, reload: Reload, outcome: &Outcome) {
        match outcome {
            Outcome::Done => {
                self.last_failure = None;
                self.tell_emperor_ready();
                self.tell_emperor_of_reload(None);
                self.renew_subscriptions();
                let mut told = format!("generation {} serves", self.machine.root());
                let of_configuration = matches!(reload, Reload::Graceful | Reload::Brutal);
                if let Some(left) = self.left_over().filter(|_| of_configuration) {
                    log::warn!("the reload is done, but {left}");
                    self.notifier.tell(&format!("reloaded, but {left}"));
                    told = format!("{told}, but {left}");
                }
                self.operators.reload_ended(Ok(&told));
            }
            Outcome::Failed(reason) => {
                // Also where the machine refused the plan before there was a generation to abandon.
                self.abandon();
                self.operators.reload_ended(Err(reason));
                let reason = in_one_line(reason).to_owned();
                self.tell_emperor_of_reload(Some(&reason));
                self.last_failure = Some(reason);
            }
            // Whoever waits, waits for the newer one.
            Outcome::Superseded => {}
            Outcome::Stopped => {
                self.give_up_reading("the instance is stopping".to_owned());
                self.operators.reload_ended(Err("the instance is stopping"));
            }
        }
    }
}
