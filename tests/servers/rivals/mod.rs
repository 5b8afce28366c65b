//! Other servers that rhinod is compared with, and what `tests/rivals` installs for that. Runs in the test's process.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use crate::harness::{PATIENCE, end};
use crate::pythons::applications;
use loadgen::client::{Reply, Target, exchange, wait_for_answer};
use loadgen::packet::Request;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tempfile::TempDir;

/// A uWSGI that serves a module of the test applications. It is ended by its pid.
pub(crate) struct Uwsgi {
    child: Child,
    directory: TempDir,
}

impl Uwsgi {
    /// `ready` is a page that it answers; `home` its virtualenv.
    pub(crate) fn start(binary: &Path, module: &str, home: Option<&Path>, ready: &str) -> Self {
        Self::start_with(binary, module, ready, |command| {
            command.args(home.map(|home| format!("--home={}", home.display())));
        })
    }

    /// `change` adds to its command line and environment.
    pub(crate) fn start_with(binary: &Path, module: &str, ready: &str, change: impl FnOnce(&mut Command)) -> Self {
        Self::try_start_with(binary, module, ready, change).expect("uWSGI serves instead of ending")
    }

    /// The same, but `None` when it ends instead of serving.
    pub(crate) fn try_start_with(
        binary: &Path,
        module: &str,
        ready: &str,
        change: impl FnOnce(&mut Command),
    ) -> Option<Self> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        // For the socket of whatever user it becomes.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).expect("a directory for everyone");
        let mut command = Command::new(binary);
        command
            .args(["--module", module, "--master", "--workers", "1", "--socket"])
            .arg(directory.path().join("app.sock"));
        command.arg("--chdir").arg(applications()).env("PYTHONDONTWRITEBYTECODE", "1");
        change(&mut command);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut rival = Self { child: command.spawn().expect("execute uWSGI"), directory };
        let page = Request::get(ready).to_uwsgi().expect("a packet");
        let (target, pause) = (rival.target(), Duration::from_millis(20));
        let lives = || match rival.child.try_wait()? {
            Some(status) => Err(io::Error::other(status.to_string())),
            None => Ok(()),
        };
        match wait_for_answer(&target, &page, pause, PATIENCE, lives) {
            Err(error) if error.kind() == io::ErrorKind::Other => None,
            answered => {
                answered.expect("uWSGI answers");
                Some(rival)
            }
        }
    }

    /// Its master.
    pub(crate) fn master(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a pid is positive"))
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("app.sock")
    }

    fn target(&self) -> Target {
        Target::Unix(self.socket())
    }

    pub(crate) fn ask(&self, request: &Request) -> Reply {
        self.try_ask(request).expect("uWSGI replies or closes")
    }

    pub(crate) fn try_ask(&self, request: &Request) -> io::Result<Reply> {
        exchange(&self.target(), &request.to_uwsgi().expect("a packet"), PATIENCE)
    }
}

impl Drop for Uwsgi {
    fn drop(&mut self) {
        // It ends with its workers.
        end(&mut self.child, Signal::SIGINT);
    }
}

/// The program that `tests/rivals/NAME.sh` installs. `None` is said aloud.
fn installed(name: &str) -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rivals").join(format!("{name}.sh"));
    let output = Command::new(&script).stdin(Stdio::null()).output().expect("execute the script");
    let path = String::from_utf8_lossy(&output.stdout).lines().last().map(PathBuf::from);
    let found = path.filter(|path| output.status.success() && path.is_file());
    if found.is_none() {
        let said = String::from_utf8_lossy(&output.stderr);
        // Not through a macro, whose output only failing tests show.
        let _ = writeln!(io::stderr(), "NOTHING WAS COMPARED: {} failed\n{said}", script.display());
    }
    found
}

/// uWSGI's program.
pub(crate) fn uwsgi() -> Option<&'static Path> {
    static BINARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    BINARY.get_or_init(|| installed("uwsgi")).as_deref()
}

/// The program of a uWSGI that knows routing rules.
pub(crate) fn uwsgi_with_rules() -> Option<&'static Path> {
    static BINARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    // It is the same one, which two installations at once would spoil.
    uwsgi()?;
    BINARY.get_or_init(|| installed("uwsgi-routing")).as_deref()
}

/// The virtualenv with Django and Werkzeug.
pub(crate) fn frameworks() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    PYTHON.get_or_init(|| installed("frameworks")).as_deref()?.ancestors().nth(2)
}

/// The python that has uwsgitop and the Prometheus client library.
pub(crate) fn monitoring() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    PYTHON.get_or_init(|| installed("monitoring")).as_deref()
}

/// The program of a collector of OpenTelemetry's.
pub(crate) fn collector() -> Option<&'static Path> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    PROGRAM.get_or_init(|| installed("collector")).as_deref()
}

/// Graphite's carbon-cache.
pub(crate) fn carbon() -> Option<&'static Path> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    PROGRAM.get_or_init(|| installed("carbon")).as_deref()
}

/// The virtualenv with Django, Flask-Caching and Django's tests of caches.
pub(crate) fn caches() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    PYTHON.get_or_init(|| installed("caches")).as_deref()?.ancestors().nth(2)
}

/// The virtualenv with Django and PostgreSQL's driver.
pub(crate) fn databases() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    PYTHON.get_or_init(|| installed("databases")).as_deref()?.ancestors().nth(2)
}

/// The python that has a client of websockets.
pub(crate) fn websockets() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    PYTHON.get_or_init(|| installed("websockets")).as_deref()
}

/// The python that has Autobahn's cases for websockets, and its client.
pub(crate) fn autobahn() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    PYTHON.get_or_init(|| installed("autobahn")).as_deref()
}

/// The program that validates manifests for Kubernetes.
pub(crate) fn kubernetes() -> Option<&'static Path> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    PROGRAM.get_or_init(|| installed("kubernetes")).as_deref()
}
