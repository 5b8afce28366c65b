//! The commands as people type them: how an instance is named, what they wait for, what they say, and how they end.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Output};

use crate::harness::{Instance, Launch, output_of, program_path, wait_until};
use crate::pythons::{applications, launch_in, one};
use crate::reloading::{Held, RELOAD_FAILED, complaint, misdeed, operator, reload, unsteady, who};

const SERVING: i32 = 0;
const LOADING: i32 = 3;
const PAUSED: i32 = 4;
const STOPPING: i32 = 5;
const NO_APPLICATION: i32 = 22;
const USAGE: i32 = 64;
const NO_INPUT: i32 = 66;

const HELLO: &str =
    "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'hello']\n";

fn rhinod<A: AsRef<OsStr>>(directory: &Path, arguments: &[A]) -> Output {
    let mut command = Command::new(program_path("rhinod"));
    command.args(arguments).current_dir(directory).output().expect("execute rhinod")
}

/// An instance with a pid file that serves the application of this text.
fn python(text: &str) -> Launch {
    let launch = launch_in(&one(), &applications()).set("module", "app");
    fs::write(launch.dir().join("app.py"), text).expect("write the application");
    let (directory, pid_file) = (launch.dir().display().to_string(), launch.dir().join("pid").display().to_string());
    launch.set("chdir", directory).set("pidfile", pid_file)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn status(server: &Instance, code: i32) -> String {
    let output = rhinod(server.dir(), &["status", "pid"]);
    assert_eq!(output.status.code(), Some(code), "{output:?}; the log:\n{}", server.log.tail());
    said(&output)
}

#[test]
fn an_instance_is_named_by_pid_file_process_id_ini_file_or_fifo() {
    let server = unsteady().start();
    let pid = server.pid().to_string();
    for name in ["pid", &pid, "app.ini", "app.ini:uwsgi", "fifo"] {
        let output = rhinod(server.dir(), &["status", name]);
        assert!(output.status.success(), "{name}: {output:?}");
        assert!(said(&output).starts_with(&format!("serving: pid {pid}, generation 1, 4 of 4 workers")), "{output:?}");
    }
    let reloaded = rhinod(server.dir(), &["reload", "app.ini"]);
    assert_eq!(said(&reloaded), "generation 2 serves\n", "{reloaded:?}");
    let stopped = rhinod(server.dir(), &["stop", &pid]);
    assert_eq!(said(&stopped), "stopped\n", "{stopped:?}");
    server.ends_with(0);
}

#[test]
fn root_finds_an_instance_of_another_user_by_each_of_its_names() {
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("skipped: it takes root to become another user");
        return;
    }
    let launch = unsteady().set("uid", 12_345).set("gid", 12_345).set("chown-socket", "12345:12345");
    // The fifo is the user's to make.
    std::os::unix::fs::chown(launch.dir(), Some(12_345), Some(12_345)).expect("root may");
    let server = launch.start();
    let pid = server.pid().to_string();
    for name in ["pid", &pid, "app.ini", "fifo"] {
        let output = rhinod(server.dir(), &["status", name]);
        assert!(output.status.success(), "{name}: {output:?}");
        assert!(said(&output).starts_with(&format!("serving: pid {pid}")), "{name}: {output:?}");
    }
}

#[test]
fn looking_for_an_instance_executes_nothing_that_its_configuration_names() {
    let directory = tempfile::tempdir().expect("a directory");
    let mark = directory.path().join("mark");
    let executes = format!("env = A=@(exec://touch {})\n", mark.display());
    let server = unsteady().line(executes.trim_end()).start();
    fs::remove_file(&mark).expect("the start has executed it");
    for command in ["status", "pause", "resume"] {
        let output = rhinod(server.dir(), &[command, "app.ini"]);
        assert!(output.status.success(), "{output:?}");
    }
    assert!(!mark.exists(), "it was executed");

    let hidden = "[uwsgi]\npidfile = @(exec://echo pid)\n";
    fs::write(server.dir().join("hidden.ini"), hidden).expect("an ini file");
    let output = rhinod(server.dir(), &["status", "hidden.ini"]);
    assert_eq!(output.status.code(), Some(NO_INPUT), "{output:?}");
    assert!(complaint(&output).contains("exec://echo pid was not executed"), "{output:?}");
}

#[test]
fn a_configuration_without_a_pid_file_says_how_its_instance_could_be_found() {
    let server = Launch::hello().start();
    let output = rhinod(server.dir(), &["status", "app.ini"]);
    assert_eq!(output.status.code(), Some(NO_INPUT), "{output:?}");
    assert!(complaint(&output).contains("add `pidfile = "), "{output:?}");
}

#[test]
fn stop_comes_back_when_the_instance_is_gone() {
    let server = unsteady().start();
    let held = Held::begin(&server);
    let stop = Command::new(program_path("rhinod"))
        .args(["--stop", "pid"])
        .current_dir(server.dir())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let mut stop = stop.expect("execute rhinod");
    assert!(wait_until(|| status_code(&server) == Some(STOPPING)), "{}", server.log.tail());
    assert!(stop.try_wait().expect("our child").is_none(), "it came back while a request was under way");
    held.release();
    let output = output_of(stop);
    assert!(output.status.success() && said(&output) == "stopped\n", "{output:?}");
    // Whoever waited may start the next one at once.
    assert!(UnixStream::connect(server.socket()).is_err());
    server.ends_with(0);
}

