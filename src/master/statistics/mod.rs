//! Telling of the instance: to whom, and never so that anything else waits for it. What is told is made in `gathering`,
//! `beside` and `shared`, and what it looks like in `crate::stats`. Master only.
//!
//! Every connection is read from and written to without waiting; one that takes its time is dropped when that is over, or
//! when others need its place.

mod beside;
mod calendar;
mod documents;
mod gathering;
mod shared;
mod telling;
mod visitors;

pub(super) use documents::Documents;
pub(super) use visitors::Visitors;
