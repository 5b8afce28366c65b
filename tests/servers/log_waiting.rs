//! Request lines that are written together: that they are, that none waits for long, and that none is lost or comes twice,
//! whatever its worker dies of.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use loadgen::packet::Request;
use nix::sys::signal::Signal;

use crate::harness::{Instance, Launch, wait_for_text, wait_until};

/// Requests that queue while the only worker is held up, so that it finds them all when it goes on.
struct Rush {
    release: PathBuf,
    queued: Vec<UnixStream>,
}

impl Rush {
    /// With one request after the other to these targets.
    fn of(server: &Instance, targets: &[String]) -> Self {
        let release = server.dir().join("release");
        let first = format!("/hold?until={}", release.display());
        let mut queued = vec![sent(server, &first)];
        assert!(wait_until(|| server.queued() == 0), "the first one is taken");
        queued.extend(targets.iter().map(|target| sent(server, target)));
        Self { release, queued }
    }

    /// Lets the worker go on; returns the connections, on which nothing has been read.
    fn begin(self) -> Vec<UnixStream> {
        fs::write(self.release, "").expect("a file");
        self.queued
    }
}

fn sent(server: &Instance, target: &str) -> UnixStream {
    let mut stream = UnixStream::connect(server.socket()).expect("connect");
    let packet = Request::get(target).to_uwsgi().expect("a small request");
    stream.write_all(&packet).expect("there is room");
    stream
}

fn end_of(streams: Vec<UnixStream>) {
    for mut stream in streams {
        // One whose worker was killed has none.
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

fn numbered(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("/?n={number}.")).collect()
}

fn unsteady() -> Launch {
    let launch = Launch::example("unsteady").set("workers", 1);
    let log = launch.dir().join("log");
    launch.set("logto", log.display())
}

/// Starts an instance that tells only its log that it is there.
fn begun(launch: Launch) -> Instance {
    let server = launch.spawn();
    wait_for_text(&log_of(&server), "ready to serve");
    server
}

fn log_of(server: &Instance) -> PathBuf {
    server.dir().join("log")
}

/// How many lines of a log have this in them.
fn count(log: &Path, needle: &str) -> usize {
    fs::read_to_string(log).expect("the log").lines().filter(|line| line.contains(needle)).count()
}

/// The workers that a log names, in this order, with those that are gone.
fn workers_of(log: &Path) -> Vec<i32> {
    let text = fs::read_to_string(log).expect("the log");
    let named =
        text.lines().filter(|line| line.contains("spawned uWSGI worker ") || line.contains("Respawned uWSGI worker "));
    let pids = named.filter_map(|line| line.split_once("pid: ")?.1.split([',', ')']).next()?.parse().ok());
    pids.collect()
}

/// Writes that a process has made so far (proc(5), `io`).
fn writes_of(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).expect("its figures");
    let number = text.lines().find_map(|line| line.strip_prefix("syscw: ")).expect("its writes");
    number.parse().expect("a number")
}

#[test]
fn lines_of_requests_that_follow_on_each_other_are_written_together() {
    const REQUESTS: usize = 20;
    let writes = |at_once: bool| {
        let server = begun(unsteady().set("log-at-once", at_once));
        let pid = workers_of(&log_of(&server))[0];
        let rush = Rush::of(&server, &numbered(REQUESTS));
        let before = writes_of(pid);
        end_of(rush.begin());
        wait_for_text(&log_of(&server), &format!("n={REQUESTS}. "));
        let made = writes_of(pid) - before;
        let lines = fs::read_to_string(log_of(&server)).expect("the log");
        let order: Vec<usize> = numbered(REQUESTS).iter().map(|target| lines.find(target).expect("a line")).collect();
        assert!(order.is_sorted(), "{lines}");
        server.stop();
        made
    };
    let at_once = writes(true);
    // A worker that is kept from running has its lines written meanwhile: once of a few times it is not.
    let mut tried = Vec::new();
    let are_together = (0..5).any(|_| {
        let together = writes(false);
        tried.push(together);
        at_once >= together + REQUESTS as u64 / 2
    });
    assert!(are_together, "{tried:?} writes, and {at_once} line by line");
}

