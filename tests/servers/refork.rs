//! Workers that are forked from one that has served (`refork`): under load, when the mold dies, at a reload, and who is not taken
//! as one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::{Instance, Launch, Process, wait_for_text, wait_until};
use crate::pythons::{EVALUATES, Python, call, launch_in, one, supported};
use crate::reloading::replacing::upgrade;
use crate::reloading::{Traffic, operator, reload, tell_fifo, unsteady, wait_for_generation};
use crate::rivals::caches;
use nix::sys::signal::Signal;

fn parent(process: &Process) -> i32 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.pid)).unwrap_or_default();
    let fields = stat.rsplit_once(") ").map(|(_, fields)| fields.to_owned()).unwrap_or_default();
    fields.split(' ').nth(1).and_then(|pid| pid.parse().ok()).unwrap_or(0)
}

/// The process of the mold, once the log names it.
pub(crate) fn mold(server: &Instance) -> Process {
    let line = server.log.wait_for("refork: workers are forked from process ");
    let (_, pid) = line.text.split_once("from process ").expect("the line");
    let pid = pid.split(',').next().and_then(|pid| pid.parse().ok()).expect("a number");
    Process { pid, name: String::new() }
}

/// Whether so many workers live, and all of them are children of this process.
pub(crate) fn are_all_of(server: &Instance, parent_pid: i32, count: usize) -> bool {
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
import gc, os, random, socket, sys, threading, time, uwsgidecorators
HELD, COOLED, WARMED, FILLED = [], [], [], []

@uwsgidecorators.before_refork
def cool():
    COOLED.append(os.getpid())
    if CLOSES:
        HELD.pop().close()

@uwsgidecorators.after_refork
def warm():
    WARMED.append((os.getpid(), random.random()))

@uwsgidecorators.postfork
def hold():
    HELD.append(socket.socketpair()[0])
";

/// Answers that come from at least two processes tell each about its own.
fn forks_from_a_mold(python: &Python) {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("app.py"), format!("CLOSES = True\n{HOOKED}{EVALUATES}")).expect("room");
    let launch = launch_in(python, directory.path()).set("module", "app").set("workers", 2).set("refork", 30);
    let server = launch.start();
    while server.log.lines_with("refork: workers are forked from").is_empty() {
        // At the first request: what is imported then is shared as well.
        call(&server, "__import__('fractions') and FILLED.append(1) or len(FILLED)");
    }
    let mold = mold(&server);
    assert!(wait_until(|| are_all_of(&server, mold.pid, 2)), "{python:?}: {}", server.log.tail());
    let mut drawn = BTreeMap::new();
    let both = || {
        assert_eq!(call(&server, "COOLED"), format!("[{}]", mold.pid), "{python:?}");
        let told = "[pid for pid, _ in WARMED] == [os.getpid()], len(FILLED) >= 30, len(HELD)";
        assert_eq!(call(&server, told), "(True, True, 1)", "{python:?}");
        let told = "'fractions' in sys.modules, gc.get_freeze_count() > 1000, threading.active_count()";
        assert_eq!(call(&server, told), "(True, True, 1)", "{python:?}");
        let told = call(&server, "WARMED[0][0], WARMED[0][1], time.sleep(0.01)");
        let (pid, random) = told.split_once(", ").expect("two numbers");
        drawn.insert(pid.to_owned(), random.to_owned());
        drawn.len() == 2
    };
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Keeps one of them busy.
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                call(&server, "time.sleep(0.005)");
            }
        });
        let come = wait_until(both);
        over.store(true, Ordering::Relaxed);
        assert!(come, "{python:?}: answers of both workers");
    });
    let numbers: BTreeSet<&String> = drawn.values().collect();
    assert_eq!(numbers.len(), 2, "{python:?}: both draw the same random numbers: {drawn:?}");
    server.stop();
}

