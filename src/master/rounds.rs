//! The master's loop, the one place that waits. Each round carries out what the machine has decided, waits, and turns
//! whatever woke the master into events of the machine. Master only.

use std::io;
use std::time::Duration;

use mio::Events;

use super::descriptors::Told;
use super::driver::Driver;
use super::machine::{Event, Order};
use super::reading::Reading;
use super::vassal::{Orphan, Vassal};
use super::wake::Wake;
use super::wanted::Wanted;
use crate::failure::StartFailure;
use crate::sys::clock::monotonic_us;

impl Driver<'_> {
    /// Runs until the machine says with which code to end.
    pub(super) fn run(mut self) -> Result<i32, StartFailure> {
        let mut events = Events::with_capacity(256);
        let mut code = None;
        loop {
            code = code.or(self.act());
            // Commands of cron may outlast the workers for a moment.
            if let Some(code) = code.filter(|_| !self.errands.any_runs()) {
                return self.end(code);
            }
            self.attend_collector();
            let due_us = self.due_us();
            let patience = due_us.map(|due_us| Duration::from_micros(due_us.saturating_sub(monotonic_us())));
            match self.poll.poll(&mut events, patience) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.clean_up();
                    return Err(StartFailure::system("wait for events", &error));
                }
            }
            self.take_in(&events, due_us);
        }
    }

    /// When something is to be done though nobody wakes the master.
    fn due_us(&self) -> Option<u64> {
        let deadline_us = self.machine.deadline().map(|deadline| deadline.0);
        let look_us = self.may_scale().then(|| self.scaler.next_look_us()).flatten();
        let others = [
            look_us,
            self.spools.due_us(),
            self.second_line.due_us(),
            self.memory_look_us,
            self.code_due_us,
            self.trial_due_us(),
            self.in_force.watches.due_us(),
            self.in_force.fifos.due_us(),
            self.notifier.due_us(),
            self.children.executed.due_us(),
            self.children.telling_due_us(),
            self.operators.due_us(),
            self.upgrade.due_us(),
            self.reading.as_ref().map(Reading::due_us),
            self.visitors.due_us(),
            self.stops_at_us,
            self.vassal.as_ref().and_then(Vassal::due_us),
            self.orphan.as_ref().map(Orphan::due_us),
            self.log_size.due_us(),
            self.collector_due_us(),
            self.backlog_due_us(),
            self.thresholds_due_us(),
            self.attendants_due_us(),
            self.signals_due_us(),
            self.crons_due_us(),
            self.subscriptions_due_us(),
            self.in_force.memories.due_us(),
        ];
        deadline_us.into_iter().chain(others.into_iter().flatten()).min()
    }

    /// Does what the events ask for, and whatever is due by now.
    fn take_in(&mut self, woken: &Events, due_us: Option<u64>) {
        let mut changes_nothing = !woken.is_empty();
        for event in woken {
            match Wake::of(event.token()) {
                Some(wake) => {
                    changes_nothing &= self.only_tells(wake);
                    self.wake_up(wake);
                }
                None => log::error!("the event loop tells of {:?}, for which nobody has asked", event.token()),
            }
        }
        if changes_nothing && due_us.is_none_or(|due_us| monotonic_us() < due_us) {
            return;
        }
        self.hear_shared_fifo();
        self.follow_changed_files();
        self.raise_what_is_due();
        self.mind_crons();
        self.look_at_launches();
        let said = self.children.bury_untold(monotonic_us(), &self.poll);
        self.listen(said);
        self.operators.drop_silent(monotonic_us());
        self.visitors.drop_late(monotonic_us());
        self.stop_if_due(monotonic_us());
        self.watch_log_size();
        self.mind_collector();
        self.mind_backlog();
        self.mind_thresholds();
        self.mind_attendants();
        self.tell_emperor();
        self.look_for_emperor();
        self.mind_subscriptions();
        self.in_force.memories.bring_to_disk(monotonic_us());
        self.mind_upgrade();
        self.mind_reading();
        self.mind_deadlines();
        self.mind_memory();
        self.mind_trial();
        self.mind_code();
        if self.machine.deadline().is_some_and(|deadline| deadline.0 <= monotonic_us()) {
            self.handle(Event::Elapsed);
        }
        self.scale_spools();
        self.scale();
        self.notifier.keep_alive();
    }

    /// Whether somebody wants to be told of the instance, which goes on as if he had not come.
    fn only_tells(&self, wake: Wake) -> bool {
        let tells = |number| self.in_force.doors.get(number).is_some_and(|door| door.manner.only_tells());
        matches!(wake, Wake::Visitor(_)) || matches!(wake, Wake::Door(number) if tells(number))
    }

    fn wake_up(&mut self, wake: Wake) {
        match wake {
            Wake::Signals => self.hear_signals(),
            Wake::Wishes => self.hear_wishes(),
            Wake::SignalFiles => self.signal_files.read(monotonic_us()),
            Wake::Bell => {
                self.bell.silence();
                self.look_due = true;
                self.spools.call();
                self.second_line.wake();
            }
            Wake::Queue => self.look_due = true,
            Wake::Fifo => self.hear_fifo(),
            Wake::Watches => self.in_force.watches.read(monotonic_us()),
            Wake::Operators => self.operators.welcome(&self.poll),
            Wake::Operator(operator) => self.hear_operator(operator),
            Wake::Descriptor(place) => match self.descriptors.hear(place, &self.poll) {
                Some(Told::Reload(reload)) => self.obey(Wanted::Order(Order::Reload(reload))),
                Some(Told::Alarm(name, message)) => self.raise_alarms(&[name], &message),
                None => {}
            },
            Wake::Collector => self.hear_collector(),
            Wake::Zygote(generation) => {
                self.note_word();
                let said = self.children.hear_zygote(generation, &self.poll);
                self.listen(said);
            }
            Wake::Member(seat) => {
                self.note_word();
                let said = self.children.hear_member(seat);
                self.listen(said);
            }
            Wake::Ended(seat) => {
                self.note_word();
                let ended = self.children.note_end(seat);
                self.handle_all(ended);
            }
            Wake::Report(seat) => {
                let events = self.children.executed.hear_report(seat, &self.poll);
                self.handle_all(events);
            }
            Wake::Emperor => self.hear_emperor(),
            Wake::Routers => self.hear_routers(),
            Wake::Door(door) => self.hear_door(door),
            Wake::Visitor(visitor) => self.hear_visitor(visitor),
            Wake::Attendant(attendant) => self.hear_attendant(attendant),
            Wake::Program(seat) => {
                let events = self.children.executed.ended_elsewhere(seat, &self.poll);
                self.handle_all(events);
            }
        }
    }
}
