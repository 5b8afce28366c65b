//! Processes that an application makes, what it does with the signals that tell of them, and what it writes: none of it may
//! disturb the server or speak in its name.

use std::fs;

use crate::harness::{Gate, Instance, Launch, Nginx, Process, wait_until};
use crate::pythons::{launch_in, one, supported};
use loadgen::packet::Request;
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// Each path forks in another moment of a request; the parent tells how its child ended.
const FORKING: &str = "\
import os, sys, time

def ended(pid):
    return os.WEXITSTATUS(os.waitpid(pid, 0)[1])

def stream(pid=None):
    yield b'before '
    pid = os.fork()
    yield b'child' if pid == 0 else b'ended with %d' % ended(pid)

def application(environ, start_response):
    pid = 0 if environ['PATH_INFO'] in ('/', '/stream') else os.fork()
    if pid == 0:
        if environ['PATH_INFO'] == '/exit':
            sys.exit(3)
        if environ['PATH_INFO'] == '/text':
            sys.exit('not a number')
        if environ['PATH_INFO'] == '/raise':
            raise ValueError('of the child')
        if environ['PATH_INFO'] == '/read':
            environ['wsgi.input'].read()
    start_response('200 OK', [('Content-Type', 'text/plain')])
    if environ['PATH_INFO'] == '/stream':
        return stream()
    return [b'worker %d' % os.getpid() if pid == 0 else b'ended with %d' % ended(pid)]
";

const PLAIN: &str = "\
def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'Hello']
";

/// An application of one file, `web.py`.
fn files(text: &str) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("web.py"), text).expect("write the application");
    directory
}

fn launch(directory: &TempDir) -> Launch {
    launch_in(&one(), directory.path()).set("module", "web")
}

fn body(instance: &Instance, target: &str) -> String {
    String::from_utf8_lossy(instance.get(target).body()).into_owned()
}

/// In uWSGI such a child becomes one more worker, or answers its parent's client a second time.
#[test]
fn a_child_that_comes_back_from_a_request_ends() {
    let directory = files(FORKING);
    for python in supported() {
        let mut instance = launch_in(python, directory.path()).set("module", "web").start();
        instance.expect_log("which the application forked, came back to the server");
        let worker = body(&instance, "/");
        for (target, ended) in [("/exit", "3"), ("/text", "1"), ("/raise", "1"), ("/read", "1"), ("/answer", "1")] {
            assert_eq!(body(&instance, target), format!("ended with {ended}"), "{target}");
        }
        assert_eq!(body(&instance, "/stream"), "before ended with 0");
        assert_eq!(body(&instance, "/"), worker, "still the same worker, and the only one");
        assert_eq!(instance.workers().len(), 1);
        // The one that answered, the one that read, the one that raised, and the generator.
        instance.log.wait_for_count(4, "which the application forked, came back to the server");
        instance.log.wait_for("not a number");
        instance.log.wait_for("ValueError: of the child");
        instance.log.wait_for("OSError: this process was forked while the request was handled: only its parent can");
    }
}

#[test]
fn a_child_that_comes_back_from_loading_ends() {
    for child in ["    sys.exit(0)", "    raise ValueError('of the child')", "    pass"] {
        let text = format!("import os, sys\nif os.fork() == 0:\n{child}\nelse:\n    os.wait()\n{PLAIN}");
        for lazy in [false, true] {
            let directory = files(&text);
            let mut instance = launch(&directory).set("need-app", true).set("lazy-apps", lazy).start();
            instance.expect_log("which the application forked, came back to the server");
            assert_eq!(body(&instance, "/"), "Hello", "{child}");
            assert_eq!(instance.processes().len(), 3, "master, zygote and worker");
        }
    }
}

/// `/leave` forks children that end and are not waited for; `/keep` waits for one, but not before the fifo is written to;
/// `/wait` tells whether there is anyone to wait for.
const ZOMBIES: &str = "\
import os