/// The worker does not look at them: it waits for a file.
#[test]
fn no_line_waits_for_a_request_that_takes_its_time() {
    let server = begun(unsteady());
    let held = server.dir().join("held");
    let targets = [numbered(10), vec![format!("/hold?until={}", held.display())]].concat();
    let streams = Rush::of(&server, &targets).begin();
    wait_for_text(&log_of(&server), "n=10. ");
    assert_eq!((1..=10).map(|number| count(&log_of(&server), &format!("n={number}. "))).sum::<usize>(), 10);
    fs::write(held, "").expect("a file");
    end_of(streams);
    server.stop();
}

#[test]
fn lines_of_a_worker_that_dies_are_written_by_its_master() {
    for target in ["/kill", "/exit"] {
        let server = begun(unsteady());
        let targets = [numbered(10), vec![target.to_owned()]].concat();
        end_of(Rush::of(&server, &targets).begin());
        wait_for_text(&log_of(&server), "Respawned uWSGI worker 1");
        for number in 1..=10 {
            assert_eq!(count(&log_of(&server), &format!("n={number}. ")), 1, "{target}: {number}");
        }
        server.stop();
    }
}

/// A line of the log by the same process comes behind those of the requests before.
#[test]
fn lines_of_a_process_are_in_order() {
    let server = begun(unsteady());
    let targets = [numbered(5), vec!["/log?text=between".to_owned()], vec!["/?n=6.".to_owned()]].concat();
    end_of(Rush::of(&server, &targets).begin());
    let text = wait_for_text(&log_of(&server), "n=6. ");
    let at = |needle: &str| text.find(needle).unwrap_or_else(|| panic!("no {needle} in {text}"));
    assert!(at("n=5. ") < at("told: between") && at("told: between") < at("n=6. "), "{text}");
    server.stop();
}

/// Workers that are killed at any moment under load: of what was answered at most the one line is missing that its worker
/// had not made yet, nothing is there twice, and next to nothing in pieces.
#[test]
fn workers_that_are_killed_at_any_moment_lose_no_lines() {
    const KILLS: usize = 25;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let log = directory.path().join("log");
    let server = Launch::hello().set("workers", 2).set("logto", log.display()).spawn();
    wait_for_text(&log, "ready to serve");
    let (over, next) = (AtomicBool::new(false), AtomicUsize::new(0));
    let ask = || {
        let mut answered = Vec::new();
        while !over.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let mut stream = UnixStream::connect(server.socket()).expect("connect");
            let packet = Request::get(&format!("/?n={number}.")).to_uwsgi().expect("a small request");
            let mut reply = Vec::new();
            // Its worker may have been killed before it had sent everything.
            let asked = stream.write_all(&packet).and_then(|()| stream.read_to_end(&mut reply));
            if asked.is_ok() && reply.ends_with(b"Hello, world\n") {
                answered.push(number);
            }
        }
        answered
    };
    let answered: Vec<usize> = thread::scope(|scope| {
        let clients: Vec<_> = (0..6).map(|_| scope.spawn(ask)).collect();
        for _ in 0..KILLS {
            let from = next.load(Ordering::Relaxed);
            assert!(wait_until(|| next.load(Ordering::Relaxed) > from + 100));
            let worker = || server.processes().into_iter().find(|process| workers_of(&log).contains(&process.pid));
            assert!(wait_until(|| worker().inspect(|worker| worker.signal(Signal::SIGKILL)).is_some()), "no worker");
        }
        over.store(true, Ordering::Relaxed);
        clients.into_iter().flat_map(|client| client.join().expect("no panic")).collect()
    });
    server.stop();
    let text = fs::read_to_string(log).expect("the log");
    let mut lines: BTreeMap<usize, usize> = BTreeMap::new();
    let mut broken = 0;
    for line in text.lines().filter(|line| line.contains("[pid: ")) {
        // The kernel may have broken a write off, behind which another process has gone on.
        let whole = &line[line.rfind("[pid: ").unwrap_or_default()..];
        broken += usize::from(whole != line || !line.ends_with(" on core 0)"));
        if !whole.ends_with(" on core 0)") {
            continue;
        }
        let line = whole;
        let number =
            line.split_once("GET /?n=").and_then(|(_, rest)| rest.split_once(". => generated ")?.0.parse().ok());
        *lines.entry(number.unwrap_or_else(|| panic!("{line:?}"))).or_default() += 1;
    }
    assert!(broken <= KILLS / 8, "{broken} lines are broken");
    let twice: Vec<_> = lines.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let missing: Vec<_> = answered.iter().filter(|number| !lines.contains_key(number)).collect();
    assert!(missing.len() <= KILLS && answered.len() > KILLS * 50, "{missing:?} of {}", answered.len());
}
