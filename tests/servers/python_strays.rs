//! Processes that an application makes and that outlive the instance: they hold what the instance held, and the next one
//! starts all the same.

use std::fs;

use crate::dialogue::tcp_address;
use crate::harness::{Gate, Instance, Launch, PATIENCE, Process, wait_until};
use crate::pythons::{launch_in, one};
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// A request forks a process that goes on by itself until the test opens the gate.
const FORKING: &str = "\
import os

def application(environ, start_response):
    if environ['PATH_INFO'] == '/fork' and os.fork() == 0:
        os.setsid()
        for stream in (0, 1, 2):
            os.dup2(os.open(os.devnull, os.O_RDWR), stream)
        open('gate').read()
        os._exit(0)
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'answered']
";

fn launch(directory: &TempDir, tcp: &str) -> Launch {
    let launch = launch_in(&one(), directory.path()).set("module", "forking");
    let socket = directory.path().join("app.sock");
    launch.set("socket", socket.display()).set("http-socket", tcp).set("workers", 2)
}

fn get(socket: &TempDir) -> Option<u16> {
    let target = loadgen::client::Target::Unix(socket.path().join("app.sock"));
    let packet = loadgen::packet::Request::get("/fork").to_uwsgi().expect("a packet");
    loadgen::client::exchange(&target, &packet, PATIENCE).ok()?.status()
}

/// Another instance starts on the addresses of one that has ended, of which a process is left.
fn next_starts(code: i32, end: impl Fn(&mut Instance, &[Process])) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("forking.py"), FORKING).expect("write the application");
    let gate = Gate::at(directory.path().join("gate"));
    let mut first = launch(&directory, "127.0.0.1:0").start();
    let address = tcp_address(&first).to_string();
    let all = first.processes();
    assert_eq!(get(&directory), Some(200));
    end(&mut first, &all);

    let second = launch(&directory, &address).start();
    assert_eq!(get(&directory), Some(200));
    second.signal(Signal::SIGTERM);
    for instance in [&first, &second] {
        let strays = || instance.processes();
        assert!(wait_until(|| strays().len() == 1), "not one process: {:?}\n{}", strays(), instance.log.tail());
    }
    // The second may come to the gate when the first has gone through.
    let gone = || {
        drop(gate.try_meet());
        first.processes().is_empty() && second.processes().is_empty()
    };
    assert!(wait_until(gone), "they are still there");
    first.ends_with(code);
    second.ends_with(0);
}

#[test]
fn a_process_that_outlives_a_stop_keeps_no_address() {
    next_starts(0, |first, _| {
        first.signal(Signal::SIGTERM);
        first.wait_exit();
    });
}

#[test]
fn a_process_that_outlives_a_killed_master_keeps_no_address() {
    next_starts(128 + Signal::SIGKILL as i32, |first, all| {
        first.expect_log("the master is gone");
        first.signal(Signal::SIGKILL);
        let gone = || all.iter().all(|process| !process.is_alive());
        assert!(wait_until(gone), "somebody stays without a master:\n{}", first.log.tail());
    });
}
