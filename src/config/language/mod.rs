//! The language of configurations, from text to directives: what the user said, with everything resolved.
//!
//! `collect` puts `environment`, `command_line` and the files of `files` into one list (`entry`), `resolve` finishes it.
//! `source` reads, `magic` and `ini` (or `structured`) parse, `keyword`, `logic`, `guard` and `declaration` obey the
//! language's own directives, `expand` and `placeholder` replace what values refer to, `strict` judges unknown keys. Not
//! for what options mean: the language only knows a vocabulary. Pure but for what it asks the `World`; runs in the master
//! before anything else.

mod collect;
pub(crate) mod command_line;
mod declaration;
mod entry;
mod environment;
mod expand;
mod files;
mod guard;
mod ini;
mod keyword;
mod logic;
mod magic;
mod placeholder;
mod resolve;
mod source;
mod strict;
mod structured;

pub use collect::{Collected, collect, collect_all};
#[cfg(test)]
pub(crate) use keyword::Keyword;
