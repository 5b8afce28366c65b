//! The listening sockets of a configuration: opened, or shared with those that are open already. Master only.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd};

use crate::config::foresight::way::low_port;
use crate::config::ground::Access;
use crate::config::model::{Address, Config, Listener};
use crate::config::subject::Subject;
use crate::exit::Exit;
use crate::failure::StartFailure;
use crate::hindrance::explain;
use crate::sys::holder::{Holder, holder};
use crate::sys::identity::{self, Credentials};
use crate::sys::listeners::{BindOptions, BoundSocket, ListenError};
use crate::sys::process;

/// Opens the sockets of a configuration; those that are open already, and that clients still find, are shared.
///
/// # Errors
/// When one cannot be opened. Those that were opened before it are gone again then.
pub(super) fn open_sockets(config: &Config, open: &[BoundSocket]) -> Result<Vec<BoundSocket>, StartFailure> {
    let options = bind_options(config)?;
    let names: Vec<String> = config.sockets.iter().map(|listener| listener.address.to_string()).collect();
    // What was handed in stays, also when no line of the configuration names it.
    let unnamed = open.iter().filter(|socket| socket.activated && !names.contains(&socket.name));
    let mut sockets = unnamed.map(|socket| share(socket, &socket.listener)).collect::<Result<Vec<_>, _>>()?;
    for (listener, name) in config.sockets.iter().zip(&names) {
        let known = |socket: &&BoundSocket| {
            (socket.listener.address == listener.address && socket.is_at_its_name())
                || (socket.activated && socket.name == *name)
        };
        let socket = match open.iter().find(known) {
            Some(socket) => share(socket, listener),
            None => BoundSocket::bind(listener, &options).map_err(|error| blame(listener, error)),
        };
        match socket {
            Ok(socket) => sockets.push(socket),
            Err(failure) => {
                remove_fresh(&sockets, open);
                return Err(failure);
            }
        }
    }
    Ok(sockets)
}

/// Opens those sockets that are to be opened before privileges are dropped, as root has ports that others may not have.
///
/// # Errors
/// When one cannot be opened.
pub(super) fn open_early(config: &Config) -> Result<Vec<BoundSocket>, StartFailure> {
    let options = bind_options(config)?;
    let early = config.sockets.iter().filter(|one| one.early && matches!(one.address, Address::Tcp(_)));
    early.map(|listener| BoundSocket::bind(listener, &options).map_err(|error| blame(listener, error))).collect()
}

/// How the sockets of a configuration are to be.
pub(super) fn bind_options(config: &Config) -> Result<BindOptions, StartFailure> {
    Ok(BindOptions {
        backlog: config.backlog(),
        mode: config.chmod_socket,
        owner: config.chown_socket.as_deref().map(parse_owner).transpose()?,
        defer_accept: config.request.socket_timeout,
        tuning: config.socket_tuning.clone(),
        datagrams: false,
    })
}

/// What is to be told of an address that cannot be listened on.
fn blame(listener: &Listener, error: ListenError) -> StartFailure {
    let failure = |error: ListenError| at(listener, error);
    match (&listener.address, error) {
        (Address::Unix(path), ListenError::Refused(name, error)) => {
            let told = explain(path, Access::Write, &error);
            failure(ListenError::Refused(name, io::Error::new(error.kind(), told)))
        }
        (Address::Tcp(address), ListenError::Refused(name, error)) if error.kind() == ErrorKind::PermissionDenied => {
            failure(ListenError::Refused(name, error)).suggest(&low_port(address.port()))
        }
        (_, error) => failure(error),
    }
}

/// Adds who has the address, where that can be seen: root sees more than the user that the instance becomes.
pub(super) fn name_holder(failure: StartFailure) -> StartFailure {
    let Some(Subject::Socket(address)) = &failure.subject else { return failure };
    if failure.exit != Exit::Address {
        return failure;
    }
    match holder(address) {
        Some(Holder { pid, name }) if name.starts_with("rhinod") => {
            failure.suggest(&format!("process {pid} ({name}) has it: rhinod reload {pid} or rhinod stop {pid}"))
        }
        Some(Holder { pid, name }) => {
            failure.suggest(&format!("process {pid} ({name}) has it: stop that, or take another address"))
        }
        None => failure,
    }
}

