//! Rules of routing (uWSGI's manual, "uWSGI internal routing"): which lines of the configuration look at a request, and what
//! they do to it or answer it with. Pure; compiled where the configuration is loaded, run by workers.
//!
//! - `written` is a rule as it was written; `chain` one compiled chain of them, `rules` all four.
//! - `pattern`, `condition` say whether a rule is for a request; `template` and `values` fill its arguments in.
//! - `action` has what rules do; `state` is the request that they do it to, `answer` what comes of it,
//!   `relay` the request as another server gets it.
//! - `users` knows passwords; `world` is what rules ask of everything that is no request.
//!
//! Not for sending answers: that is the worker's (`worker/routes`).

mod action;
mod answer;
mod chain;
mod condition;
mod error;
#[cfg(test)]
mod mutants;
mod pattern;
mod relay;
mod rules;
mod state;
mod template;
#[cfg(test)]
mod tests;
mod users;
mod values;
mod world;
mod written;

pub use action::{ActionName, names};
pub use answer::{Answer, CachedAnswer, FileAnswer, Verdict, WholeAnswer};
pub use error::RuleError;
pub use relay::{Relay, Unspeakable, Words};
pub use rules::Rules;
pub use state::{NoRoom, Request, ToKeep};
pub use world::{CacheChange, Cached, Change, Figure, FileTest, World};
pub use written::{Stage, WrittenRule};
