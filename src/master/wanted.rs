//! What is wanted of the master, whoever wants it: an operator, a signal, a letter in a fifo, a file that was touched, or
//! the application. All of it goes one road, through `orders`. Master only.

use super::machine::{Order, Seat};

/// One thing that somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Something that the machine decides on.
    Order(Order),
    /// An end (Ctrl-C): a graceful one, and at once if that is under way already.
    Interrupt,
    /// A worker more. The bounds of scaling hold.
    OneMore,
    /// A worker fewer, an idle one. The bounds of scaling hold.
    OneFewer,
    /// A worker fewer: the one in this seat, which asks for it. The bounds of scaling hold.
    FewerBy(Seat),
}
