//! A reload's configuration: read, kept aside, committed or abandoned, as the machine says. Master only.

use super::candidate::Candidate;
use super::certificates;
use super::directory::{Destination, Directory};
use super::driver::Driver;
use super::machine::{Event, ExitStatus, Plan, ProcessId, Role};
use super::origin::Account;
use super::reading::Reading;
use super::routers;
use super::sockets::settle_queues;
use super::startup;
use super::wake::Wake;
use crate::sys::clock::monotonic_us;

impl Driver<'_> {
    /// Has the configuration read for a reload. One that is being read already is for a reload that nobody wants any more.
    pub(super) fn read_configuration(&mut self) {
        self.give_up_reading("superseded by a newer order".to_owned());
        match Reading::begin(self.origin) {
            Ok(reading) => self.reading = Some(reading),
            Err(error) => {
                let reason = format!("the configuration cannot be read in a process of its own: {error}");
                self.handle(Event::ConfigurationRead(Err(reason)));
            }
        }
    }

    /// Takes what a process has read that has ended. False: it is not the one that reads.
    pub(super) fn take_reading(&mut self, pid: ProcessId, status: ExitStatus) -> bool {
        match self.reading.take() {
            Some(reading) if reading.is_of(pid) => {
                self.take_account(reading.answer(status));
                true
            }
            other => {
                self.reading = other;
                false
            }
        }
    }

    /// Gives up a reading that takes too long.
    pub(super) fn mind_reading(&mut self) {
        if self.reading.as_ref().is_some_and(|reading| reading.due_us() <= monotonic_us()) {
            self.give_up_reading(Reading::overdue());
        }
    }

    /// Ends the reading that is under way, if one is, and answers for it.
    pub(super) fn give_up_reading(&mut self, reason: String) {
        if let Some(reading) = self.reading.take() {
            reading.give_up();
            self.handle(Event::ConfigurationRead(Err(reason)));
        }
    }

    /// Makes what a configuration needs, without touching what is in force.
    fn take_account(&mut self, account: Result<Account, String>) {
        let answer = account.and_then(|account| self.prepare_candidate(account)).map(|candidate| {
            let plan = Plan { seats: self.children.seats(), ..Plan::of(&candidate.config) };
            self.candidate = Some(candidate);
            plan
        });
        self.handle(Event::ConfigurationRead(answer));
    }

    fn prepare_candidate(&self, account: Account) -> Result<Candidate, String> {
        self.origin.learn(&account);
        let config = account.config;
        self.children.fits(&config)?;
        let prepared = Candidate::prepare(config, &self.in_force, &self.pid_files, &self.poll);
        prepared.map_err(|failure| self.origin.locate(failure).message)
    }

    /// Forgets what was prepared; what is in force was never touched.
    pub(super) fn abandon(&mut self) {
        if let Some(candidate) = self.candidate.take() {
            candidate.withdraw(&self.in_force);
        }
    }

    /// Puts what was prepared into force.
    pub(super) fn commit(&mut self) {
        let Some(mut candidate) = self.candidate.take() else { return };
        let log = candidate.log.take();
        self.left = std::mem::take(&mut candidate.left);
        if let Some(directory) = candidate.directory.take() {
            self.move_to(&directory);
        }
        self.watch_queue(false);
        let recertified = certificates::differ(&self.in_force.config, &candidate.config);
        let held = routers::held(&self.in_force);
        let replaced = candidate.come_into_force(&mut self.in_force, &mut self.pid_files, monotonic_us());
        if let Some(log) = log {
            self.take_log(&log);
        }
        if let Err(failure) = self.in_force.doors.watch(&self.poll) {
            log::error!("{failure}");
        }
        crate::logging::stamp_lines(&self.in_force.config.logging);
        // The queues belong to the sockets themselves, which old and new configuration share until here.
        if let Err(failure) = settle_queues(&self.in_force.sockets, &self.in_force.config) {
            log::warn!("{failure}");
        }
        if replaced.has_fifos() {
            self.hear_new_fifo();
        }
        replaced.clear_away(&self.in_force);
        startup::title_master(&self.in_force.config);
        if recertified {
            self.certify_routers();
        }
        if routers::are_made_anew(&held, &routers::held(&self.in_force)) {
            self.handle(Event::RenewAll { role: Role::Router });
        }
        self.tell_daemons_of_reload();
        self.follow_crons();
        self.look_due = true;
    }

    /// From here on what is executed and what is relative is in another directory.
    fn move_to(&mut self, directory: &Directory) {
        if let Err(error) = directory.enter() {
            self.left.push(error.to_string());
        }
    }

    /// Looks up where the configuration in force belongs by now, before a generation is begun for it that nobody has
    /// ordered: what it loads is found by name, and would else be of two releases.
    pub(super) fn follow_directory(&mut self) {
        match Destination::of(&self.in_force.config, &self.in_force.config) {
            Ok(Destination::There(directory)) => self.move_to(&directory),
            Ok(Destination::Here | Destination::Unknown(_)) => {}
            Err(failure) => log::warn!("the next generation starts where the last one did: {failure}"),
        }
    }

    fn hear_new_fifo(&self) {
        let Some((path, fifo)) = self.in_force.fifos.active() else { return };
        log::info!("active master fifo is now {}", path.display());
        // What came before it was in force is no news to the event loop.
        if let Err(error) = Wake::Fifo.again(fifo, &self.poll) {
            log::error!("cannot hear what {} holds already: {error}", path.display());
        }
    }
}
