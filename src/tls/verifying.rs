//! Whether a signature is that of a public key, for announcements that routers hear. Text of a key and bytes in, no files. Pure;
//! used in the router.

use rustls::SignatureScheme;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer};

use super::der::{SEQUENCE, element};
use crate::config::model::Digest;

/// The tag of the key itself.
const BIT_STRING: u8 = 0x03;

/// Judges a signature with a public key, the text of a file in PEM (RFC 7468, section 13), in the same ways as instances sign
/// ([`Seal`](super::Seal)).
///
/// # Errors
/// The key cannot be used, or the signature is not its.
pub(crate) fn verify(pem: &str, digest: Digest, bytes: &[u8], signature: &[u8]) -> Result<(), String> {
    let key = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes())
        .map_err(|error| format!("it holds no public key: {error}"))?;
    let (identifier, key) = parts(&key).ok_or("its public key is not of the form")?;
    let schemes = match digest {
        Digest::Sha256 => [SignatureScheme::RSA_PKCS1_SHA256, SignatureScheme::ECDSA_NISTP256_SHA256],
        Digest::Sha384 => [SignatureScheme::RSA_PKCS1_SHA384, SignatureScheme::ECDSA_NISTP384_SHA384],
        Digest::Sha512 => [SignatureScheme::RSA_PKCS1_SHA512, SignatureScheme::ECDSA_NISTP521_SHA512],
    };
    let known = rustls::crypto::ring::default_provider().signature_verification_algorithms.mapping;
    let of_scheme = known.iter().filter(|(scheme, _)| schemes.contains(scheme)).flat_map(|(_, ways)| ways.iter());
    let way: &dyn SignatureVerificationAlgorithm = *of_scheme
        .copied()
        .find(|way| way.public_key_alg_id().as_ref() == identifier)
        .as_ref()
        .ok_or("its key does not sign with that digest")?;
    way.verify_signature(key, bytes, signature).map_err(|_| "the signature is not of that key".to_owned())
}

/// The identifier of the algorithm, without the header of its list, and the key (RFC 5280, section 4.1).
fn parts(info: &[u8]) -> Option<(&[u8], &[u8])> {
    let (content, _) = element(info, SEQUENCE)?;
    let (identifier, rest) = element(content, SEQUENCE)?;
    let (key, _) = element(rest, BIT_STRING)?;
    // No bit of its last byte is left over.
    Some((identifier, key.strip_prefix(&[0])?))
}

#[cfg(test)]
mod tests {
    use super::super::Seal;
    use super::*;

    const PRIVATE: &str = include_str!("../../tests/data/tls/announcer.key");
    const PUBLIC: &str = include_str!("../../tests/data/tls/announcer.pub");

    #[test]
    fn what_a_key_has_signed_its_public_half_confirms_and_nothing_else() {
        for digest in [Digest::Sha256, Digest::Sha384, Digest::Sha512] {
            let signature = Seal::of(PRIVATE, digest).and_then(|seal| seal.sign(b"pairs")).expect("a signature");
            assert_eq!(verify(PUBLIC, digest, b"pairs", &signature), Ok(()));
            assert!(verify(PUBLIC, digest, b"pairS", &signature).is_err());
            assert!(verify(PUBLIC, digest, b"pairs", &signature[1..]).is_err());
            let other = if digest == Digest::Sha256 { Digest::Sha512 } else { Digest::Sha256 };
            assert!(verify(PUBLIC, other, b"pairs", &signature).is_err());
        }
    }

    #[test]
    fn a_file_that_is_no_public_key_is_said_to_be_none() {
        let said = |pem: &str| verify(pem, Digest::Sha256, b"", b"").expect_err("no key");
        assert!(said(PRIVATE).contains("it holds no public key"), "{}", said(PRIVATE));
        assert!(said("").contains("it holds no public key"));
        let none = "-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n";
        assert!(said(none).contains("not of the form"), "{}", said(none));
    }
}
