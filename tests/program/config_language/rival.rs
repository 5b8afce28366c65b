//! The comparison with uWSGI: same keys, same values, same order, on every case that does not deviate on purpose.
//!
//! What uWSGI made of each case is recorded in it, so the comparison runs everywhere. Where uWSGI itself can be had
//! (`RHINOD_RIVAL_UWSGI`, or `tests/rivals/uwsgi.sh`), the records are checked against it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cases::Case;

/// The issue asks for at least so many cases on which both agree.
const AGREEING_MIN: usize = 150;

#[test]
fn every_case_agrees_with_what_uwsgi_was_seen_to_do() {
    if testkit::recorded::is_blessing() {
        bless();
    }
    let mut differences = Vec::new();
    let mut agreeing = 0;
    for case in Case::all("cases") {
        match compare(&case) {
            Ok(()) => agreeing += usize::from(!case.deviates()),
            Err(difference) => differences.push(difference),
        }
    }
    assert!(differences.is_empty(), "{}\nrun `make bless` if this is meant", differences.join("\n"));
    assert!(agreeing >= AGREEING_MIN, "only {agreeing} cases");
}

/// A case agrees when both show the same, or when both fail and rhinod's errors are the recorded ones.
fn compare(case: &Case) -> Result<(), String> {
    let directory = case.lay_out();
    let ours = case.rhinod(directory.path());
    let theirs = case.part("uwsgi").unwrap_or_default();
    let failed = theirs.starts_with("exit ");
    let differs = if failed { ours.is_ok() } else { ours.as_deref() != Ok(theirs) };
    let expected = case.part("rhinod").unwrap_or(theirs);
    let ours = ours.unwrap_or_else(|errors| errors);
    if differs != case.deviates() || ours != expected {
        return Err(format!("--- {}\nexpected:\n{expected}rhinod:\n{ours}uwsgi:\n{theirs}", case.name));
    }
    Ok(())
}

#[test]
fn what_uwsgi_was_seen_to_do_is_what_it_does() {
    let Some(binary) = rival() else {
        eprintln!("uWSGI CANNOT BE HAD HERE: rhinod was compared with its recorded output only");
        return;
    };
    for case in Case::all("cases") {
        let directory = case.lay_out();
        assert_eq!(case.uwsgi(&binary, directory.path()), case.part("uwsgi").unwrap_or_default(), "{}", case.name);
    }
}

fn rival() -> Option<PathBuf> {
    if let Some(path) = env::var_os("RHINOD_RIVAL_UWSGI") {
        return Some(path.into());
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rivals/uwsgi.sh");
    let output = Command::new(script).output().ok()?;
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().into())
}

/// Records what both make of each case; of uWSGI, where it cannot be had, what it was seen to do before.
fn bless() {
    let binary = rival();
    if binary.is_none() {
        eprintln!("uWSGI CANNOT BE HAD HERE: what it was seen to do stays as it is");
    }
    for case in Case::all("cases") {
        let directory = case.lay_out();
        let theirs = match &binary {
            Some(binary) => case.uwsgi(binary, directory.path()),
            None => case.part("uwsgi").unwrap_or_default().to_owned(),
        };
        let ours = case.rhinod(directory.path());
        let own = match &ours {
            Ok(shown) => (*shown != theirs).then_some(shown.as_str()),
            Err(errors) => Some(errors.as_str()),
        };
        case.bless(Some(&theirs), own);
    }
}
