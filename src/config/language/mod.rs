//! The language of configurations, from text to directives: what the user said, with everything resolved.
//!
//! `collect` is the order of the run: `environment`, `command_line` and the `files` that they name go through `collector`
//! into one list (`entry`), which `resolve` finishes. `source` reads; `magic`, `lines` and `ini` (or `structured`) parse
//! what was `opened`; `keyword`, `logic`, `guard` and `declaration` obey the language's own directives; `expand` and
//! `placeholder` replace what values refer to, but nothing in what is `sealed`; `strict` judges unknown keys. Not for what
//! options mean: the language only knows a vocabulary. Pure but for what it asks the `World`; runs in the master before
//! anything else.

mod collect;
mod collected;
mod collector;
pub(crate) mod command_line;
mod declaration;
mod entry;
mod environment;
mod expand;
mod files;
mod guard;
mod ini;
mod keyword;
mod lines;
mod logic;
mod magic;
mod object;
mod opened;
mod placeholder;
mod resolve;
mod sealed;
mod source;
mod strict;
mod structured;
#[cfg(feature = "yaml")]
mod yaml;

pub use collect::{collect, collect_all};
pub use collected::Collected;
#[cfg(test)]
pub(crate) use keyword::Keyword;
