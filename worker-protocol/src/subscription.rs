//! The datagram by which an instance announces itself to a router: packets with `modifier1` 224 (uWSGI's manual, "The uWSGI
//! subscription server"). Pure; written in the master of the instance, read (`heard`) in the router.
//!
//! `modifier2` says whether requests are to come or not any more. The pairs are text, in the order in which uWSGI sends them;
//! what is signed are the bytes of all pairs before the signature, which comes last.
//!
//! ```
//! use worker_protocol::subscription::{Announcement, Command, Flaw, Heard, Signed, Unfit};
//!
//! let site = Announcement { key: "a.example", address: "127.0.0.1:7301", cores: 1, ..Announcement::default() };
//! let pairs = site.pairs(None)?;
//! let packet = Command::Subscribe.packet(pairs, None)?;
//! assert_eq!(packet[..4], [0xe0, 0x63, 0, 0]);
//! assert_eq!(Announcement { key: "", ..site }.pairs(None), Err(Unfit::Key));
//!
//! // The router.
//! let heard: Heard<'_> = Heard::read(&packet)?;
//! let signed: Option<Signed<'_>> = heard.signed;
//! assert_eq!((heard.announcement.key, signed), ("a.example", None));
//! assert_eq!(Heard::read(b"no packet"), Err(Flaw::Packet));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod heard;

use thiserror::Error;

pub use self::heard::{Flaw, Heard, Signed};
use crate::pairs::append;
use crate::uwsgi::Header;

/// `modifier1` of a subscription.
pub const MODIFIER_SUBSCRIPTION: u8 = 224;

/// Most bytes that a router reads of one.
pub const PACKET_BYTES_MAX: usize = 4096;

/// Most bytes of a key or an address: longer ones destroy the memory of a uWSGI that is the router.
const TEXT_BYTES_MAX: usize = 255;

/// Most bytes of the address to which a router sends that it knows an instance now.
const NOTIFY_BYTES_MAX: usize = 101;

/// What a router is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Requests may come.
    Subscribe,
    /// None may come any more.
    Unsubscribe,
}

/// What an instance says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Announcement<'a> {
    /// The pool that it joins, such as the name of a site.
    pub key: &'a str,
    /// Where the router is to connect.
    pub address: &'a str,
    /// What the router puts into the packets of its requests.
    pub modifier1: u8,
    /// The same.
    pub modifier2: u8,
    /// Requests that it can have at once.
    pub cores: u64,
    /// Connections that wait.
    pub load: u64,
    /// Its part of the requests, compared with others.
    pub weight: u64,
    /// 0: it is asked like all others; else only while nobody with a lower number can be. Of uWSGI 2.1; 2.0 ignores it.
    pub backup: u64,
    /// Files on the router's machine for those who come by TLS: key, certificate, authority.
    pub sni: [Option<&'a str>; 3],
    /// To which address the router sends that it knows the instance now.
    pub notify: Option<&'a str>,
}

/// Why there is no packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unfit {
    /// The key is empty, or too long for a router.
    #[error("a key has 1 to 255 bytes")]
    Key,
    /// The address is empty, or too long for a router.
    #[error("an address has 1 to 255 bytes")]
    Address,
    /// The address for what a router says is empty or too long.
    #[error("an address to be notified at has 1 to 101 bytes")]
    Notify,
    /// All together is more than a router reads.
    #[error("an announcement has at most 4096 bytes")]
    Packet,
}

impl Command {
    /// `modifier2`.
    pub fn byte(self) -> u8 {
        match self {
            Command::Subscribe => 0,
            Command::Unsubscribe => 1,
        }
    }

    /// The datagram of these pairs, with the signature of them if they are signed.
    ///
    /// # Errors
    /// It is too long.
    pub fn packet(self, mut pairs: Vec<u8>, signature: Option<&[u8]>) -> Result<Vec<u8>, Unfit> {
        if let Some(signature) = signature {
            append(&mut pairs, 0, b"sign", signature).map_err(|_| Unfit::Packet)?;
        }
        let datasize = u16::try_from(pairs.len()).map_err(|_| Unfit::Packet)?;
        let header = Header { modifier1: MODIFIER_SUBSCRIPTION, datasize, modifier2: self.byte() };
        let packet = [&header.encode()[..], &pairs].concat();
        if packet.len() > PACKET_BYTES_MAX { Err(Unfit::Packet) } else { Ok(packet) }
    }
}

