//! The children that the master executes itself: programs beside the workers, by their seat.
//!
//! Who there is stands in the `book`; how one begins is in `starting`, how it is told to go and ends in `stopping`, how
//! the next image of the master gets it in `handover`. Turns what the kernel, pipes and pid files say into events of the
//! machine; decides nothing, waits for nothing. Master only.

mod book;
mod handover;
mod starting;
mod stopping;

pub(in crate::master) use book::Executed;
pub(in crate::master) use handover::ExecutedHandover;
pub(in crate::master) use starting::{Becomes, Order};
