//! What a certificate and its key make of a socket: the server's side of TLS 1.2 and 1.3, and what is wrong with them.
//!
//! Bytes and a time in, no files. Pure; used where a start, a reload or a check judges certificates, and in the router.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use thiserror::Error;

use crate::config::model::{Material, Protocol, Tls};

use super::chooser::Chooser;
use super::validity::{self, Validity};

/// Sessions that a router remembers, so that clients need not shake hands anew.
const SESSIONS_MAX: usize = 4_096;

/// What is wrong with a certificate, a key, or the certificates of an authority, and with which of the three files.
#[derive(Debug, Error)]
pub(crate) enum Fault {
    /// The file of the certificate.
    #[error("{0}")]
    Certificate(String),
    /// The file of the key.
    #[error("{0}")]
    Key(String),
    /// The file of the authority.
    #[error("{0}")]
    ClientCa(String),
    /// One of the files for a name: the how many-th, and which of the two.
    #[error("{1}")]
    Named(usize, Box<Fault>),
}

impl Fault {
    /// The file that it is about.
    fn path<'t>(&self, tls: &'t Tls) -> Option<&'t PathBuf> {
        match self {
            Fault::Certificate(_) => Some(&tls.certificate),
            Fault::Key(_) => Some(&tls.key),
            Fault::ClientCa(_) => tls.client_ca.as_ref(),
            Fault::Named(index, fault) => {
                let named = tls.named.get(*index)?;
                Some(if matches!(**fault, Fault::Key(_)) { &named.key } else { &named.certificate })
            }
        }
    }
}

/// The server's side, from what the files hold.
///
/// # Errors
/// What is wrong with one of the files, or that they do not belong together.
pub(crate) fn server_side(tls: &Tls, material: &Material, protocol: Protocol) -> Result<ServerConfig, Fault> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let own = Arc::new(certified(&material.certificate, &material.key, &provider)?);
    let named = tls.named.iter().zip(&material.named).enumerate().map(|(index, (named, (certificate, key)))| {
        let certified = certified(certificate, key, &provider).map_err(|fault| Fault::Named(index, Box::new(fault)));
        Ok((named.name.clone(), Arc::new(certified?)))
    });
    let chooser = Chooser { own, named: named.collect::<Result<_, Fault>>()? };
    let versions = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let versions = versions.map_err(|error| Fault::Key(error.to_string()))?;
    let clients = match &material.client_ca {
        None => versions.with_no_client_auth(),
        Some(authority) => versions.with_client_cert_verifier(verifier(authority, tls.demands_certificate, provider)?),
    };
    let mut config = clients.with_cert_resolver(Arc::new(chooser));
    config.session_storage = ServerSessionMemoryCache::new(SESSIONS_MAX);
    if protocol == Protocol::Http {
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
    }
    Ok(config)
}

/// Whether there is a server's side.
///
/// # Errors
/// What is wrong, and in which file.
pub(crate) fn judge(tls: &Tls, material: &Material, protocol: Protocol) -> Result<(), String> {
    let Err(fault) = server_side(tls, material, protocol) else { return Ok(()) };
    let path = fault.path(tls).map(|path| path.display().to_string()).unwrap_or_default();
    Err(format!("{path}: {fault}"))
}

/// What should be said of a certificate although it can be used: that it has expired, or is not valid yet.
pub(crate) fn remark(tls: &Tls, material: &Material, now_s: i64) -> Option<String> {
    let own = (&tls.certificate, &material.certificate);
    let named =
        tls.named.iter().zip(&material.named).map(|(named, (certificate, _))| (&named.certificate, certificate));
    let remarks = std::iter::once(own).chain(named).filter_map(|(path, certificate)| {
        let remark = validity_remark(certificate, now_s)?;
        Some(format!("{}: {remark}", path.display()))
    });
    Some(remarks.collect::<Vec<_>>().join("; ")).filter(|remarks| !remarks.is_empty())
}

/// A certificate and its key.
fn certified(certificate: &str, key: &str, provider: &CryptoProvider) -> Result<CertifiedKey, Fault> {
    let chain = certificates(certificate).map_err(Fault::Certificate)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| Fault::Key(key_problem(key, &error)))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => Fault::Key("the key does not belong to the certificate".to_owned()),
        rustls::Error::InvalidCertificate(problem) => Fault::Certificate(format!("the certificate is none: {problem}")),
        other => Fault::Key(format!("the key cannot be used: {other}")),
    })
}

