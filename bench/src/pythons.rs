//! In which Python a scenario runs that is about what not every version can do. Runs in the measuring process.

use std::env;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One CPython 3.
#[derive(Debug, Clone)]
pub(crate) struct Python {
    /// As it names itself: 3.13.0.
    pub(crate) version: String,
    minor: u32,
    pub(crate) path: PathBuf,
}

/// Prints the version, and then its parts; fails where no program can be built for it.
const QUESTION: &str = "import os, platform, sys, sysconfig\n\
                        assert os.path.exists(os.path.join(sysconfig.get_path('include'), 'Python.h'))\n\
                        print(platform.python_version(), sys.version_info[1], sys.executable)";

/// The one to use: what `RHINOD_RIVAL_PYTHON` names; else the newest of these minor versions, of PATH and of those that pyenv
/// keeps in the home directory; else `python3`.
pub(crate) fn one_of(minors: RangeInclusive<u32>) -> Option<Python> {
    if let Some(named) = env::var_os("RHINOD_RIVAL_PYTHON") {
        return probe(Path::new(&named));
    }
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let kept = std::fs::read_dir(home.join(".pyenv/versions")).into_iter().flatten().flatten();
    let of_pyenv = kept.map(|version| version.path().join("bin/python3"));
    let of_path = minors.clone().map(|minor| PathBuf::from(format!("python3.{minor}")));
    let found = of_path.chain(of_pyenv).filter_map(|path| probe(&path));
    let newest = found.filter(|python| minors.contains(&python.minor)).max_by_key(|python| python.minor);
    newest.or_else(|| probe(Path::new("python3")))
}

fn probe(path: &Path) -> Option<Python> {
    let output = Command::new(path).args(["-c", QUESTION]).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut words = text.trim().splitn(3, ' ');
    let version = words.next()?.to_owned();
    Some(Python { version, minor: words.next()?.parse().ok()?, path: words.next()?.into() })
}