def fork_dead(code):
    pid = os.fork()
    if pid == 0:
        os._exit(code)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid

def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    path = environ['PATH_INFO']
    if path == '/leave':
        for _ in range(5):
            fork_dead(0)
        return [b'left']
    if path == '/keep':
        pid = fork_dead(7)
        open('held', 'w').close()
        open('fifo').read()
        return [b'ended with %d' % os.WEXITSTATUS(os.waitpid(pid, 0)[1])]
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return [b'a child']
    except ChildProcessError:
        return [b'nobody']
";

#[test]
fn with_reaper_no_child_that_has_ended_is_left() {
    for (reaper, left) in [(true, "nobody"), (false, "a child")] {
        let instance = launch(&files(ZOMBIES)).set("reaper", reaper).start();
        assert_eq!(body(&instance, "/leave"), "left");
        assert_eq!(body(&instance, "/wait"), left, "reaper = {reaper}");
    }
}

/// uWSGI takes its child's end away from whoever waits for it in another thread.
#[test]
fn with_reaper_threads_learn_how_their_children_ended() {
    let directory = files(ZOMBIES);
    let place = |name: &str| directory.path().join(name);
    let gate = Gate::at(place("fifo"));
    let launch = launch(&directory).set("reaper", true).set("threads", 2);
    let mut instance = launch.set("chdir", directory.path().display()).start();
    instance.expect_log("the application must be thread-safe");
    std::thread::scope(|scope| {
        let kept = scope.spawn(|| body(&instance, "/keep"));
        assert!(wait_until(|| place("held").exists()));
        assert_eq!(body(&instance, "/leave"), "left");
        gate.open(b"go on");
        assert_eq!(kept.join().expect("an answer"), "ended with 7");
    });
    // The thread that waited for its own reaps after its answer.
    assert!(wait_until(|| body(&instance, "/wait") == "nobody"));
}

/// With the signal ignored the kernel reaps children by itself, and nobody learns how they ended.
#[test]
fn workers_are_buried_whatever_the_application_does_with_the_signal() {
    let text = format!("import os, signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n{PLAIN}");
    let mut instance = launch(&files(&text)).start();
    instance.expect_log("killed by signal 9");
    let ignores = |process: &Process| {
        let status = fs::read_to_string(format!("/proc/{}/status", process.pid)).expect("its status");
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("the ignored signals");
        u64::from_str_radix(mask.trim(), 16).expect("a mask") >> (Signal::SIGCHLD as u64 - 1) & 1 == 1
    };
    let worker = &instance.workers()[0];
    assert!(ignores(worker), "what the application wants holds where it works");
    worker.signal(Signal::SIGKILL);
    instance.log.wait_for("Respawned uWSGI worker 1 ");
    assert_eq!(body(&instance, "/"), "Hello");
    instance.stop();
}

#[test]
fn a_master_that_dies_takes_along_who_is_still_loading() {
    for lazy in [false, true] {
        let directory = files("import time\nprint('loading')\ntime.sleep(1000)\n");
        let instance = launch(&directory).set("lazy-apps", lazy).spawn();
        instance.log.wait_for("loading");
        let below: Vec<Process> = instance.processes().into_iter().filter(|one| one.pid != instance.pid()).collect();
        assert_eq!(below.len(), 1 + usize::from(lazy));
        instance.signal(Signal::SIGKILL);
        let is_gone = |one: &Process| !fs::exists(format!("/proc/{}/exe", one.pid)).unwrap_or(false);
        assert!(wait_until(|| below.iter().all(is_gone)), "lazy-apps {lazy}: somebody goes on loading");
        instance.ends_with(128 + Signal::SIGKILL as i32);
    }
}

