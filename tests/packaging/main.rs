//! Installs rhinod as its users do, from the Python package and with `cargo install`, each into an empty directory.
//!
//! Both are built in the profile of the test program, so that little has to be compiled again; `make wheel` differs
//! from this in the profile alone. They put another `rhinod` in the place of the one that the tests of whole servers execute,
//! for a moment none: so they are a test program of their own, which cargo runs alone. What they build has not the features that
//! the dependencies of tests ask for, and an application is another workspace, so that most of it is compiled again: those that do
//! run in `make walks` only, which the continuous integration calls.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use testkit::pages::{self, Page};

/// Held while the Python package is built: its parts are laid out in one directory of the checkout.
static PACKAGE: Mutex<()> = Mutex::new(());

/// Longest time for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// An application that says whose interpreter runs it.
const APPLICATION: &str = "import sys

def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [sys.prefix.encode()]
";

#[test]
#[ignore = "compiles rhinod anew: `make walks`"]
fn the_python_package_serves_from_any_virtualenv() {
    let dir = TempDir::new().expect("a temporary directory");
    let dist = dir.path().join("dist");
    let wheel = build_wheel(&dist);
    let (server, other) = (virtualenv(dir.path(), "server"), virtualenv(dir.path(), "other"));
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"];
    succeed(Command::new(server.join("bin/python")).args(pip).arg(&wheel));

    let version = succeed(Command::new(server.join("bin/rhinod")).arg("--version"));
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version:?}");

    // Settings that name a backend of caches can be read anywhere; only where there is no cache it cannot be used.
    let outside = "import rhinod_cache; rhinod_cache.SharedCache('pages').get('front')";
    let told = Command::new(server.join("bin/python")).args(["-c", outside]).output().expect("execute Python");
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains("OutsideError: the cache 'pages' is memory of a running rhinod, and process "), "{told}");

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

/// The README's two walks, from a clone to the first answer, and that of EMBEDDING.md, each command as it stands there. The
/// clone is this checkout, so that what is built is kept, and the profile is that of the test. All in one place, so that the
/// last walk finds compiled what the one before it has compiled under that name.
#[test]
#[ignore = "compiles rhinod anew: `make walks`"]
fn the_commands_of_readme_and_embedding_md_lead_to_an_answer() {
    let place = TempDir::new().expect("a temporary directory");
    let text = fs::read_to_string(file("README.md")).expect("the README");
    let profile = testkit::profile(Path::new(env!("CARGO_BIN_EXE_rhinod")));
    let mut page = Page::new(&text, place.path())
        .swap("git clone URL rhinod", format!("ln -s {} rhinod", env!("CARGO_MANIFEST_DIR")))
        .swap("pip install flask ./rhinod", format!("pip install --config-settings profile={profile} flask ./rhinod"))
        // Without a socket it is port 8000, which a test must not take.
        .swap("rhinod app:app", "rhinod app:app --http-socket 127.0.0.1:8000")
        .swap("curl ", "curl --fail --silent ")
        .after("cd hello", |hello| become_the_example(&text, hello));
    let _alone = PACKAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let walks = cargo_of_the_test(place.path());
    page = walks.into_iter().fold(page, |page, (name, value)| page.environment(name, value));
    pages::write(
        &place.path().join("app.py"),
        "from flask import Flask\n\napplication = app = Flask(__name__)\n\n\n@app.get(\"/\")\ndef greet():\n    return \"Hello\\n\"\n",
    );
    let ini = page.block("ini");
    pages::write(&place.path().join("app.ini"), &ini);
    assert!(page.run() >= 15, "the search finds nothing");
    for installed in ["share/man/man1/rhinod.1", "share/bash-completion/completions/rhinod"] {
        assert!(place.path().join("venv").join(installed).is_file(), "{installed}");
    }
    fs::remove_dir_all(place.path().join("hello")).expect("the package of the README");
    walk_through_embedding(place.path());
}

/// The checkout lies beside it already.
fn walk_through_embedding(place: &Path) {
    let text = fs::read_to_string(file("docs/EMBEDDING.md")).expect("the page");
    let page = Page::new(&text, place)
        .swap("curl ", "curl --fail --silent ")
        .after("cd hello", |hello| become_the_example(&text, hello));
    let walks = cargo_of_the_test(place);
    assert_eq!(walks.into_iter().fold(page, |page, (name, value)| page.environment(name, value)).run(), 4);
}

/// From a clone to an answer of one's own file in five commands, from `cargo new` in four.
#[test]
fn the_readme_needs_few_commands() {
    let text = fs::read_to_string(file("README.md")).expect("the README");
    let commands = pages::commands(&pages::blocks(&text));
    let until_curl = |first: &str| {
        let begin = commands.iter().position(|command| command.starts_with(first)).expect("the first command");
        1 + commands[begin..].iter().position(|command| command.starts_with("curl ")).expect("the question")
    };
    assert!(until_curl("git clone") <= 5 && until_curl("cargo new") <= 4);
    assert!(commands.iter().all(|command| !command.contains("&&") && !command.contains(';')), "{commands:?}");
}

/// What the page has an editor do in a package that `cargo new` has just made.
fn become_the_example(page: &str, package: &Path) {
    let blocks = pages::blocks(page);
    let block = |languages: &[&str]| {
        let found = blocks.iter().find(|block| languages.contains(&block.language.as_str()));
        found.expect("a block").text.clone()
    };
    let manifest = fs::read_to_string(package.join("Cargo.toml")).expect("a manifest");
    let dependencies = block(&["toml"]);
    assert!(manifest.contains("[dependencies]\n"), "{manifest}");
    pages::write(&package.join("Cargo.toml"), &manifest.replace("[dependencies]\n", &dependencies));
    pages::write(&package.join("src/main.rs"), &block(&["rust", "rust,ignore"]));
    // The versions of this checkout, which are compiled already.
    fs::copy(file("Cargo.lock"), package.join("Cargo.lock")).expect("copy the lock file");
}

/// Has a cargo that a page calls compile where this checkout does, which has most of it already.
fn cargo_of_the_test(place: &Path) -> [(&'static str, std::ffi::OsString); 4] {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a target directory");
    [
        ("CARGO_TARGET_DIR", kept.into()),
        ("CARGO_NET_OFFLINE", "true".into()),
        ("CARGO_PROFILE_DEV_DEBUG", "line-tables-only".into()),
        // No version control around the package.
        ("GIT_CEILING_DIRECTORIES", place.into()),
    ]
}

#[test]
#[ignore = "compiles rhinod anew: `make walks`"]
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
    // The example's own binary brings the application; this one needs to be told of it.
    let mut check = Command::new(&rhinod);
    check.arg("check").arg(file("examples/hello.ini")).arg("--rust-app").arg(env!("CARGO_BIN_EXE_rhinod"));
    let checked = succeed(&mut check);
    assert!(checked.contains("socket"), "{checked:?}");

    // Without the extension module it says so, where it looked, and what to do.
    fs::write(dir.path().join("hello.ini"), "[uwsgi]\nmodule = hello\nsocket = hello.sock\n").expect("write");
    let output = Command::new(&rhinod).arg("hello.ini").current_dir(dir.path()).output().expect("execute rhinod");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("extension module for Python"), "{said}");
}

fn build_wheel(dist: &Path) -> PathBuf {
    let _alone = PACKAGE.lock().unwrap_or_else(PoisonError::into_inner);
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