fn status_code(server: &Instance) -> Option<i32> {
    rhinod(server.dir(), &["status", "pid", "--quiet"]).status.code()
}

#[test]
fn with_no_wait_stop_comes_back_at_once() {
    let server = unsteady().start();
    let held = Held::begin(&server);
    let output = rhinod(server.dir(), &["stop", "--no-wait", "pid"]);
    assert!(output.status.success() && said(&output).is_empty(), "{output:?}");
    // Its request is still under way.
    held.release();
    server.ends_with(0);
}

#[test]
fn status_ends_with_what_the_instance_is_doing() {
    let launch = unsteady();
    let directory = launch.dir().to_owned();
    misdeed(&directory, "load hang");
    let mut loading = launch.spawn();
    assert!(wait_until(|| directory.join("pid").exists()));
    assert!(wait_until(|| status_code(&loading) == Some(LOADING)), "{}", loading.log.tail());
    assert!(status(&loading, LOADING).starts_with("loading: "));
    rhinod(&directory, &["stop", "pid"]);
    loading.expect_log("[warn]");
    loading.ends_with(0);

    let mut server = unsteady().start();
    assert_eq!(status_code(&server), Some(SERVING));
    assert!(rhinod(server.dir(), &["pause", "pid"]).status.success());
    assert!(status(&server, PAUSED).starts_with("paused: "));
    assert!(rhinod(server.dir(), &["resume", "app.ini"]).status.success());
    assert!(status(&server, SERVING).starts_with("serving: "));
    misdeed(server.dir(), "load fail");
    server.expect_log("[warn]");
    server.expect_log("[error]");
    assert_eq!(operator(&server, "--reload").status.code(), Some(RELOAD_FAILED));
    assert!(status(&server, RELOAD_FAILED).contains("last reload failed: "));
    let json = rhinod(server.dir(), &["status", "--format", "json", "pid"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json["state"], "reload-failed");
    assert_eq!(json["workers"]["ready"], 4, "{json}");
    misdeed(server.dir(), "");
    reload(&server);
    assert_eq!(status_code(&server), Some(SERVING));
    assert!(who(&server).contains("worker"));
}

/// With and without `lazy-apps`: nobody asks what an instance without an application says of itself.
#[test]
fn status_tells_of_an_application_that_could_not_be_loaded() {
    for lazy in [false, true] {
        let mut server = python("import no_such_module_at_all\n").set("lazy-apps", lazy).start();
        server.expect_log("[error]");
        assert!(status(&server, NO_APPLICATION).starts_with("no application: "), "lazy-apps: {lazy}");
    }
}

#[test]
fn a_mistyped_command_is_told_what_it_could_have_been() {
    let directory = tempfile::tempdir().expect("a directory");
    for (typed, meant) in [("staus", "rhinod status"), ("restart", "rhinod reload"), ("serve", "rhinod FILE")] {
        let output = rhinod(directory.path(), &[typed, "app.ini"]);
        assert_eq!(output.status.code(), Some(USAGE), "{output:?}");
        assert!(complaint(&output).contains(meant), "{output:?}");
    }
}

#[test]
fn each_command_explains_itself_on_standard_output() {
    let directory = tempfile::tempdir().expect("a directory");
    let words = [
        "check",
        "show",
        "simulate",
        "status",
        "top",
        "stop",
        "reload",
        "pause",
        "resume",
        "completions",
        "man",
        "help",
    ];
    for word in words {
        let output = rhinod(directory.path(), &[word, "--help"]);
        assert!(output.status.success() && output.stderr.is_empty(), "{word}: {output:?}");
        assert!(said(&output).contains(&format!("rhinod {word}")), "{word}: {output:?}");
    }
    let version = rhinod(directory.path(), &["-V"]);
    assert_eq!(said(&version), format!("{}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_reason_of_a_failed_reload_is_the_line_of_the_exception() {
    let mut server = python(HELLO).start();
    server.expect_log("[warn]");
    server.expect_log("[error]");
    let broken = "raise ValueError('the first line\\nand a second one\\n  and a third one')\n";
    fs::write(server.dir().join("app.py"), broken).expect("write the application");
    assert_eq!(operator(&server, "--reload").status.code(), Some(RELOAD_FAILED));
    let told = status(&server, RELOAD_FAILED);
    assert!(told.trim_end().ends_with("last reload failed: ValueError: the first line"), "{told}");
}

/// As gunicorn is called: an application in the place of a file. Without a socket it would be on a fixed port, which belongs to
/// no test alone.
#[test]
fn an_application_can_stand_in_the_place_of_a_file() {
    for name in ["app:application", "app.py", "app.py:application"] {
        let launch = python(HELLO);
        let (socket, interpreter) = (launch.socket_path().display().to_string(), one().path.display().to_string());
        let arguments = [name, "--socket", &socket, "--python-executable", &interpreter].map(str::to_owned);
        let server = launch.arguments(arguments).start();
        assert_eq!(server.get("/").body(), b"hello", "{name}");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let shown = said(&rhinod(directory.path(), &["show", "app:application"]));
    assert!(shown.contains("http-socket = 127.0.0.1:8000"), "{shown}");
    let told = said(&rhinod(directory.path(), &["show", "app:application", "--socket", "/run/x.sock"]));
    assert!(!told.contains("127.0.0.1:8000"), "{told}");
}
