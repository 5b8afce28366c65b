//! The master as a vassal: what it tells the Emperor that started it, and what that one wants (uWSGI's manual, "The Emperor").
//! Any Emperor that speaks so will do, uWSGI's or ours. Master only.

mod line;
mod orphan;
mod ours;
mod pleading;
mod reunion;
mod serving;
mod sharing;

pub(super) use line::Vassal;
pub(super) use orphan::Orphan;
