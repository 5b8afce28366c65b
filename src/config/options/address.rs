//! How addresses to listen on are read: HOST:PORT, a path, `@NAME`, `fd://N`, `=N`.
//!
//! Not for looking up the names of hosts, which is not pure (`sockets`), nor the sockets that `=N` refers to
//! (`shared_sockets`). Pure; runs wherever a configuration is read.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::number::leading_number;
use super::parsed::{Parsed, Unfit};
use crate::config::model::Address;

/// The longest path of a unix socket in bytes: `sun_path` has 108 with the final NUL (unix(7)).
const UNIX_PATH_MAX: usize = 107;

/// Reads an address. A host's name leaves the address open: looking it up is not pure. So does a shared socket's number.
pub(super) fn parse_address(text: &str) -> Result<Parsed<'_>, Unfit> {
    let expected = "HOST:PORT, :PORT, [IPv6]:PORT, a path, @NAME or fd://N";
    let (address, remark) = if text.is_empty() {
        return Err(Unfit::new(expected));
    } else if let Some(number) = text.strip_prefix("fd://") {
        let descriptor = number.parse().map_err(|_| Unfit::new("fd:// and the number of a descriptor"))?;
        (Some(Address::Inherited(descriptor)), None)
    } else if let Some(name) = text.strip_prefix('@').or_else(|| text.strip_prefix("\\0")) {
        (Some(Address::Abstract(checked_length(name)?.into())), None)
    } else if text.starts_with('=') {
        shared_number(text).ok_or_else(|| Unfit::new("= and the number of a shared-socket, from 0"))?;
        (None, None)
    } else if text.contains(':') && !text.contains('/') {
        tcp_address(text)?
    } else {
        (Some(Address::Unix(PathBuf::from(checked_length(text)?))), file_remark(text))
    };
    Ok(Parsed { address, remark, ..Parsed::new(text, 0) })
}

/// The number in `=N`.
pub(super) fn shared_number(text: &str) -> Option<usize> {
    text.strip_prefix('=')?.trim().parse().ok()
}

fn checked_length(name: &str) -> Result<&str, Unfit> {
    match name.len() {
        0 => Err(Unfit::new("a name")),
        1..=UNIX_PATH_MAX => Ok(name),
        _ => Err(Unfit::new(format!("at most {UNIX_PATH_MAX} bytes, the limit of unix sockets"))),
    }
}

fn file_remark(text: &str) -> Option<String> {
    let number = text.bytes().all(|byte| byte.is_ascii_digit());
    number.then(|| format!("listens on a file named {text}; the port is written :{text}"))
}

fn tcp_address(text: &str) -> Result<(Option<Address>, Option<String>), Unfit> {
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    let (port, rest) = match leading_number(port) {
        Some((number, rest)) => (u16::try_from(number).ok(), rest.trim()),
        None => (None, ""),
    };
    let port = port.ok_or_else(|| Unfit::new("a port from 0 to 65535 after the colon"))?;
    let ip = host_address(host)?;
    let remark = (!rest.is_empty()).then(|| format!("read as port {port}; `{rest}` is ignored"));
    Ok((ip.map(|ip| Address::Tcp(SocketAddr::new(ip, port))), remark))
}

/// The address of a host written as one; `None` for a name.
fn host_address(host: &str) -> Result<Option<IpAddr>, Unfit> {
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match (host, bracketed) {
        ("", _) => Ok(Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED))),
        ("localhost", _) => Ok(Some(IpAddr::V4(Ipv4Addr::LOCALHOST))),
        (_, Some(inner)) => {
            inner.parse().map(|ip| Some(IpAddr::V6(ip))).map_err(|_| Unfit::new("an IPv6 address between the brackets"))
        }
        _ if host.contains(':') => Err(Unfit::new("brackets around an IPv6 address, as in [::1]:8000")),
        _ if host.ends_with('*') => Err(Unfit::new("a whole address").hint("for every interface write :PORT")),
        _ => match host.parse() {
            Ok(ip) => Ok(Some(ip)),
            Err(_) if is_host_name(host) => Ok(None),
            Err(_) => Err(Unfit::new("an IP address or a host's name before the colon")),
        },
    }
}

/// Letters, digits, dots and hyphens (RFC 1123), and not digits and dots alone; underscores, as containers have them.
fn is_host_name(host: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    host.len() <= 253 && host.bytes().all(allowed) && host.bytes().any(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_every_form() {
        let tcp = |text: &str| Some(Address::Tcp(text.parse().expect("an address of the test")));
        for (text, expected) in [
            (":3031", tcp("0.0.0.0:3031")),
            ("127.0.0.1:3031", tcp("127.0.0.1:3031")),
            ("127.0.0.1:3031 # tcp", tcp("127.0.0.1:3031")),
            ("localhost:0", tcp("127.0.0.1:0")),
            ("[::1]:80", tcp("[::1]:80")),
            ("/run/app.sock", Some(Address::Unix("/run/app.sock".into()))),
            ("/tmp/a:b.sock", Some(Address::Unix("/tmp/a:b.sock".into()))),
            ("8000", Some(Address::Unix("8000".into()))),
            ("@app", Some(Address::Abstract(b"app".to_vec()))),
            ("\\0app", Some(Address::Abstract(b"app".to_vec()))),
            ("fd://3", Some(Address::Inherited(3))),
            ("app-1.example:80", None),
            ("=0", None),
        ] {
            assert_eq!(parse_address(text).map(|parsed| parsed.address), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn addresses_that_are_none() {
        for text in
            ["", ":", ":x", "1.2.3.4:70000", "::1:80", "[::x]:80", "192.168.*:80", "=", "=x", "@", "fd://x", "a b:1"]
        {
            assert!(parse_address(text).is_err(), "{text:?}");
        }
        assert!(parse_address(&format!("/{}", "x".repeat(UNIX_PATH_MAX))).is_err());
    }
}
