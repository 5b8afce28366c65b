//! What one instance asks of a cache of another, and what it gets: packets with the modifiers 111 and 17 (uWSGI's manual, "The
//! uWSGI caching framework"). Pure; used in workers, and by whoever asks.
//!
//! Request and answer are variables; a value follows the packet. What cannot be done is answered with nothing.
//!
//! ```
//! use worker_protocol::remote_cache::{Ask, Command};
//! use worker_protocol::uwsgi::{EncodeError, HEADER_BYTES};
//!
//! let ask = Ask { command: Command::Get, key: b"name", cache: b"", value_bytes: 0, expires_s: 0 };
//! let packet = ask.encode()?;
//! assert_eq!(Ask::read(&packet[HEADER_BYTES..]), Some(ask));
//! # Ok::<(), EncodeError>(())
//! ```

use crate::decimal;
use crate::pairs::Block;
use crate::uwsgi::{EncodeError, HEADER_BYTES, Header, MODIFIER_CACHE, encode};

/// `modifier2` of all of them. Others never gave a value back that could be read.
pub const MODIFIER2: u8 = 17;

/// More variables than any of these packets has.
const VARIABLES_MAX: usize = 16;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Its value.
    Get,
    /// A value for a key that there is not yet.
    Set,
    /// A value, whether there is such a key or not.
    Update,
    /// It goes.
    Delete,
    /// Whether it is there.
    Exists,
    /// All of them go.
    Clear,
}

impl Command {
    const NAMES: [(&'static [u8], Self); 6] = [
        (b"get", Self::Get),
        (b"set", Self::Set),
        (b"update", Self::Update),
        (b"del", Self::Delete),
        (b"exists", Self::Exists),
        (b"clear", Self::Clear),
    ];

    fn name(self) -> &'static [u8] {
        Self::NAMES.iter().find(|(_, command)| *command == self).map_or(b"", |(name, _)| name)
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask<'a> {
    /// What is to be done.
    pub command: Command,
    /// With which key; empty where it is about all of them.
    pub key: &'a [u8],
    /// In which cache; empty is the first one.
    pub cache: &'a [u8],
    /// Bytes of the value that follows.
    pub value_bytes: usize,
    /// For how many seconds it is to live; 0 is for ever, and what is below zero has been over before.
    pub expires_s: i64,
}

impl<'a> Ask<'a> {
    /// What a block asks; `None` if it asks for nothing that there is.
    pub fn read(block: &'a [u8]) -> Option<Self> {
        let block = Block::parse(block, VARIABLES_MAX).ok()?;
        let text = |name: &[u8]| block.get(name).unwrap_or_default();
        let command = Command::NAMES.iter().find(|(name, _)| *name == text(b"cmd"))?.1;
        let value_bytes = match text(b"size") {
            b"" => 0,
            digits => usize::try_from(decimal::parse(digits)?).ok()?,
        };
        let expires_s = match text(b"expires") {
            b"" => 0,
            number => std::str::from_utf8(number).ok()?.parse().ok()?,
        };
        Some(Self { command, key: text(b"key"), cache: text(b"cache"), value_bytes, expires_s })
    }

    /// The packet that asks it, which the value is to follow.
    ///
    /// # Errors
    /// It does not fit into one.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let Ask { command, key, cache, value_bytes, expires_s } = *self;
        let has_value = matches!(command, Command::Set | Command::Update);
        let (size, expires) = (value_bytes.to_string(), expires_s.to_string());
        let variables = [
            (&b"cmd"[..], Some(command.name())),
            (b"key", Some(key).filter(|_| command != Command::Clear)),
            (b"size", Some(size.as_bytes()).filter(|_| has_value)),
            (b"expires", Some(expires.as_bytes()).filter(|_| has_value && expires_s != 0)),
            (b"cache", Some(cache).filter(|cache| !cache.is_empty())),
        ];
        let mut packet = Vec::new();
        let given = variables.into_iter().filter_map(|(name, value)| Some((name, value?)));
        encode(&mut packet, MODIFIER_CACHE, MODIFIER2, given)?;
        Ok(packet)
    }
}

