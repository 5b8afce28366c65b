//! Actions of rules. `names` has the table of them, `reading` how their arguments are read, `kinds` what they are then, and
//! `acting` what each does. Pure.

mod acting;
mod arguments;
mod kinds;
mod names;
mod reading;

pub(super) use self::acting::{Failure, Step};
pub(super) use self::kinds::Action;
pub(super) use self::names::read;
pub use self::names::{ActionName, names};
