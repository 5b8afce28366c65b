//! The opening handshake (RFC 6455, section 4.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};
use thiserror::Error;

/// Bytes of the number behind a client's key.
const KEY_BYTES: usize = 16;

/// What makes an answer of a key.
const PROTOCOL: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The only version that there is.
const VERSION: &[u8] = b"13";

/// Why there is no handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoHandshake {
    /// Nobody asks for one.
    #[error("the request has no Sec-WebSocket-Key")]
    NoKey,
    /// The key is none.
    #[error("the Sec-WebSocket-Key is not a number of 16 bytes in Base64")]
    Key,
    /// Another version of the protocol is asked for.
    #[error("the Sec-WebSocket-Version is not 13")]
    Version,
}

/// The `Sec-WebSocket-Accept` for a key. A version is only looked at where there is one.
pub fn answer_to(key: &[u8], version: Option<&[u8]>) -> Result<String, NoHandshake> {
    let key = key.trim_ascii();
    if key.is_empty() {
        return Err(NoHandshake::NoKey);
    }
    if version.is_some_and(|version| version.trim_ascii() != VERSION) {
        return Err(NoHandshake::Version);
    }
    if STANDARD.decode(key).map_or(0, |number| number.len()) != KEY_BYTES {
        return Err(NoHandshake::Key);
    }
    Ok(STANDARD.encode(Sha1::new().chain_update(key).chain_update(PROTOCOL).finalize()))
}

/// The first of a list of subprotocols: an answer names one, never all that were offered.
pub fn first_of(offered: &[u8]) -> Option<&[u8]> {
    offered.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).find(|name| !name.is_empty())
}
