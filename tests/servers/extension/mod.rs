//! Builds the extension module for Python, for tests that serve Python applications with the `rhinod` of this build.
//!
//! Cargo builds for a test program the commands of its own package, not the libraries of another. Runs in the test's
//! process.
//!
//! What cargo builds for tests has the features that the packages of tests ask of others (The Cargo Book, "Feature
//! unification"): without them rhinod and much of what it needs would be compiled a second time. They are there when
//! an example is built beside it, which the tests need anyway.
//!
//! `tests/run-all` has built everything before.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The `rhinod` under test. After this the extension module lies beside it.
pub(crate) fn rhinod() -> PathBuf {
    let rhinod = Path::new(env!("CARGO_BIN_EXE_rhinod"));
    if env::var_os("RHINOD_TESTS_ARE_BUILT").is_none() {
        build(testkit::profile(rhinod));
    }
    assert!(
        rhinod.with_file_name("lib_rhinod.so").is_file(),
        "the extension module is not beside {}",
        rhinod.display()
    );
    rhinod.to_owned()
}

fn build(profile: &str) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--locked", "--workspace", "--lib", "--example", "hello", "--profile", profile]);
    // What cargo tells a test of its package, a build script of ring's would take for another one's, and all that needs ring would
    // be compiled anew.
    let of_package = |name: &str| ["CARGO_MANIFEST_", "CARGO_PKG_"].iter().any(|start| name.starts_with(start));
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_package)) {
        cargo.env_remove(name);
    }
    let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("execute cargo");
    assert!(built.success(), "cargo cannot build the extension module");
}

/// A directory below the target directory, for what is made once and used by later runs too.
pub(crate) fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}
