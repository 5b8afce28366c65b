//! Builds the extension module for Python, for tests that serve Python applications with the `rhinod` of this build.
//!
//! Cargo builds for a test program the commands of its own package, not the libraries of another. Runs in the test's
//! process.
//!
//! What cargo builds for tests has the features that the packages of tests ask of others (The Cargo Book, "Feature
//! unification"): without them rhinod and much of what it needs would be compiled a second time. They are there when
//! an example is built beside it, which the tests need anyway.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The `rhinod` under test. After this the extension module lies beside it.
pub(crate) fn rhinod() -> PathBuf {
    let rhinod = Path::new(env!("CARGO_BIN_EXE_rhinod"));
    let built = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--workspace", "--lib", "--example", "hello"])
        .args(["--profile", testkit::profile(rhinod)])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("execute cargo");
    assert!(built.success(), "cargo cannot build the extension module");
    assert!(
        rhinod.with_file_name("lib_rhinod.so").is_file(),
        "the extension module is not beside {}",
        rhinod.display()
    );
    rhinod.to_owned()
}

/// A directory below the target directory, for what is made once and used by later runs too.
pub(crate) fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}
