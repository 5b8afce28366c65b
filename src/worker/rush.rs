//! Whether connections come so fast that the next one can be taken without waiting for it. Worker only; pure.
//!
//! An `epoll_wait` that finds something at once costs a twentieth of a small request, and nothing is lost by leaving it
//! out: `accept4` finds the same connection. An `accept4` that finds nothing costs twice as much, because the kernel
//! makes the new socket before it looks at the queue. So the wait is left out only after some connections in a row were
//! there already, and never for long, so that other listening sockets and the master are heard.

/// Connections in a row that were there already before waiting is left out.
const PROOF: u32 = 4;

/// After that many connections in a row there is one wait again.
const WAIT_EVERY: u32 = 32;

/// A wait that takes no longer did not sleep, in microseconds.
const AT_ONCE_US: u64 = 3;

/// Connections in a row that were there as soon as the thread was free for them.
#[derive(Debug, Default)]
pub(super) struct Rush {
    row: u32,
}

impl Rush {
    /// Whether to accept without waiting first.
    pub(super) fn expects_another(&self) -> bool {
        self.row >= PROOF && !self.row.is_multiple_of(WAIT_EVERY)
    }

    /// Whether the last connection had waited for this thread, rather than this thread for it.
    pub(super) fn is_on(&self) -> bool {
        self.row > 0
    }

    /// A wait ended with a connection.
    pub(super) fn waited(&mut self, took_us: u64) {
        self.row = if took_us <= AT_ONCE_US { self.row.wrapping_add(1) } else { 0 };
    }

    /// A connection was there without a wait.
    pub(super) fn hit(&mut self) {
        self.row = self.row.wrapping_add(1);
    }

    /// None was.
    pub(super) fn missed(&mut self) {
        self.row = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::{PROOF, Rush, WAIT_EVERY};

    #[test]
    fn waiting_is_left_out_only_after_a_row_and_comes_back_every_so_often() {
        let mut rush = Rush::default();
        assert!(!rush.expects_another() && !rush.is_on());
        for _ in 0..PROOF {
            assert!(!rush.expects_another());
            rush.waited(0);
        }
        let waits = (0..10 * WAIT_EVERY).filter(|_| {
            let waits = !rush.expects_another();
            rush.hit();
            waits
        });
        assert_eq!(waits.count(), 10);
    }

    #[test]
    fn a_sleep_or_an_empty_queue_ends_it() {
        for end in [|rush: &mut Rush| rush.waited(50), Rush::missed as fn(&mut Rush)] {
            let mut rush = Rush::default();
            (0..PROOF).for_each(|_| rush.waited(1));
            assert!(rush.expects_another());
            end(&mut rush);
            assert!(!rush.expects_another() && !rush.is_on());
        }
    }
}
