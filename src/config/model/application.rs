//! The application that workers serve.
//!
//! A section of the configuration. Not for loading it (`zygote`, the Python module). Pure; every process reads it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The application that workers serve.
#[expect(clippy::large_enum_variant, reason = "there is one value of it in a process")]
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Application {
    /// None was named: fine for a binary that embeds its own, else an error at start.
    #[default]
    Embedded,
    /// Another binary that embeds an application (`rust-app`).
    Rust(PathBuf),
    /// Python WSGI.
    Python(Python),
}

/// A Python WSGI application.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Python {
    /// Virtual environment (`home`, `virtualenv`, `venv`, `pyhome`).
    pub home: Option<PathBuf>,
    /// Interpreter to run when there is no `home` (`python-executable`, ours).
    pub interpreter: Option<PathBuf>,
    /// The interpreter of the virtualenv that rhinod is installed in, where the configuration names none.
    pub own_interpreter: Option<PathBuf>,
    /// `module`, as given: `package.module` or `package.module:callable`.
    pub module: Option<String>,
    /// `wsgi-file` / `file`.
    pub file: Option<PathBuf>,
    /// `callable`; default `application`.
    pub callable: Option<String>,
    /// `pythonpath`, in order of the configuration.
    pub path: Vec<String>,
    /// `pyargv`, split at blanks.
    pub argv: Vec<String>,
    /// `import` / `pyimport` (in each worker), in order.
    pub imports: Vec<String>,
    /// `shared-import` / `pyshared-import` (in the zygote), in order.
    pub shared_imports: Vec<String>,
    /// `mount`: mountpoint and application.
    pub mounts: Vec<(String, String)>,
    /// `manage-script-name`.
    pub manage_script_name: bool,
    /// `py-autoreload`: seconds between looks; zero is off.
    pub autoreload: u64,
    /// `py-tracebacker`: the beginning of the path, which ends with the worker's number.
    pub tracebacker: Option<PathBuf>,
    /// `catch-exceptions`.
    pub catch_exceptions: bool,
    /// `optimize` / `-O`.
    pub optimize: u8,
}

impl Python {
    /// Where the extension module for Python may be, from the path of the `rhinod` binary: beside it under the name that an
    /// installation or the build tool gives it, and in `lib` under the same prefix.
    pub fn extensions(own_path: &Path) -> [PathBuf; 3] {
        let directory = own_path.parent().unwrap_or(Path::new("/"));
        ["_rhinod.abi3.so", "lib_rhinod.so", "../lib/rhinod/_rhinod.abi3.so"].map(|name| directory.join(name))
    }

    /// Where the interpreter may be, the first one that can be executed: in the virtualenv, else `python-executable`, else
    /// that of rhinod's own virtualenv. None at all: `python3` of PATH.
    pub fn interpreters(&self) -> Vec<PathBuf> {
        match (&self.home, &self.interpreter) {
            (Some(home), _) => vec![home.join("bin/python"), home.join("bin/python3")],
            (None, Some(path)) => vec![path.clone()],
            (None, None) => self.own_interpreter.iter().cloned().collect(),
        }
    }
}
