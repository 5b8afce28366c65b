//! What a trusted proxy says of the client before it: `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-SSL`, or
//! `Forwarded` (RFC 7239). Pure; it is only asked for connections of proxies that are believed.
//!
//! `Forwarded` counts only where none of the others is there: a proxy sets the one or the others, and whichever it does
//! not set it passes on as the client wrote it. Proxies of today set the others.
//!
//! Addresses are read from the right, each of them being what a trusted hop wrote: the first that is not itself a
//! trusted proxy is the client. What is no address ends the walk.

use core::net::{IpAddr, SocketAddr};

use httparse::Header;

use super::list::{list, trim};

/// Elements that are looked at; a header with more of them was not written by proxies.
const ELEMENTS_MAX: usize = 64;

/// What is known of the client. `None` where nothing was said, or nothing that can be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Client {
    /// Its address.
    pub address: Option<IpAddr>,
    /// Its port, where the proxy tells it.
    pub port: Option<u16>,
    /// Whether its connection to the proxy is secure.
    pub https: Option<bool>,
}

/// What the headers say, `trusts` telling which addresses are proxies that are believed.
pub fn client(headers: &[Header<'_>], trusts: &dyn Fn(IpAddr) -> bool) -> Client {
    let values = |name: &'static str| {
        headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
    };
    let addresses = values("x-forwarded-for").rev().flat_map(|value| list(value).rev());
    let mut client = Client::default();
    walk(&mut client, addresses.map(address), trusts);
    let proto = values("x-forwarded-proto").next_back().and_then(|value| list(value).next_back());
    let ssl = values("x-forwarded-ssl").next_back();
    client.https = proto.and_then(is_https).or_else(|| ssl.map(|value| value.eq_ignore_ascii_case(b"on")));
    if client == Client::default() && values("x-forwarded-for").next().is_none() {
        return forwarded(values("forwarded"), trusts);
    }
    client
}

/// Takes the first address that is no proxy of ours, or the last one there is.
fn walk(
    client: &mut Client,
    addresses: impl Iterator<Item = Option<(IpAddr, Option<u16>)>>,
    trusts: &dyn Fn(IpAddr) -> bool,
) -> usize {
    let mut steps = 0;
    for (address, port) in addresses.take(ELEMENTS_MAX).map_while(|address| address) {
        (client.address, client.port) = (Some(address), port);
        steps += 1;
        if !trusts(address) {
            break;
        }
    }
    steps
}

/// `ADDRESS`, `ADDRESS:PORT`, `[ADDRESS]` or `[ADDRESS]:PORT`. An IPv4 address in IPv6 is that IPv4 address.
fn address(text: &[u8]) -> Option<(IpAddr, Option<u16>)> {
    let text = std::str::from_utf8(text).ok()?;
    if let Ok(both) = text.parse::<SocketAddr>() {
        return Some((both.ip().to_canonical(), Some(both.port())));
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address: IpAddr = bare.parse().ok()?;
    Some((address.to_canonical(), None))
}

fn is_https(proto: &[u8]) -> Option<bool> {
    if proto.eq_ignore_ascii_case(b"https") {
        return Some(true);
    }
    proto.eq_ignore_ascii_case(b"http").then_some(false)
}

/// One element of `Forwarded`, as far as it matters.
#[derive(Clone, Copy, Default)]
struct Element {
    address: Option<(IpAddr, Option<u16>)>,
    https: Option<bool>,
}

/// The elements of RFC 7239; nothing if one of them is malformed. The scheme is that of the element which named the
/// client.
fn forwarded<'a>(values: impl Iterator<Item = &'a [u8]>, trusts: &dyn Fn(IpAddr) -> bool) -> Client {
    let mut elements = Vec::new();
    for value in values {
        if read_elements(value, &mut elements).is_none() {
            return Client::default();
        }
    }
    let mut client = Client::default();
    let steps = walk(&mut client, elements.iter().rev().map(|element| element.address), trusts);
    client.https = elements.iter().rev().nth(steps.saturating_sub(1)).and_then(|element| element.https);
    client
}

/// `element, element …`, an element being `name=value; name=value …`.
fn read_elements(value: &[u8], elements: &mut Vec<Element>) -> Option<()> {
    let mut rest = trim(value);
    let mut element = Element::default();
    while !rest.is_empty() {
        let equals = rest.iter().position(|&byte| byte == b'=')?;
        let (name, after) = (&rest[..equals], &rest[equals + 1..]);
        let (text, after) = read_value(after)?;
        note(&mut element, name, &text);
        let after = trim(after);
        match after.split_first() {
            None => rest = after,
            Some((b';', after)) => rest = trim(after),
            Some((b',', after)) => {
                push(elements, std::mem::take(&mut element))?;
                rest = trim(after);
                // A comma announces another element.
                if rest.is_empty() {
                    return None;
                }
            }
            Some(_) => return None,
        }
    }
    push(elements, element)
}

fn push(elements: &mut Vec<Element>, element: Element) -> Option<()> {
    elements.push(element);
    (elements.len() <= ELEMENTS_MAX).then_some(())
}

