//! Which content codings a client takes, and which it likes best (RFC 9110 section 12.5.3). Pure.

/// A content coding that a file may lie beside itself in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Brotli (RFC 7932).
    Brotli,
    /// Zstandard (RFC 8878).
    Zstd,
    /// gzip (RFC 1952).
    Gzip,
}

impl Coding {
    /// All, the ones that make files smallest first.
    pub const ALL: [Coding; 3] = [Coding::Brotli, Coding::Zstd, Coding::Gzip];

    /// What `Content-Encoding` calls it.
    pub fn token(self) -> &'static str {
        match self {
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
            Coding::Gzip => "gzip",
        }
    }

    /// What the names of such files end in.
    pub fn suffix(self) -> &'static str {
        match self {
            Coding::Brotli => ".br",
            Coding::Zstd => ".zst",
            Coding::Gzip => ".gz",
        }
    }
}

/// The codings that the client takes, in the order in which they are to be tried; what it would rather have as it is,
/// none. `accepted`: `Accept-Encoding`.
pub fn acceptable(accepted: Option<&[u8]>) -> Vec<Coding> {
    let Some(header) = accepted else { return Vec::new() };
    let entries = || header.split(|byte| *byte == b',').filter_map(entry);
    let weight = |token: &[u8]| entries().find(|(name, _)| name.eq_ignore_ascii_case(token)).map(|(_, weight)| weight);
    let any = weight(b"*");
    let plain = weight(b"identity").unwrap_or(0);
    let mut all: Vec<(u16, Coding)> = Coding::ALL
        .into_iter()
        .filter_map(|coding| {
            let alias = (coding == Coding::Gzip).then(|| weight(b"x-gzip")).flatten();
            let weight = weight(coding.token().as_bytes()).or(alias).or(any)?;
            (weight > 0 && weight >= plain).then_some((weight, coding))
        })
        .collect();
    // Equal ones stay in our order.
    all.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    all.into_iter().map(|(_, coding)| coding).collect()
}

/// A coding and its weight in thousandths. A weight that cannot be read excludes the coding: nobody gets what he may not
/// understand.
fn entry(text: &[u8]) -> Option<(&[u8], u16)> {
    let mut parts = text.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let weight = parts.find_map(|part| part.strip_prefix(b"q=").or_else(|| part.strip_prefix(b"Q=")));
    Some((name, weight.map_or(1_000, |text| thousandths(text).unwrap_or(0))))
}

fn thousandths(text: &[u8]) -> Option<u16> {
    let (whole, fraction) = match text {
        [whole] => (whole, &[][..]),
        [whole, b'.', fraction @ ..] if fraction.len() <= 3 => (whole, fraction),
        _ => return None,
    };
    let digits = fraction.iter().chain(b"000").take(3);
    let parts = std::iter::once(whole).chain(digits);
    let value = parts.map(|digit| digit.is_ascii_digit().then(|| u16::from(digit - b'0')));
    let value = value.into_iter().try_fold(0_u16, |sum, digit| Some(sum * 10 + digit?))?;
    (value <= 1_000).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_likes_best_comes_first() {
        use Coding::{Brotli, Gzip, Zstd};
        for (header, expected) in [
            ("gzip", &[Gzip][..]),
            ("gzip, deflate, br, zstd", &[Brotli, Zstd, Gzip]),
            ("GZIP;q=1.0, br;q=0.5", &[Gzip, Brotli]),
            ("gzip;q=0", &[]),
            ("gzip;q=0.000, *", &[Brotli, Zstd]),
            ("*;q=0.1", &[Brotli, Zstd, Gzip]),
            ("x-gzip", &[Gzip]),
            ("x-gzipped, deflate, zebra", &[]),
            ("identity, gzip;q=0.5", &[]),
            ("identity;q=0, gzip;q=0.5", &[Gzip]),
            ("gzip;q=high, br; q=0.2", &[Brotli]),
            ("gzip;q=1.5", &[]),
            ("", &[]),
            (",;,", &[]),
        ] {
            assert_eq!(acceptable(Some(header.as_bytes())), expected, "{header}");
        }
        assert_eq!(acceptable(None), []);
    }
}