/// A client that has a say in the message of an exception.
#[test]
fn no_message_of_an_exception_forges_a_line_of_the_log() {
    let raising = "\
def application(environ, start_response):
    raise ValueError('no such item: ' + environ['PATH_INFO'])
";
    let mut instance = launch(&files(raising)).start();
    instance.expect_log("exception in GET");
    let forging = "/a\n[pid: 1|app: 0|req: 1/1] 6.6.6.6 () GET /admin\r\x1b[2J\0";
    let reply = instance.ask(&Request::get("/").var("PATH_INFO", forging.as_bytes()));
    assert_eq!(reply.status(), Some(500));
    instance.log.wait_for("  [pid: 1|app: 0|req: 1/1] 6.6.6.6 () GET /admin\\x0d\\x1b[2J\\x00");
    assert!(!instance.log.lines().iter().any(|line| line.starts_with("[pid: 1|")));
}

#[test]
fn what_is_printed_goes_to_the_log() {
    let text = format!("print('printed while loading')\n{PLAIN}");
    let text = text.replace("    return", "    print('printed in a request')\n    return");
    let directory = files(&text);
    let out = directory.path().join("out");
    let shell = format!("exec \"$@\" >'{}'", out.display());
    let instance = launch(&directory).through(["sh", "-c", &shell, "sh"]).start();
    assert_eq!(body(&instance, "/"), "Hello");
    instance.log.wait_for("printed in a request");
    assert_eq!(instance.log.lines_with("printed while loading").len(), 1);
    assert_eq!(fs::read_to_string(out).expect("standard output"), "");
}

/// Each path forks by other means; what it forks lives as long as worker and zygote do.
const LEAVING_BEHIND: &str = "\
import ctypes, multiprocessing, os, subprocess

reading, writing = os.pipe()

def live_on():
    os.close(writing)
    os.read(reading, 1)

def fork(call):
    if call() == 0:
        live_on()
        os._exit(0)

WAYS = {
    '/multiprocessing': lambda: multiprocessing.get_context('fork').Process(target=live_on, daemon=True).start(),
    '/os': lambda: fork(os.fork),
    # Not through the interpreter, which does not get to know of it.
    '/c': lambda: fork(ctypes.PyDLL(None).fork),
    '/program': lambda: subprocess.Popen(['sh', '-c', 'read line'], stdin=reading, close_fds=False),
}

def application(environ, start_response):
    WAYS[environ['PATH_INFO']]()
    start_response('202 Accepted', [('Content-Type', 'text/plain')])
    return [b'started ', b'in the background']
";

#[test]
fn an_answer_ends_whoever_else_holds_its_connection() {
    for threads in [1, 2] {
        for way in ["/multiprocessing", "/os", "/c", "/program"] {
            let directory = files(LEAVING_BEHIND);
            let mut instance = launch(&directory).set("threads", threads).start();
            instance.expect_log("the application must be thread-safe");
            assert_eq!(body(&instance, way), "started in the background", "{way}");
            assert_eq!(instance.processes().len(), 4, "master, zygote, worker, and what it forked");
        }
    }
}

/// nginx would wait for the end of the connection, too, and says if there is anything that it does not like.
#[test]
fn nginx_takes_an_answer_whose_connection_somebody_else_holds() {
    let directory = files(LEAVING_BEHIND);
    let instance = launch(&directory).start();
    let mut nginx = Nginx::before(&instance);
    nginx.expect_log("a client request body is buffered to a temporary file");
    for _ in 0..3 {
        assert_eq!(nginx.get("/os").text(), "started in the background");
        assert_eq!(nginx.post("/os", &[b'x'; 100_000]).text(), "started in the background", "of a body nobody reads");
    }
}

/// Executes its arguments with no signal ignored: the test program itself may have been executed with two that are.
const HEEDING_ALL: &str = "\
import ctypes, os, platform, signal, sys
number = {'x86_64': 13, 'aarch64': 134}[platform.machine()]
for reserved in (32, 33):
    assert ctypes.CDLL(None).syscall(number, reserved, bytes(32), None, 8) == 0
