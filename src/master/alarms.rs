//! Alarms that the master raises: for others who ask it to, for workers that die of a memory fault (`alarm-segfault`), for
//! queues that are full (`alarm-backlog`). Raising is telling the collector, which does what they are for, and has the master
//! do what needs mailboxes. Master only.

use super::driver::Driver;
use super::machine::{Event, ExitStatus};
use super::wake::Wake;
use crate::collector::Order;
use crate::config::model::mailboxes;
use crate::sys::clock::monotonic_us;
use crate::sys::mailbox::Posted;
use crate::sys::queue::{ListenQueue, QueueProbe};

/// How often queues are looked at, where an alarm waits for them.
const LOOK_EVERY_US: u64 = 1_000_000;

/// Looks whether queues are full.
#[derive(Debug, Default)]
pub(super) struct BacklogWatch {
    probe: Option<QueueProbe>,
    looked_us: u64,
}

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
        waits.then(|| self.backlog_watch.looked_us.saturating_add(LOOK_EVERY_US))
    }

    /// Looks at the queues, if it is time.
    pub(super) fn mind_backlog(&mut self) {
        let now_us = monotonic_us();
        if self.backlog_due_us().is_none_or(|due_us| due_us > now_us) {
            return;
        }
        self.backlog_watch.looked_us = now_us;
        let listen = self.in_force.config.listen;
        let probe = self.backlog_watch.probe.get_or_insert_default();
        let full = self.in_force.sockets.iter().filter_map(|socket| {
            let waiting = probe.queue_of(socket).and_then(|queue| full(queue, listen))?;
            Some(format!("the queue of {} is full ({waiting} of {listen})", socket.name))
        });
        let messages: Vec<String> = full.collect();
        let names = self.in_force.config.logging.alarms.on_backlog.clone();
        messages.iter().for_each(|message| self.raise_alarms(&names, message));
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

/// How many wait on a socket, if those are as many as may: so many as are configured, for what the kernel allows on top is not for
/// waiting, or as the kernel allows. Where it does not tell the queue is never full.
fn full(queue: ListenQueue, listen: u32) -> Option<u32> {
    let ListenQueue { waiting, limit } = queue;
    (limit > 0 && waiting >= limit.min(listen)).then_some(waiting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_full_by_the_configuration_or_by_the_kernel_and_never_where_that_is_unknown() {
        let of = |waiting, limit| full(ListenQueue { waiting, limit }, 100);
        assert_eq!([of(0, 0), of(500, 0), of(99, 164), of(10, 10)], [None, None, None, Some(10)]);
        assert_eq!([of(100, 164), of(130, 164)], [Some(100), Some(130)]);
    }
}
