//! What is said about a configuration before anything is started: what each line will do (`check`), and which values hold
//! (`show`). Pure; runs in the commands.

pub mod check;
pub mod page;
pub mod paint;
pub mod show;
