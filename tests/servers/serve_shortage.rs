//! Workers that are short of something of the system's: descriptors, and memory for their threads. Nobody waits for ever, and
//! the log says what it is.

use std::fs;

use crate::harness::{Launch, wait_until};
use crate::pythons::{launch_in, one};
use crate::reloading::{misdeed, send, unsteady};
use loadgen::packet::Request;

/// Takes all descriptors that there are, once or again and again, and never gives any back.
const GREEDY: &str = "\
import os, threading, time

KEPT = []

def take():
    try:
        while True:
            KEPT.append(os.dup(0))
    except OSError:
        pass

def take_last():
    before = len(KEPT)
    while len(KEPT) == before:
        time.sleep(.001)
        take()
    print('all are taken', flush=True)

def take_for_ever():
    while True:
        take()
        time.sleep(.001)

def application(environ, start_response):
    if environ['PATH_INFO'] == '/take':
        take()
        threading.Thread(target=take_last, daemon=True).start()
    if environ['PATH_INFO'] == '/take_for_ever':
        threading.Thread(target=take_for_ever, daemon=True).start()
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'answered']
";

fn limited(launch: Launch, limit: &str) -> Launch {
    launch.through(["sh", "-c", &format!("ulimit {limit}; exec \"$0\" \"$@\"")])
}

#[test]
fn a_worker_whose_application_takes_all_descriptors_keeps_nobody_waiting() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("greedy.py"), GREEDY).expect("write the application");
    for workers in [1, 2] {
        let launch = launch_in(&one(), directory.path()).set("module", "greedy").set("workers", workers);
        let mut server = limited(launch, "-n 64").start();
        assert_eq!(server.get("/take").status(), Some(200));
        server.log.wait_for("all are taken");
        // With two workers the other one may have answered all.
        server.expect_log("leaves none for connections");
        send(server.target(), &Request::get("/"), 4, 80);
        if workers == 1 {
            server.log.wait_for("leaves none for connections");
        }
    }
}

#[test]
fn a_worker_that_cannot_accept_any_more_leaves_and_its_successor_does() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("greedy.py"), GREEDY).expect("write the application");
    let mut server = limited(launch_in(&one(), directory.path()).set("module", "greedy"), "-n 64").start();
    let greedy = server.workers()[0].pid;
    assert_eq!(server.get("/take_for_ever").status(), Some(200));
    server.expect_log("leaves none for connections");
    send(server.target(), &Request::get("/"), 4, 80);
    server.wait_for_expected("leaves, as it cannot accept a connection");
    assert!(wait_until(|| server.workers().iter().all(|worker| worker.pid != greedy)), "{}", server.log.tail());
}

#[test]
fn a_worker_that_cannot_have_all_its_threads_says_why_and_is_tried_again_ever_more_slowly() {
    let launch = Launch::hello().set("workers", 1).set("threads", 8).env("RUST_MIN_STACK", 64 << 20);
    let mut server = limited(launch, "-v 400000").spawn();
    server.expect_log("several requests run at once in one worker");
    server.wait_for_expected("of 8 threads can be started");
    server.wait_for_expected("respawning too fast");
    assert!(server.log.lines_with("ready to serve").is_empty(), "{}", server.log.tail());
}

#[test]
fn a_thread_that_panics_takes_the_others_with_it_in_an_orderly_way() {
    let launch = unsteady().set("workers", 1).set("threads", 3);
    misdeed(launch.dir(), "thread panic");
    let mut server = launch.spawn();
    server.expect_log("several requests run at once in one worker");
    server.expect_log("panicked");
    server.wait_for_expected("core 1 cannot be started");
    server.wait_for_expected("respawning too fast");
    misdeed(server.dir(), "");
    server.log.wait_for("ready to serve");
}
