//! The certificates of sockets that speak TLS: read by the master, which at the start is still root, and judged before
//! anything depends on them. Master only; what they mean is `crate::tls`.

use std::io::ErrorKind;

use super::upgrade::start_directory;
use crate::config::model::{Config, Listener, Material, Tls};
use crate::config::subject::Subject;
use crate::failure::StartFailure;
use crate::sys::certificates;
use crate::sys::clock::epoch_s;
use crate::tls;

/// Reads what the sockets of a configuration need. Where a file cannot be read any more, because the instance has become
/// another user since, what was read before stays (`now`: the configuration in force).
///
/// # Errors
/// When a file cannot be read or used, or a key does not belong to its certificate.
pub(super) fn read(config: &mut Config, now: Option<&Config>) -> Result<(), StartFailure> {
    if config.sockets.iter().all(|listener| listener.tls.is_none()) {
        return Ok(());
    }
    let start = start_directory().map_err(|error| StartFailure::system("tell the start directory", &error))?;
    for listener in &mut config.sockets {
        let Some(tls) = &listener.tls else { continue };
        let material = match certificates::read(tls, &start) {
            Ok(material) => material,
            Err((ErrorKind::PermissionDenied, problem)) => match known(tls, now) {
                Some(material) => {
                    log::warn!("{}: {problem}; the certificate stays as it was read before", listener.address);
                    material
                }
                None => return Err(failure(listener, problem)),
            },
            Err((_, problem)) => return Err(failure(listener, problem)),
        };
        tls::judge(tls, &material, listener.protocol).map_err(|problem| failure(listener, problem))?;
        if let Some(remark) = tls::remark(tls, &material, epoch_s()) {
            log::warn!("{}: {remark}", listener.address);
        }
        if let Some(tls) = &mut listener.tls {
            tls.material = Some(material);
        }
    }
    Ok(())
}

/// What the same files held when they were read before.
fn known(tls: &Tls, now: Option<&Config>) -> Option<Material> {
    let all = now?.sockets.iter().filter_map(|listener| listener.tls.as_ref());
    all.filter(|other| other.has_files_of(tls)).find_map(|other| other.material.clone())
}

fn failure(listener: &Listener, problem: String) -> StartFailure {
    StartFailure::configuration(problem).at(Subject::Socket(listener.address.clone()))
}