fn validity_remark(certificate: &str, now_s: i64) -> Option<String> {
    let leaf = certificates(certificate).ok()?.into_iter().next()?;
    let Validity { not_before_s, not_after_s } = Validity::of(&leaf)?;
    match () {
        () if now_s > not_after_s => Some(format!("the certificate has expired on {}", validity::day(not_after_s))),
        () if now_s < not_before_s => {
            Some(format!("the certificate is not valid before {}", validity::day(not_before_s)))
        }
        () => None,
    }
}

fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match all {
        Ok(all) if all.is_empty() => {
            Err("it has no certificate (a text that begins with -----BEGIN CERTIFICATE-----)".to_owned())
        }
        Ok(all) => Ok(all),
        Err(error) => Err(format!("it is no text with certificates: {error}")),
    }
}

fn key_problem(text: &str, error: &pem::Error) -> String {
    match error {
        pem::Error::NoItemsFound if text.contains("ENCRYPTED PRIVATE KEY") => {
            "the key is protected by a pass phrase, which nobody is there to type; `openssl pkey` writes it without"
                .to_owned()
        }
        pem::Error::NoItemsFound => {
            "it has no private key (a text that begins with -----BEGIN PRIVATE KEY-----)".to_owned()
        }
        other => format!("it is no text with a key: {other}"),
    }
}

fn verifier(
    authority: &str,
    demands: bool,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, Fault> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(authority).map_err(Fault::ClientCa)? {
        roots
            .add(certificate)
            .map_err(|error| Fault::ClientCa(format!("a certificate in it cannot be used: {error}")))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = if demands { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|error| Fault::ClientCa(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> String {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name);
        std::fs::read_to_string(path).unwrap()
    }

    fn fault(certificate: &str, key: &str, client_ca: Option<&str>) -> Option<String> {
        let tls = Tls {
            certificate: "c".into(),
            key: "k".into(),
            client_ca: client_ca.map(Into::into),
            demands_certificate: true,
            named: Vec::new(),
            material: None,
        };
        let material = Material {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            client_ca: client_ca.map(ToOwned::to_owned),
            named: Vec::new(),
        };
        server_side(&tls, &material, Protocol::Http).err().map(|fault| format!("{fault:?}"))
    }

    #[test]
    fn a_certificate_and_its_key_make_a_server() {
        assert_eq!(fault(&file("server.crt"), &file("server.key"), None), None);
        assert_eq!(fault(&file("server.crt"), &file("server.key"), Some(&file("ca.crt"))), None);
    }

    #[test]
    fn what_is_wrong_is_said_of_the_file_that_it_is_wrong_with() {
        let (certificate, key) = (file("server.crt"), file("server.key"));
        for (fault, expected) in [
            (fault("", &key, None), "Certificate(\"it has no certificate"),
            (fault(&key, &key, None), "Certificate(\"it has no certificate"),
            (fault(&certificate, &certificate, None), "Key(\"it has no private key"),
            (fault(&certificate, &file("client.key"), None), "Key(\"the key does not belong to the certificate"),
            (
                fault(
                    &certificate,
                    "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n",
                    None,
                ),
                "Key(\"the key is protected by a pass phrase",
            ),
            (fault(&certificate, &key, Some("x")), "ClientCa(\"it has no certificate"),
        ] {
            assert!(fault.as_deref().is_some_and(|fault| fault.starts_with(expected)), "{fault:?} for {expected}");
        }
    }

    #[test]
    fn an_expired_certificate_is_remarked() {
        let in_2026_s = 1_780_000_000;
        assert_eq!(
            validity_remark(&file("expired.crt"), in_2026_s).as_deref(),
            Some("the certificate has expired on 2021-01-01")
        );
        let early = validity_remark(&file("expired.crt"), 0);
        assert_eq!(early.as_deref(), Some("the certificate is not valid before 2020-01-01"));
        assert_eq!(validity_remark(&file("server.crt"), 2_000_000_000), None);
    }

    #[test]
    fn a_key_is_never_shown() {
        let material = Material { key: file("server.key"), ..Material::default() };
        assert!(!format!("{material:?}").contains("BEGIN"));
    }
}
