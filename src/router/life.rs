//! A router's life, from its settings to the end of its loop. Runs in the router.

use std::io;

use worker_protocol::wire::Protocol;

use super::announced::Table;
#[cfg(feature = "tls")]
use super::certificates::secure;
use super::conversation::Terms;
use super::doors::Door;
use super::hearing::Ears;
use super::nodes::Nodes;
use super::rounds::Router;
use super::settings::{Listening, RoutedDoor, Settings};
use super::telling::Telling;
use super::whom::Whom;
use crate::config::model::{Address, Routers};
use crate::exit::Exit;
use crate::sys::control::ControlSocket;
use crate::sys::machine::host_name;
use crate::sys::process::{adopt_descriptor, set_name};
use crate::sys::shared_memory::read_memory_file;
use crate::travel::ROUTER;

/// Lives as a router whose settings are behind this descriptor. The code to end with.
pub(crate) fn run(number: i32) -> i32 {
    set_name("rhinod router");
    match begin(number).and_then(|router| router.run()) {
        Ok(()) => 0,
        Err(error) => {
            log::error!("the router ends: {error}");
            i32::from(Exit::System.code())
        }
    }
}

fn begin(number: i32) -> io::Result<Router> {
    let settings = read_memory_file(adopt_descriptor(number)?)?;
    let settings: Settings = ROUTER.open(&settings).map_err(io::Error::other)?;
    crate::logging::stamp_lines(&settings.logging);
    let control = ControlSocket::from_owned(adopt_descriptor(settings.control)?);
    let introduces = settings.http.proxy_protocol;
    let doors = settings.doors.iter().map(|door| open(door, introduces)).collect::<io::Result<Vec<_>>>()?;
    let telling = settings.telling.as_ref().map(Telling::new).transpose()?;
    let Settings { gates, routers, http, limits, added, listening, .. } = settings;
    let ears = listening.map(|listening| open_ears(&listening, &routers)).transpose()?;
    let asks_own = routers.to.is_empty() && (ears.is_none() || routers.hearing.falls_to_workers);
    let own = gates.iter().find(|gate| asks_own && gate.protocol == Protocol::Uwsgi);
    let own = own.map(|gate| Address::Abstract(gate.name.clone()));
    let fixed = own.into_iter().chain(routers.to.iter().cloned()).collect();
    let whom = Whom {
        fixed: Nodes::new(fixed, routers.grace),
        announced: ears.as_ref().map(|_| Table::new(&routers.hearing, routers.grace)),
    };
    let terms = Terms {
        limits,
        routers,
        keep_alive: http.keep_alive,
        names_server: http.names_server,
        server_name: host_name(),
        added,
        is_leaving: false,
    };
    Router::new(doors, control, gates, whom, terms, std::env::temp_dir(), telling, ears)
}

/// Where instances announce themselves.
fn open_ears(listening: &Listening, routers: &Routers) -> io::Result<Ears> {
    let sockets = listening.sockets.iter().map(|number| adopt_descriptor(*number)).collect::<io::Result<_>>()?;
    Ears::new(sockets, adopt_descriptor(listening.journal)?, routers.hearing.clone())
}

/// A socket to take connections from, with what its certificate makes of them.
fn open(door: &RoutedDoor, introduces: bool) -> io::Result<Door> {
    let RoutedDoor { descriptor, name, protocol, reads_requests, to_https, .. } = door;
    Ok(Door {
        name: name.clone(),
        socket: adopt_descriptor(*descriptor)?,
        protocol: *protocol,
        introduces: introduces && *protocol == Protocol::Http,
        reads_requests: *reads_requests,
        to_https: *to_https,
        #[cfg(feature = "tls")]
        tls: door.tls.as_ref().map(|tls| secure(name, tls, *protocol)).transpose()?,
    })
}