#[test]
fn in_every_python_workers_come_from_a_mold_that_has_closed_what_it_held_and_keeps_what_it_has_imported() {
    std::thread::scope(|scope| {
        for python in supported() {
            scope.spawn(|| forks_from_a_mold(python));
        }
    });
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
fn a_thread_or_a_file_that_is_written_to_keeps_a_worker_from_it_by_name() {
    let thread = "threading.Thread(target=threading.Event().wait, name='listener', daemon=True).start()";
    for (holds, named) in [
        (thread, "it holds a thread (listener)"),
        ("HELD.append(open('written', 'w'))", "/written, opened for writing (descriptor "),
        ("HELD.append(os.pipe())", "it holds a pipe (descriptor "),
        ("HELD.append(__import__('select').epoll())", "it holds eventpoll (descriptor "),
    ] {
        let directory = tempfile::tempdir().expect("a directory");
        let code = format!(
            "import os, threading, uwsgidecorators\nHELD = []\n\n@uwsgidecorators.postfork\ndef hold():\n    {holds}\n"
        );
        fs::write(directory.path().join("app.py"), format!("{code}{EVALUATES}")).expect("room");
        let launch = launch_in(&one(), directory.path()).set("module", "app").set("workers", 2).set("refork", 5);
        let mut server = launch.start();
        server.expect_log("refork: no worker is forked from");
        while server.log.lines_with("refork: no worker is forked from").is_empty() {
            call(&server, "1");
        }
        let told = server.log.lines_with("refork: no worker is forked from").concat();
        assert!(told.contains(named), "{holds}: {told}");
        server.stop();
    }
}

#[test]
fn refork_with_fewer_workers_than_two_is_refused() {
    let failed = Launch::hello().set("workers", 1).set("refork", 10).fails();
    let told = "refork = 10: there is nothing to share: one worker cannot be spared to fork others from";
    assert!(failed.line().contains(told), "{}", failed.line());
    assert!(failed.line().contains("set workers to 2 or more, or leave refork out"), "{}", failed.line());
}

#[test]
fn refork_after_what_is_no_number_of_requests_is_refused() {
    for value in ["often", "-1", "1.5", "10 %%"] {
        let failed = Launch::hello().set("refork", value).fails();
        let told = format!("refork = {}: expected a number of requests from 2 on, or auto", value.replace("%%", "%"));
        assert!(failed.line().contains(&told), "{}", failed.line());
    }
}

#[test]
fn refork_as_uwsgis_switch_does_nothing_and_says_so() {
    let mut server = Launch::hello().set("refork", true).start();
    server.wait_for_expected("as a switch it is uWSGI's, which forks once more after dropping privileges");
    server.stop();
}

/// Each worker has loaded the application for itself; those of the mold share what it has loaded.
#[test]
fn refork_with_lazy_apps_is_explained_and_is_the_only_way_to_share() {
    let directory = tempfile::tempdir().expect("a directory");
    let code = format!("import os\nLOADED_BY = os.getpid()\n{EVALUATES}");
    fs::write(directory.path().join("app.py"), code).expect("room");
    let launch = launch_in(&one(), directory.path()).set("module", "app").set("workers", 2);
    let mut server = launch.set("lazy-apps", true).set("refork", 10).start();
    server.wait_for_expected(
        "with lazy-apps every worker loads the application for itself, so that this is the only way",
    );
    while server.log.lines_with("refork: workers are forked from").is_empty() {
        assert_eq!(call(&server, "LOADED_BY == os.getpid()"), "True");
    }
    let mold = mold(&server);
    assert!(wait_until(|| are_all_of(&server, mold.pid, 2)), "{}", server.log.tail());
    for _ in 0..8 {
        assert_eq!(call(&server, "LOADED_BY, os.getpid() != LOADED_BY"), format!("({}, True)", mold.pid));
    }
    server.stop();
}

const SLOW: &str = "\
import os, time, uwsgidecorators

@uwsgidecorators.before_refork
def slowly():
    print('it cools down', flush=True)
    while not os.path.exists('go'):
        time.sleep(0.01)
";

#[test]
fn a_mold_and_its_workers_write_where_the_log_was_moved_while_it_became_one() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("app.py"), format!("{SLOW}{EVALUATES}")).expect("room");
    let launch = launch_in(&one(), directory.path()).set("module", "app").set("workers", 2).set("refork", 10);
    let (log, fifo) = (launch.dir().join("log"), launch.dir().join("fifo"));
    let text = || fs::read_to_string(&log).unwrap_or_default();
    let server = launch.set("logto", log.display()).set("master-fifo", fifo.display()).spawn();
    wait_for_text(&log, "ready to serve");
    while !text().contains("it cools down") {
        call(&server, "1");
    }
    fs::rename(&log, log.with_extension("old")).expect("rename the log");
    tell_fifo(&fifo, "l");
    assert!(wait_until(|| log.exists()));
    fs::write(directory.path().join("go"), "").expect("let it go on");
    let told = wait_for_text(&log, "refork: workers are forked from process ");
    let (_, pid) = told.split_once("forked from process ").expect("the line");
    let pid: i32 = pid.split(',').next().and_then(|pid| pid.parse().ok()).expect("a number");
    let of_mold = || server.processes().iter().filter(|process| parent(process) == pid).count();
    assert!(wait_until(|| of_mold() == 2), "{}", text());
    assert!(wait_until(|| text().matches("buried after").count() == 2), "{}", text());
    call(&server, "print('said by one that comes from the mold', flush=True)");
    wait_for_text(&log, "said by one that comes from the mold");
    server.stop();
}
