//! The interpreters of this machine, and instances that serve the test applications of `tests/python`.
//!
//! Each test says which interpreters it ran. Runs in the test's process.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, Once, OnceLock};

use crate::harness::{Instance, Launch};

/// One CPython.
#[derive(Debug, Clone)]
pub(crate) struct Python {
    /// Major and minor version, as in `(3, 11)`.
    pub version: (u32, u32),
    /// Where it is.
    pub path: PathBuf,
}

/// The oldest version that the extension module serves.
const OLDEST: (u32, u32) = (3, 9);

/// Every CPython from 3.9 on, one of each version: those of PATH, and those that pyenv keeps in the home directory.
pub(crate) fn supported() -> &'static [Python] {
    static SUPPORTED: OnceLock<Vec<Python>> = OnceLock::new();
    SUPPORTED.get_or_init(|| {
        let found = all().into_iter().filter(|python| python.version >= OLDEST);
        let found: Vec<Python> = found.map(bare).collect();
        assert!(!found.is_empty(), "there is no Python from 3.9 on");
        // Not through a macro, whose output only failing tests show.
        let _ = writeln!(std::io::stderr(), "interpreters: {}", list(&found));
        found
    })
}

/// The one to use where one is enough: `python3` of PATH if it is new enough.
pub(crate) fn one() -> Python {
    static ONE: OnceLock<Python> = OnceLock::new();
    let of_path = || probe(Path::new("python3")).filter(|python| python.version >= OLDEST).map(bare);
    ONE.get_or_init(|| of_path().unwrap_or_else(|| supported()[0].clone())).clone()
}

/// The same interpreter without what the machine has installed for it: a virtualenv that holds nothing, in the target
/// directory. No test shall find packages there by chance, nor wait for what they do at each start.
fn bare(python: Python) -> Python {
    // Of several threads that want it, one makes it.
    static MAKES: Mutex<()> = Mutex::new(());
    let _makes = MAKES.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let place =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{}.{}", python.version.0, python.version.1));
    let path = place.join("bin/python3");
    let is_it = || probe(&path).is_some_and(|made| made.version == python.version);
    if !is_it() {
        let mut make = Command::new(&python.path);
        make.args(["-m", "venv", "--clear", "--without-pip"]).arg(&place).stdin(Stdio::null());
        assert!(
            make.status().is_ok_and(|made| made.success()) && is_it(),
            "{} makes a virtualenv",
            python.path.display()
        );
    }
    Python { path, ..python }
}

/// A Python 3 that is too old, if there is one.
pub(crate) fn too_old() -> Option<Python> {
    all().into_iter().find(|python| python.version < OLDEST)
}

fn list(pythons: &[Python]) -> String {
    let each =
        pythons.iter().map(|python| format!("{}.{} {}", python.version.0, python.version.1, python.path.display()));
    each.collect::<Vec<_>>().join(", ")
}

fn all() -> Vec<Python> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["python3".to_owned()].into_iter().chain((6..=20).map(|minor| format!("python3.{minor}")));
    let names: Vec<String> = names.collect();
    let of_path = std::env::split_paths(&path).flat_map(|directory| names.iter().map(move |name| directory.join(name)));
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let kept = std::fs::read_dir(home.join(".pyenv/versions")).into_iter().flatten().flatten();
    let of_pyenv = kept.map(|version| version.path().join("bin/python3"));
    let candidates: Vec<PathBuf> = of_path.chain(of_pyenv).filter(|path| path.exists()).collect();
    let mut found = BTreeMap::new();
    for python in candidates.iter().filter_map(|path| probe(path)) {
        found.entry(python.version).or_insert(python);
    }
    found.into_values().collect()
}

/// Asks an interpreter what it is. `None`: it does not run (a shim without a version behind it), or is no CPython.
fn probe(path: &Path) -> Option<Python> {
    const QUESTION: &str = "import sys, platform\n\
                            print(platform.python_implementation(), sys.version_info[0], sys.version_info[1])\n\
                            print(sys.executable)";
    let output = Command::new(path).args(["-c", QUESTION]).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (kind, executable) = text.split_once('\n')?;
    let [implementation, major, minor] = kind.split(' ').collect::<Vec<_>>()[..] else { return None };
    let version = (major.parse().ok()?, minor.parse().ok()?);
    (implementation == "CPython").then(|| Python { version, path: executable.trim().into() })
}

/// The directory of the test applications.
pub(crate) fn applications() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python")
}

/// An instance with one worker that serves a module of the test applications.
pub(crate) fn launch(python: &Python, module: &str) -> Launch {
    launch_in(python, &applications()).set("module", module)
}

/// An instance with one worker whose application is in `directory`, and still to be named.
pub(crate) fn launch_in(python: &Python, directory: &Path) -> Launch {
    build_extension_once();
    let launch = Launch::rhinod().env("PYTHONDONTWRITEBYTECODE", 1).set("workers", 1);
    launch.set("python-executable", python.path.display()).set("chdir", directory.display())
}

/// The end of an application that answers with what the expression in the query comes to, where its own names hold.
pub(crate) const EVALUATES: &str =
    concat!("\n", include_str!("../../python/evaluating.py"), "\napplication = evaluating(globals())\n");

/// What an expression comes to in such an application, and in `tests/python/calls.py`.
pub(crate) fn call(instance: &Instance, expression: &str) -> String {
    String::from_utf8_lossy(instance.get(&target_of(expression)).body()).into_owned()
}

/// What is asked for the value of an expression.
pub(crate) fn target_of(expression: &str) -> String {
    let escaped: String = expression.bytes().map(|byte| format!("%{byte:02x}")).collect();
    format!("/?{escaped}")
}

/// Builds the extension module at the first call in a test program.
fn build_extension_once() {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| drop(crate::extension::rhinod()));
}
