//! Configuration: what the user said (`directive`), what each option means (`options`), what the program will do
//! (`model::Config`). Pure but for the files the text itself names; runs in the master before anything else.

pub mod build;
pub mod directive;
pub mod error;
pub mod model;
pub mod options;
pub mod vocabulary;
