//! Whose certificates a collector may have (`otlp-certificate`, else the system's authorities): read from their file. The
//! exporter.

use std::fs::read;
use std::io::ErrorKind;
use std::path::PathBuf;

use super::settings::Settings;
use crate::tls::ClientSide;

/// Where systems keep the certificates of the authorities that they believe: Debian's and Alpine's, Fedora's, openSUSE's.
const OF_SYSTEMS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The client's side of TLS; `None`: the collector is spoken to without.
///
/// # Errors
/// There are no authorities that could be believed.
pub(super) fn client_side(settings: &Settings) -> Result<Option<ClientSide>, String> {
    if !settings.collector.is_secure {
        return Ok(None);
    }
    let given = settings.authorities.as_slice();
    let usual = OF_SYSTEMS.map(PathBuf::from);
    let candidates = if given.is_empty() { &usual } else { given };
    for path in candidates {
        match read(path) {
            Ok(bytes) => return ClientSide::of(&bytes).map(Some).map_err(|why| format!("{}: {why}", path.display())),
            Err(error) if error.kind() == ErrorKind::NotFound && given.is_empty() => {}
            Err(error) => return Err(format!("{}: {error}", path.display())),
        }
    }
    Err("this system has no certificates of authorities (Debian's ca-certificates); name a file of them with \
         otlp-certificate"
        .to_owned())
}
