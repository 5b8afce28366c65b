//! `tests/within-time`, the runner of test programs: a test that does not end has failed, by its name.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// A test program of two tests, one of which goes on until its child ends; it writes down the pid of that child.
const PROGRAM: &str = r#"#!/bin/sh
if [ "$1" = --list ]; then printf 'one: test\nother: test\n'; exit; fi
echo 'test one ... ok'
sleep 1000 &
echo $! > "$0.pid"
wait
"#;

#[test]
fn a_test_that_does_not_end_is_named_and_what_it_started_is_killed() {
    let directory = tempfile::tempdir().expect("a directory");
    let program = directory.path().join("program");
    fs::write(&program, PROGRAM).expect("the program");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).expect("its mode");
    let runner = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/within-time");
    let output = Command::new(runner).arg(&program).env("RHINOD_TEST_LIMIT", "2").output().expect("python3");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(101), "{said}");
    for line in ["test one ... ok", "test other ... FAILED", "test result: FAILED. 1 passed; 1 failed; 0 ignored"] {
        assert!(said.lines().any(|own| own == line), "no {line:?} in\n{said}");
    }
    let pid = fs::read_to_string(directory.path().join("program.pid")).expect("the child's pid");
    assert!(said.contains(&format!("{}: sleep 1000", pid.trim())), "{said}");
    assert!(!Path::new("/proc").join(pid.trim()).join("exe").exists(), "the child lives");
}
