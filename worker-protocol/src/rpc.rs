//! Calls of functions that other instances have, and their results: packets with `modifier1` 173 (uWSGI's manual, "uWSGI RPC
//! Stack"). Pure; used in workers, and by whoever calls.
//!
//! A call is a list of strings, the function's name first. `modifier2` says how the result goes: 0 in a packet, 1 bare, 2 as the
//! answer to a web request, whose path has function and arguments. A call without a result is answered with nothing.
//!
//! ```
//! use worker_protocol::rpc::{Call, Follows, before_result, follows};
//! use worker_protocol::strings::TooLong;
//! use worker_protocol::uwsgi::HEADER_BYTES;
//!
//! let call = Call { function: b"add", arguments: vec![b"1", b"2"] };
//! let packet = call.encode()?;
//! assert_eq!(Call::read(&packet[HEADER_BYTES..]), Some(call));
//! let before: [u8; HEADER_BYTES] = before_result(3)[..HEADER_BYTES].try_into().expect("a header");
//! assert_eq!(follows(before), Some(Follows::Result(3)));
//! # Ok::<(), TooLong>(())
//! ```

use crate::decimal;
use crate::pairs::Block;
use crate::strings::{self, TooLong};
use crate::uwsgi::{self, HEADER_BYTES, Header, MODIFIER_RPC};

/// Most arguments of a call (uWSGI's bound).
pub const ARGUMENTS_MAX: usize = 255;

/// Largest result that goes to another instance, or comes from one.
pub const RESULT_BYTES_MAX: usize = 16 << 20;

/// `modifier2` of a packet with a result.
const WHOLE: u8 = 0;
/// That of one which only says how long the result is that follows it.
const ANNOUNCED: u8 = 5;

/// The variable that says so.
const LENGTH: &[u8] = b"CONTENT_LENGTH";

/// A call of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call<'a> {
    /// Its name.
    pub function: &'a [u8],
    /// What it is called with.
    pub arguments: Vec<&'a [u8]>,
}

impl<'a> Call<'a> {
    /// The call that a block is; `None` if it is none.
    pub fn read(block: &'a [u8]) -> Option<Self> {
        let strings = strings::read(block, ARGUMENTS_MAX + 1)?;
        let (function, arguments) = strings.split_first()?;
        Some(Self { function, arguments: arguments.to_vec() })
    }

    /// The call that the path of a web request is: `/FUNCTION/ARGUMENT/…`.
    pub fn of_path(path: &'a [u8]) -> Option<Self> {
        let mut parts = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty());
        let function = parts.next()?;
        let arguments: Vec<&[u8]> = parts.collect();
        (arguments.len() <= ARGUMENTS_MAX).then_some(Self { function, arguments })
    }

    /// The packet that asks for it, and for a result in a packet.
    ///
    /// # Errors
    /// It does not fit into one.
    pub fn encode(&self) -> Result<Vec<u8>, TooLong> {
        if self.arguments.len() > ARGUMENTS_MAX {
            return Err(TooLong);
        }
        strings::encode(MODIFIER_RPC, WHOLE, std::iter::once(self.function).chain(self.arguments.iter().copied()))
    }
}

/// What goes before a result of so many bytes.
pub fn before_result(bytes: usize) -> Vec<u8> {
    if let Ok(datasize) = u16::try_from(bytes) {
        return Header { modifier1: MODIFIER_RPC, datasize, modifier2: WHOLE }.encode().to_vec();
    }
    let mut packet = Vec::new();
    // One short variable fits.
    let _ = uwsgi::encode(&mut packet, MODIFIER_RPC, ANNOUNCED, [(LENGTH, bytes.to_string())]);
    packet
}

/// What follows the header of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// The result, of so many bytes.
    Result(usize),
    /// A block of so many bytes that says how long the result behind it is.
    Announcement(usize),
}

/// What follows a header; `None` if it is not that of an answer to a call.
pub fn follows(header: [u8; HEADER_BYTES]) -> Option<Follows> {
    let Header { modifier1, datasize, modifier2 } = Header::parse(&header)?;
    match (modifier1, modifier2) {
        (MODIFIER_RPC, WHOLE) => Some(Follows::Result(datasize.into())),
        (MODIFIER_RPC, ANNOUNCED) => Some(Follows::Announcement(datasize.into())),
        _ => None,
    }
}

/// How long the result is that a block announces; `None` if it does not say so, or if that is too long.
pub fn announced(block: &[u8]) -> Option<usize> {
    let bytes = decimal::parse(Block::parse(block, ARGUMENTS_MAX).ok()?.get(LENGTH)?)?;
    usize::try_from(bytes).ok().filter(|bytes| *bytes <= RESULT_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_come_back_as_they_were() {
        let call = Call { function: b"add", arguments: vec![b"1", b"", b"2"] };
        let packet = call.encode().unwrap();
        assert_eq!(Call::read(&packet[HEADER_BYTES..]), Some(call));
        assert_eq!(Call::read(b""), None, "a call has a function");
        let many = Call { function: b"f", arguments: vec![b"x"; ARGUMENTS_MAX + 1] };
        assert_eq!(many.encode(), Err(TooLong));
        let path = Call::of_path(b"/add/1//2").unwrap();
        assert_eq!((path.function, path.arguments), (&b"add"[..], vec![&b"1"[..], b"2"]));
        assert_eq!(Call::of_path(b"/"), None);
    }

    #[test]
    fn results_are_as_long_as_is_said_before_them() {
        for bytes in [0, 5, 65_535, 65_536, RESULT_BYTES_MAX] {
            let head = before_result(bytes);
            let told = match follows(*head.first_chunk().unwrap()) {
                Some(Follows::Result(bytes)) => Some(bytes),
                Some(Follows::Announcement(block)) => {
                    assert_eq!(block, head.len() - HEADER_BYTES);
                    announced(&head[HEADER_BYTES..])
                }
                None => None,
            };
            assert_eq!(told, Some(bytes));
        }
        assert_eq!(announced(&before_result(RESULT_BYTES_MAX + 1)[HEADER_BYTES..]), None);
        assert_eq!(follows(*b"HTTP"), None);
    }
}