/// Makes the queues what a configuration says: how long they are, whether TCP holds connections back before them, and what
/// the connections have that come from them.
pub(super) fn settle_queues(sockets: &[BoundSocket], config: &Config) -> Result<(), StartFailure> {
    for socket in sockets {
        let held = socket.defer_accept(config.request.socket_timeout);
        let tuned = held.and_then(|()| socket.tune(&config.socket_tuning));
        let set = tuned.and_then(|()| socket.set_backlog(config.backlog()));
        set.map_err(|error| StartFailure::system(&format!("set the queue of {}", socket.name), &error))?;
    }
    Ok(())
}

/// Whether a socket is one of these, by its address and its file.
pub(super) fn is_among(socket: &BoundSocket, others: &[BoundSocket]) -> bool {
    others.iter().any(|other| other.listener.address == socket.listener.address && other.file == socket.file)
}

/// Removes the files of sockets that are not among those that were open before.
pub(super) fn remove_fresh(sockets: &[BoundSocket], open: &[BoundSocket]) {
    for socket in sockets.iter().filter(|socket| !is_among(socket, open)) {
        // Best effort: what kept them from being used is what the operator must read.
        let _ = socket.remove_file();
    }
}

/// Whether every descriptor that is to be listened on (`fd://N`) is there, before anything of ours can have its number.
///
/// # Errors
/// The first one that is not.
pub(super) fn judge_inherited(config: &Config) -> Result<(), StartFailure> {
    for listener in &config.sockets {
        if let Address::Inherited(number) = listener.address {
            process::duplicate_descriptor(number)
                .map_err(|error| at(listener, ListenError::Refused(listener.address.to_string(), error)))?;
        }
    }
    Ok(())
}

/// Whether every descriptor that a configuration names to listen on (`fd://N`) is one that this instance has been
/// listening on from its start: by now any other number may be one of the master's own descriptors.
///
/// # Errors
/// The first one that is not.
pub(super) fn judge_inherited_later(config: &Config, open: &[BoundSocket]) -> Result<(), StartFailure> {
    for listener in &config.sockets {
        let is_open = || open.iter().any(|socket| socket.listener.address == listener.address);
        if matches!(listener.address, Address::Inherited(_)) && !is_open() {
            let failure = StartFailure::configuration(
                "what was inherited can only be named at the start, so that this needs a restart",
            );
            return Err(failure.at(Subject::Socket(listener.address.clone())));
        }
    }
    Ok(())
}

/// The sockets of socket activation (sd_listen_fds(3)): they begin at descriptor 3.
pub(super) fn activated_sockets() -> io::Result<Vec<BoundSocket>> {
    let count = i32::try_from(crate::sys::machine::activated_sockets()).unwrap_or(0);
    let adopt = |number: i32| {
        let descriptor = process::adopt_descriptor(3 + number)?;
        BoundSocket::adopt(Listener::on(Address::Inherited(3 + number)), descriptor, None, true)
    };
    (0..count).map(adopt).collect()
}

/// The socket on standard input, where whoever started the instance listens there (an Emperor for one that was asleep,
/// inetd). What is spoken on it is the `protocol`.
pub(super) fn input_socket(config: &Config) -> io::Result<Option<BoundSocket>> {
    let is_there = crate::sys::machine::inherited_sockets() > crate::sys::machine::activated_sockets();
    if !is_there || config.skip_zero {
        return Ok(None);
    }
    let socket = process::duplicate_descriptor(0)?;
    process::set_input(None)?;
    let address = Address::Inherited(socket.as_raw_fd());
    let listener = Listener { protocol: config.zerg.protocol, ..Listener::on(address) };
    BoundSocket::adopt(listener, socket, None, true).map(Some)
}

fn at(listener: &Listener, error: ListenError) -> StartFailure {
    StartFailure::from(error).at(Subject::Socket(listener.address.clone()))
}

fn share(socket: &BoundSocket, listener: &Listener) -> Result<BoundSocket, StartFailure> {
    let shared = socket
        .as_fd()
        .try_clone_to_owned()
        .and_then(|copy| BoundSocket::adopt(listener.clone(), copy, socket.file.clone(), socket.activated));
    shared.map_err(|error| StartFailure::system(&format!("go on listening on {}", socket.name), &error))
}

fn parse_owner(text: &str) -> Result<Credentials, StartFailure> {
    identity::resolve_owner(text).map_err(|error| StartFailure::from(error).about("chown-socket"))
}
