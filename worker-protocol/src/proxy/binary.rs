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

/// The same the other way. An IPv4 address beside an IPv6 one is written as an IPv6 one.
pub(super) fn encode(origin: &Origin) -> Vec<u8> {
    let (family, mut content) = match origin.addresses {
        None => (0x00, Vec::new()),
        Some((SocketAddr::V4(source), SocketAddr::V4(destination))) => {
            (0x11, [source.ip().octets(), destination.ip().octets()].concat())
        }
        Some((source, destination)) => (0x21, [source, destination].map(|one| as_ipv6(one.ip()).octets()).concat()),
    };
    if let Some((source, destination)) = origin.addresses {
        content.extend(source.port().to_be_bytes());
        content.extend(destination.port().to_be_bytes());
    }
    if let Some(https) = origin.https {
        // The flags, and four bytes that say whether a certificate was looked at.
        content.extend([TYPE_SSL, 0, 5, if https { CLIENT_SSL } else { 0 }, 0, 0, 0, 0]);
    }
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    [SIGNATURE.as_slice(), &[0x21, family], &length.to_be_bytes(), &content].concat()
}

fn as_ipv6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_it_was_meant() {
        let pair = |source: &str, destination: &str| Some((source.parse().unwrap(), destination.parse().unwrap()));
        for addresses in [
            None,
            pair("192.0.2.7:40001", "198.51.100.1:443"),
            pair("[2001:db8::7]:40001", "[2001:db8::1]:443"),
            pair("[::ffff:192.0.2.7]:1", "[2001:db8::1]:443"),
        ] {
            for https in [None, Some(true), Some(false)] {
                let origin = Origin { addresses, https };
                let bytes = encode(&origin);
                assert_eq!(decode(&bytes), Ok(Some(Header { origin, consumed: bytes.len() })));
            }
        }
        let mixed = Origin { addresses: pair("192.0.2.7:1", "[2001:db8::1]:443"), https: None };
        let expected = Origin { addresses: pair("[::ffff:192.0.2.7]:1", "[2001:db8::1]:443"), https: None };
        assert_eq!(decode(&encode(&mixed)).unwrap().unwrap().origin, expected);
    }
}
