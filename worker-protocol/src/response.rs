//! The head of an HTTP response, as written to a uwsgi socket: status line and headers (uWSGI's manual, "The uwsgi
//! Protocol").
//!
//! It writes into the caller's buffer and adds no header of its own. No body, no chunking (nginx delivers chunk framing
//! as content, uWSGI's manual, "Nginx support"), no interim responses. Runs in the worker, once for every request.

use thiserror::Error;

use crate::decimal;
use crate::token::is_token;

/// Most bytes of a head, status line and blank line included: uWSGI's `response-headers-limit`. nginx takes less, one
/// page unless `uwsgi_buffer_size` says more.
pub const HEAD_BYTES_MAX: usize = 65_536;

/// The version of HTTP in a status line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `HTTP/1.0`
    Http10,
    /// `HTTP/1.1`, also for requests of a later version: the web server translates.
    Http11,
}

impl Version {
    /// As it stands in the status line.
    pub fn as_str(self) -> &'static str {
        match self {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        }
    }
}

/// Why a head cannot be written. It is the application's fault: answer 500.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// A status that is not 200 to 999: 100 and 103 would be taken for the final answer by nginx, and two digits for no
    /// status at all (uWSGI's manual, "Nginx support"). 101 is allowed.
    #[error("status {0} cannot be sent: a final status has three digits and is 101 or at least 200")]
    Status(u16),
    /// A reason phrase with CR, LF or NUL.
    #[error("reason phrase of status {0} contains a control character")]
    Reason(u16),
    /// A header name that is no token.
    #[error("header name {0:?} is not a token")]
    Name(String),
    /// A header value with CR, LF or NUL.
    #[error("value of header {name} contains the control character {byte:#04x}")]
    Value {
        /// The header.
        name: String,
        /// The byte.
        byte: u8,
    },
    /// The head would exceed its limit, which is at most [`HEAD_BYTES_MAX`].
    #[error("header {name} makes the response head larger than {bytes_max} bytes")]
    TooLarge {
        /// The header, or the status line.
        name: String,
        /// The limit.
        bytes_max: usize,
    },
}

/// A head being written. Dropping it without [`Head::finish`] leaves a head without its blank line in the buffer; after
/// an error truncate the buffer to where the head started and write another one.
///
/// ```
/// use worker_protocol::response::{Error, Head, Version};
///
/// let mut out = Vec::new();
/// let mut head = Head::start(&mut out, Version::Http11, 404, None)?;
/// head.content_length(0)?;
/// assert!(head.header("X-Forged", "1\r\nX-Other: 2").is_err());
/// head.finish();
/// assert_eq!(out, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Head<'b> {
    out: &'b mut Vec<u8>,
    start: usize,
    headers_count: usize,
    bytes_max: usize,
}

/// A head that was laid aside before its blank line, while it is not known yet what else belongs into it.
///
/// ```
/// use worker_protocol::response::{Error, Head, Paused, Version, Written};
///
/// let mut out = Vec::new();
/// let mut paused: Paused = Head::start(&mut out, Version::Http11, 200, None)?.pause();
/// paused.add(&mut out, "Connection", b"close");
/// let Written { headers_count, head_bytes } = paused.finish(&mut out);
/// assert_eq!((headers_count, head_bytes), (1, out.len()));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Paused {
    start: usize,
    headers_count: usize,
}

impl Paused {
    /// Appends a header to the head, which `out` ends with. Only for names and values that are known to be valid.
    pub fn add(&mut self, out: &mut Vec<u8>, name: &'static str, value: &[u8]) {
        debug_assert!(is_token(name.as_bytes()) && first_dangerous(value).is_none());
        append_header(out, name.as_bytes(), value);
        self.headers_count += 1;
    }

    /// Appends the blank line.
    #[inline(always)]
    pub fn finish(self, out: &mut Vec<u8>) -> Written {
        out.extend_from_slice(b"\r\n");
        Written { headers_count: self.headers_count, head_bytes: out.len() - self.start }
    }
}

/// What the request log says of a finished head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Headers, repeated ones counted each time.
    pub headers_count: usize,
    /// Bytes of the head, status line and blank line included.
    pub head_bytes: usize,
}

impl<'b> Head<'b> {
    /// Appends the status line to `out`. `reason: None` takes the standard phrase.
    pub fn start(out: &'b mut Vec<u8>, version: Version, status: u16, reason: Option<&[u8]>) -> Result<Self, Error> {
        Head::start_with(out, version.as_str(), status, reason)
    }

    /// Appends a `Status` header in the place of the status line, as CGI has it (RFC 3875 section 6.3.3).
    pub fn start_cgi(out: &'b mut Vec<u8>, status: u16, reason: Option<&[u8]>) -> Result<Self, Error> {
        Head::start_with(out, "Status:", status, reason)
    }