/// The packet that says that it was done. `value`: how many bytes of a value follow, and when it expires, in seconds since the
/// epoch; 0 is never.
pub fn done(value: Option<(usize, u64)>) -> Vec<u8> {
    let size = value.map(|(bytes, _)| bytes.to_string());
    let expires = value.filter(|(_, expires_s)| *expires_s > 0).map(|(_, expires_s)| expires_s.to_string());
    let variables = [(&b"status"[..], Some("ok")), (b"size", size.as_deref()), (b"expires", expires.as_deref())];
    let mut packet = Vec::new();
    // Three short variables fit.
    let given = variables.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let _ = encode(&mut packet, MODIFIER_CACHE, MODIFIER2, given);
    packet
}

/// How many bytes of a block follow the header of an answer; `None` if it is not that of one.
pub fn block_bytes(header: [u8; HEADER_BYTES]) -> Option<usize> {
    let Header { modifier1, datasize, modifier2 } = Header::parse(&header)?;
    ((modifier1, modifier2) == (MODIFIER_CACHE, MODIFIER2)).then_some(datasize.into())
}

/// How many bytes of a value follow the block of an answer; `None` if it does not say that anything was done.
pub fn value_bytes(block: &[u8]) -> Option<usize> {
    let block = Block::parse(block, VARIABLES_MAX).ok()?;
    block.get(b"status").filter(|status| *status == b"ok")?;
    block.get(b"size").map_or(Some(0), |size| usize::try_from(decimal::parse(size)?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_get_is_as_uwsgi_sends_it() {
        let ask = Ask { command: Command::Get, key: b"k", cache: b"", value_bytes: 0, expires_s: 0 };
        assert_eq!(ask.encode().unwrap(), b"\x6f\x12\x00\x11\x03\x00cmd\x03\x00get\x03\x00key\x01\x00k");
    }

    #[test]
    fn every_command_comes_back_as_it_was() {
        for (_, command) in Command::NAMES {
            let stores = matches!(command, Command::Set | Command::Update);
            let ask = Ask {
                command,
                key: if command == Command::Clear { b"" } else { b"a key" },
                cache: b"pages",
                value_bytes: if stores { 7 } else { 0 },
                expires_s: if stores { -1 } else { 0 },
            };
            assert_eq!(Ask::read(&ask.encode().unwrap()[HEADER_BYTES..]), Some(ask));
        }
    }

    #[test]
    fn answers_are_as_uwsgi_sends_them() {
        let hit = done(Some((3, 0)));
        assert_eq!(hit, b"\x6f\x15\x00\x11\x06\x00status\x02\x00ok\x04\x00size\x01\x003");
        assert_eq!(block_bytes(*hit.first_chunk().unwrap()), Some(0x15));
        assert_eq!(value_bytes(&hit[HEADER_BYTES..]), Some(3));
        assert_eq!(value_bytes(&done(None)[HEADER_BYTES..]), Some(0));
        assert_eq!((value_bytes(b""), block_bytes(*b"\x6f\x15\x00\x00")), (None, None));
    }

    #[test]
    fn what_asks_for_nothing_is_nothing() {
        for variables in [
            vec![],
            vec![("cmd", "inc"), ("key", "k")],
            vec![("cmd", "set"), ("key", "k"), ("size", "-1")],
            vec![("cmd", "set"), ("key", "k"), ("size", "1"), ("expires", "soon")],
        ] {
            let mut packet = Vec::new();
            encode(&mut packet, MODIFIER_CACHE, MODIFIER2, variables).unwrap();
            assert_eq!(Ask::read(&packet[HEADER_BYTES..]), None);
        }
    }
}