impl Announcement<'_> {
    /// The pairs, up to the signature. `moment` is that of one that is signed: seconds since 1970 and the command, which each
    /// later one must exceed.
    ///
    /// # Errors
    /// What does not fit.
    pub fn pairs(&self, moment: Option<(u64, Command)>) -> Result<Vec<u8>, Unfit> {
        let fits = |text: &str, most: usize| (1..=most).contains(&text.len());
        if !fits(self.key, TEXT_BYTES_MAX) {
            return Err(Unfit::Key);
        }
        if !fits(self.address, TEXT_BYTES_MAX) {
            return Err(Unfit::Address);
        }
        if self.notify.is_some_and(|notify| !fits(notify, NOTIFY_BYTES_MAX)) {
            return Err(Unfit::Notify);
        }
        let moment = moment.map(|(epoch_s, command)| epoch_s.saturating_add(u64::from(command.byte())).to_string());
        let [modifier1, modifier2] = [self.modifier1, self.modifier2].map(u64::from);
        let numbers = [modifier1, modifier2, self.cores, self.load, self.weight, self.backup];
        let [modifier1, modifier2, cores, load, weight, backup] = numbers.map(|number| number.to_string());
        let [sni_key, sni_crt, sni_ca] = self.sni;
        let all = [
            ("key", Some(self.key)),
            ("address", Some(self.address)),
            ("modifier1", Some(&modifier1)),
            ("modifier2", Some(&modifier2)),
            ("cores", Some(&cores)),
            ("load", Some(&load)),
            ("weight", Some(&weight)),
            ("backup", Some(backup.as_str()).filter(|_| self.backup > 0)),
            ("sni_key", sni_key),
            ("sni_crt", sni_crt),
            ("sni_ca", sni_ca),
            ("notify", self.notify),
            ("unix", moment.as_deref()),
        ];
        let mut pairs = Vec::new();
        for (name, value) in all {
            if let Some(value) = value {
                append(&mut pairs, 0, name.as_bytes(), value.as_bytes()).map_err(|_| Unfit::Packet)?;
            }
        }
        if pairs.len() > PACKET_BYTES_MAX { Err(Unfit::Packet) } else { Ok(pairs) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pairs::Block;

    const SITE: Announcement<'_> = Announcement {
        key: "a.example",
        address: "127.0.0.1:7301",
        modifier1: 0,
        modifier2: 0,
        cores: 1,
        load: 0,
        weight: 0,
        backup: 0,
        sni: [None; 3],
        notify: None,
    };

    /// The bytes that uWSGI 2.0.31 sends for the same.
    #[test]
    fn it_is_byte_for_byte_what_uwsgi_sends() {
        let mut expected = b"\xe0\x63\x00\x00".to_vec();
        for (key, value) in [
            ("key", "a.example"),
            ("address", "127.0.0.1:7301"),
            ("modifier1", "0"),
            ("modifier2", "0"),
            ("cores", "1"),
            ("load", "0"),
            ("weight", "0"),
        ] {
            expected.extend([key.len() as u8, 0]);
            expected.extend(key.as_bytes());
            expected.extend([value.len() as u8, 0]);
            expected.extend(value.as_bytes());
        }
        let packet = |command: Command| command.packet(SITE.pairs(None)?, None);
        assert_eq!(packet(Command::Subscribe), Ok(expected.clone()));
        expected[3] = 1;
        assert_eq!(packet(Command::Unsubscribe), Ok(expected));
    }

    #[test]
    fn a_signature_is_last_and_of_all_before_it_and_the_moment_has_the_command_in_it() {
        let pairs = SITE.pairs(Some((1_700_000_000, Command::Unsubscribe))).expect("it fits");
        let packet = Command::Unsubscribe.packet(pairs.clone(), Some(b"signed")).expect("it fits");
        assert_eq!(packet[4..4 + pairs.len()], pairs);
        let block = Block::parse(&packet[4..], 64).expect("pairs");
        assert_eq!(block.get(b"unix"), Some(&b"1700000001"[..]));
        assert_eq!(block.pairs().last(), Some((&b"sign"[..], &b"signed"[..])));
    }

    #[test]
    fn what_would_destroy_a_router_or_be_cut_off_is_not_sent() {
        let long = "x".repeat(256);
        let tries = [
            (Announcement { key: &long, ..SITE }, Unfit::Key),
            (Announcement { address: "", ..SITE }, Unfit::Address),
            (Announcement { notify: Some(&long[..102]), ..SITE }, Unfit::Notify),
        ];
        for (site, unfit) in tries {
            assert_eq!(site.pairs(None), Err(unfit));
        }
        let path = "p".repeat(4_096);
        assert_eq!(Announcement { sni: [None, Some(&path), None], ..SITE }.pairs(None), Err(Unfit::Packet));
        let pairs = SITE.pairs(None).expect("it fits");
        assert_eq!(Command::Subscribe.packet(pairs, Some(&[0; 4_000])), Err(Unfit::Packet));
    }
}
