//! The variables of a request, as uWSGI's own HTTP sockets make them, in the block form of a uwsgi packet. Pure.

use super::facts::{Body, Facts};
use super::source::Source;
use super::{Refusal, target};
use crate::decimal;
use crate::pairs::{Limits, Marks, Writer};
use crate::token::is_word;

/// What was written.
pub(super) struct Written {
    pub(super) count: usize,
    pub(super) dropped: usize,
}

/// Appends the variables of a request to `block`, and notes in `marks` where they are.
#[inline(always)]
pub(super) fn write(
    (block, marks): (&mut Vec<u8>, &mut Marks),
    source: &Source<'_>,
    facts: &Facts,
    limits: &Limits,
) -> Result<Written, Refusal> {
    // Hardly ever too little, and never much too much: a header grows by a few bytes.
    let mut block = Writer::new(block, marks, *limits, source.head_bytes + 512);
    write_line(&mut block, source)?;
    write_peer(&mut block, source);
    let dropped = write_headers(&mut block, source, facts);
    Ok(Written { count: block.finish()?, dropped })
}

fn write_line(block: &mut Writer<'_>, source: &Source<'_>) -> Result<(), Refusal> {
    let target = source.target;
    block.known(b"REQUEST_METHOD", source.method.as_bytes());
    match target.path {
        [] => block.made(b"REQUEST_URI", |out| {
            out.extend_from_slice(target.path());
            out.extend_from_slice(target.uri);
            Ok::<(), Refusal>(())
        })?,
        _ => block.known(b"REQUEST_URI", target.uri),
    }
    match target.is_decoded() {
        true => block.known(b"PATH_INFO", target.path()),
        false => block.made(b"PATH_INFO", |out| target::append_decoded(target.path(), out))?,
    }
    block.known(b"QUERY_STRING", target.query());
    block.known(b"SERVER_PROTOCOL", source.version.as_str().as_bytes());
    block.known(b"SCRIPT_NAME", b"");
    Ok(())
}

/// What the connection tells, or a trusted proxy of its client in the place of it.
fn write_peer(block: &mut Writer<'_>, source: &Source<'_>) {
    let peer = source.peer;
    block.known(b"SERVER_NAME", peer.server_name);
    block.known(b"SERVER_PORT", peer.server_port);
    match source.client.and_then(|client| client.address) {
        Some(address) => {
            block.known(b"REMOTE_ADDR", address.to_string().as_bytes());
            if let Some(port) = source.client.and_then(|client| client.port) {
                block.known(b"REMOTE_PORT", port.to_string().as_bytes());
            }
        }
        None => {
            block.known(b"REMOTE_ADDR", peer.remote_addr);
            block.known(b"REMOTE_PORT", peer.remote_port);
        }
    }
    if source.client.and_then(|client| client.https).unwrap_or(peer.https) {
        block.known(b"HTTPS", b"on");
    }
}

/// Returns how many headers were left out.
fn write_headers(block: &mut Writer<'_>, source: &Source<'_>, facts: &Facts) -> usize {
    let mut dropped = 0;
    let authority = source.target.authority;
    if let Some(authority) = authority {
        block.known(b"HTTP_HOST", authority);
    }
    if let Body::Length(length) = facts.body {
        block.known(b"CONTENT_LENGTH", decimal::format(length, &mut [0; 20]));
    }
    for header in source.headers {
        let name = header.name.as_bytes();
        match name.len() {
            4 if authority.is_some() && is_word(name, b"host") => {}
            12 if is_word(name, b"content-type") => block.known(b"CONTENT_TYPE", header.value),
            14 if is_word(name, b"content-length") => {}
            length => {
                if length == 15 && source.client.is_some() && is_word(name, b"x-request-start") {
                    block.known(b"REQUEST_MSEC", header.value);
                }
                dropped += usize::from(!block.header(name, header.value));
            }
        }
    }
    dropped
}
