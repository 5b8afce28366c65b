//! What is common to everyone who keeps processes running: what kinds of children there are and by which rule each is
//! kept, how long the next one waits after deaths, and which deaths do not count.
//!
//! Not who is wanted, nor what becomes of one child: that is the state machine's (`master/machine`). Pure; used in the
//! master.

pub mod allowance;
pub mod back_off;
pub mod record;
pub mod role;
pub mod time;
pub mod vassal;
