//! Operators and their master beside other users of the machine, who can listen under any abstract name and connect to any.

use std::io::{Read, Write, pipe};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use crate::harness::{Instance, Launch, PATIENCE};
use crate::reloading::{operator, reload};

/// The name under which the master with this pid listens for operators.
fn name_of(pid: i32) -> SocketAddr {
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
