//! The directories where Python will look for modules, as far as that can be seen without starting it: `chdir`,
//! `pythonpath`, PYTHONPATH, the packages of the virtualenv or of the interpreter, and what `.pth` files add (Python's
//! documentation, "site").
//!
//! Rather too many than too few: packages of every version below the same prefix count. Pure but for what it asks; runs
//! in `rhinod check`.

use std::path::{Path, PathBuf};

use super::findings::Findings;
use crate::config::model::{EnvironmentChange, Python};
use crate::config::world::{Invocation, World};

/// Where modules are looked for.
pub(super) struct Roots {
    pub(super) directories: Vec<PathBuf>,
    /// Those that a message names.
    pub(super) told: Vec<PathBuf>,
    /// Whether Python knows no others.
    pub(super) certain: bool,
}

/// Everything that a `.pth` file of these names does leaves the path as it is: setuptools and virtualenv make them.
const HARMLESS: [&str; 2] = ["distutils-precedence.pth", "_virtualenv.pth"];

/// Where the packages of a prefix are, as patterns below it.
const PACKAGES: [&str; 4] = [
    "lib*/python3*/site-packages",
    "lib*/python3*/dist-packages",
    "lib*/python3/dist-packages",
    "local/lib*/python3*/dist-packages",
];

pub(super) fn roots(findings: &Findings<'_>, python: &Python, called: &Invocation) -> Roots {
    let world = findings.ways.world;
    let mut directories = vec![findings.chdir.clone()];
    for pattern in &python.path {
        let pattern = findings.chdir.join(pattern);
        let matches = world.glob(&pattern.to_string_lossy());
        directories.extend(if matches.is_empty() { vec![pattern] } else { matches });
    }
    let variable = environment(findings, called, "PYTHONPATH").unwrap_or_default();
    directories.extend(variable.split(':').filter(|part| !part.is_empty()).map(|part| findings.chdir.join(part)));
    let mut told = directories.clone();
    let Some(interpreter) = interpreter(findings, python, called) else {
        return Roots { directories, told, certain: false };
    };
    let prefix = above(&interpreter);
    let mut packages = packages_of(world, &prefix);
    told.extend(packages.first().cloned());
    let venv = world.read(&prefix.join("pyvenv.cfg")).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let base = match &venv {
        Some(settings) => setting(settings, "home").map(|directory| above(&Path::new(directory).join("python"))),
        None => Some(prefix),
    };
    let with_system =
        venv.as_deref().is_none_or(|settings| setting(settings, "include-system-site-packages") == Some("true"));
    for base in base.iter().flat_map(|base| [base.as_path(), Path::new("/usr/local")]) {
        directories.extend(world.glob(&format!("{}/lib*/python3*", escaped(base))));
        directories.extend(world.glob(&format!("{}/lib*/python3*/lib-dynload", escaped(base))));
        if with_system {
            packages.extend(packages_of(world, base));
        }
    }
    if with_system && let Some(home) = environment(findings, called, "HOME") {
        packages.extend(packages_of(world, &Path::new(&home).join(".local")));
    }
    let mut certain = base.is_some() && python.imports.is_empty() && python.shared_imports.is_empty();
    for place in &packages {
        let (more, all_seen) = additions(world, place);
        directories.extend(more);
        certain &= all_seen;
    }
    directories.extend(packages);
    Roots { directories, told, certain }
}

/// The interpreter's path, as far as it is known.
fn interpreter(findings: &Findings<'_>, python: &Python, called: &Invocation) -> Option<PathBuf> {
    let there = |path: &PathBuf| findings.ways.world.look(path).is_some();
    let named = python.interpreters();
    if !named.is_empty() {
        return named.iter().map(|path| findings.chdir.join(path)).find(there);
    }
    let path = environment(findings, called, "PATH")?;
    let found = path.split(':').map(|directory| Path::new(directory).join("python3")).find(there)?;
    // A link such as /bin -> /usr/bin would hide the prefix; one within a virtualenv is the virtualenv's.
    let directory = findings.ways.world.resolve(found.parent()?).ok()?;
    Some(directory.join("python3"))
}

/// A variable of the instance's environment.
fn environment(findings: &Findings<'_>, called: &Invocation, name: &str) -> Option<String> {
    let changed = findings.config.environment.iter().rev().find_map(|change| match change {
        EnvironmentChange::Set(known, value) if known == name => Some(Some(value.clone())),
        EnvironmentChange::Unset(known) if known == name => Some(None),
        _ => None,
    });
    let inherited = || {
        called
            .environment
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.to_string_lossy().into_owned())
    };
    changed.unwrap_or_else(inherited)
}

/// `/usr` of `/usr/bin/python3`.
fn above(program: &Path) -> PathBuf {
    program.parent().and_then(Path::parent).unwrap_or(Path::new("/")).to_owned()
}

fn packages_of(world: &dyn World, prefix: &Path) -> Vec<PathBuf> {
    PACKAGES.iter().flat_map(|places| world.glob(&format!("{}/{places}", escaped(prefix)))).collect()
}

/// The directories that `.pth` files of a place add, and whether they do nothing else.
fn additions(world: &dyn World, place: &Path) -> (Vec<PathBuf>, bool) {
    let (mut more, mut all_seen) = (Vec::new(), true);
    for file in world.glob(&format!("{}/*.pth", escaped(place))) {
        if file.file_name().is_some_and(|name| HARMLESS.iter().any(|harmless| name == *harmless)) {
            continue;
        }
        let Ok(text) = world.read(&file) else {
            all_seen = false;
            continue;
        };
        for line in
            String::from_utf8_lossy(&text).lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        {
            if line.starts_with("import ") || line.starts_with("import\t") {
                all_seen = false;
            } else {
                more.push(place.join(line.trim_end()));
            }
        }
    }
    (more, all_seen)
}

/// The value of a key in `pyvenv.cfg`.
fn setting<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(known, value)| (known.trim(), value.trim())).find(|(known, _)| *known == key).map(|(_, value)| value)
}

/// A path as a pattern that matches only itself.
pub(super) fn escaped(path: &Path) -> String {
    let mut pattern = String::new();
    for character in path.to_string_lossy().chars() {
        match character {
            '*' | '?' | '[' | ']' => pattern.extend(['[', character, ']']),
            other => pattern.push(other),
        }
    }
    pattern
}
