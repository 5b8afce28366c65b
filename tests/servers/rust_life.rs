//! The life of a handler written in Rust: started, stopped and dropped in the workers, and what its errors come to.

use std::fs;

use nix::sys::signal::Signal;

use crate::harness::{Launch, PATIENCE};
use crate::reloading::misdeed;

fn unsteady() -> Launch {
    let launch = Launch::example("unsteady").set("workers", 1);
    let file = launch.dir().join("misdeed");
    launch.env("UNSTEADY_FILE", file.display())
}

#[test]
fn a_worker_that_cannot_start_yet_is_started_anew_also_at_the_first_start() {
    let launch = unsteady().set("forkbomb-delay", 1);
    misdeed(launch.dir(), "start fail");
    let misdeed = launch.dir().join("misdeed");
    let mut server = launch.spawn();
    server.expect_log("start_worker: told to fail");
    server.expect_log("respawning too fast");
    server.log.wait_for_count(2, "start_worker: told to fail");
    fs::remove_file(misdeed).expect("the end of the misdeed");
    server.log.wait_for("ready to serve");
    assert_eq!(server.get("/").body(), b"worker 1 of generation 1\n");
}

#[test]
fn a_handler_is_started_stopped_and_dropped_once_in_each_worker_and_nowhere_else() {
    let mut server = unsteady().set("threads", 2).start();
    assert_eq!(server.get("/").status(), Some(200));
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait_exit(), 0);
    assert!(server.log.wait_for_end(PATIENCE));
    for line in ["worker 1 is started", "core 0 is started", "core 1 is started"] {
        assert_eq!(server.log.lines_with(line).len(), 1, "{line}");
    }
    let ends: Vec<String> = server.log.lines_with("worker").into_iter().filter(|line| is_end(line)).collect();
    assert_eq!(ends, ["worker 1 of generation 1 is stopped", "worker 1 of generation 1 is dropped"]);
}

fn is_end(line: &str) -> bool {
    line.ends_with(" is stopped") || line.ends_with(" is dropped")
}

#[test]
fn an_error_of_a_handler_is_a_500_and_a_line_of_the_log() {
    let mut server = unsteady().start();
    server.expect_log("[error] GET /fail failed: told to fail: invalid digit");
    let reply = server.get("/fail");
    assert_eq!((reply.status(), reply.body()), (Some(500), b"Internal Server Error\n".as_slice()));
    server.log.wait_for("[error] GET /fail failed: told to fail: invalid digit");
}

#[test]
fn an_application_gets_its_own_options_from_the_ini_file_and_the_command_line() {
    let launch = unsteady().set("app-greeting", "hi");
    let ini = launch.ini_path().display().to_string();
    let server = launch.arguments([ini.as_str(), "--app-times", "2"]).start();
    assert_eq!(server.get("/greeting").body(), b"hihi");
    let failed = unsteady().set("app-times", "many").fails();
    let why = "the application could not be loaded: app-times = many: invalid digit found in string";
    assert!(failed.lines.iter().any(|line| line.contains(why)), "{:#?}", failed.lines);
    assert_eq!(failed.code, 22);
}

#[test]
fn what_an_application_logs_of_a_client_can_forge_no_line() {
    let server = unsteady().start();
    assert_eq!(server.get("/log?text=a%0d%0a[pid:%201]%20forged%1b[2J").status(), Some(204));
    assert_eq!(server.log.wait_for("[pid: 1] forged").text, "  [pid: 1] forged\\x1b[2J");
    assert_eq!(server.log.lines_with("told: "), ["told: a\\x0d"]);
}
