//! Reading the files of a socket's certificate. Master, and `rhinod check`; what they hold means nothing here (`crate::tls`).

use std::io::ErrorKind;
use std::path::Path;

use crate::config::model::{Material, Tls};

/// Most bytes of one file: an authority with all that it has signed for is far smaller.
const BYTES_MAX: u64 = 4 << 20;

/// Reads the files that are meant from a directory.
///
/// # Errors
/// Which of them cannot be read, and why.
pub fn read(tls: &Tls, start: &Path) -> Result<Material, (ErrorKind, String)> {
    let read = |path: &Path| {
        let path = start.join(path);
        let too_long = path.metadata().is_ok_and(|found| found.len() > BYTES_MAX);
        let text = if too_long {
            Err(std::io::Error::other(format!("it has more than {BYTES_MAX} bytes")))
        } else {
            std::fs::read_to_string(&path)
        };
        text.map_err(|error| (error.kind(), format!("cannot read {}: {error}", path.display())))
    };
    Ok(Material {
        certificate: read(&tls.certificate)?,
        key: read(&tls.key)?,
        client_ca: tls.client_ca.as_deref().map(read).transpose()?,
        named: tls
            .named
            .iter()
            .map(|named| Ok((read(&named.certificate)?, read(&named.key)?)))
            .collect::<Result<_, _>>()?,
    })
}
