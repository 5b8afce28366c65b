//! Actions of rules. `names` has the table of them, `reading` how their arguments are read, `kinds` what they are then, and
//! `acting` what each does; `caching` has those on caches, `calling` those that call
//! functions, `passing` those that pass a request on, `step` what follows. Pure.

mod acting;
mod arguments;
mod cache_arguments;
mod caching;
mod call_arguments;
mod calling;
mod kinds;
mod names;
mod passing;
mod reading;
mod step;

pub(super) use self::arguments::{pairs, value};
pub(super) use self::kinds::Action;
pub(super) use self::names::read;
pub use self::names::{ActionName, names};
pub(super) use self::step::{Failure, Step};
