//! Whether a new generation on trial (`reload-canary`) is as good as the one that it is to replace, by what both answer
//! in the same time.
//!
//! Three things are judged. *Failures* (answers that say that the server is at fault, exceptions, deaths): the canary is
//! refused at once when the evidence gathered so far is overwhelming (`evidence`), and at the end of the trial by one
//! test of its whole (`failing`). *Time*: it is refused when half or a tenth of its requests take twice as long, the mean
//! says so as well, chance does not explain it, and it was so in nearly all parts of the trial (`slowness`). *Memory*: it is refused at the end when its workers hold
//! more than older ones, and ever more with each request (`growth`). docs/RELOADING.md has the rates of wrong verdicts.
//!
//! Pure: figures and times come in, a verdict comes out. Used in the master.

mod evidence;
mod failing;
mod growth;
mod judge;
mod slowness;

pub(crate) use growth::Holding;
pub(crate) use judge::{Answered, Judge, WEIGH_EVERY_US};