fn note(element: &mut Element, name: &[u8], text: &[u8]) {
    if name.eq_ignore_ascii_case(b"for") {
        element.address = address(text);
    } else if name.eq_ignore_ascii_case(b"proto") {
        element.https = is_https(text);
    }
}

/// A token or a quoted string, and what follows it.
fn read_value(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = text.iter().position(|byte| matches!(byte, b';' | b',' | b' ' | b'\t')).unwrap_or(text.len());
        return Some((text[..end].to_vec(), &text[end..]));
    };
    let mut value = Vec::new();
    let mut bytes = quoted.iter().enumerate();
    while let Some((at, &byte)) = bytes.next() {
        match byte {
            b'"' => return Some((value, &quoted[at + 1..])),
            b'\\' => value.push(*bytes.next()?.1),
            _ => value.push(byte),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trusts 10.0.0.0/8 and the loopback addresses.
    fn read(headers: &[(&str, &str)]) -> Client {
        let headers: Vec<Header<'_>> =
            headers.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
        client(&headers, &|address| match address {
            IpAddr::V4(address) => address.octets()[0] == 10 || address.is_loopback(),
            IpAddr::V6(address) => address.is_loopback(),
        })
    }

    fn address_of(headers: &[(&str, &str)]) -> String {
        let client = read(headers);
        let port = client.port.map(|port| format!(" port {port}")).unwrap_or_default();
        client.address.map(|address| address.to_string() + &port).unwrap_or_default()
    }

    #[test]
    fn the_client_is_the_first_from_the_right_that_is_no_proxy_of_ours() {
        for (value, expected) in [
            ("203.0.113.7", "203.0.113.7"),
            ("203.0.113.7, 10.1.1.1", "203.0.113.7"),
            ("198.51.100.1, 203.0.113.7, 10.1.1.1,10.2.2.2", "203.0.113.7"),
            ("203.0.113.7:4711", "203.0.113.7 port 4711"),
            ("[2001:db8::1]:4711", "2001:db8::1 port 4711"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("10.3.3.3, 10.1.1.1", "10.3.3.3"),
            ("unknown, 10.1.1.1", "10.1.1.1"),
            ("unknown", ""),
            ("", ""),
            ("1.2.3.4, 203.0.113.07, 10.1.1.1", "10.1.1.1"),
        ] {
            assert_eq!(address_of(&[("X-Forwarded-For", value)]), expected, "{value}");
        }
        let lines = [("x-forwarded-for", "203.0.113.7"), ("X-FORWARDED-FOR", "10.1.1.1")];
        assert_eq!(address_of(&lines), "203.0.113.7");
    }

    #[test]
    fn the_scheme_is_what_the_nearest_proxy_says() {
        for (headers, expected) in [
            ([("X-Forwarded-Proto", "https")].as_slice(), Some(true)),
            (&[("X-Forwarded-Proto", "HTTP")], Some(false)),
            (&[("X-Forwarded-Proto", "http, https")], Some(true)),
            (&[("X-Forwarded-Proto", "gopher")], None),
            (&[("X-Forwarded-SSL", "on")], Some(true)),
            (&[("X-Forwarded-SSL", "off")], Some(false)),
            (&[("X-Forwarded-Proto", "http"), ("X-Forwarded-SSL", "on")], Some(false)),
            (&[("X-Forwarded-For", "1.2.3.4")], None),
        ] {
            assert_eq!(read(headers).https, expected, "{headers:?}");
        }
    }

    #[test]
    fn forwarded_elements_name_the_client_and_its_scheme() {
        for (value, expected, https) in [
            ("for=203.0.113.7", "203.0.113.7", None),
            ("for=203.0.113.7;proto=https", "203.0.113.7", Some(true)),
            ("for=\"[2001:db8::1]:4711\"; proto=http; by=10.0.0.1", "2001:db8::1 port 4711", Some(false)),
            (
                "for=198.51.100.1;proto=http, For=203.0.113.7;Proto=https , for=10.1.1.1;proto=http",
                "203.0.113.7",
                Some(true),
            ),
            ("for=_hidden, for=10.1.1.1;proto=https", "10.1.1.1", Some(true)),
            ("host=\"a, b\\\"c\";for=203.0.113.7", "203.0.113.7", None),
            ("for=203.0.113.7,", "", None),
            ("for", "", None),
            ("for=\"203.0.113.7", "", None),
            ("for=203.0.113.7 proto=https", "", None),
        ] {
            assert_eq!(address_of(&[("Forwarded", value)]), expected, "{value}");
            assert_eq!(read(&[("Forwarded", value)]).https, https, "{value}");
        }
        let endless = "for=10.1.1.1,".repeat(64) + "for=10.1.1.1";
        assert_eq!(address_of(&[("Forwarded", &endless)]), "");
    }

    #[test]
    fn forwarded_does_not_override_what_the_proxy_sets() {
        let spoofed = ("Forwarded", "for=192.0.2.66;proto=https");
        assert_eq!(address_of(&[spoofed, ("X-Forwarded-For", "203.0.113.7")]), "203.0.113.7");
        assert_eq!(read(&[spoofed, ("X-Forwarded-Proto", "http")]), Client { https: Some(false), ..Client::default() });
        assert_eq!(read(&[spoofed, ("X-Forwarded-For", "unknown")]), Client::default());
    }
}
