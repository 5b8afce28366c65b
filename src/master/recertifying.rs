//! Certificates whose files have changed: read anew without a reload, and given to the routers, which lose no connection by
//! it. Master only; reading them is `certificates`.
//!
//! The key may be readable by root only, who the master is not any more once the instance has become another user: then what
//! was read at the start stays, and the log says so.

use std::io::ErrorKind;

use super::certificates::{self, Renewal};
use super::driver::Driver;
use super::upgrade::start_directory;
use crate::router::settings::Certified;
use crate::travel::CERTIFICATES;

impl Driver<'_> {
    /// Something has happened to the file of a certificate.
    pub(super) fn renew_certificates(&mut self) {
        let in_force = &mut self.in_force;
        let Renewal { renewed, refused } = match start_directory() {
            Ok(start) => certificates::renew(&mut in_force.config, &start),
            Err(error) => return log::error!("certificates cannot be read again: {error}"),
        };
        // Whoever renews a certificate changes several files, and each of them is heard of.
        for problem in refused.difference(&self.refused_certificates) {
            log::error!("{problem}; the certificate stays as it was before");
        }
        self.refused_certificates = refused;
        if renewed.is_empty() {
            return;
        }
        log::info!("the certificate of {} has changed and is shown from now on", renewed.join(", "));
        for tls in in_force.sockets.iter_mut().filter_map(|socket| socket.listener.tls.as_mut()) {
            tls.material = certificates::known(tls, Some(&in_force.config)).or(tls.material.take());
        }
        self.certify_routers();
    }

    /// Gives routers that run the certificates in force. Those that are executed later find them in their settings.
    pub(super) fn certify_routers(&self) {
        let sockets = self.in_force.sockets.iter();
        let certified = sockets.filter_map(|socket| {
            let tls = socket.listener.tls.clone()?;
            Some(Certified { name: socket.name.clone(), tls })
        });
        let packed = match CERTIFICATES.pack(&certified.collect::<Vec<_>>()) {
            Ok(packed) => packed,
            Err(error) => return log::error!("routers go on with the certificates that they have: {error}"),
        };
        for error in self.children.router_ears.certify(&packed).filter_map(Result::err) {
            // One that has gone meanwhile shows nothing.
            if error.kind() != ErrorKind::BrokenPipe {
                log::error!("a router goes on with the certificates that it has: {error}");
            }
        }
    }
}
