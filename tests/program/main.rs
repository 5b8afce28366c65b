//! Tests of what the program decides and prints, without a server: the configuration language, `check` and `show`, the
//! generated documents, settings of other versions, who may use whom, what is built in, and what is published.
//! Tests of single rules stand beside their code.

mod check;
mod config_language;
mod configurations;
mod dependencies;
mod documents;
mod foresight;
mod generated;
mod layers;
mod published;
mod python_decisions;
// An example has tests of its own; as a target of tests it would not be built as the program that tests of servers start.
#[allow(dead_code, reason = "its main function")]
#[path = "../../examples/service/main.rs"]
mod service;
mod terminal;
mod travel;
mod within_time;
