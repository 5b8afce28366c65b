//! Installs rhinod as its users do, from the Python package and with `cargo install`, each into an empty directory.
//!
//! Both are built in the profile of the test program, so that little has to be compiled again; `make wheel` differs
//! from this in the profile alone. They put another `rhinod` in the place of the one that the tests of whole servers execute,
//! for a moment none: so they are a test program of their own, which cargo runs alone.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// Longest time for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// An application that says whose interpreter runs it.
const APPLICATION: &str = "import sys

def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [sys.prefix.encode()]
";

#[test]
fn the_python_package_serves_from_any_virtualenv() {
    let dir = TempDir::new().expect("a temporary directory");
    let dist = dir.path().join("dist");
    let wheel = build_wheel(&dist);
    let (server, other) = (virtualenv(dir.path(), "server"), virtualenv(dir.path(), "other"));
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"];
    succeed(Command::new(server.join("bin/python")).args(pip).arg(&wheel));

    let version = succeed(Command::new(server.join("bin/rhinod")).arg("--version"));
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version:?}");

    let place = dir.path().join("place");
    fs::create_dir(&place).expect("an empty directory");
    fs::write(place.join("hello.py"), APPLICATION).expect("write the application");
    for home in [&server, &other] {
        let ini = format!(
            "[uwsgi]\nmodule = hello\nhome = {}\nsocket = hello.sock\nmaster = true\nvacuum = true\n",
            home.display()
        );
        fs::write(place.join("hello.ini"), ini).expect("write the configuration");
        let answer = serve_once(&server.join("bin/rhinod"), &place);
        assert_eq!(answer.rsplit("\r\n\r\n").next(), home.to_str(), "{answer:?}");
    }
    assert!(!place.join("hello.sock").exists(), "the socket is left");
}

#[test]
fn cargo_installs_the_server() {
    let dir = TempDir::new().expect("a temporary directory");
    let mut install = Command::new(env!("CARGO"));
    install.args([
        "install",
        "--locked",
        "--quiet",
        "--profile",
        testkit::profile(Path::new(env!("CARGO_BIN_EXE_rhinod"))),
        "--path",
    ]);
    install.arg(env!("CARGO_MANIFEST_DIR")).arg("--root").arg(dir.path());
    install.arg("--target-dir").arg(Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a target directory"));
    succeed(&mut install);

    let rhinod = dir.path().join("bin/rhinod");
    let version = succeed(Command::new(&rhinod).arg("--version"));
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version:?}");
    let checked = succeed(Command::new(&rhinod).arg("check").arg(file("examples/hello.ini")));
    assert!(checked.contains("socket"), "{checked:?}");

    // Without the extension module it says so, where it looked, and what to do.
    fs::write(dir.path().join("hello.ini"), "[uwsgi]\nmodule = hello\nsocket = hello.sock\n").expect("write");
    let output = Command::new(&rhinod).arg("hello.ini").current_dir(dir.path()).output().expect("execute rhinod");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("extension module for Python"), "{said}");
}

fn build_wheel(dist: &Path) -> PathBuf {
    let mut build = Command::new(file("packaging/wheel"));
    succeed(build.args(["--profile", testkit::profile(Path::new(env!("CARGO_BIN_EXE_rhinod"))), "--out"]).arg(dist));
    let mut wheels = fs::read_dir(dist).expect("the directory of the wheel").map(|entry| entry.expect("entry").path());
    let wheel = wheels.next().expect("a wheel");
    let name = wheel.file_name().and_then(|name| name.to_str()).expect("a name");
    assert!(name.starts_with(concat!("rhinod-", env!("CARGO_PKG_VERSION"), "-py3-none-manylinux_")), "{name}");
    assert_eq!(wheels.next(), None, "more than one wheel");
    wheel
}

fn virtualenv(parent: &Path, name: &str) -> PathBuf {
    let place = parent.join(name);
    succeed(Command::new("python3").args(["-m", "venv"]).arg(&place));
    place
}

/// Starts the server in `place`, asks it once, stops it; the whole answer.
fn serve_once(rhinod: &Path, place: &Path) -> String {
    let mut command = Command::new(rhinod);
    command.args(["--ini", "hello.ini"]).current_dir(place).stdin(Stdio::null()).stderr(Stdio::piped());
    let mut server = Server(command.spawn().expect("execute rhinod"));
    let mut log = BufReader::new(server.0.stderr.take().expect("a pipe"));
    let mut said = String::new();
    while !said.contains("ready to serve") {
        assert_ne!(log.read_line(&mut said).expect("text"), 0, "it ended instead of starting:\n{said}");
    }
    let mut connection = UnixStream::connect(place.join("hello.sock")).expect("connect");
    connection.set_read_timeout(Some(PATIENCE)).expect("a bound for the answer");
    connection.write_all(&request()).expect("send the request");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("read the answer");
    server.stop();
    answer
}

fn request() -> Vec<u8> {
    let variables = [("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/"), ("PATH_INFO", "/"), ("QUERY_STRING", "")];
    let server = [("SERVER_NAME", "localhost"), ("SERVER_PORT", "80"), ("SERVER_PROTOCOL", "HTTP/1.1")];
    let mut packet = Vec::new();
    worker_protocol::uwsgi::encode(&mut packet, 0, 0, variables.into_iter().chain(server)).expect("a small packet");
    packet
}

/// A running server that ends with the test.
struct Server(Child);

impl Server {
    fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("look at the server").is_some()
    }

    /// Stops it gracefully; its exit code must be 0.
    fn stop(mut self) {
        self.signal(Signal::SIGINT);
        assert!(self.0.wait().expect("wait for the server").success());
    }

    fn signal(&self, signal: Signal) {
        // The child is not yet reaped, so the number is still its own.
        kill(Pid::from_raw(self.0.id().cast_signed()), signal).expect("signal the server");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.has_ended() {
            self.signal(Signal::SIGKILL);
            let _ = self.0.wait();
        }
    }
}

/// A file of this repository.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Runs a command that must succeed; what it wrote to standard output.
fn succeed(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("execute a command");
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{command:?} ended with {}:\n{out}{err}", output.status);
    out
}
