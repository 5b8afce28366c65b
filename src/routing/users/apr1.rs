//! Apache's hash of passwords, a thousand rounds of MD5 (Apache's manual, "Password Formats"): weak by today's measure, and
//! what most files of users hold. Pure.

use md5::{Digest as _, Md5};

/// Most bytes of a salt that count.
const SALT_BYTES_MAX: usize = 8;

const ROUNDS: usize = 1_000;

const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Which bytes of the digest make four letters together.
const GROUPS: [[usize; 3]; 5] = [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]];

/// The hash of a password with this salt, as it stands behind the last `$`.
pub(super) fn hash(password: &[u8], salt: &[u8]) -> String {
    let salt = &salt[..salt.len().min(SALT_BYTES_MAX)];
    let mut digest = begin(password, salt);
    for round in 0..ROUNDS {
        let mut next = Md5::new();
        if round % 2 == 1 {
            next.update(password)
        } else {
            next.update(digest)
        };
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        if round % 2 == 1 {
            next.update(digest)
        } else {
            next.update(password)
        };
        digest = next.finalize().into();
    }
    letters(&digest)
}

fn begin(password: &[u8], salt: &[u8]) -> [u8; 16] {
    let inner: [u8; 16] = Md5::new().chain_update(password).chain_update(salt).chain_update(password).finalize().into();
    let mut first = Md5::new().chain_update(password).chain_update(b"$apr1$").chain_update(salt);
    password.chunks(inner.len()).for_each(|part| first.update(&inner[..part.len()]));
    let mut bits = password.len();
    while bits > 0 {
        first.update(if bits & 1 == 1 { &[0] } else { &password[..1] });
        bits >>= 1;
    }
    first.finalize().into()
}

fn letters(digest: &[u8; 16]) -> String {
    let mut text = String::with_capacity(22);
    let mut push = |mut bits: u32, count: usize| {
        for _ in 0..count {
            text.push(char::from(ALPHABET[(bits & 63) as usize]));
            bits >>= 6;
        }
    };
    for [high, middle, low] in GROUPS {
        push(u32::from_be_bytes([0, digest[high], digest[middle], digest[low]]), 4);
    }
    push(u32::from(digest[11]), 2);
    text
}
