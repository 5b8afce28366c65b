//! The Emperor: starts an instance for each configuration that it finds, reloads it when that changes, stops it when that is
//! gone (uWSGI's manual, "The Emperor"). Vassals are processes of their own; any program that speaks uWSGI's one-byte protocol
//! will do.
//!
//! `machine` decides (pure), `monitors` look for files, `birth` makes processes, `driver` waits and carries out, `report` tells.
//! What it is woken by: `hearing` has signals, vassals and their ends (`records`: what our own say beyond that; `sharing`: who may
//! have how much memory), `looking` files and `addresses`, `telling` those who ask for it.
//! A process of its own; never in a master, which it has nothing to do with but that it starts some.

mod addresses;
mod birth;
mod court;
mod driver;
mod hearing;
mod inheriting;
mod looking;
mod machine;
mod monitors;
mod records;
mod report;
mod roll;
mod setting_up;
mod shares;
mod sharing;
mod succession;
mod telling;

pub(crate) use setting_up::run;
