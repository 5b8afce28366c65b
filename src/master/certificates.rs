//! The certificates of sockets that speak TLS: read by the master, which at the start is still root, and judged before
//! anything depends on them; read again when their files change. Master only; what they mean is `crate::tls`.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::upgrade::start_directory;
use crate::config::model::{Config, Listener, Material, Tls, Watch, WatchEffect};
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

/// What has become of certificates whose files may have changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Renewal {
    /// The sockets that have another one now.
    pub(super) renewed: Vec<String>,
    /// Why others stay as they were before.
    pub(super) refused: BTreeSet<String>,
}

/// Reads certificates again. One that cannot be read or used, or does not fit its key, stays as it was.
pub(super) fn renew(config: &mut Config, start: &Path) -> Renewal {
    let mut renewal = Renewal::default();
    for Listener { address, protocol, tls, .. } in &mut config.sockets {
        let Some(tls) = tls else { continue };
        let read = certificates::read(tls, start).map_err(|(_, problem)| problem);
        match read.and_then(|material| tls::judge(tls, &material, *protocol).map(|()| material)) {
            Err(problem) => drop(renewal.refused.insert(problem)),
            Ok(material) if tls.material.as_ref() == Some(&material) => {}
            Ok(material) => {
                if let Some(remark) = tls::remark(tls, &material, epoch_s()) {
                    log::warn!("{address}: {remark}");
                }
                tls.material = Some(material);
                renewal.renewed.push(address.to_string());
            }
        }
    }
    renewal
}

/// Whether the sockets of one show other certificates than those of the other.
pub(super) fn differ(one: &Config, other: &Config) -> bool {
    fn materials(config: &Config) -> impl Iterator<Item = &Material> {
        config.sockets.iter().filter_map(|listener| listener.tls.as_ref()?.material.as_ref())
    }
    !materials(one).eq(materials(other))
}

/// The files that are watched for the sake of certificates.
///
/// # Errors
/// Nobody can tell from where the names of files are meant.
pub(super) fn watched(config: &Config) -> io::Result<Vec<Watch>> {
    let all = || config.sockets.iter().filter_map(|listener| listener.tls.as_ref());
    if all().next().is_none() {
        return Ok(Vec::new());
    }
    let start = start_directory()?;
    let files: BTreeSet<_> = all().flat_map(Tls::files).map(|file| start.join(file)).collect();
    let watch = |path| Watch { path, effect: WatchEffect::RenewCertificates, any_event: true };
    Ok(files.into_iter().map(watch).collect())
}

/// What the same files held when they were read before.
pub(super) fn known(tls: &Tls, now: Option<&Config>) -> Option<Material> {
    let all = now?.sockets.iter().filter_map(|listener| listener.tls.as_ref());
    all.filter(|other| other.has_files_of(tls)).find_map(|other| other.material.clone())
}

fn failure(listener: &Listener, problem: String) -> StartFailure {
    StartFailure::configuration(problem).at(Subject::Socket(listener.address.clone()))
}
