//! Whether connections come so fast that the next one can be taken without waiting for it. Worker only; pure.
//!
//! An `epoll_wait` that finds something at once costs a twentieth of a small request, and nothing is lost by leaving it
//! out: `accept4` finds the same connection. An `accept4` that finds nothing costs four times as much, because the kernel
//! makes the new socket before it looks at the queue. So the wait is left out only after some connections in a row were
//! there already, after more of them the more often that was in vain, and never for long, so that other listening sockets
//! and the master are heard.

/// Connections in a row that were there already before waiting is left out: at least, and after failures at most.
const PROOF_MIN: u32 = 4;
const PROOF_MAX: u32 = 1_024;

/// Connections taken without waiting that make up for one attempt in vain.
const HITS_FOR_A_MISS: u32 = 4;

/// After that many connections in a row there is one wait again.
const WAIT_EVERY: u32 = 32;

/// A wait that takes no longer did not sleep, in microseconds.
const AT_ONCE_US: u64 = 3;

/// Connections in a row that were there as soon as the thread was free for them.
#[derive(Debug)]
pub(super) struct Rush {
    row: u32,
    /// How many of them prove that there is another: doubled when they did not, halved when they did.
    proof: u32,
    /// Connections in a row that were taken without waiting.
    hits: u32,
}

impl Default for Rush {
    fn default() -> Self {
        Self { row: 0, proof: PROOF_MIN, hits: 0 }
    }
}

impl Rush {
    /// Whether to accept without waiting first.
    pub(super) fn expects_another(&self) -> bool {
        self.row >= self.proof && !self.row.is_multiple_of(WAIT_EVERY)
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
        self.hits = self.hits.wrapping_add(1);
        if self.hits.is_multiple_of(HITS_FOR_A_MISS) {
            self.proof = (self.proof / 2).max(PROOF_MIN);
        }
    }

    /// None was.
    pub(super) fn missed(&mut self) {
        self.row = 0;
        self.hits = 0;
        self.proof = (2 * self.proof).min(PROOF_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::{HITS_FOR_A_MISS, PROOF_MIN, Rush, WAIT_EVERY};

    #[test]
    fn waiting_is_left_out_only_after_a_row_and_comes_back_every_so_often() {
        let mut rush = Rush::default();
        assert!(!rush.expects_another() && !rush.is_on());
        for _ in 0..PROOF_MIN {
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
            (0..PROOF_MIN).for_each(|_| rush.waited(1));
            assert!(rush.expects_another());
            end(&mut rush);
            assert!(!rush.expects_another() && !rush.is_on());
        }
    }

    #[test]
    fn the_more_often_it_was_in_vain_the_more_proof_it_takes() {
        let mut rush = Rush::default();
        let mut proofs = Vec::new();
        for _ in 0..4 {
            let mut proof = 0;
            while !rush.expects_another() {
                rush.waited(0);
                proof += 1;
            }
            proofs.push(proof);
            rush.missed();
        }
        // 32 is itself a row after which there is a wait.
        assert_eq!(proofs, [4, 8, 16, 33]);
        (0..4 * HITS_FOR_A_MISS).for_each(|_| rush.hit());
        rush.waited(50);
        (0..PROOF_MIN).for_each(|_| rush.waited(0));
        assert!(rush.expects_another(), "hits make up for misses");
    }
}
