//! How many workers run: the policies, their bounds, and the model that tries them out.
//!
//! Not for acting: nothing here forks, reads a clock, a file of `/proc` or a socket. It runs in the master (through
//! [`step()`]) and in the `simulate` command. All times are microseconds of one monotonic clock, all arithmetic that
//! leads to a decision is on integers, so a recorded run replays bit for bit on any machine.
//!
//! # What the master does, and when
//!
//! 1. At start: [`Settings::of`], start [`Settings::initial`] workers, `Memory::default()`.
//! 2. Builds a [`Sample`] and calls [`step()`] when one of these happens, and at no other time:
//!    - what the last [`Decided::wake`] asked for ([`Wake`]): a worker that begins a request leaves no more than so
//!      many workers idle, or a listening socket becomes readable while nobody is idle;
//!    - the time [`Decided::next_look_us`] is reached (`None`: no timer, so without traffic the master sleeps);
//!    - a worker becomes ready, or is gone;
//!    - the master fifo asked for more or fewer ([`Sample::pending`]), or a worker asked to go ([`Sample::volunteers`]).
//! 3. Carries out [`Decided::decision`]: `Grow(n)` forks n workers, `Shrink(n)` retires n *idle* workers (the one
//!    idle for longest first; who asked to go before all, busy or not). An idle worker that became busy meanwhile is
//!    left alone: the removal is dropped, never remembered. A fork that fails stays in [`Sample::starting`] while it waits for its next attempt.
//! 4. Logs every decision that is not `Hold` ([`decision_log`]).
//!
//! What costs something is only needed by some: [`Settings::needs_worker_times`], [`Settings::needs_cpu`].

pub mod adaptive;
mod backlog;
mod baseline;
mod bounds;
pub mod budget;
mod busyness;
mod decision;
pub mod decision_log;
#[cfg(test)]
pub(crate) mod fixture;
mod hold;
mod idle;
mod manual;
mod needs;
mod policy;
#[cfg(test)]
mod properties;
mod reason;
mod sample;
mod schedule;
mod settings;
#[cfg(any(feature = "simulate", test))]
pub mod simulator;
mod spare;
mod spare2;
pub mod spool;
mod step;

pub use decision::{Bound, Decided, Decision, Wake};
pub use hold::{Held, refusal};
pub use reason::Reason;
pub use sample::{CpuUse, Sample, WorkerTime};
pub use schedule::Baseline;
pub use settings::{Busyness, MinimumDoesNotFit, Pace, Settings};
pub use step::{Memory, step};

pub(crate) use policy::{View, Wish};
