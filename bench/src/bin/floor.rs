//! The floor: the least a pre-fork server can do for a request, so that a server's own cost can be told.
//!
//! N processes share one listening socket; each loops over accept4, read, write, close, without looking at the
//! request, and answers what the hello example answers, byte for byte as long. The first process binds the socket and
//! starts the others as itself with `--serve`, the socket being their standard input. They end with it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use lexopt::prelude::*;
use rhinod_bench::client::Target;
use rustix::net::{AddressFamily, SocketFlags, SocketType, accept_with, bind, listen, socket_with, sockopt};
use rustix::process::{Signal, set_parent_process_death_signal};

/// The hello example's reply.
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world\n";
/// Holds any uwsgi header block, so that one read takes the request.
const REQUEST_BYTES_MAX: usize = 4 + 65_535;
/// The kernel cuts it to net.core.somaxconn.
const BACKLOG: i32 = 4096;
const USAGE: &str = "usage: floor --socket PATH|HOST:PORT [--processes N]";

enum Role {
    /// Binds the socket and starts the processes that serve it.
    Parent { target: Target, processes: usize },
    /// Serves the socket that is its standard input.
    Serve,
}

fn main() -> ExitCode {
    let outcome = parse(lexopt::Parser::from_env()).and_then(|role| match role {
        Role::Parent { target, processes } => supervise(&target, processes).map_err(|error| error.to_string()),
        Role::Serve => serve(io::stdin().as_fd()).map_err(|error| error.to_string()),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("floor: {message}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut arguments: lexopt::Parser) -> Result<Role, String> {
    let (mut target, mut processes) = (None, 2);
    let mut read = || -> Result<bool, lexopt::Error> {
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("serve") => return Ok(true),
                Long("socket") => target = Some(arguments.value()?.parse()?),
                Long("processes") => processes = arguments.value()?.parse()?,
                other => return Err(other.unexpected()),
            }
        }
        Ok(false)
    };
    if read().map_err(|error| format!("{error}\n{USAGE}"))? {
        return Ok(Role::Serve);
    }
    let target = target.ok_or(USAGE)?;
    Ok(Role::Parent { target, processes })
}

/// Starts the processes and waits until one ends, which it should not.
fn supervise(target: &Target, processes: usize) -> io::Result<()> {
    let listener = bound(target)?;
    let program = std::env::current_exe()?;
    let start = |_| -> io::Result<Child> {
        Command::new(&program).arg("--serve").stdin(Stdio::from(listener.try_clone()?)).spawn()
    };
    let mut children = (0..processes).map(start).collect::<io::Result<Vec<_>>>()?;
    let Some(first) = children.first_mut() else { return Ok(()) };
    let status = first.wait()?;
    Err(io::Error::other(format!("a process ended: {status}")))
}

fn bound(target: &Target) -> io::Result<OwnedFd> {
    match target {
        Target::Unix(path) => {
            remove_stale(path)?;
            let listener = UnixListener::bind(path)?;
            // A second listen only changes the queue's length, which std fixes at 128 on older versions.
            listen(&listener, BACKLOG)?;
            Ok(listener.into())
        }
        Target::Tcp(address) => {
            let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
            let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
            sockopt::set_socket_reuseaddr(&socket, true)?;
            bind(&socket, address)?;
            listen(&socket, BACKLOG)?;
            Ok(socket)
        }
    }
}

fn remove_stale(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The bare loop. Returns only when the socket fails.
fn serve(listener: BorrowedFd<'_>) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut request = vec![0; REQUEST_BYTES_MAX];
    loop {
        let connection = accept_with(listener, SocketFlags::CLOEXEC)?;
        // A client that went away is its own affair; the loop goes on.
        if rustix::io::read(&connection, &mut *request).is_ok_and(|count| count > 0) {
            let _sent = rustix::io::write(&connection, RESPONSE);
        }
    }
}
