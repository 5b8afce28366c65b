//! The variables of a request, as uWSGI's own HTTP sockets make them, in the block form of a uwsgi packet. Pure.

use super::Refusal;
use super::request::Facts;
use super::request::{Body, Source};
use super::target;
use crate::decimal;

/// What was written.
pub(super) struct Written {
    pub(super) count: usize,
    pub(super) dropped: usize,
}

/// Appends the variables of a request to `block`.
pub(super) fn write(block: &mut Vec<u8>, source: &Source<'_>, facts: &Facts) -> Result<Written, Refusal> {
    // Hardly ever too little, and never much too much: a header grows by a few bytes.
    block.reserve(source.head_bytes + 512);
    let mut block = Block { out: block, count: 0 };
    write_line(&mut block, source)?;
    write_peer(&mut block, source)?;
    let dropped = write_headers(&mut block, source, facts)?;
    Ok(Written { count: block.count, dropped })
}

fn write_line(block: &mut Block<'_>, source: &Source<'_>) -> Result<(), Refusal> {
    let target = source.target;
    block.pair(b"REQUEST_METHOD", source.method.as_bytes())?;
    block.made(b"REQUEST_URI", |out| {
        out.extend_from_slice(target.path());
        out.extend_from_slice(target.marked_query);
        Ok(())
    })?;
    block.made(b"PATH_INFO", |out| target::append_decoded(target.path(), out))?;
    block.pair(b"QUERY_STRING", target.query())?;
    block.pair(b"SERVER_PROTOCOL", source.protocol.as_str().as_bytes())?;
    block.pair(b"SCRIPT_NAME", b"")
}

/// What the connection tells, or a trusted proxy of its client in the place of it.
fn write_peer(block: &mut Block<'_>, source: &Source<'_>) -> Result<(), Refusal> {
    let peer = source.peer;
    block.pair(b"SERVER_NAME", peer.server_name)?;
    block.pair(b"SERVER_PORT", peer.server_port)?;
    match source.client.and_then(|client| client.address) {
        Some(address) => {
            block.pair(b"REMOTE_ADDR", address.to_string().as_bytes())?;
            if let Some(port) = source.client.and_then(|client| client.port) {
                block.pair(b"REMOTE_PORT", port.to_string().as_bytes())?;
            }
        }
        None => {
            block.pair(b"REMOTE_ADDR", peer.remote_addr)?;
            block.pair(b"REMOTE_PORT", peer.remote_port)?;
        }
    }
    if source.client.and_then(|client| client.https).unwrap_or(peer.https) {
        block.pair(b"HTTPS", b"on")?;
    }
    Ok(())
}

/// Returns how many headers were left out.
fn write_headers(block: &mut Block<'_>, source: &Source<'_>, facts: &Facts) -> Result<usize, Refusal> {
    let mut dropped = 0;
    let authority = source.target.authority;
    if let Some(authority) = authority {
        block.pair(b"HTTP_HOST", authority)?;
    }
    if let Body::Length(length) = facts.body {
        block.pair(b"CONTENT_LENGTH", decimal::format(length, &mut [0; 20]))?;
    }
    for header in source.headers {
        let is = |known: &str| header.name.eq_ignore_ascii_case(known);
        match header.name.len() {
            4 if authority.is_some() && is("host") => {}
            12 if is("content-type") => block.pair(b"CONTENT_TYPE", header.value)?,
            14 if is("content-length") => {}
            15 if source.client.is_some() && is("x-request-start") => block.pair(b"REQUEST_MSEC", header.value)?,
            _ if header.name.contains('_') => dropped += 1,
            _ => block.header(header.name, header.value)?,
        }
    }
    Ok(dropped)
}

/// Pairs of length and bytes, one after the other.
struct Block<'b> {
    out: &'b mut Vec<u8>,
    count: usize,
}

impl Block<'_> {
    fn pair(&mut self, key: &[u8], value: &[u8]) -> Result<(), Refusal> {
        self.length(key.len())?;
        self.out.extend_from_slice(key);
        self.length(value.len())?;
        self.out.extend_from_slice(value);
        self.count += 1;
        Ok(())
    }

    fn header(&mut self, name: &str, value: &[u8]) -> Result<(), Refusal> {
        const PREFIX: &[u8] = b"HTTP_";
        self.length(PREFIX.len() + name.len())?;
        self.out.extend_from_slice(PREFIX);
        let start = self.out.len();
        self.out.extend_from_slice(name.as_bytes());
        // In place, so that the compiler does it for many bytes at once.
        for byte in &mut self.out[start..] {
            *byte = if *byte == b'-' { b'_' } else { byte.to_ascii_uppercase() };
        }
        self.length(value.len())?;
        self.out.extend_from_slice(value);
        self.count += 1;
        Ok(())
    }

    /// A value that `make` appends, its length written afterwards.
    fn made(&mut self, key: &[u8], make: impl FnOnce(&mut Vec<u8>) -> Result<(), Refusal>) -> Result<(), Refusal> {
        self.pair(key, b"")?;
        let start = self.out.len();
        make(self.out)?;
        let length = length(self.out.len() - start)?;
        self.out[start - length.len()..start].copy_from_slice(&length);
        Ok(())
    }

    fn length(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.out.extend_from_slice(&length(bytes)?);
        Ok(())
    }
}

/// Lines are bounded by 16 bits, so that only what the caller adds could be longer.
fn length(bytes: usize) -> Result<[u8; 2], Refusal> {
    let too_large = |_| Refusal::HeadTooLarge { head_bytes_max: usize::from(u16::MAX) };
    Ok(u16::try_from(bytes).map_err(too_large)?.to_le_bytes())
}
