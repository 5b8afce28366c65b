//! Alarms that the master raises: for others who ask it to, for workers that die of a memory fault (`alarm-segfault`), for
//! queues that are full (`alarm-backlog`), for metrics that have reached a bound (`metric-threshold`). Raising is telling the collector, which does what they are for, and has the master
//! do what needs mailboxes. Master only.

use super::driver::Driver;
use super::machine::{Event, ExitStatus};
use super::wake::Wake;
use crate::collector::Order;
use crate::config::model::mailboxes;
use crate::sys::clock::monotonic_us;
use crate::sys::mailbox::Posted;

impl Driver<'_> {
    /// Raises these alarms.
    pub(super) fn raise_alarms(&mut self, names: &[String], message: &str) {
        match &mut self.in_force.collecting {
            Some(collecting) => collecting.raise(names, message),
            None => log::debug!("no alarm is configured, and one is raised: {message}"),
        }
    }

    /// Raises the alarms for a worker that has died of a memory fault.
    pub(super) fn raise_on_fault(&mut self, event: &Event) {
        let Event::Exited { seat, status: ExitStatus::Signal(signal @ (libc::SIGSEGV | libc::SIGBUS)), .. } = event
        else {
            return;
        };
        let names = self.in_force.config.logging.alarms.on_fault.clone();
        if names.is_empty() || !self.machine.is_worker(*seat) {
            return;
        }
        let worker = self.machine.workers().find(|worker| worker.seat == *seat);
        let who = worker.map_or_else(|| "a worker".to_owned(), |worker| format!("worker {}", worker.post.number));
        self.raise_alarms(&names, &format!("{who} was killed by signal {signal}: a fault in memory"));
    }

    /// When to look at the queues.
    pub(super) fn backlog_due_us(&self) -> Option<u64> {
        let waits = !self.in_force.config.logging.alarms.on_backlog.is_empty() && !self.machine.is_stopping();
        waits.then(|| self.backlog_watch.due_us())
    }

    /// Looks at the queues, if it is time.
    pub(super) fn mind_backlog(&mut self) {
        let now_us = monotonic_us();
        if self.backlog_due_us().is_none_or(|due_us| due_us > now_us) {
            return;
        }
        let listen = self.in_force.config.listen;
        let messages = self.backlog_watch.look(&self.in_force.sockets, listen, now_us);
        let names = self.in_force.config.logging.alarms.on_backlog.clone();
        messages.iter().for_each(|message| self.raise_alarms(&names, message));
    }

    /// When to look at the application's metrics.
    pub(super) fn thresholds_due_us(&self) -> Option<u64> {
        let waits = !self.in_force.config.metrics.thresholds.is_empty() && !self.machine.is_stopping();
        waits.then(|| self.threshold_watch.due_us())
    }

    /// Looks at them, if it is time.
    pub(super) fn mind_thresholds(&mut self) {
        let now_us = monotonic_us();
        if self.thresholds_due_us().is_none_or(|due_us| due_us > now_us) {
            return;
        }
        let thresholds = self.in_force.config.metrics.thresholds.clone();
        for (threshold, value) in self.threshold_watch.look(&thresholds, &self.in_force.memories, now_us) {
            if let Some(alarm) = &threshold.alarm {
                let message = threshold.message.clone();
                let message = message.unwrap_or_else(|| format!("the metric {} is {value}", threshold.metric));
                self.raise_alarms(std::slice::from_ref(alarm), &message);
            }
            if let Some(reset) = threshold.reset {
                self.in_force.memories.set_metric(&threshold.metric, reset);
            }
        }
    }

    /// Has the event loop wake up for the collector's orders, if it does not yet.
    pub(super) fn attend_collector(&mut self) {
        let Some(outlet) = self.in_force.collecting.as_mut().and_then(|collecting| collecting.unheard()) else {
            return;
        };
        if let Err(error) = Wake::Collector.when_readable(&outlet, &self.poll) {
            log::error!("alarms raise no signals and tell no mules: {error}");
        }
    }

    /// Does what the collector wants done.
    pub(super) fn hear_collector(&mut self) {
        while let Some(order) = self.in_force.collecting.as_ref().and_then(|collecting| collecting.take_order()) {
            match order {
                Order::Signal(signal) => self.raise(signal),
                Order::Mule(number, message) => self.tell_mule(number, &message),
            }
        }
    }

    fn tell_mule(&self, number: u32, message: &[u8]) {
        let name = if number == 0 { mailboxes::ANY_MULE.to_owned() } else { mailboxes::mule(number) };
        match self.children.mailboxes.post(&name, message) {
            Some(Ok(Posted::Queued)) => {}
            Some(Ok(Posted::Full | Posted::TooLong)) => log::error!("{name} has no room for the message of an alarm"),
            Some(Err(error)) => log::error!("{name} does not get the message of an alarm: {error}"),
            None => log::warn!("an alarm is for mule {number}, which there is not"),
        }
    }
}
