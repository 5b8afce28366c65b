//! Version 1: one line of text (section 2.1 of the protocol). Pure.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::str::FromStr;

use super::{Error, Header, Origin, TEXT_BYTES_MAX};
use crate::decimal;

const START: &[u8] = b"PROXY ";

pub(super) fn decode(buffer: &[u8]) -> Result<Option<Header>, Error> {
    let begun = buffer.len().min(START.len());
    if buffer[..begun] != START[..begun] {
        return Err(Error::Missing);
    }
    let within = &buffer[..buffer.len().min(TEXT_BYTES_MAX)];
    let Some(end) = memchr::memchr(b'\n', within) else {
        return if within.len() == TEXT_BYTES_MAX { Err(Error::LineTooLong) } else { Ok(None) };
    };
    let line = within[..end].strip_suffix(b"\r").ok_or(Error::Line)?;
    let rest = line.strip_prefix(START).ok_or(Error::Line)?;
    Ok(Some(Header { origin: origin(rest).ok_or(Error::Line)?, consumed: end + 1 }))
}

/// What follows `PROXY `. After `UNKNOWN` anything may follow, and means nothing.
fn origin(rest: &[u8]) -> Option<Origin> {
    if rest == b"UNKNOWN" || rest.starts_with(b"UNKNOWN ") {
        return Some(Origin::default());
    }
    let text = std::str::from_utf8(rest).ok()?;
    let words: Vec<&str> = text.split(' ').collect();
    let [family, source, destination, source_port, destination_port] = words[..] else { return None };
    let both = |address: fn(&str) -> Option<IpAddr>| {
        let source = SocketAddr::new(address(source)?, port(source_port)?);
        Some((source, SocketAddr::new(address(destination)?, port(destination_port)?)))
    };
    let addresses = match family {
        "TCP4" => both(|text| Ipv4Addr::from_str(text).ok().map(IpAddr::V4)),
        "TCP6" => both(|text| Ipv6Addr::from_str(text).ok().map(IpAddr::V6)),
        _ => None,
    };
    Some(Origin { addresses: Some(addresses?), https: None })
}

/// Without leading zeros, which the protocol forbids.
fn port(text: &str) -> Option<u16> {
    if text.is_empty() || text.len() > 1 && text.starts_with('0') {
        return None;
    }
    decimal::parse(text.as_bytes())?.try_into().ok()
}
