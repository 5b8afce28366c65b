//! Workers that are forked from one that has served (`refork`): under load, when the mold dies, at a reload, and who is not taken
//! as one.

use std::fs;

use crate::harness::{Instance, Launch, Process, wait_until};
use crate::pythons::{EVALUATES, call, launch_in, one};
use crate::reloading::replacing::upgrade;
use crate::reloading::{Traffic, operator, reload, unsteady, wait_for_generation};
use crate::rivals::caches;
use nix::sys::signal::Signal;

fn parent(process: &Process) -> i32 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.pid)).unwrap_or_default();
    let fields = stat.rsplit_once(") ").map(|(_, fields)| fields.to_owned()).unwrap_or_default();
    fields.split(' ').nth(1).and_then(|pid| pid.parse().ok()).unwrap_or(0)
}

/// The process of the mold, once the log names it.
fn mold(server: &Instance) -> Process {
    let line = server.log.wait_for("refork: workers are forked from process ");
    let (_, pid) = line.text.split_once("from process ").expect("the line");
    let pid = pid.split(',').next().and_then(|pid| pid.parse().ok()).expect("a number");
    Process { pid, name: String::new() }
}

/// Whether so many workers live, and all of them are children of this process.
fn are_all_of(server: &Instance, parent_pid: i32, count: usize) -> bool {
    let workers: Vec<Process> = server.workers();
    let mut workers = workers.iter().filter(|worker| worker.pid != parent_pid).peekable();
    workers.peek().is_some() && {
        let parents: Vec<i32> = workers.map(parent).collect();
        parents.len() == count && parents.iter().all(|pid| *pid == parent_pid)
    }
}

#[test]
fn workers_come_from_the_mold_one_by_one_and_again_from_what_was_loaded_when_it_dies() {
    for threads in [1, 2] {
        let mut server = unsteady().set("workers", 3).set("threads", threads).set("refork", 20).start();
        let zygote = server.zygotes().pop().expect("the zygote");
        let traffic = Traffic::start(&server, 4, "/sleep?ms=1");
        let mold = mold(&server);
        assert!(wait_until(|| are_all_of(&server, mold.pid, 3)), "{}", server.log.tail());
        let status = String::from_utf8(operator(&server, "status").stdout).expect("text");
        assert!(
            status.contains("generation 1, 3 of 3 workers ready") && status.contains(", refork saves "),
            "{status}"
        );
        server.expect_log("refork: workers are forked from what was loaded again, not as generation 2: zygote killed");
        mold.signal(Signal::SIGKILL);
        let back = || {
            let workers: Vec<Process> = server.workers();
            workers.len() == 3 && workers.iter().all(|worker| parent(worker) == zygote.pid)
        };
        assert!(wait_until(back), "{}", server.log.tail());
        traffic.end();
        reload(&server);
        wait_for_generation(&server, 3);
        server.stop();
    }
}

#[test]
fn a_reload_takes_the_place_of_the_mold_and_of_what_it_came_from() {
    let server = unsteady().set("workers", 2).set("refork", 10).start();
    let zygote = server.zygotes().pop().expect("the zygote");
    let traffic = Traffic::start(&server, 2, "/sleep?ms=1");
    let mold = mold(&server);
    assert!(wait_until(|| are_all_of(&server, mold.pid, 2)), "{}", server.log.tail());
    reload(&server);
    // The new generation has soon a mold of its own.
    assert!(wait_until(|| parent(&mold) == 0 && parent(&zygote) == 0), "{:?}", server.processes());
    traffic.end();
    server.stop();
}

#[test]
fn an_upgraded_master_goes_on_with_the_mold_and_hears_of_its_end() {
    let mut server = unsteady().set("workers", 2).set("refork", 10).start();
    let zygote = server.zygotes().into_iter().next().expect("the zygote");
    let traffic = Traffic::start(&server, 2, "/sleep?ms=1");
    let mold = mold(&server);
    assert!(wait_until(|| are_all_of(&server, mold.pid, 2)), "{}", server.log.tail());
    let before = server.workers();
    upgrade(&server);
    assert_eq!(server.workers(), before, "somebody was replaced");
    traffic.end();
    server.expect_log("DAMN ! worker");
    before.iter().find(|worker| worker.pid != mold.pid).expect("a worker").signal(Signal::SIGKILL);
    let is_replaced = || server.workers() != before && are_all_of(&server, mold.pid, 2);
    assert!(wait_until(is_replaced), "{}", server.log.tail());
    server.expect_log("not as generation 2: zygote killed");
    mold.signal(Signal::SIGKILL);
    let back = || {
        let workers = server.workers();
        workers.len() == 2 && workers.iter().all(|worker| parent(worker) == zygote.pid)
    };
    assert!(wait_until(back), "{}", server.log.tail());
    server.stop();
}

#[test]
fn a_handler_is_cooled_down_in_the_mold_in_the_place_of_its_stop_and_warmed_up_in_its_workers() {
    let server = unsteady().set("workers", 2).set("refork", 10).start();
    let traffic = Traffic::start(&server, 2, "/sleep?ms=1");
    let mold = mold(&server);
    assert!(wait_until(|| are_all_of(&server, mold.pid, 2)), "{}", server.log.tail());
    traffic.end();
    let cooled = server.log.lines_with("of generation 1 is cooled down");
    let warmed = server.log.lines_with("of generation 1 is warmed up");
    assert_eq!((cooled.len(), warmed.len()), (1, 2), "{}", server.log.tail());
    let name = cooled[0].replace("cooled down", "stopped");
    let name = name.split("worker ").last().expect("its name");
    let started = server.log.lines_with("is started").len();
    assert!(started >= 5, "{started}");
    // Its successor's: that had the same number until one that comes from the mold took its place.
    assert_eq!(server.log.lines_with(name).len(), 1, "{name}");
    server.stop();
}

