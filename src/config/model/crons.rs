//! Commands that the master runs at certain minutes (uWSGI's manual, "The uWSGI cron-like interface").
//!
//! A section of the configuration. Not for when they are due (`timetable`). Pure; the master reads it.

pub use crate::timetable::{CronCommand, CronTime};
