//! The master as a vassal: what it tells the Emperor that started it, and what that one wants (uWSGI's manual, "The Emperor").
//! Any Emperor that speaks so will do, uWSGI's or ours. Master only.

mod line;
mod ours;
mod pleading;
mod serving;
mod sharing;

pub(super) use line::Vassal;
