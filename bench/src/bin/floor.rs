//! The floor: the least a pre-fork server can do for a request, so that a server's own cost can be told.
//!
//! N processes share one listening socket; each loops over accept4, read, write, close, without looking at the
//! request, and answers what the hello example answers, byte for byte as long. With `--keep-alive` each loops over
//! epoll_wait, read and write, and closes nothing by itself: the floor for HTTP connections that bring many requests.
//! The first process binds the socket and starts the others as itself with `--serve` and its pid, the socket being their
//! standard input. They end with it.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use lexopt::prelude::*;
use loadgen::client::Target;
use rustix::event::epoll;
use rustix::net::{AddressFamily, SocketFlags, SocketType, accept_with, bind, listen, socket_with, sockopt};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

/// The hello example's reply.
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world\n";
/// Holds any uwsgi header block, so that one read takes the request.
const REQUEST_BYTES_MAX: usize = 4 + 65_535;
/// The kernel cuts it to net.core.somaxconn.
const BACKLOG: i32 = 4096;
/// Events taken at once.
const EVENTS_MAX: usize = 64;
/// Stands for the listening socket among the events.
const LISTENER: u64 = u64::MAX;
const USAGE: &str = "usage: floor --socket PATH|HOST:PORT [--processes N] [--keep-alive]";

enum Role {
    /// Binds the socket and starts the processes that serve it.
    Parent { target: Target, processes: usize, keeps_alive: bool },
    /// Serves the socket that is its standard input.
    Serve { parent: i32, keeps_alive: bool },
}

fn main() -> ExitCode {
    let outcome = parse(lexopt::Parser::from_env()).and_then(|role| match role {
        Role::Parent { target, processes, keeps_alive } => {
            supervise(&target, processes, keeps_alive).map_err(|error| error.to_string())
        }
        Role::Serve { parent, keeps_alive } => {
            let serve = if keeps_alive { serve_kept } else { serve };
            end_with(parent).and_then(|()| serve(io::stdin().as_fd())).map_err(|error| error.to_string())
        }
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
    let (mut target, mut processes, mut parent, mut keeps_alive) = (None, 2, None, false);
    let mut read = || -> Result<(), lexopt::Error> {
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("serve") => parent = Some(arguments.value()?.parse()?),
                Long("keep-alive") => keeps_alive = true,
                Long("socket") => target = Some(arguments.value()?.parse()?),
                Long("processes") => processes = arguments.value()?.parse()?,
                other => return Err(other.unexpected()),
            }
        }
        Ok(())
    };
    read().map_err(|error| format!("{error}\n{USAGE}"))?;
    if let Some(parent) = parent {
        return Ok(Role::Serve { parent, keeps_alive });
    }
    let target = target.ok_or(USAGE)?;
    Ok(Role::Parent { target, processes, keeps_alive })
}

/// Starts the processes and waits until one ends, which it should not.
fn supervise(target: &Target, processes: usize, keeps_alive: bool) -> io::Result<()> {
    let listener = bound(target)?;
    let program = std::env::current_exe()?;
    let start = |_| -> io::Result<Child> {
        let more = keeps_alive.then_some("--keep-alive");
        let own = std::process::id().to_string();
        Command::new(&program).args(["--serve", &own]).args(more).stdin(Stdio::from(listener.try_clone()?)).spawn()
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

/// Has this process end with the one that started it, even if that has ended already.
fn end_with(parent: i32) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    match getppid() {
        Some(own) if own.as_raw_nonzero().get() == parent => Ok(()),
        _ => Err(io::Error::other("the process that started it has gone")),
    }
}

/// The bare loop. Returns only when the socket fails.
fn serve(listener: BorrowedFd<'_>) -> io::Result<()> {
    let mut request = vec![0; REQUEST_BYTES_MAX];
    loop {
        let connection = accept_with(listener, SocketFlags::CLOEXEC)?;
        // A client that went away is its own affair; the loop goes on.
        if rustix::io::read(&connection, &mut *request).is_ok_and(|count| count > 0) {
            let _sent = rustix::io::write(&connection, RESPONSE);
        }
    }
}

/// The same for connections that are kept. Returns only when the socket or epoll fails.
fn serve_kept(listener: BorrowedFd<'_>) -> io::Result<()> {
    // Another process may be faster at the same event.
    rustix::io::ioctl_fionbio(listener, true)?;
    let waiting = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&waiting, listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
    let mut request = vec![0; REQUEST_BYTES_MAX];
    let mut kept: HashMap<u64, OwnedFd> = HashMap::new();
    let mut events = Vec::with_capacity(EVENTS_MAX);
    loop {
        events.clear();
        epoll::wait(&waiting, rustix::buffer::spare_capacity(&mut events), None)?;
        for event in events.drain(..) {
            let token = event.data.u64();
            if token == LISTENER {
                let Ok(connection) = accept_with(listener, SocketFlags::CLOEXEC) else { continue };
                let token = connection.as_raw_fd() as u64;
                epoll::add(&waiting, &connection, epoll::EventData::new_u64(token), epoll::EventFlags::IN)?;
                kept.insert(token, connection);
                continue;
            }
            let Some(connection) = kept.get(&token) else { continue };
            // A client that went away is its own affair; the loop goes on.
            let count = rustix::io::read(connection, &mut *request).unwrap_or(0);
            let wrote = count > 0 && rustix::io::write(connection, RESPONSE).is_ok();
            if !wrote || is_the_last(&request[..count]) {
                kept.remove(&token);
            }
        }
    }
}

/// Whether a client of HTTP/1.0 asks, which waits for the end.
fn is_the_last(request: &[u8]) -> bool {
    request.split(|byte| *byte == b'\r').next().is_some_and(|line| line.ends_with(b"HTTP/1.0"))
}
