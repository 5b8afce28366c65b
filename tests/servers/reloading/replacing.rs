//! What the tests of a master that is replaced in place share: a binary that can be replaced, and how that is done.
//!
//! Runs in the test's process; stands on `harness`.

use std::fs;
use std::path::{Path, PathBuf};

use super::{tell, unsteady};
use crate::harness::{Instance, Launch, example_path, write_executable};

/// What the next image of a master says.
pub(crate) const UPGRADED: &str = "the master (pid";

/// Puts another file in the place of the binary, as an installation does: the old one stays for who runs it.
pub(crate) fn install(place: &Path, contents: &[u8]) {
    let fresh = place.with_extension("new");
    write_executable(&fresh, contents);
    fs::rename(&fresh, place).expect("put it in place");
}

/// The unsteady application from a binary of its own, which can be replaced.
pub(crate) fn replaceable() -> (Launch, PathBuf) {
    replaceable_after("")
}

/// The same, executed by a shell after these words of its own.
pub(crate) fn replaceable_after(words: &str) -> (Launch, PathBuf) {
    let directory = tempfile::Builder::new().prefix("rhinod-test-binary-").tempdir().expect("a directory").keep();
    let binary = directory.join("unsteady");
    write_executable(&binary, &fs::read(example_path("unsteady")).expect("the example"));
    let launch = unsteady();
    // The shell executes the copy in its own place, so that the pid stays; $1 is the example itself, $2 the ini file.
    let script = format!("{words} exec \"$0\" \"$2\"");
    (launch.through(["sh".into(), "-c".into(), script.into(), binary.clone().into_os_string()]), binary)
}

/// Has the master replaced, and waits until it is.
pub(crate) fn upgrade(server: &Instance) {
    let seen = server.log.position();
    tell(server, "u");
    server.log.wait_for_after(seen, UPGRADED);
}
