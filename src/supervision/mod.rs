//! What is common to everyone who keeps processes running: what kinds of children there are and by which rule each is
//! kept, and how long the next one waits after deaths.
//!
//! Not who is wanted, nor what becomes of one child: that is the state machine's (`master/machine`). Pure; used in the
//! master.

pub mod back_off;
pub mod role;
pub mod time;
