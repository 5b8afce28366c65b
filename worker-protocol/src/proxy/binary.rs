//! Version 2: a signature, numbers, addresses, further values (section 2.2 of the protocol). Pure.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{BINARY_BYTES_MAX, Error, Header, Origin};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family and transport, length.
const FIXED_BYTES: usize = 16;

/// The type of the value that tells of TLS, and its flag for a client that used it.
const TYPE_SSL: u8 = 0x20;
const CLIENT_SSL: u8 = 1;

pub(super) fn decode(buffer: &[u8]) -> Result<Option<Header>, Error> {
    let begun = buffer.len().min(SIGNATURE.len());
    if buffer[..begun] != SIGNATURE[..begun] {
        return Err(Error::Missing);
    }
    if let Some(&byte) = buffer.get(12) {
        judge_version(byte)?;
    }
    let Some(&[_, _, _, _, _, _, _, _, _, _, _, _, command, family, high, low]) = buffer.first_chunk::<FIXED_BYTES>()
    else {
        return Ok(None);
    };
    let end = FIXED_BYTES + usize::from(u16::from_be_bytes([high, low]));
    if end > BINARY_BYTES_MAX {
        return Err(Error::TooLong);
    }
    let Some(content) = buffer.get(FIXED_BYTES..end) else { return Ok(None) };
    // LOCAL: the load balancer itself, whatever else it says.
    let origin = if command & 0xf == 0 { Origin::default() } else { origin(family, content)? };
    Ok(Some(Header { origin, consumed: end }))
}

/// The version in the upper half, the command in the lower.
fn judge_version(byte: u8) -> Result<(), Error> {
    match (byte >> 4, byte & 0xf) {
        (2, 0 | 1) => Ok(()),
        (2, command) => Err(Error::Command(command)),
        (version, _) => Err(Error::Version(version)),
    }
}

fn origin(family: u8, content: &[u8]) -> Result<Origin, Error> {
    // Family in the upper half; transport in the lower: unspecified, stream, datagram.
    let known = matches!(family, 0x00 | 0x11 | 0x12 | 0x21 | 0x22 | 0x31 | 0x32);
    let (addresses, values) = match family >> 4 {
        _ if !known => return Err(Error::Family(family)),
        1 => ipv4(content).ok_or(Error::TooShort)?,
        2 => ipv6(content).ok_or(Error::TooShort)?,
        3 => (None, content.get(216..).ok_or(Error::TooShort)?),
        _ => (None, content),
    };
    Ok(Origin { addresses, https: https(values)? })
}

type Addresses = Option<(SocketAddr, SocketAddr)>;

fn ipv4(content: &[u8]) -> Option<(Addresses, &[u8])> {
    let (&source, rest) = content.split_first_chunk::<4>()?;
    let (&destination, rest) = rest.split_first_chunk::<4>()?;
    let (ports, values) = rest.split_first_chunk::<4>()?;
    Some((both(Ipv4Addr::from(source).into(), Ipv4Addr::from(destination).into(), *ports), values))
}

fn ipv6(content: &[u8]) -> Option<(Addresses, &[u8])> {
    let (&source, rest) = content.split_first_chunk::<16>()?;
    let (&destination, rest) = rest.split_first_chunk::<16>()?;
    let (ports, values) = rest.split_first_chunk::<4>()?;
    Some((both(Ipv6Addr::from(source).into(), Ipv6Addr::from(destination).into(), *ports), values))
}

fn both(source: IpAddr, destination: IpAddr, [a, b, c, d]: [u8; 4]) -> Addresses {
    let source = SocketAddr::new(source, u16::from_be_bytes([a, b]));
    Some((source, SocketAddr::new(destination, u16::from_be_bytes([c, d]))))
}

/// Goes through the values, each of them a type, a length and bytes, for the one that tells of TLS.
fn https(values: &[u8]) -> Result<Option<bool>, Error> {
    let (mut rest, mut https) = (values, None);
    while !rest.is_empty() {
        let (&[kind, high, low], after) = rest.split_first_chunk().ok_or(Error::Values)?;
        let (value, after) =
            after.split_at_checked(usize::from(u16::from_be_bytes([high, low]))).ok_or(Error::Values)?;
        if kind == TYPE_SSL {
            https = Some(value.first().ok_or(Error::Values)? & CLIENT_SSL != 0);
        }
        rest = after;
    }
    Ok(https)
}
