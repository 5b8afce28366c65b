//! The PROXY protocol, versions 1 and 2 (HAProxy's "The PROXY protocol", 2020): what a load balancer says of a
//! connection before its first byte.
//!
//! Bytes only, one direction. Runs in the worker, for connections of sockets that expect it, and only from peers that
//! are trusted: whoever may send this says who the client is.
//!
//! Strict: a header that is not exactly of the form is refused, as the next bytes would be taken for a request.

mod binary;
mod header;
mod text;

pub use self::header::{BINARY_BYTES_MAX, Error, Header, Origin, TEXT_BYTES_MAX};

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
