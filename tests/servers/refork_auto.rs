//! `refork = auto`: workers are forked from one of them when their memory says that it pays, as often as it does, and not before.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Mutex;
use std::thread;

use crate::harness::{Instance, Process, wait_until};
use crate::pythons::{EVALUATES, call, launch_in, supported, target_of};
use crate::refork::are_all_of;
use crate::reloading::{operator, send};
use loadgen::packet::Request;

const WORKERS: usize = 3;
/// More than enough of them for one worker at least to have answered 500, from which on it is looked whether it pays.
const ENOUGH: u64 = 2_500;
const MOLDED: &str = "refork: workers are forked from process ";

/// What each worker comes to hold for itself.
const APPLICATION: &str = "\
import os, sys, time
KEPT = []

def fill(times):
    if len(KEPT) < times:
        KEPT.append(os.urandom(16 << 20))
        exec('def made_%d(): pass' % times, globals())
    time.sleep(0.005)
    return os.getpid()
";

fn ask(server: &Instance, requests: u64) {
    send(server.target(), &Request::get(&target_of("1")), WORKERS, requests);
}

/// Has every worker hold so much, each for itself.
fn fill_all(server: &Instance, times: u32) {
    let expected: BTreeSet<i32> = server.workers().iter().map(|worker| worker.pid).collect();
    let filled = Mutex::new(BTreeSet::new());
    let client = || {
        let mut asked = 0;
        while filled.lock().expect("no client fails with it").len() < WORKERS {
            let pid: i32 = call(server, &format!("fill({times})")).parse().expect("a pid");
            filled.lock().expect("no client fails with it").insert(pid);
            asked += 1;
            assert!(asked < 10_000, "not all of {expected:?}: {filled:?}");
        }
    };
    thread::scope(|scope| {
        for _ in 0..2 * WORKERS {
            scope.spawn(client);
        }
    });
}

/// The process from which all workers have come when so many molds have been made, and what that saves by then.
fn molded(server: &Instance, count: usize) -> Process {
    let mut asked = 0;
    while server.log.lines_with(MOLDED).len() < count {
        ask(server, ENOUGH);
        asked += ENOUGH;
        assert!(asked < 400 * ENOUGH, "{}", server.log.tail());
    }
    let lines = server.log.wait_for_count(count, MOLDED);
    let (_, rest) = lines[count - 1].text.split_once(MOLDED).expect("the line");
    let pid = rest.split(',').next().and_then(|pid| pid.parse().ok()).expect("a pid");
    assert!(wait_until(|| are_all_of(server, pid, WORKERS)), "{}", server.log.tail());
    Process { pid, name: String::new() }
}

/// The KiB of `refork saves 30720 KiB`, or what there is of it.
fn saved(server: &Instance) -> String {
    let status = String::from_utf8(operator(server, "status").stdout).expect("text");
    status
        .split_once("refork saves ")
        .map(|(_, rest)| rest.lines().next().unwrap_or_default().to_owned())
        .unwrap_or_default()
}

#[test]
fn refork_auto_does_it_when_workers_hold_much_more_than_fresh_ones_and_again_but_not_before() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("app.py"), format!("{APPLICATION}{EVALUATES}")).expect("room");
    let python = supported().iter().max_by_key(|python| python.version).expect("there is one");
    let launch = launch_in(python, directory.path()).set("module", "app").set("workers", WORKERS);
    let pid_file = launch.dir().join("pid");
    let launch = launch.set("refork", "auto").set("disable-logging", true).set("pidfile", pid_file.display());
    let server = launch.start();
    ask(&server, ENOUGH);
    // What workers have said by then, the master has heard.
    assert_eq!((saved(&server), server.log.lines_with("refork")), (String::new(), Vec::new()));
    fill_all(&server, 1);
    let first = molded(&server, 1);
    assert!(saved(&server).ends_with("MiB"), "{}", saved(&server));
    // They share what was filled: nothing more is to be saved.
    assert_eq!(call(&server, "len(KEPT)"), "1");
    ask(&server, 2 * ENOUGH);
    assert!(first.is_alive() && server.log.lines_with(MOLDED).len() == 1, "{}", server.log.tail());
    fill_all(&server, 2);
    molded(&server, 2);
    assert_eq!(call(&server, "len(KEPT)"), "2");
    // Once for each loading, lest what lives for ever becomes more with each mold.
    let first_only = (12..=13).contains(&python.version.1);
    let told = call(&server, "[sys.getrefcount(made) > 1 << 30 for made in (fill, made_1, made_2)]");
    assert_eq!(told, if first_only { "[True, True, False]" } else { "[False, False, False]" });
    assert!(wait_until(|| !first.is_alive()), "nobody comes from it any more");
    server.stop();
}
