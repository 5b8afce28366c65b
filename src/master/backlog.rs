//! Whether the queues of sockets are full, where an alarm waits for that (`alarm-backlog`). Master only.

use crate::sys::listeners::BoundSocket;
use crate::sys::queue::{ListenQueue, QueueProbe};

/// How often queues are looked at.
const LOOK_EVERY_US: u64 = 1_000_000;

/// Looks whether queues are full.
#[derive(Debug, Default)]
pub(super) struct BacklogWatch {
    probe: Option<QueueProbe>,
    looked_us: u64,
}

impl BacklogWatch {
    /// When to look again.
    pub(super) fn due_us(&self) -> u64 {
        self.looked_us.saturating_add(LOOK_EVERY_US)
    }

    /// Looks, and says which are full.
    pub(super) fn look(&mut self, sockets: &[BoundSocket], listen: u32, now_us: u64) -> Vec<String> {
        self.looked_us = now_us;
        let probe = self.probe.get_or_insert_default();
        let full = sockets.iter().filter_map(|socket| {
            let waiting = probe.queue_of(socket).and_then(|queue| full(queue, listen))?;
            Some(format!("the queue of {} is full ({waiting} of {listen})", socket.name))
        });
        full.collect()
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