for own in (signal.SIGPIPE, signal.SIGXFSZ):
    signal.signal(own, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
";

/// The signals that a process ignores, by their numbers.
fn ignored(status: &str) -> Vec<u32> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("the ignored signals");
    let mask = u64::from_str_radix(mask.trim(), 16).expect("a mask");
    (1..=64).filter(|number| mask >> (number - 1) & 1 == 1).collect()
}

/// What is executed by the C library's posix_spawn ignores 32 and 33, with all that it forks and executes, for good.
#[test]
fn no_process_ignores_signals_that_it_did_not_choose_to() {
    let text = "\
import subprocess
def application(environ, start_response):
    start_response('200 OK', [])
    return [subprocess.run(['cat', '/proc/self/status'], stdout=subprocess.PIPE).stdout]
";
    let directory = files(text);
    let seen = directory.path().join("seen");
    let hook = format!("exec:cp /proc/self/status '{}'", seen.display());
    let launch = launch(&directory).set("hook-asap", hook);
    let instance = launch.through(["python3", "-c", HEEDING_ALL]).start();
    assert_eq!(ignored(&body(&instance, "/")), [] as [u32; 0], "what the application executes");
    assert_eq!(ignored(&fs::read_to_string(seen).expect("what the hook saw")), [] as [u32; 0], "what a hook executes");
    for process in instance.workers().iter().chain(&instance.zygotes()) {
        let status = fs::read_to_string(format!("/proc/{}/status", process.pid)).expect("its status");
        let of_python = [Signal::SIGPIPE as u32, Signal::SIGXFSZ as u32];
        assert_eq!(ignored(&status), of_python, "{process:?}");
    }
}

const WAITING: &str = "\
import os, multiprocessing, time

def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    if environ['PATH_INFO'] == '/hold':
        print('held', flush=True)
        # A fifo, which opens when the test writes to it.
        open('go').close()
    if environ['PATH_INFO'] == '/terminate':
        child = multiprocessing.get_context('fork').Process(target=time.sleep, args=(1000,))
        child.start()
        child.terminate()
        child.join()
        return [b'ended with %d' % child.exitcode]
    return [b'worker %d' % os.getpid()]
";

/// An init that tells all processes of a service, as systemd does by default, or an operator with pkill.
#[test]
fn a_signal_to_all_processes_cuts_no_request() {
    for (signal, threads, stops) in [
        (Signal::SIGTERM, 1, true),
        (Signal::SIGTERM, 2, true),
        (Signal::SIGHUP, 1, false),
        (Signal::SIGUSR2, 1, false),
    ] {
        let directory = files(WAITING);
        let gate = Gate::at(directory.path().join("go"));
        let mut instance = launch(&directory).set("threads", threads).set("workers", 2).start();
        instance.expect_log("the application must be thread-safe");
        std::thread::scope(|scope| {
            let held = scope.spawn(|| body(&instance, "/hold"));
            instance.log.wait_for("held");
            let (master, below): (Vec<_>, Vec<_>) =
                instance.processes().into_iter().partition(|one| one.pid == instance.pid());
            below.iter().chain(&master).for_each(|one| one.signal(signal));
            if signal == Signal::SIGHUP {
                instance.log.wait_for("reload done: generation 2 serves");
            }
            gate.open(b"");
            assert!(held.join().expect("a client").starts_with("worker "), "{signal}");
        });
        if stops {
            instance.ends_with(0);
        } else {
            assert!(body(&instance, "/").starts_with("worker "));
            instance.stop();
        }
    }
}

#[test]
fn a_signal_to_one_worker_replaces_it_when_it_is_free() {
    for threads in [1, 2] {
        let directory = files(WAITING);
        let mut instance = launch(&directory).set("threads", threads).start();
        instance.expect_log("the application must be thread-safe");
        let first = body(&instance, "/");
        instance.workers()[0].signal(Signal::SIGTERM);
        instance.log.wait_for("Respawned uWSGI worker 1 ");
        assert_ne!(body(&instance, "/"), first);
        assert_eq!(body(&instance, "/terminate"), "ended with -15", "what a worker forks takes signals as ever");
    }
}
