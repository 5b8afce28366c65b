//! Headers that are about one connection, and not for whoever comes behind it (RFC 9110, section 7.6.1). Pure.

/// Whether a header, by its name in any case, is about the connection that it comes on, whoever sends it.
///
/// ```
/// use worker_protocol::http::hop::is_of_connection;
///
/// assert!(is_of_connection(b"Keep-Alive") && !is_of_connection(b"Content-Length"));
/// ```
#[must_use]
pub fn is_of_connection(name: &[u8]) -> bool {
    let known: &[u8] = match name.len() {
        2 => b"te",
        7 => b"trailer",
        10 if name.first().is_some_and(|first| first.eq_ignore_ascii_case(&b'k')) => b"keep-alive",
        10 => b"connection",
        16 => b"proxy-connection",
        17 => b"transfer-encoding",
        _ => return false,
    };
    name.eq_ignore_ascii_case(known)
}

/// The same for what goes between us and another server, which is not asked for another protocol, nor for our credentials.
///
/// ```
/// use worker_protocol::http::hop::is_between_servers;
///
/// assert!(is_between_servers(b"upgrade") && is_between_servers(b"te") && !is_between_servers(b"cookie"));
/// ```
#[must_use]
pub fn is_between_servers(name: &[u8]) -> bool {
    const MORE: [&[u8]; 3] = [b"upgrade", b"proxy-authenticate", b"proxy-authorization"];
    is_of_connection(name) || MORE.iter().any(|known| name.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_them_is_known_in_any_case_and_nothing_else() {
        for name in ["Connection", "KEEP-ALIVE", "proxy-connection", "Te", "Trailer", "Transfer-Encoding"] {
            assert!(is_of_connection(name.as_bytes()) && is_between_servers(name.as_bytes()), "{name}");
        }
        for name in ["", "T", "TE2", "Trailers", "kept-alive", "Connectiom", "Upgrade", "Proxy-Authenticate", "Date"] {
            assert!(!is_of_connection(name.as_bytes()), "{name}");
        }
    }
}
