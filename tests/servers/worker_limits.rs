//! What workers may take of the machine, and who is replaced for having lived, worked or grown enough.

use std::fs;
use std::path::Path;

use crate::harness::{Instance, Launch, Process, wait_until};
use crate::pythons::{launch_in, one};
use crate::reloading::Traffic;

/// What the application answers.
fn text(server: &Instance) -> String {
    String::from_utf8_lossy(server.get("/").body()).into_owned()
}

/// A line of `/proc/PID/FILE` that begins with `start`, without that.
fn told(process: &Process, file: &str, start: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{}/{file}", process.pid)).expect("a living process");
    let line = text.lines().find_map(|line| line.strip_prefix(start)).unwrap_or_else(|| panic!("{start} in {text}"));
    line.split_whitespace().next().unwrap_or("").to_owned()
}

#[test]
fn workers_have_the_standing_that_is_asked_for_and_the_master_keeps_its_own() {
    let launch = Launch::hello().set("limit-as", 900).set("limit-nproc", 4000).set("max-fd", 777).set("prio", 3);
    let server = launch.set("oom-score-adj", 321).set("cpu-affinity", 1).start();
    let master = Process { pid: server.pid(), name: String::new() };
    let workers = server.workers();
    for worker in &workers {
        let limit = |name| told(worker, "limits", name);
        assert_eq!(limit("Max address space"), (900_u64 << 20).to_string());
        assert_eq!(limit("Max processes"), "4000");
        assert_eq!(limit("Max open files"), "777");
        assert_eq!(told(worker, "oom_score_adj", ""), "321");
        assert_eq!(nice(worker), "3");
    }
    let cpus: Vec<String> = workers.iter().map(|worker| told(worker, "status", "Cpus_allowed_list:")).collect();
    assert!(cpus.iter().all(|list| list.parse::<u32>().is_ok()), "one for each: {cpus:?}");
    assert_ne!(told(&master, "limits", "Max address space"), (900_u64 << 20).to_string());
    assert_ne!(told(&master, "oom_score_adj", ""), "321");
}

fn nice(process: &Process) -> String {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.pid)).expect("a living process");
    let (_, fields) = stat.rsplit_once(") ").expect("the name is in parentheses");
    fields.split(' ').nth(16).expect("the nineteenth field").to_owned()
}

#[test]
fn workers_that_had_enough_requests_are_replaced_one_after_the_other_and_nobody_notices() {
    let launch = Launch::hello().set("workers", 4).set("max-requests", 400).set("min-worker-lifetime", 0);
    let server = launch.set("disable-logging", true).start();
    let traffic = Traffic::start(&server, 8, "/");
    let replaced = || server.log.lines_with("serves until its successor is ready: max requests reached").len();
    assert!(wait_until(|| replaced() >= 8), "{}", server.log.tail());
    let report = traffic.stop();
    assert_eq!(report.counts.failed(), 0, "{:?}", report.counts);
    assert!(server.log.lines_with("buried after").len() >= 4, "{}", server.log.tail());
}

const EATER: &str = "\
import threading
KEPT = []

def application(environ, start_response):
    if environ['PATH_INFO'] == '/eat':
        KEPT.append(b'x' * (200 << 20))
        threading.Event().wait(60)
    start_response('200 OK', [])
    return [b'small']
";

#[test]
fn a_worker_that_takes_too_much_memory_is_killed_in_the_middle_of_a_request() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("eater.py"), EATER).expect("write the application");
    let launch = launch_in(&one(), directory.path()).set("module", "eater").set("workers", 1);
    let mut server = launch.set("evil-reload-on-rss", 150).set("mem-collector-freq", 1).start();
    server.expect_log("MB (evil-reload-on-rss): killed");
    assert_eq!(server.get("/eat").status(), None);
    assert_eq!(text(&server), "small");
    assert_eq!(server.log.lines_with("(evil-reload-on-rss): killed").len(), 1, "{}", server.log.tail());
}

const ENDS: &str = "\
import atexit, os, threading
import uwsgi

@atexit.register
def told():
    print('atexit ran', flush=True)

def application(environ, start_response):
    threading.Thread(target=threading.Event().wait).start()
    start_response('200 OK', [])
    return [b'begun']
";

fn ends(directory: &Path) -> Launch {
    fs::write(directory.join("ends.py"), ENDS).expect("write the application");
    launch_in(&one(), directory).set("module", "ends").set("workers", 1)
}

#[test]
fn a_worker_ends_without_handlers_and_without_threads_of_its_application_where_that_is_asked_for() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (handlers, lines) in [(true, 1), (false, 0)] {
        let server = ends(directory.path()).set("no-threads-wait", true).set("skip-atexit", !handlers).start();
        assert_eq!(text(&server), "begun");
        let log = server.log.clone();
        // The thread would never end.
        server.stop();
        assert_eq!(log.lines_with("atexit ran").len(), lines);
    }
}
