//! Tests of what the program decides and prints, without a server: the configuration language, `check` and `show`, the
//! generated documents, settings of other versions, and who may use whom. Tests of single rules stand beside their code.

mod check;
mod config_language;
mod configurations;
mod generated;
mod layers;
mod python_decisions;
mod travel;
