//! Workers that have lived or worked enough and ask for a successor: a few of them at a time get one, beside whom they serve
//! until it is ready. Who has grown too big does not ask, and is not meant. Pure; used in the master.

use super::Machine;
use super::child::{Child, Wear};
use super::event::LeaveReason;
use super::identity::Seat;
use super::note::Note;

/// Of so many workers one is replaced at a time.
const OF_SO_MANY_ONE: u32 = 4;

impl Machine {
    /// A worker asks for a successor.
    pub(super) fn wear_out(&mut self, seat: Seat, reason: LeaveReason) {
        let Some(Some(child)) = self.seats.get_mut(seat.0 as usize) else {
            return self.impossible(format!("{reason:?} in seat {seat}, which is vacant"));
        };
        // Who is on its way out already needs no more than that.
        if !child.stays() || child.wear != Wear::None {
            return;
        }
        child.wear = Wear::Asked;
        let (post, pid) = (child.post, child.pid());
        if let Some(pid) = pid {
            self.note(Note::WorkerWorn { post, pid, reason });
        }
    }

    /// Has as many of those who have asked replaced as may be at a time. None during a reload: it replaces all, or holds
    /// the seats that their successors would need.
    pub(super) fn admit_worn(&mut self) {
        if self.change.is_some() {
            return;
        }
        let most = (self.target() / OF_SO_MANY_ONE).max(1) as usize;
        let are = |wear: Wear| move |child: &Child| child.stays() && child.wear == wear;
        let under_way = self.seats_where(are(Wear::Due)).len();
        let admitted = self.seats_where(are(Wear::Asked)).into_iter().take(most.saturating_sub(under_way));
        for seat in admitted {
            if let Some(Some(child)) = self.seats.get_mut(seat.0 as usize) {
                child.wear = Wear::Due;
            }
        }
    }
}
