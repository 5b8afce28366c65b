//! The `rhinod` command.
fn main() {}
