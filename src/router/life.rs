//! A router's life, from its settings to the end of its loop. Runs in the router.

use std::io;
use std::sync::Arc;

use super::rounds::{Door, Router};
use super::settings::{SecureDoor, Settings};
use crate::exit::Exit;
use crate::sys::process::{adopt_descriptor, set_name};
use crate::sys::shared_memory::read_memory_file;
use crate::tls;
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
    let doors = settings.doors.iter().map(open).collect::<io::Result<Vec<_>>>()?;
    Router::new(doors, settings)
}

/// A socket to take connections from, with what its certificate makes of them.
fn open(door: &SecureDoor) -> io::Result<Door> {
    let SecureDoor { descriptor, name, protocol, tls } = door;
    let material = tls.material.as_ref().ok_or_else(|| io::Error::other(format!("{name} came without certificate")))?;
    let config = tls::server_side(tls, material, *protocol).map_err(io::Error::other)?;
    Ok(Door { socket: adopt_descriptor(*descriptor)?, protocol: *protocol, config: Arc::new(config) })
}