const HOOKED: &str = "\
import os, socket, uwsgidecorators
HELD, COOLED, WARMED, FILLED = [], [], [], []

@uwsgidecorators.before_refork
def cool():
    COOLED.append(os.getpid())
    if CLOSES:
        HELD.pop().close()

@uwsgidecorators.after_refork
def warm():
    WARMED.append(os.getpid())

@uwsgidecorators.postfork
def hold():
    HELD.append(socket.socketpair()[0])
";

#[test]
fn an_application_in_python_closes_what_it_holds_and_keeps_what_it_has_filled() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("app.py"), format!("CLOSES = True\n{HOOKED}{EVALUATES}")).expect("room");
    let python = one();
    let launch = launch_in(&python, directory.path()).set("module", "app").set("workers", 2).set("refork", 30);
    let server = launch.start();
    while server.log.lines_with("refork: workers are forked from").is_empty() {
        call(&server, "FILLED.append(1) or len(FILLED)");
    }
    let mold = mold(&server);
    assert!(wait_until(|| are_all_of(&server, mold.pid, 2)), "{}", server.log.tail());
    assert_eq!(call(&server, "COOLED"), format!("[{}]", mold.pid));
    assert_eq!(call(&server, "WARMED == [os.getpid()], len(FILLED) >= 30, len(HELD)"), "(True, True, 1)");
    server.stop();
}

const DJANGO: &str = "\
import django, os
from django.conf import settings
settings.configure(DATABASES={'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': os.path.abspath('database')}})
django.setup()
from django.db import connection

def ask():
    with connection.cursor() as cursor:
        return cursor.execute('select 42').fetchone()[0], connection.connection is not None
";

#[test]
fn connections_of_django_are_closed_without_being_asked_for() {
    let Some(home) = caches() else { return };
    for threads in [1, 2] {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("app.py"), format!("{DJANGO}{EVALUATES}")).expect("room");
        let launch = launch_in(&one(), directory.path()).without("python-executable").set("home", home.display());
        let launch = launch.set("module", "app").set("workers", 2).set("refork", 30);
        let mut server = launch.set("threads", threads).start();
        if threads > 1 {
            server.expect_log("the application must be thread-safe");
        }
        while server.log.lines_with("refork: workers are forked from").is_empty() {
            assert_eq!(call(&server, "ask()"), "(42, True)");
            assert!(server.log.lines_with("refork: no worker").is_empty(), "{}", server.log.tail());
        }
        let mold = mold(&server);
        assert!(wait_until(|| are_all_of(&server, mold.pid, 2)), "{}", server.log.tail());
        let held = fs::read_dir(format!("/proc/{}/fd", mold.pid)).expect("the mold").flatten();
        let held: Vec<_> = held.filter_map(|entry| fs::read_link(entry.path()).ok()).collect();
        assert!(held.iter().all(|target| !target.ends_with("database")), "{held:?}");
        assert_eq!(call(&server, "ask()"), "(42, True)");
        server.stop();
    }
}

#[test]
fn who_holds_a_socket_is_not_taken_and_named_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let parted = "import atexit\natexit.register(lambda: open('parted', 'a').write('%d ' % os.getpid()))\n";
    let code = format!("CLOSES = False\n{HOOKED}{parted}{EVALUATES}");
    fs::write(directory.path().join("app.py"), code).expect("room");
    let python = one();
    let launch = launch_in(&python, directory.path()).set("module", "app").set("workers", 2).set("refork", 5);
    let mut server = launch.start();
    let mut asked = 0;
    while server.log.lines_with("refork: no worker is forked from").is_empty() {
        call(&server, "1");
        asked += 1;
        assert!(asked < 100_000, "{}", server.log.tail());
    }
    let told = server.wait_for_expected("refork: no worker is forked from").text;
    assert!(told.contains("it holds a socket") && told.contains("uwsgi.before_refork"), "{told}");
    let parted = || fs::read_to_string(directory.path().join("parted")).unwrap_or_default();
    assert!(wait_until(|| parted().split_whitespace().count() == 1), "it ends as others do: {}", parted());
    for _ in 0..60 {
        assert_eq!(call(&server, "COOLED"), "[]");
    }
    assert_eq!(server.log.lines_with("refork: no worker is forked from").len(), 1);
    assert_eq!(server.zygotes().len(), 1);
    server.stop();
}

#[test]
fn what_cannot_be_is_refused_and_what_is_uwsgis_or_means_more_than_it_seems_is_explained() {
    for (workers, value, why) in
        [(1, "10", "one worker cannot be spared"), (2, "often", "expected a number of requests from 2 on, or auto")]
    {
        let failed = Launch::hello().set("workers", workers).set("refork", value).fails();
        assert!(failed.line().contains(why), "{}", failed.line());
    }
    for (key, value, told) in
        [("refork", "true", "uWSGI's, which forks once more"), ("lazy-apps", "true", "the only way")]
    {
        let mut server = Launch::hello().set("refork", 1_000).set("workers", 2).set(key, value).start();
        server.wait_for_expected(told);
        server.stop();
    }
}
