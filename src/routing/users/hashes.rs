//! Passwords by their hashes, as `htpasswd` and `openssl passwd` write them. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha_crypt::{PasswordVerifier as _, ShaCrypt};
use sha1::Digest as _;

use super::apr1;
use super::same::is_same;

/// Whether a password is the one of a hash. A hash of an unknown kind is nobody's.
pub(super) fn is_hashed_as(hash: &str, password: &[u8]) -> bool {
    if let Some(encoded) = hash.strip_prefix("{SHA}") {
        return STANDARD.decode(encoded).is_ok_and(|known| is_same(&known, &sha1::Sha1::digest(password)));
    }
    if let Some(salted) = hash.strip_prefix("$apr1$") {
        return salted
            .split_once('$')
            .is_some_and(|(salt, known)| is_same(known.as_bytes(), apr1::hash(password, salt.as_bytes()).as_bytes()));
    }
    if hash.starts_with("$2") {
        return bcrypt::verify(password, hash).unwrap_or(false);
    }
    (hash.starts_with("$5$") || hash.starts_with("$6$")) && ShaCrypt::default().verify_password(password, hash).is_ok()
}
