//! Sockets of other instances, taken at the start (`zerg`). From then on they are the instance's like those that an init
//! system hands in: they outlive its reloads, and it does not end them. Master only.

use std::time::Duration;

use crate::config::model::{Address, Config, Listener};
use crate::failure::StartFailure;
use crate::sys::handing::take;
use crate::sys::listeners::BoundSocket;

/// How long a server may take, as in uWSGI.
const PATIENCE: Duration = Duration::from_secs(30);

/// The sockets of all servers that a configuration names, in its order.
///
/// # Errors
/// When one of the servers gives none, and the instance is not to start without (`zerg-fallback`).
pub(in crate::master) fn take_sockets(config: &Config) -> Result<Vec<BoundSocket>, StartFailure> {
    let mut all = Vec::new();
    for server in &config.zerg.from {
        match take_from(server, config) {
            Ok(sockets) => all.extend(sockets),
            Err(failure) if config.zerg.fallback => log::warn!("zerg-fallback: {}", failure.message),
            Err(failure) => return Err(failure),
        }
    }
    Ok(all)
}

fn take_from(server: &Address, config: &Config) -> Result<Vec<BoundSocket>, StartFailure> {
    let sockets = take(server, PATIENCE)
        .map_err(|error| StartFailure::new(crate::exit::Exit::Address, error.to_string()).about("zerg"))?;
    let mut bound = Vec::new();
    for socket in sockets {
        let number = std::os::fd::AsRawFd::as_raw_fd(&socket);
        let listener = Listener { protocol: config.zerg.protocol, ..Listener::on(Address::Inherited(number)) };
        let socket = BoundSocket::adopt(listener, socket, None, true)
            .map_err(|error| StartFailure::system(&format!("listen on a socket of {server}"), &error).about("zerg"))?;
        log::info!("rhinod zerg socket attached to {} (from {server})", socket.name);
        bound.push(socket);
    }
    Ok(bound)
}
