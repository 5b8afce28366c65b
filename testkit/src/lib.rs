//! What the tests of all packages share, in the test's process: results on record ([`recorded`]), where random tests
//! take their seeds from ([`seeds`]), bytes and JSON that are nearly right ([`mutation`], [`json_mutation`]), and documents whose commands are run
//! ([`pages`]).
//!
//! Nothing here knows rhinod, but for what `pages` takes for a server. Instances, nginx and clients for tests of whole servers are in `tests/servers/harness`.

pub mod json_mutation;
pub mod mutation;
pub mod pages;
pub mod recorded;
pub mod seeds;

use std::path::Path;

/// The profile in which cargo built this program, as `--profile` takes it, by the directory that the program is in. Cargo's
/// `dev` is the one whose directory has another name.
///
/// # Panics
/// When it is in no directory that cargo builds into.
pub fn profile(program: &Path) -> &str {
    let directory = program.parent().and_then(Path::file_name);
    match directory.and_then(|name| name.to_str()).expect("cargo builds into a directory") {
        "debug" => "dev",
        name => name,
    }
}