    #[inline(always)]
    fn start_with(out: &'b mut Vec<u8>, start: &str, status: u16, reason: Option<&[u8]>) -> Result<Self, Error> {
        if !matches!(status, 101 | 200..=999) {
            return Err(Error::Status(status));
        }
        let phrase = reason.unwrap_or_else(|| standard_reason(status).as_bytes());
        if first_dangerous(phrase).is_some() {
            return Err(Error::Reason(status));
        }
        if phrase.len() > HEAD_BYTES_MAX - "HTTP/1.1 200 \r\n\r\n".len() {
            return Err(Error::TooLarge { name: "(the status line)".to_owned(), bytes_max: HEAD_BYTES_MAX });
        }
        let before = out.len();
        out.extend_from_slice(start.as_bytes());
        let digit = |divisor: u16| b'0' + (status / divisor % 10) as u8;
        out.extend_from_slice(&[b' ', digit(100), digit(10), digit(1), b' ']);
        out.extend_from_slice(phrase);
        out.extend_from_slice(b"\r\n");
        Ok(Head { out, start: before, headers_count: 0, bytes_max: HEAD_BYTES_MAX })
    }

    /// Allows at most so many bytes for what is added from here on, and for the blank line.
    pub fn within(mut self, bytes_max: usize) -> Self {
        self.bytes_max = bytes_max.min(HEAD_BYTES_MAX);
        self
    }

    /// Appends one header. On an error nothing of it is written.
    #[inline(always)]
    pub fn header(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<(), Error> {
        let (name, value) = (name.as_ref(), value.as_ref());
        if !is_token(name) {
            return Err(Error::Name(shown(name)));
        }
        if let Some(byte) = first_dangerous(value) {
            return Err(Error::Value { name: shown(name), byte });
        }
        self.append(name, value)
    }

    /// Appends `Content-Length`.
    pub fn content_length(&mut self, bytes: u64) -> Result<(), Error> {
        self.append(b"Content-Length", decimal::format(bytes, &mut [0; 20]))
    }

    /// Appends a header that is valid, if there is room for it.
    #[inline(always)]
    fn append(&mut self, name: &[u8], value: &[u8]) -> Result<(), Error> {
        let head_bytes = self.out.len() - self.start + name.len() + 2 + value.len() + 2 + 2;
        if head_bytes > self.bytes_max {
            return Err(Error::TooLarge { name: shown(name), bytes_max: self.bytes_max });
        }
        append_header(self.out, name, value);
        self.headers_count += 1;
        Ok(())
    }

    /// Appends the blank line.
    pub fn finish(self) -> Written {
        self.out.extend_from_slice(b"\r\n");
        Written { headers_count: self.headers_count, head_bytes: self.out.len() - self.start }
    }

    /// Goes on with one that was laid aside, which `out` ends with.
    pub fn resume(out: &'b mut Vec<u8>, paused: Paused) -> Self {
        Head { out, start: paused.start, headers_count: paused.headers_count, bytes_max: HEAD_BYTES_MAX }
    }

    /// Lays it aside.
    pub fn pause(self) -> Paused {
        Paused { start: self.start, headers_count: self.headers_count }
    }
}

#[inline(always)]
fn append_header(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Whether a response may carry a body (RFC 9110 sections 6.4.1, 9.3.2, 15.2, 15.3.5, 15.4.5). Methods are
/// case-sensitive.
pub fn body_allowed(method: &str, status: u16) -> bool {
    method != "HEAD" && !matches!(status, 100..=199 | 204 | 304)
}

/// The registered reason phrase (IANA HTTP Status Code Registry), `Unknown` for other codes as uWSGI has it.
pub fn standard_reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        102 => "Processing",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        207 => "Multi-Status",
        208 => "Already Reported",
        226 => "IM Used",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        305 => "Use Proxy",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        423 => "Locked",
        424 => "Failed Dependency",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        506 => "Variant Also Negotiates",
        507 => "Insufficient Storage",
        508 => "Loop Detected",
        510 => "Not Extended",
        511 => "Network Authentication Required",
        _ => "Unknown",
    }
}

/// The first byte of those that RFC 9110 section 5.5 calls dangerous. Other control bytes are invalid, too, but end no
/// line: web servers pass them on, and applications put them there (names of files that somebody uploaded).
fn first_dangerous(bytes: &[u8]) -> Option<u8> {
    bytes.iter().copied().find(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

/// A header name for an error message, cut at 64 bytes.
#[cold]
fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(&name[..name.len().min(64)]).into_owned()
}
