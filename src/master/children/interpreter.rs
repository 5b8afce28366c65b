//! Which Python runs an application, and how it becomes a zygote. Master only; pure but for looking at files.
//!
//! The virtualenv's own interpreter is executed, so that its packages, version and paths are what its owner knows. It is
//! told to load rhinod's extension module, which lies beside the `rhinod` binary and not in the virtualenv.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::config::ground::Access;
use crate::config::model::Python;
use crate::hindrance::explain;
use crate::sys::machine::executes;

/// What the interpreter runs; its arguments follow.
const BOOTSTRAP: &str = include_str!("zygote.py");

/// The interpreter of `python`, ready to become a zygote with the extension module that was opened for it, or else the one
/// beside rhinod; the number of the control socket is to follow.
///
/// # Errors
/// When there is no interpreter, or no extension module; the text says where it was looked for.
pub(super) fn command(python: &Python, own_path: &Path, opened: Option<PathBuf>) -> io::Result<Command> {
    let mut command = Command::new(interpreter(python)?);
    match python.optimize {
        0 => {}
        1 => drop(command.arg("-O")),
        _ => drop(command.arg("-OO")),
    }
    let extension = opened.map_or_else(|| extension(own_path), Ok)?;
    command.arg("-c").arg(BOOTSTRAP).arg(extension);
    Ok(command)
}

/// The virtualenv's interpreter, else `python-executable`, else that of the virtualenv that rhinod is in, else `python3`
/// of PATH.
pub(super) fn interpreter(python: &Python) -> io::Result<OsString> {
    let candidates = python.interpreters();
    match candidates.iter().find(|path| executes(path)) {
        Some(path) => Ok(with_slash(path)),
        None if candidates.is_empty() => Ok("python3".into()),
        None => {
            let error = not_found("interpreter that can be executed", &candidates);
            Err(io::Error::new(error.kind(), explain(&candidates[0], Access::Execute, &error)))
        }
    }
}

/// What the interpreter is, and must be.
pub(super) fn requirement(python: &Python) -> String {
    let chosen_by = match (&python.home, &python.interpreter) {
        (Some(_), _) => "home",
        (None, Some(_)) => "python-executable",
        (None, None) if python.own_interpreter.is_some() => "rhinod's virtualenv",
        (None, None) => "PATH",
    };
    let program = interpreter(python).unwrap_or_default();
    format!("{} ({chosen_by}) must be CPython, 3.9 or later", program.display())
}

/// A name without a slash would be looked for in PATH.
fn with_slash(path: &Path) -> OsString {
    if path.components().count() == 1 { Path::new(".").join(path).into() } else { path.into() }
}

/// The extension module beside rhinod.
pub(super) fn extension(own_path: &Path) -> io::Result<PathBuf> {
    // Beside the program itself, not beside a link to it.
    let program = own_path.canonicalize().unwrap_or_else(|_| own_path.to_owned());
    let candidates = Python::extensions(&program);
    candidates.iter().find(|path| path.exists()).cloned().ok_or_else(|| {
        let mut error = not_found("extension module for Python beside rhinod", &candidates).to_string();
        error.push_str("; the package of `make wheel` has it, `cargo build -p rhinod-python` makes it in a checkout");
        let error = io::Error::new(io::ErrorKind::NotFound, error);
        io::Error::new(error.kind(), explain(&program, Access::Execute, &error))
    })
}

fn not_found(what: &str, candidates: &[PathBuf]) -> io::Error {
    let places: Vec<_> = candidates.iter().map(|path| path.display().to_string()).collect();
    io::Error::new(io::ErrorKind::NotFound, format!("there is no {what}: looked for {}", places.join(", ")))
}
