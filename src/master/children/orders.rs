//! Orders to fork that wait for their zygote: it has only so many in its hands at once, since its socket's queue has room
//! for a few hundred and the kernel counts descriptors that are under way. Counts only; `members` sends. Pure; master only.

use std::collections::VecDeque;

use super::super::machine::{Post, Seat};

/// Most orders that a zygote has and has not answered. It is never idle for want of one, and far from the few hundred for
/// which its queue has room.
const UNANSWERED_MAX: u32 = 64;

/// An order that has not been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ForkOrder {
    pub(super) seat: Seat,
    pub(super) post: Post,
    pub(super) nth: u32,
}

/// What one zygote is still to be told, and still to answer.
#[derive(Debug, Default)]
pub(super) struct ForkOrders {
    waiting: VecDeque<ForkOrder>,
    unanswered: u32,
    /// Whether its queue was full at the last try.
    pub(super) is_full: bool,
}

impl ForkOrders {
    /// One more, behind the others.
    pub(super) fn add(&mut self, order: ForkOrder) {
        self.waiting.push_back(order);
    }

    /// The next one that may be sent now.
    pub(super) fn next(&self) -> Option<ForkOrder> {
        self.waiting.front().copied().filter(|_| self.unanswered < UNANSWERED_MAX)
    }

    /// The next one was sent.
    pub(super) fn sent(&mut self) {
        self.waiting.pop_front();
        self.unanswered += 1;
    }

    /// The next one cannot be sent, now or ever.
    pub(super) fn drop_next(&mut self) {
        self.waiting.pop_front();
    }

    /// The one for a seat is not to be sent any more. Whether it was still there.
    pub(super) fn drop_for(&mut self, seat: Seat) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|order| order.seat != seat);
        self.waiting.len() < before
    }

    /// One was answered.
    pub(super) fn answered(&mut self) {
        self.unanswered = self.unanswered.saturating_sub(1);
    }

    /// All that were never sent.
    pub(super) fn into_waiting(self) -> impl Iterator<Item = ForkOrder> {
        self.waiting.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders(count: u32) -> ForkOrders {
        let mut orders = ForkOrders::default();
        (0..count).for_each(|seat| orders.add(ForkOrder { seat: Seat(seat), post: Post::worker(seat), nth: 1 }));
        orders
    }

    #[test]
    fn a_zygote_has_only_so_many_orders_at_once_and_gets_them_in_turn() {
        let mut orders = orders(1_000);
        let mut sent = Vec::new();
        while sent.len() < 1_000 {
            let before = sent.len();
            while let Some(order) = orders.next() {
                sent.push(order.seat.0);
                orders.sent();
            }
            assert!(sent.len() > before && sent.len() - before <= UNANSWERED_MAX as usize);
            (before..sent.len()).for_each(|_| orders.answered());
        }
        assert!(sent.into_iter().eq(0..1_000));
    }

    #[test]
    fn one_that_cannot_be_sent_makes_room_for_the_next() {
        let mut orders = orders(3);
        orders.drop_next();
        assert_eq!(orders.next().map(|order| order.seat), Some(Seat(1)));
        orders.sent();
        assert!(orders.into_waiting().map(|order| order.seat).eq([Seat(2)]));
    }

    #[test]
    fn one_that_is_called_off_is_dropped_unless_it_was_sent() {
        let mut orders = orders(3);
        orders.sent();
        assert!(!orders.drop_for(Seat(0)) && orders.drop_for(Seat(1)) && !orders.drop_for(Seat(1)));
        assert!(orders.into_waiting().map(|order| order.seat).eq([Seat(2)]));
    }
}
