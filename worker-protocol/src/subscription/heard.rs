//! An announcement as a router reads it: strictly, since anybody may send a datagram. Whether its sender is believed is not
//! decided here. Pure; used in the router.

use thiserror::Error;

use super::{Announcement, Command, MODIFIER_SUBSCRIPTION, NOTIFY_BYTES_MAX, PACKET_BYTES_MAX, TEXT_BYTES_MAX};
use crate::decimal;
use crate::pairs::Block;
use crate::uwsgi::{HEADER_BYTES, Header};

/// Most pairs of a packet; uWSGI sends 14.
const PAIRS_MAX: usize = 32;

/// What a datagram says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard<'p> {
    /// What is to be done.
    pub command: Command,
    /// Who announces itself.
    pub announcement: Announcement<'p>,
    /// The moment of one that is signed: seconds since 1970, and one more for [`Command::Unsubscribe`].
    pub moment_s: Option<u64>,
    /// The signature, if there is one.
    pub signed: Option<Signed<'p>>,
}

/// A signature, and of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed<'p> {
    /// The bytes of all pairs before it.
    pub pairs: &'p [u8],
    /// Itself.
    pub signature: &'p [u8],
}

/// Why a datagram is no announcement.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Flaw {
    /// It is no packet with `modifier1` 224 that is exactly as long as it says, up to 4096 bytes.
    #[error("it is no packet of a subscription")]
    Packet,
    /// Its pairs are none, or far too many.
    #[error("its pairs cannot be read")]
    Pairs,
    /// What it needs is not there.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// The same is said twice: which one is meant?
    #[error("it has {0} twice")]
    Twice(&'static str),
    /// A value that cannot be.
    #[error("its {0} is not what that can be")]
    Value(&'static str),
    /// What follows the signature is signed by nobody.
    #[error("something follows its signature")]
    BehindSignature,
}

/// What is read of the pairs, in the order of uWSGI's.
const KNOWN: [&str; 14] = [
    "key",
    "address",
    "modifier1",
    "modifier2",
    "cores",
    "load",
    "weight",
    "backup",
    "sni_key",
    "sni_crt",
    "sni_ca",
    "notify",
    "unix",
    "sign",
];

impl<'p> Heard<'p> {
    /// Reads one. Pairs that nobody knows are left out.
    ///
    /// # Errors
    /// The first flaw.
    pub fn read(packet: &'p [u8]) -> Result<Heard<'p>, Flaw> {
        let header = Header::parse(packet).filter(|_| packet.len() <= PACKET_BYTES_MAX).ok_or(Flaw::Packet)?;
        let bytes = &packet[HEADER_BYTES..];
        if header.modifier1 != MODIFIER_SUBSCRIPTION || usize::from(header.datasize) != bytes.len() {
            return Err(Flaw::Packet);
        }
        let block = Block::parse(bytes, PAIRS_MAX).map_err(|_| Flaw::Pairs)?;
        let mut found: [Option<&'p [u8]>; KNOWN.len()] = [None; KNOWN.len()];
        for (name, value) in block.pairs() {
            if found[KNOWN.len() - 1].is_some() {
                return Err(Flaw::BehindSignature);
            }
            let Some(place) = KNOWN.iter().position(|known| known.as_bytes() == name) else { continue };
            if found[place].replace(value).is_some() {
                return Err(Flaw::Twice(KNOWN[place]));
            }
        }
        let text = |place: usize, bytes_max: usize| {
            found[place].map(|value| readable(value, bytes_max, KNOWN[place])).transpose()
        };
        let number =
            |place: usize| found[place].map_or(Ok(0), |value| decimal::parse(value).ok_or(Flaw::Value(KNOWN[place])));
        let small = |place: usize| u8::try_from(number(place)?).map_err(|_| Flaw::Value(KNOWN[place]));
        let announcement = Announcement {
            key: text(0, TEXT_BYTES_MAX)?.ok_or(Flaw::Missing("key"))?,
            address: text(1, TEXT_BYTES_MAX)?.ok_or(Flaw::Missing("address"))?,
            modifier1: small(2)?,
            modifier2: small(3)?,
            cores: number(4)?,
            load: number(5)?,
            weight: number(6)?,
            backup: number(7)?,
            sni: [text(8, PACKET_BYTES_MAX)?, text(9, PACKET_BYTES_MAX)?, text(10, PACKET_BYTES_MAX)?],
            notify: text(11, NOTIFY_BYTES_MAX)?,
        };
        let moment_s = found[12].map(|_| number(12)).transpose()?;
        let signed = found[13].map(|signature| {
            let last = 2 + KNOWN[13].len() + 2 + signature.len();
            Signed { pairs: &bytes[..bytes.len() - last], signature }
        });
        // uWSGI unsubscribes on whatever is not 0.
        let command =
            if header.modifier2 == Command::Subscribe.byte() { Command::Subscribe } else { Command::Unsubscribe };
        Ok(Heard { command, announcement, moment_s, signed })
    }
}

/// A text that can stand in a log, and that names something.
fn readable<'p>(value: &'p [u8], bytes_max: usize, what: &'static str) -> Result<&'p str, Flaw> {
    let text = std::str::from_utf8(value).map_err(|_| Flaw::Value(what))?;
    let fits = (1..=bytes_max).contains(&text.len()) && !text.chars().any(|c| c.is_control() || c.is_whitespace());
    if fits { Ok(text) } else { Err(Flaw::Value(what)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pairs::append;

    fn packet(pairs: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, value) in pairs {
            append(&mut bytes, 0, name.as_bytes(), value).expect("it fits");
        }
        Command::Subscribe.packet(bytes, None).expect("it fits")
    }

    #[test]
    fn what_is_written_is_read_the_same_signed_or_not() {
        let site = Announcement {
            key: "a.example",
            address: "127.0.0.1:7301",
            modifier1: 5,
            modifier2: 9,
            cores: 8,
            load: 2,
            weight: 3,
            backup: 1,
            sni: [None, Some("/c.pem"), None],
            notify: Some("/run/said"),
        };
        for command in [Command::Subscribe, Command::Unsubscribe] {
            let plain = command.packet(site.pairs(None).expect("pairs"), None).expect("a packet");
            assert_eq!(Heard::read(&plain), Ok(Heard { command, announcement: site, moment_s: None, signed: None }));
            let pairs = site.pairs(Some((7, command))).expect("pairs");
            let packet = command.packet(pairs.clone(), Some(b"sealed")).expect("a packet");
            let heard = Heard::read(&packet).expect("one that is signed");
            assert_eq!(heard.moment_s, Some(7 + u64::from(command.byte())));
            assert_eq!(heard.signed, Some(Signed { pairs: &pairs, signature: b"sealed" }));
        }
    }

    #[test]
    fn what_is_not_exactly_one_is_refused_and_says_why() {
        let whole = packet(&[("key", b"a"), ("address", b"/a")]);
        for length in 0..whole.len() {
            assert_eq!(Heard::read(&whole[..length]), Err(Flaw::Packet), "{length} bytes");
        }
        let with = |pairs: &[(&str, &[u8])]| Heard::read(&packet(pairs)).expect_err("it is none");
        let long = "x".repeat(256);
        for (flaw, found) in [
            (Flaw::Packet, Heard::read(&[&whole[..], b"x"].concat()).expect_err("too long")),
            (Flaw::Packet, Heard::read(&[&[0], &whole[1..]].concat()).expect_err("a request")),
            (Flaw::Missing("key"), with(&[("address", b"/a")])),
            (Flaw::Missing("address"), with(&[("key", b"a")])),
            (Flaw::Value("key"), with(&[("key", b""), ("address", b"/a")])),
            (Flaw::Value("key"), with(&[("key", long.as_bytes()), ("address", b"/a")])),
            (Flaw::Value("key"), with(&[("key", b"a\nb"), ("address", b"/a")])),
            (Flaw::Value("address"), with(&[("key", b"a"), ("address", b"\xff")])),
            (Flaw::Value("modifier1"), with(&[("key", b"a"), ("address", b"/a"), ("modifier1", b"256")])),
            (Flaw::Value("weight"), with(&[("key", b"a"), ("address", b"/a"), ("weight", b"-1")])),
            (Flaw::Twice("key"), with(&[("key", b"a"), ("address", b"/a"), ("key", b"b")])),
            (Flaw::BehindSignature, with(&[("key", b"a"), ("sign", b"s"), ("address", b"/a")])),
        ] {
            assert_eq!(found, flaw);
        }
        let unknown = packet(&[("key", b"a"), ("proto", b"http"), ("address", b"/a")]);
        assert!(Heard::read(&unknown).is_ok(), "what nobody knows is left out");
        let many: Vec<_> = (0..PAIRS_MAX + 1).map(|_| ("x", &b""[..])).collect();
        assert_eq!(with(&many), Flaw::Pairs);
    }
}
