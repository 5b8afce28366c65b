//! A packet whose block is a list of byte strings: `{ len:u16 bytes } …`, little-endian (uWSGI's manual, "The uwsgi
//! Protocol"). Pure; used in workers, and by whoever asks them for something.
//!
//! ```
//! use worker_protocol::strings::TooLong;
//!
//! let argument = vec![b'a'; 70_000];
//! let call = worker_protocol::rpc::Call { function: b"f", arguments: vec![&argument] };
//! assert_eq!(call.encode(), Err(TooLong));
//! ```

use thiserror::Error;

use crate::uwsgi::{HEADER_BYTES, Header};

/// That strings do not fit into one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("it does not fit the 65535 bytes of a packet")]
pub struct TooLong;

/// The strings of a block, at most `most`. `None`: it is no such list, or a longer one.
pub fn read(block: &[u8], most: usize) -> Option<Vec<&[u8]>> {
    let mut strings = Vec::new();
    let mut rest = block;
    while let Some((length, behind)) = rest.split_first_chunk() {
        let string;
        (string, rest) = behind.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        if strings.len() == most {
            return None;
        }
        strings.push(string);
    }
    rest.is_empty().then_some(strings)
}

/// A packet of strings.
///
/// # Errors
/// They do not fit.
pub fn encode<'s>(
    modifier1: u8,
    modifier2: u8,
    strings: impl IntoIterator<Item = &'s [u8]>,
) -> Result<Vec<u8>, TooLong> {
    let mut packet = vec![0; HEADER_BYTES];
    for string in strings {
        packet.extend(u16::try_from(string.len()).map_err(|_| TooLong)?.to_le_bytes());
        packet.extend(string);
        if packet.len() - HEADER_BYTES > usize::from(u16::MAX) {
            return Err(TooLong);
        }
    }
    let datasize = (packet.len() - HEADER_BYTES) as u16;
    packet[..HEADER_BYTES].copy_from_slice(&Header { modifier1, datasize, modifier2 }.encode());
    Ok(packet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_come_back_as_they_were_and_cut_ones_are_none() {
        let packet = encode(173, 0, [&b"hello"[..], b"", b"x"]).unwrap();
        assert_eq!(packet[..HEADER_BYTES], [173, 12, 0, 0]);
        let block = &packet[HEADER_BYTES..];
        assert_eq!(read(block, 3), Some(vec![&b"hello"[..], b"", b"x"]));
        assert_eq!(read(block, 2), None, "too many");
        let whole = [0, 7, 9];
        for end in (0..block.len()).filter(|end| !whole.contains(end)) {
            assert_eq!(read(&block[..end], 3), None, "cut at {end}");
        }
        assert_eq!(read(b"", 3), Some(vec![]));
    }

    #[test]
    fn what_does_not_fit_is_no_packet() {
        let long = vec![0; 65_534];
        assert_eq!(encode(173, 0, [&long[..]]), Err(TooLong));
        assert_eq!(encode(173, 0, [&long[..65_533]]).map(|packet| packet.len()), Ok(65_539));
        assert_eq!(encode(173, 0, [&vec![0; 70_000][..]]), Err(TooLong));
    }
}
