//! Operators and their master beside other users of the machine, who can listen under any abstract name and connect to any.

use std::io::{Read, Write, pipe};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::process::Command;

use nix::sys::signal::Signal;

use crate::harness::{Instance, Launch, PATIENCE, program_path, wait_until};
use crate::reloading::{misdeed, operator, reload, unsteady};

/// The name under which the master with this pid listens for operators.
pub(crate) fn name_of(pid: i32) -> SocketAddr {
    let counted_in = std::fs::read_link("/proc/self/ns/pid").expect("a namespace");
    SocketAddr::from_abstract_name(format!("rhinod/{}/{pid}", counted_in.display())).expect("a name")
}

fn with_pid_file(launch: Launch) -> Launch {
    let pid_file = launch.dir().join("pid").display().to_string();
    launch.set("pidfile", pid_file)
}

#[track_caller]
fn assert_it_answers(server: &Instance) {
    let status = operator(server, "status");
    let told = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(
        told.starts_with(&format!("serving: pid {},", server.pid())),
        "{status:?}; the log:\n{}",
        server.log.tail()
    );
}

#[test]
fn who_listens_under_a_masters_name_keeps_nobody_from_starting_and_is_not_believed() {
    let (stdin, mut go) = pipe().expect("a pipe");
    // The shell becomes the instance once it has read a line, so that its pid is known before.
    let launch = Launch::hello().stdin(stdin).through(["sh", "-c", "read line; exec \"$0\" \"$@\""]);
    let server = with_pid_file(launch).spawn();
    let squatter = UnixListener::bind_addr(&name_of(server.pid())).expect("a free name");
    go.write_all(b"\n").expect("the shell reads");
    server.log.wait_for("ready to serve");
    assert_it_answers(&server);
    reload(&server);
    // It was connected to, and hung up on before a word was said.
    let (mut asker, _) = squatter.accept().expect("a connection");
    asker.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut said = String::new();
    asker.read_to_string(&mut said).expect("it ends");
    assert_eq!(said, "");
}

#[test]
fn idle_connections_do_not_lock_an_operator_out() {
    let server = with_pid_file(Launch::hello()).start();
    let connect = || UnixStream::connect_addr(&name_of(server.pid())).expect("it listens");
    let mut idle: Vec<UnixStream> = (0..40).map(|_| connect()).collect();
    assert_it_answers(&server);
    // Who has been silent for longest has made room.
    idle[0].set_read_timeout(Some(PATIENCE)).expect("a timeout");
    assert_eq!(idle[0].read(&mut [0]).expect("it ends"), 0);
}

#[test]
fn who_has_asked_is_answered_however_many_come_behind_and_ask_nothing() {
    let server = with_pid_file(Launch::hello()).start();
    server.signal(Signal::SIGSTOP);
    let mut asks = UnixStream::connect_addr(&name_of(server.pid())).expect("it listens");
    asks.write_all(b"status\n").expect("it can be said");
    let _behind: Vec<UnixStream> =
        (0..40).map(|_| UnixStream::connect_addr(&name_of(server.pid())).expect("it listens")).collect();
    server.signal(Signal::SIGCONT);
    asks.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut told = String::new();
    asks.read_to_string(&mut told).expect("an answer");
    assert!(told.contains("\"pid\":"), "{told:?}");
}

#[test]
fn who_connects_and_asks_nothing_is_hung_up_on() {
    let server = with_pid_file(Launch::hello()).start();
    let mut idle = UnixStream::connect_addr(&name_of(server.pid())).expect("it listens");
    idle.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    assert_it_answers(&server);
    assert_eq!(idle.read(&mut [0]).expect("it ends"), 0);
    assert_it_answers(&server);
}

#[test]
fn who_waits_for_a_reload_can_be_told_that_there_still_is_one() {
    let server = unsteady().start();
    let says = |whether: &str| {
        let mut status = Command::new(program_path("rhinod"));
        status.args(["status", "--format", "json"]).arg(server.dir().join("pid"));
        let told = status.output().expect("execute rhinod").stdout;
        String::from_utf8_lossy(&told).contains(&format!("\"reloading\":{whether}"))
    };
    assert!(says("false"));
    misdeed(server.dir(), "load slow 1000");
    std::thread::scope(|scope| {
        scope.spawn(|| reload(&server));
        assert!(wait_until(|| says("true")), "{}", server.log.tail());
    });
    assert!(says("false"));
}
