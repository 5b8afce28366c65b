//! The head of an answer that somebody else gives: a server behind us, or a function of the application. What is to go on to a
//! client is taken apart here, so that nobody else's words say where our answers end. Pure; workers.

use httparse::{EMPTY_HEADER, Response, Status};

use super::hop::is_between_servers;
use super::list::list;
use crate::decimal;

/// Most bytes of a head, and most headers in it.
pub const BYTES_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 256;

/// A head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its status.
    pub status: u16,
    /// What it says beside the status.
    pub reason: String,
    /// The headers that are for the client, in their order, without the length.
    pub headers: Vec<(String, Vec<u8>)>,
    /// How long the body is, if it says so.
    pub length: Option<u64>,
    /// How many bytes it takes.
    pub bytes: usize,
}

/// Why something is no head that can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is no HTTP.
    #[error("it is no answer of HTTP")]
    Malformed,
    /// It is longer than any that is read.
    #[error("its head has more than {BYTES_MAX} bytes")]
    TooLong,
    /// The body comes in a form that was not asked for.
    #[error("its body comes in pieces, which HTTP/1.0 does not have")]
    Wrapped,
    /// Two lengths, or none that is a number.
    #[error("it does not say how long it is, but that it does")]
    Length,
}

/// The head that begins these bytes; `None`: there is more to come of it.
///
/// ```
/// use worker_protocol::http::foreign::{Unfit, read};
///
/// let head = read(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\nServer: other\r\n\r\nhi").unwrap().unwrap();
/// assert_eq!((head.status, head.length, head.headers.len()), (200, Some(2), 1));
/// assert_eq!(read(b"SSH-2.0-OpenSSH\r\n"), Err(Unfit::Malformed));
/// ```
///
/// # Errors
/// It is none that can go on.
pub fn read(bytes: &[u8]) -> Result<Option<Head>, Unfit> {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut response = Response::new(&mut headers);
    let taken = match response.parse(bytes) {
        Ok(Status::Complete(taken)) => taken,
        Ok(Status::Partial) if bytes.len() < BYTES_MAX => return Ok(None),
        Ok(Status::Partial) => return Err(Unfit::TooLong),
        Err(_) => return Err(Unfit::Malformed),
    };
    let status = response.code.filter(|status| (200..1_000).contains(status)).ok_or(Unfit::Malformed)?;
    let reason = response.reason.unwrap_or_default().to_owned();
    let all = || response.headers.iter();
    let named = |name: &'static str| all().filter(move |header| header.name.eq_ignore_ascii_case(name));
    let mut length = None;
    for header in named("content-length") {
        let bytes = Some(header.value).filter(|digits| !digits.is_empty()).and_then(decimal::parse);
        let bytes = bytes.ok_or(Unfit::Length)?;
        if length.replace(bytes).is_some_and(|before| before != bytes) {
            return Err(Unfit::Length);
        }
    }
    if named("transfer-encoding").next().is_some() {
        return Err(Unfit::Wrapped);
    }
    let of_connection: Vec<&[u8]> = named("connection").flat_map(|header| list(header.value)).collect();
    let stays = |name: &str| {
        is_between_servers(name.as_bytes())
            || name.eq_ignore_ascii_case("content-length")
            || of_connection.iter().any(|member| member.eq_ignore_ascii_case(name.as_bytes()))
    };
    let passing = all().filter(|header| !stays(header.name));
    let headers = passing.map(|header| (header.name.to_owned(), header.value.to_vec())).collect();
    Ok(Some(Head { status, reason, headers, length, bytes: taken }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Option<Head>, Unfit> {
        read(text.as_bytes())
    }

    #[test]
    fn what_is_for_the_client_goes_on_and_the_rest_stays() {
        let text = "HTTP/1.1 200 Fine\r\nContent-Type: text/plain\r\nConnection: X-Own\r\nX-Own: 1\r\nKeep-Alive: 5\r\n\
                    Content-Length: 3\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nabc";
        let head = head(text).unwrap().unwrap();
        assert_eq!((head.status, head.reason.as_str(), head.length), (200, "Fine", Some(3)));
        let names: Vec<&str> = head.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["Content-Type", "Set-Cookie", "Set-Cookie"]);
        assert_eq!(&text[head.bytes..], "abc");
    }

    #[test]
    fn a_head_that_is_cut_is_waited_for() {
        let text = "HTTP/1.0 404 Not Found\r\nA: b\r\n\r\n";
        for end in 0..text.len() {
            assert_eq!(head(&text[..end]), Ok(None), "cut at {end}");
        }
        assert_eq!(head(text).unwrap().unwrap().status, 404);
        let endless = format!("HTTP/1.0 200 OK\r\nA: {}", "x".repeat(BYTES_MAX));
        assert_eq!(head(&endless), Err(Unfit::TooLong));
    }

    #[test]
    fn what_would_leave_the_end_open_is_refused() {
        for (text, why) in [
            ("hello\r\n\r\n", Unfit::Malformed),
            ("HTTP/1.1 100 Continue\r\n\r\n", Unfit::Malformed),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Unfit::Wrapped),
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", Unfit::Length),
            ("HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\n", Unfit::Length),
            ("HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n", Unfit::Length),
            ("HTTP/1.1 200 OK\r\nA\0: b\r\n\r\n", Unfit::Malformed),
        ] {
            assert_eq!(head(text), Err(why), "{text:?}");
        }
    }
}
