//! Threads that an application starts while it is loaded: where they run, beside whom, and until when.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use crate::harness::{Gate, Instance, Launch, Process, wait_until};
use crate::pythons::{Python, launch_in, one, supported};
use crate::reloading::{goes, reload};
use loadgen::packet::Request;
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// One thread that answers whoever connects with its process, and one that is always busy. A request asks the first one, and
/// tells of it, of its own parent, and of how many threads there are in the worker.
const JOBS: &str = "\
import os, socket, threading, uwsgi

PATH = 'thread-%d.sock' % os.getpid()
LISTENER = socket.socket(socket.AF_UNIX)
LISTENER.bind(PATH)
LISTENER.listen(100)

def refresh():
    while True:
        peer, _ = LISTENER.accept()
        peer.sendall(b'%d %d' % (os.getpid(), uwsgi.worker_id()))
        peer.close()

def compute():
    while True:
        sum(range(1000))

threading.Thread(target=refresh, name='background refresh', daemon=True).start()
threading.Thread(target=compute, name='computation', daemon=True).start()

def application(environ, start_response):
    if environ['PATH_INFO'] == '/hold':
        start_response('200 OK', [])
        with open('gate') as gate:
            return [b'released' + gate.read().encode()]
    with socket.socket(socket.AF_UNIX) as asked:
        asked.connect(PATH)
        told = asked.recv(100).decode()
    start_response('200 OK', [])
    return [('%s %d %d' % (told, os.getppid(), threading.active_count())).encode()]
";

const TOLD: &str = "threads while it was loaded";

fn files() -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("jobs.py"), JOBS).expect("write the application");
    directory
}

fn launch(python: &Python, directory: &TempDir) -> Launch {
    launch_in(python, directory.path()).set("module", "jobs")
}

/// A request: its thread answered from `zygote`, as nobody's worker; and none came along into the worker.
#[track_caller]
fn assert_answered_by(zygote: &Process, instance: &Instance) {
    let answer = String::from_utf8_lossy(instance.get("/").body()).into_owned();
    assert_eq!(answer, format!("{0} 0 {0} 1", zygote.pid), "the log:\n{}", instance.log.tail());
}

fn zygote(instance: &Instance) -> Process {
    let [zygote] = <[Process; 1]>::try_from(instance.zygotes()).expect("one zygote");
    zygote
}

#[test]
fn threads_of_the_loading_run_once_in_the_zygote_beside_forks_and_are_named() {
    for python in supported() {
        let directory = files();
        let mut instance = launch(python, &directory).start();
        let line = instance.wait_for_expected(TOLD).text;
        for word in ["(2: ", "background refresh", "computation", "zygote", "postfork", "lazy-apps"] {
            assert!(line.contains(word), "{word}: {line}");
        }
        let zygote = zygote(&instance);
        assert_answered_by(&zygote, &instance);
        // Forks beside threads that run, of which the busy one is always in the middle of something.
        instance.expect_log("killed by signal 9");
        for nth in 1..=3 {
            instance.workers()[0].signal(Signal::SIGKILL);
            assert!(wait_until(|| instance.log.lines_with("killed by signal 9").len() == nth));
            assert_answered_by(&zygote, &instance);
        }
    }
}

/// What asks a thread, and has no answer yet.
fn ask(path: &PathBuf) -> UnixStream {
    let stream = UnixStream::connect(path).expect("connect to the thread");
    stream.set_nonblocking(true).expect("a flag");
    stream
}

fn is_answered(mut stream: UnixStream) -> bool {
    match stream.read(&mut [0; 100]) {
        Ok(bytes) => bytes > 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

#[test]
fn threads_of_a_replaced_generation_stand_still_while_its_last_workers_finish() {
    let directory = files();
    let launch = launch(&one(), &directory);
    let pid_file = launch.dir().join("pid");
    let mut instance = launch.set("pidfile", pid_file.display()).start();
    instance.expect_log(TOLD);
    let old = zygote(&instance);
    let gate = Gate::at(directory.path().join("gate"));
    let mut held = UnixStream::connect(instance.socket()).expect("connect");
    held.write_all(&Request::get("/hold").to_uwsgi().expect("a packet")).expect("send the request");
    let gate = gate.meet();
    reload(&instance);

    let new = instance.zygotes().into_iter().find(|zygote| zygote.pid != old.pid).expect("the new zygote");
    let path = directory.path().join(format!("thread-{}.sock", old.pid));
    let old_answers = || {
        let asked = ask(&path);
        (0..3).for_each(|_| assert_answered_by(&new, &instance));
        is_answered(asked)
    };
    assert!(wait_until(|| !old_answers()), "the job runs twice");
    assert!(!(0..5).any(|_| old_answers()), "it stands still and goes on again");
    drop(gate);
    let mut reply = String::new();
    held.read_to_string(&mut reply).expect("the answer");
    assert!(reply.ends_with("released"), "{reply}");
    assert!(goes(&old), "the zygote stays behind:\n{}", instance.log.tail());
}
