//! Configuration: what the user said (`directive`), what each option means (`options`), what the program will do
//! (`model::Config`). Pure but for the files the text itself names; runs in the master before anything else.
//!
//! The language, from text to directives: `collect` puts `environment`, `command_line` and the files of `files` into one
//! list (`entry`), `resolve` finishes it. `source` reads, `magic` and `ini` (or `structured`) parse, `keyword`, `logic`,
//! `guard` and `declaration` obey the language's own directives, `expand` and `placeholder` replace what values refer
//! to, `strict` judges unknown keys. From directives to `Config`: `options` is the table, `build` runs it, `load` does
//! both in one go; `check` and `show` report. `world` is all that a configuration may ask of the machine, `host` the
//! machine.

pub mod build;
pub mod check;
pub mod collect;
pub(crate) mod command_line;
mod declaration;
pub mod directive;
mod entry;
pub mod environment;
pub mod error;
mod expand;
mod files;
mod guard;
pub mod host;
mod ini;
mod keyword;
pub mod load;
mod logic;
mod magic;
pub mod model;
pub mod nearest;
pub mod network;
pub mod options;
pub mod paint;
mod placeholder;
mod resolve;
pub mod show;
mod source;
mod strict;
mod structured;
pub mod surroundings;
pub mod vocabulary;
pub mod world;

pub use collect::{Collected, collect, collect_all};
pub use directive::{Directive, Origin};
pub use error::{ConfigError, ConfigErrors};
pub use host::Host;
pub use surroundings::Surroundings;
pub use vocabulary::{Argument, Meaning, Vocabulary};
pub use world::{Invocation, World};
