//! Whether Python and its application are to be found: the interpreter behind open directories, rhinod's extension module,
//! the file or the module where Python will look for it.
//!
//! Nothing is imported. Where Python itself may know more places than can be seen from outside, what is missing is a remark
//! and no error. Pure but for what it asks; runs in `rhinod check`.

use std::path::{Path, PathBuf};

use super::findings::Findings;
use super::places::judge_read;
use super::roots::{Roots, escaped, roots};
use crate::config::directive::Directive;
use crate::config::ground::Access;
use crate::config::model::Python;
use crate::config::world::{Invocation, Kind, World};

/// Judges the interpreter and what it is to load.
pub(super) fn judge(findings: &mut Findings<'_>, python: &Python, called: &Invocation) {
    judge_interpreter(findings, python);
    if !Python::extensions(&called.program).iter().any(|path| findings.ways.world.look(path).is_some()) {
        let problem = format!("there is no extension module for Python beside {}", called.program.display());
        let remedy = "install the package of `make wheel`, or in a checkout cargo build -p rhinod-python";
        findings.blame_line(application_line(findings), problem, remedy);
    }
    if let Some(file) = &python.file {
        judge_read(findings, findings.line("wsgi-file", |_| true), &findings.chdir.join(file));
    }
    let roots = roots(findings, python, called);
    if let Some(module) = &python.module {
        judge_module(findings, findings.line("module", |_| true), module, &roots);
    }
    for (_, target) in &python.mounts {
        let line = findings.line("mount", |value| value.ends_with(target.as_str()));
        if target.ends_with(".py") || target.ends_with(".wsgi") {
            judge_read(findings, line, &findings.chdir.join(target));
        } else if target.contains(':') {
            judge_module(findings, line, target, &roots);
        }
    }
}

fn application_line<'a>(findings: &Findings<'a>) -> Option<&'a Directive> {
    ["module", "wsgi-file", "mount"].into_iter().find_map(|option| findings.line(option, |_| true))
}

/// That none can be executed by whoever asks is found where the configuration is built; here, whether the server may.
fn judge_interpreter(findings: &mut Findings<'_>, python: &Python) {
    let Some(who) = findings.server else { return };
    let places = python.interpreters();
    let there =
        places.iter().map(|path| findings.chdir.join(path)).find(|path| findings.ways.world.look(path).is_some());
    let Some(path) = there else { return };
    let option = if python.home.is_some() { "virtualenv" } else { "python-executable" };
    let line = findings.line(option, |_| true);
    if let Some(obstacle) = findings.ways.obstacle(who, &path) {
        findings.blame_obstacle(line, &obstacle);
    } else if findings.ways.ground.access(who, &path, Access::Execute).is_err() {
        let problem = format!("{} may not execute {}", findings.ways.ground.name_of(who), path.display());
        findings.blame_line(
            line,
            problem,
            format!("make the virtualenv as that user, or chmod -R o+rX {}", path.display()),
        );
    }
}

fn judge_module(findings: &mut Findings<'_>, line: Option<&Directive>, target: &str, roots: &Roots) {
    let name = target.split(':').next().unwrap_or_default();
    let parts: Vec<&str> = name.split('.').collect();
    if name.ends_with(".py") || name.contains('/') {
        let (file, rest) = (name.trim_end_matches(".py").rsplit('/').next().unwrap_or(name), &target[name.len()..]);
        let problem = format!("`{name}` is the path of a file, not the name of a module");
        findings.blame_application(line, problem, format!("write `module = {file}{rest}`, or wsgi-file = {name}"));
        return;
    }
    // An empty name is for Python to complain about.
    if parts.iter().any(|part| part.is_empty()) {
        return;
    }
    let found: Vec<Found> = roots.directories.iter().map(|root| find(findings.ways.world, root, &parts)).collect();
    if let Some(Found::File(path)) = found.iter().find(|found| matches!(found, Found::File(_))) {
        judge_read(findings, line, path);
        return;
    }
    if found.contains(&Found::Package) {
        return;
    }
    let within = found
        .into_iter()
        .find_map(|found| if let Found::Without(package, part) = found { Some((package, part)) } else { None });
    let problem = match &within {
        Some((package, part)) => format!("there is no {part}.py in {}", package.display()),
        None => {
            let places: Vec<String> = roots.told.iter().map(|root| root.display().to_string()).collect();
            format!("no module `{}` was found: looked for {}.py in {}", parts[0], parts[0], places.join(", "))
        }
    };
    let remedy =
        "set chdir or pythonpath to the directory that has it, or home to the virtualenv that it is installed in";
    match roots.certain {
        true => findings.blame_application(line, problem, remedy),
        false => {
            findings.mention(line, problem, format!("Python may know more places than can be seen here; else {remedy}"))
        }
    }
}

/// What a directory has of a module.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// Its file.
    File(PathBuf),
    /// A package without a file of its own.
    Package,
    /// The package above it, but not the part.
    Without(PathBuf, String),
    Nothing,
}

fn find(world: &dyn World, root: &Path, parts: &[&str]) -> Found {
    let Some((first, rest)) = parts.split_first() else { return Found::Nothing };
    let is = |path: &Path, kind: Kind| world.look(path).is_some_and(|sight| sight.kind == kind);
    let package = root.join(first);
    let init = package.join("__init__.py");
    if !rest.is_empty() && is(&package, Kind::Directory) {
        return match find(world, &package, rest) {
            // A directory without that file is a package only as far as no other root has more of it.
            Found::Nothing if is(&init, Kind::File) => Found::Without(package, rest[0].to_owned()),
            found => found,
        };
    }
    let file = root.join(format!("{first}.py"));
    if rest.is_empty() && is(&init, Kind::File) {
        return Found::File(init);
    }
    if rest.is_empty() && is(&file, Kind::File) {
        return Found::File(file);
    }
    let compiled = || world.glob(&format!("{}/{first}.*", escaped(root))).into_iter().any(|path| is_compiled(&path));
    if rest.is_empty() && (compiled() || is(&package, Kind::Directory)) {
        return Found::Package;
    }
    // `a.b` where a.py makes itself a package is for Python to know.
    if !rest.is_empty() && is(&file, Kind::File) { Found::Package } else { Found::Nothing }
}

fn is_compiled(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "so" || extension == "pyc")
}
