//! The client's side of TLS 1.2 and 1.3: whose certificates it believes, and what makes of a connection one that is secret.
//!
//! Bytes and a connection in, no files. Pure; used in the exporter.

use std::io::{Read, Write};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A client that believes the certificates of some authorities.
#[derive(Debug)]
pub(crate) struct ClientSide(Arc<ClientConfig>);

impl ClientSide {
    /// Of the authorities in a text with certificates (PEM). Some of a system's may be of kinds that nobody believes any more.
    ///
    /// # Errors
    /// It has none that can be used.
    pub(crate) fn of(authorities: &[u8]) -> Result<Self, String> {
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(authorities).collect();
        let mut roots = RootCertStore::empty();
        let (usable, others) =
            roots.add_parsable_certificates(all.map_err(|error| format!("it is no text with certificates: {error}"))?);
        match (usable, others) {
            (0, 0) => Err("it has no certificate (a text that begins with -----BEGIN CERTIFICATE-----)".to_owned()),
            (0, others) => Err(format!("none of its {others} certificates can be used")),
            _ => {
                let provider = Arc::new(rustls::crypto::ring::default_provider());
                let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
                let config = versions.map_err(|error| error.to_string())?;
                Ok(Self(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
            }
        }
    }

    /// Speaks with a host over a connection to it. Hands are shaken with the first bytes.
    ///
    /// # Errors
    /// It has a name that no certificate can have.
    pub(crate) fn speak<S: Read + Write>(
        &self,
        host: &str,
        connection: S,
    ) -> Result<StreamOwned<ClientConnection, S>, String> {
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare).map_err(|error| format!("{host}: {error}"))?;
        let client = ClientConnection::new(Arc::clone(&self.0), name).map_err(|error| error.to_string())?;
        Ok(StreamOwned::new(client, connection))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> Vec<u8> {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name);
        std::fs::read(path).unwrap()
    }

    #[test]
    fn authorities_are_certificates_and_what_has_none_says_so() {
        assert!(ClientSide::of(&file("ca.crt")).is_ok());
        let why = |bytes: &[u8]| ClientSide::of(bytes).expect_err("no authorities");
        assert!(why(b"").contains("no certificate") && why(&file("server.key")).contains("no certificate"));
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(why(broken).contains("none of its 1"), "{}", why(broken));
        assert!(why(b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n").contains("no text"));
    }

    #[test]
    fn a_host_has_a_name_or_an_address() {
        let side = ClientSide::of(&file("ca.crt")).unwrap();
        let fits = |host: &str| side.speak(host, std::io::Cursor::new(Vec::new())).is_ok();
        assert!(fits("collector.example") && fits("127.0.0.1") && fits("[::1]"));
        assert!(!fits("") && !fits("a b"));
    }
}
