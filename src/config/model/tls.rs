//! How a listening socket speaks TLS: its certificate and key, and whose certificates clients may show.
//!
//! Not for reading the files (`master::certificates`) nor for what they mean (`crate::tls`). Pure; the master fills in what
//! the files hold, the router uses it. Workers never see any of it.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// TLS on a listening socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// The file with the certificate, and those that lead from it to one that clients know.
    pub certificate: PathBuf,
    /// The file with its private key.
    pub key: PathBuf,
    /// The file with the certificates by which those of clients must be signed, if clients are asked for any.
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
    /// Whether clients without a certificate are refused.
    #[serde(default)]
    pub demands_certificate: bool,
    /// Other certificates, for clients that ask for these names (`sni`).
    #[serde(default)]
    pub named: Vec<NamedCertificate>,
    /// What the files hold; `None` until they are read.
    #[serde(default)]
    pub material: Option<Material>,
}

/// A certificate for clients that ask for a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedCertificate {
    /// The name in lower case; `*.` before it stands for one label.
    pub name: String,
    /// The file with the certificate, and those that lead from it to one that clients know.
    pub certificate: PathBuf,
    /// The file with its private key.
    pub key: PathBuf,
}

/// What the files of a certificate hold, as PEM (RFC 7468).
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Material {
    /// The certificates.
    pub certificate: String,
    /// The key.
    pub key: String,
    /// The certificates that sign those of clients.
    #[serde(default)]
    pub client_ca: Option<String>,
    /// Certificate and key of each name, in their order.
    #[serde(default)]
    pub named: Vec<(String, String)>,
}

/// Without the key, which must not get into any log.
impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Material")
    }
}

impl Tls {
    /// The files that it is read from.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let named = self.named.iter().flat_map(|named| [&named.certificate, &named.key]);
        [&self.certificate, &self.key].into_iter().chain(&self.client_ca).chain(named)
    }

    /// Whether it is about the same files.
    pub fn has_files_of(&self, other: &Tls) -> bool {
        (&self.certificate, &self.key, &self.client_ca, &self.named)
            == (&other.certificate, &other.key, &other.client_ca, &other.named)
    }
}
