//! What certificates make of doors: at the beginning, and again when the master says that their files have changed. Who has
//! connected goes on with the certificate that he was shown. Router only; what a certificate means is `crate::tls`.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustls::ServerConfig;
use worker_protocol::wire::Protocol;

use super::doors::Door;
use super::settings::Certified;
use crate::config::model::Tls;
use crate::sys::shared_memory::read_memory_file;
use crate::tls;
use crate::travel::CERTIFICATES;

/// The server's side of TLS for a door.
///
/// # Errors
/// Its certificate cannot be used, which the master should have seen.
pub(super) fn secure(name: &str, tls: &Tls, protocol: Protocol) -> io::Result<Arc<ServerConfig>> {
    let material = tls.material.as_ref().ok_or_else(|| io::Error::other(format!("{name} came without certificate")))?;
    tls::server_side(tls, material, protocol).map(Arc::new).map_err(io::Error::other)
}

/// The master says what certificates are shown from now on.
pub(super) fn renew(doors: &mut [Door], beside: Vec<OwnedFd>) {
    if let Err(error) = beside.into_iter().next().map_or(Ok(()), |told| renew_by(doors, told)) {
        log::error!("the router goes on with the certificates that it has: {error}");
    }
}

fn renew_by(doors: &mut [Door], told: OwnedFd) -> io::Result<()> {
    let all: Vec<Certified> = CERTIFICATES.open(&read_memory_file(told)?).map_err(io::Error::other)?;
    for Certified { name, tls } in &all {
        for door in doors.iter_mut().filter(|door| door.name == *name && door.tls.is_some()) {
            door.tls = Some(secure(name, tls, door.protocol)?);
        }
    }
    Ok(())
}
