//! Signatures with a private key, for announcements to routers. Text of a key and bytes in, no files. Pure; used in the master.

use std::fmt;

use rustls::SignatureScheme;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::Signer;

use crate::config::model::Digest;

/// A key that signs.
pub(crate) struct Seal(Box<dyn Signer>);

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// Of the text of a file.
    ///
    /// # Errors
    /// Why it is no key that can sign so.
    pub(crate) fn of(pem: &str, digest: Digest) -> Result<Seal, String> {
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|error| format!("it holds no private key: {error}"))?;
        let provider = rustls::crypto::ring::default_provider();
        let key =
            provider.key_provider.load_private_key(key).map_err(|error| format!("its key cannot be used: {error}"))?;
        // What uWSGI verifies: the older padding of RSA, and signatures of elliptic curves as OpenSSL writes them.
        let schemes = match digest {
            Digest::Sha256 => [SignatureScheme::RSA_PKCS1_SHA256, SignatureScheme::ECDSA_NISTP256_SHA256],
            Digest::Sha384 => [SignatureScheme::RSA_PKCS1_SHA384, SignatureScheme::ECDSA_NISTP384_SHA384],
            Digest::Sha512 => [SignatureScheme::RSA_PKCS1_SHA512, SignatureScheme::ECDSA_NISTP521_SHA512],
        };
        key.choose_scheme(&schemes).map(Seal).ok_or_else(|| "its key does not sign with that digest".to_owned())
    }

    /// The signature of bytes.
    ///
    /// # Errors
    /// What the library says.
    pub(crate) fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        self.0.sign(bytes).map_err(|error| error.to_string())
    }
}
