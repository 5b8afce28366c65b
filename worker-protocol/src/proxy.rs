//! The PROXY protocol, versions 1 and 2 (HAProxy's "The PROXY protocol", 2020): what a load balancer says of a
//! connection before its first byte.
//!
//! Bytes only. Read in the worker and the router, for connections of sockets that expect it, and only from peers that
//! are trusted: whoever may send this says who the client is. Written in the router, for the worker.
//!
//! Strict: a header that is not exactly of the form is refused, as the next bytes would be taken for a request.
//!
//! ```
//! let line = b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 443\r\nGET / HTTP/1.1";
//! let header = worker_protocol::proxy::decode(line)?.expect("it is whole");
//! let (client, _) = header.origin.addresses.expect("it says who");
//! assert_eq!((client.to_string().as_str(), header.consumed), ("192.0.2.7:5000", 41));
//! # Ok::<(), worker_protocol::proxy::Error>(())
//! ```
//!
//! ```
//! use worker_protocol::proxy::{Header, Origin, decode, encode};
//!
//! let origin = Origin { addresses: Some((([192, 0, 2, 7], 5_000).into(), ([192, 0, 2, 1], 443).into())), https: Some(true) };
//! let bytes = encode(&origin);
//! assert_eq!(decode(&bytes)?, Some(Header { origin, consumed: bytes.len() }));
//! # Ok::<(), worker_protocol::proxy::Error>(())
//! ```

mod binary;
mod header;
mod text;

pub use self::header::{BINARY_BYTES_MAX, Error, Header, Origin, TEXT_BYTES_MAX};

/// A header of version 2 that says this.
#[must_use]
pub fn encode(origin: &Origin) -> Vec<u8> {
    binary::encode(origin)
}

/// Reads the header at the start of `buffer`. `None`: it is not whole yet.
///
/// # Errors
/// As soon as it shows.
pub fn decode(buffer: &[u8]) -> Result<Option<Header>, Error> {
    match buffer.first() {
        None => Ok(None),
        Some(b'P') => text::decode(buffer),
        Some(b'\r') => binary::decode(buffer),
        Some(_) => Err(Error::Missing),
    }
}
