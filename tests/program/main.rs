//! Tests of what the program decides and prints, without a server: the configuration language, `check` and `show`, the
//! generated documents, settings of other versions, who may use whom, and what is built in. Tests of single rules stand
//! beside their code.

mod check;
mod config_language;
mod configurations;
mod dependencies;
mod embedding;
mod generated;
mod layers;
mod python_decisions;
mod travel;
