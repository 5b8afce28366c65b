//! Whether connections queue, so that the next one can be taken without waiting for it first. Worker only; pure.
//!
//! A wait that finds something at once costs about a hundredth of a page of Django, and nothing is lost by leaving it
//! out: `accept4` finds the same connection. An `accept4` that finds nothing costs more than the wait, because the
//! kernel makes the new socket before it looks at the queue. So the wait is left out only after requests that were long
//! enough for that not to matter, only while each connection was there already, and never for long, so that the master
//! is heard. It is for workers with one listening socket: where there are more, waiting is what gives each its turn.

/// Connections in a row that were there already before a wait is left out.
const PROOF: u32 = 4;

/// A request that took this long makes an attempt in vain cheap, in microseconds: some fifty times what that costs.
const LONG_US: u64 = 100;

/// A wait that takes no longer did not sleep, in microseconds.
const AT_ONCE_US: u64 = 3;

/// There is a wait again when the last one is this long ago, in microseconds.
const WAIT_EVERY_US: u64 = 10_000;

/// A wait that took no longer, in microseconds: what comes next may be done with what came before it.
const CLOSE_US: u64 = 1_000;

/// What the last connections say of the next one.
#[derive(Debug, Default)]
pub(super) struct Rush {
    /// Connections in a row that were there as soon as the thread was free for them, as far as that is counted.
    row: u32,
    /// When the last wait ended.
    waited_at_us: u64,
    /// Whether it was short.
    is_close: bool,
    /// How long the last request took.
    took_us: u64,
}

impl Rush {
    /// Whether to accept without waiting first.
    pub(super) fn expects_another(&self, now_us: u64) -> bool {
        self.row >= PROOF && self.took_us >= LONG_US && now_us.saturating_sub(self.waited_at_us) < WAIT_EVERY_US
    }

    /// A wait began and ended. One in between, after the proof, says nothing if it was long: the thread may have been
    /// preempted in it.
    pub(super) fn waited(&mut self, began_us: u64, ended_us: u64) {
        let waited_us = ended_us.saturating_sub(began_us);
        self.is_close = waited_us <= CLOSE_US;
        if self.row < PROOF {
            let at_once = waited_us <= AT_ONCE_US;
            self.row = if at_once { self.row + 1 } else { 0 };
        }
        self.waited_at_us = ended_us;
    }

    /// Whether one came soon after the other, so that the next may, too.
    pub(super) fn is_close(&self) -> bool {
        self.is_close
    }

    /// A request was answered.
    pub(super) fn served(&mut self, took_us: u64) {
        self.took_us = took_us;
    }

    /// It expected a connection, and none was there.
    pub(super) fn missed(&mut self) {
        self.row = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::{AT_ONCE_US, CLOSE_US, LONG_US, PROOF, Rush, WAIT_EVERY_US};

    fn on(now_us: u64) -> Rush {
        let mut rush = Rush::default();
        rush.served(LONG_US);
        (0..PROOF).for_each(|_| rush.waited(now_us - AT_ONCE_US, now_us));
        rush
    }

    #[test]
    fn it_takes_a_row_of_connections_that_were_there_and_long_requests() {
        let mut rush = Rush::default();
        rush.served(LONG_US);
        for _ in 0..PROOF {
            assert!(!rush.expects_another(1_000));
            rush.waited(1_000, 1_000);
        }
        assert!(rush.expects_another(1_000));
        rush.served(LONG_US - 1);
        assert!(!rush.expects_another(1_000), "a request that short");
    }

    #[test]
    fn there_is_a_wait_every_so_often() {
        let mut rush = on(5_000);
        assert!(rush.expects_another(4_999 + WAIT_EVERY_US));
        assert!(!rush.expects_another(5_000 + WAIT_EVERY_US));
        rush.waited(5_000 + WAIT_EVERY_US, 5_050 + WAIT_EVERY_US);
        assert!(rush.expects_another(5_100 + WAIT_EVERY_US), "which does not end it, as it may be no sleep");
    }

    #[test]
    fn an_empty_queue_ends_it_and_a_sleep_the_row_that_leads_to_it() {
        let mut rush = on(5_000);
        rush.missed();
        for asleep_us in [0, AT_ONCE_US + 1] {
            (1..PROOF).for_each(|_| rush.waited(5_100, 5_100));
            assert!(!rush.expects_another(5_200));
            rush.waited(5_100, 5_100 + asleep_us);
            assert_eq!(rush.expects_another(5_200), asleep_us == 0);
            rush.missed();
        }
    }
    #[test]
    fn the_last_wait_says_whether_another_comes_soon() {
        let mut rush = on(5_000);
        for (waited_us, close) in [(CLOSE_US, true), (CLOSE_US + 1, false), (0, true)] {
            rush.waited(10_000, 10_000 + waited_us);
            assert_eq!(rush.is_close(), close);
        }
    }
}
