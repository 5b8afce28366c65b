//! Who asks, by Basic authentication (RFC 7617), and whether a list of users has them: lines of `htpasswd`. Pure.
//!
//! Passwords may be hashed by bcrypt (`htpasswd -B`), SHA-512-crypt and SHA-256-crypt (`openssl passwd -6`, `-5`), Apache's MD5
//! (`htpasswd -m`) or SHA-1 (`{SHA}`); one in plain text counts only where the line says so (`{PLAIN}`, as in nginx). Nothing
//! is compared in a time that tells how much of it was right.

#[cfg(feature = "passwords")]
mod apr1;
#[cfg(feature = "passwords")]
mod hashes;
mod same;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

#[cfg(feature = "passwords")]
use hashes::is_hashed_as;
pub(super) use same::is_same;

/// Whether hashed passwords are known: without, a file of users is of no use.
pub(super) const KNOWS_HASHES: bool = cfg!(feature = "passwords");

/// What a client says of itself: `NAME:PASSWORD`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) text: Vec<u8>,
    /// Where the colon is.
    colon: usize,
}

impl Credentials {
    pub(super) fn name(&self) -> &[u8] {
        &self.text[..self.colon]
    }

    fn password(&self) -> &[u8] {
        &self.text[self.colon + 1..]
    }
}

/// The credentials of an `Authorization` header; `None` if there are none of this kind.
pub(super) fn credentials(header: &[u8]) -> Option<Credentials> {
    let (scheme, encoded) = header.split_at_checked(header.iter().position(|byte| *byte == b' ')?)?;
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let text = STANDARD.decode(encoded.trim_ascii()).ok()?;
    let colon = text.iter().position(|byte| *byte == b':')?;
    Some(Credentials { text, colon })
}

/// Whether a list has these credentials. Lines without a colon are no users'; the first line of a name counts.
pub(super) fn is_among(list: &str, credentials: &Credentials) -> bool {
    let users = list.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let mut users = users.filter_map(|line| line.split_once(':'));
    let found = users.find(|(name, _)| name.as_bytes() == credentials.name());
    // Behind a second colon there may be a remark.
    found.is_some_and(|(_, hash)| fits(hash.split(':').next().unwrap_or_default(), credentials.password()))
}

/// Whether a password is the one of a hash. A hash of an unknown kind is nobody's.
fn fits(hash: &str, password: &[u8]) -> bool {
    match hash.strip_prefix("{PLAIN}") {
        Some(plain) => is_same(plain.as_bytes(), password),
        None => is_hashed_as(hash, password),
    }
}

#[cfg(not(feature = "passwords"))]
fn is_hashed_as(_hash: &str, _password: &[u8]) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Credentials {
        credentials(format!("Basic {}", STANDARD.encode(text)).as_bytes()).unwrap()
    }

    #[test]
    fn a_password_is_known_by_each_kind_of_hash() {
        // openssl passwd -6, -5, -apr1 (with salts of their own), htpasswd -nbB, htpasswd -nbs.
        let list = include_str!("users.txt");
        for kind in ["six", "six-rounds", "five", "apr", "bcrypt", "bcrypt-a", "sha", "plain"] {
            assert!(is_among(list, &of(&format!("{kind}:secret"))), "{kind}");
            assert!(!is_among(list, &of(&format!("{kind}:Secret"))), "{kind}");
            assert!(!is_among(list, &of(&format!("{kind}:"))), "{kind}");
        }
        for other in ["unknown:secret", "des:secret", "bare:secret", "empty:", "# six:secret"] {
            assert!(!is_among(list, &of(other)), "{other}");
        }
    }

    #[test]
    fn only_basic_credentials_are_read() {
        assert_eq!(credentials(b"basic YTpi").map(|found| found.name().to_vec()), Some(b"a".to_vec()));
        for header in ["", "Basic", "Bearer YTpi", "Basic ???", "Basic YWI=", "BasicYTpi"] {
            assert_eq!(credentials(header.as_bytes()), None, "{header}");
        }
        assert_eq!(of("a:b:c").password(), b"b:c");
    }
}
