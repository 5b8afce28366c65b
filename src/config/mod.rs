//! Configuration: what the user said (`language`), what each option means (`options`), what the program will do (`model`).
//! Pure but for the files the text itself names; runs in the master before anything else.
//!
//! `directive` and `error` are what all parts share. From text to directives is the `language`; from directives to
//! [`model::Config`], `options` is the table and `build` runs it; `load` does both in one go, and `report` tells of it.
//! `foresight` is what can be seen of a start before it is tried; `ground` is what it may ask.
//! `world` is all that a configuration may ask of the machine while it is read, `surroundings` what it is judged by, and
//! `host` the machine.

pub mod build;
pub mod directive;
pub mod error;
pub mod foresight;
pub mod ground;
pub mod host;
pub mod language;
pub mod load;
pub mod looking;
pub mod model;
pub mod nearest;
pub mod options;
pub mod report;
pub mod subject;
pub mod surroundings;
pub mod vocabulary;
pub mod world;

pub use directive::{Directive, Origin};
pub use error::{ConfigError, ConfigErrors};
pub use host::Host;
pub use language::{Collected, collect, collect_all};
pub use surroundings::Surroundings;
pub use vocabulary::{Argument, Meaning, Vocabulary};
pub use world::{Invocation, World};
