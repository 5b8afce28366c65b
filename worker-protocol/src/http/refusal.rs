//! Why a request is refused: one variant for each rule, with the sentence that the client and the log get, and the
//! status. Pure; the worker writes the answer.

use thiserror::Error;

use crate::Fault;
use crate::pairs::Overflow;

/// Why bytes are no request that this server answers. Lines count from 1, which is the request line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The first bytes of a TLS handshake.
    #[error("the peer speaks TLS to a plain HTTP socket")]
    SpeaksTls,
    /// The first byte of a uwsgi packet.
    #[error("the peer speaks uwsgi to an HTTP socket (nginx needs proxy_pass here, not uwsgi_pass)")]
    SpeaksUwsgi,
    /// The first byte of a FastCGI record.
    #[error("the peer speaks FastCGI to an HTTP socket (nginx needs proxy_pass here, not fastcgi_pass)")]
    SpeaksFastCgi,
    /// A PROXY protocol header where none is expected.
    #[error("the peer sends the PROXY protocol, which is not enabled here (enable-proxy-protocol)")]
    SpeaksProxy,
    /// A byte that no method begins with.
    #[error("the request begins with the byte {0:#04x}, which no method begins with")]
    FirstByte(
        /// The byte.
        u8,
    ),
    /// Empty lines before the request line. One is forgiven (RFC 9112 section 2.2).
    #[error("more than one empty line before the request line")]
    EmptyLines,
    /// A CR that no LF follows (RFC 9112 section 2.2).
    #[error("a bare CR in line {line} of the head")]
    BareCr {
        /// Where.
        line: usize,
    },
    /// A LF without a CR before it. RFC 9112 section 2.2 lets servers take it for a line's end; those that do and
    /// those that do not see different requests.
    #[error("a bare LF in line {line} of the head")]
    BareLf {
        /// Where.
        line: usize,
    },
    /// A header continued on the next line, or a blank before the first one (RFC 9112 section 5.2).
    #[error("line {line} of the head begins with a blank: folded headers are not accepted")]
    Folded {
        /// Where.
        line: usize,
    },
    /// A request line beyond [`super::Limits::line_bytes_max`].
    #[error("the request line exceeds {line_bytes_max} bytes")]
    RequestLineTooLong {
        /// Bytes the limits allow.
        line_bytes_max: u16,
    },
    /// A header line beyond [`super::Limits::line_bytes_max`].
    #[error("line {line} of the head exceeds {line_bytes_max} bytes")]
    HeaderTooLong {
        /// Where.
        line: usize,
        /// Bytes the limits allow.
        line_bytes_max: u16,
    },
    /// A head beyond [`super::Limits::head_bytes_max`].
    #[error("the head of the request exceeds {head_bytes_max} bytes")]
    HeadTooLarge {
        /// Bytes the limits allow.
        head_bytes_max: usize,
    },
    /// Header lines beyond [`super::Limits::headers_max`].
    #[error("the request has more than {headers_max} headers")]
    TooManyHeaders {
        /// Header lines the limits allow.
        headers_max: usize,
    },
    /// Variables of more bytes than [`crate::pairs::Limits::block_bytes_max`].
    #[error("the variables of the request exceed the bytes that buffer-size allows")]
    BlockTooLarge,
    /// More variables than [`crate::pairs::Limits::variables_max`].
    #[error("the request has more variables than max-vars allows")]
    TooManyVariables,
    /// A request line of another form (RFC 9112 section 3).
    #[error("the request line is not a method, a target and a version, with one blank between each")]
    RequestLine,
    /// A version other than 1.0 and 1.1.
    #[error("HTTP/1.0 and HTTP/1.1 are spoken here, and no other version")]
    Version,
    /// `CONNECT`, which is for proxies.
    #[error("CONNECT is answered by proxies; this is not one")]
    Connect,
    /// A byte that a target cannot have (RFC 3986, and what browsers leave as it is: see [`super::request`]).
    #[error("the target of the request contains the byte {0:#04x}, which must be percent-encoded")]
    TargetByte(
        /// The byte.
        u8,
    ),
    /// A target that is neither a path, nor an absolute URI with `http` or `https`, nor `*`.
    #[error("the target of the request is neither a path nor an http URI")]
    TargetForm,
    /// `*` with a method other than `OPTIONS` (RFC 9112 section 3.2.4).
    #[error("only OPTIONS can have the target *")]
    Asterisk,
    /// A percent sign that two hexadecimal digits do not follow, in the path.
    #[error("the path of the request contains an invalid percent-encoding")]
    TargetEscape,
    /// `%00` in the path: what ends text in the one program and not in the other.
    #[error("the path of the request contains a NUL")]
    TargetNul,
    /// More `..` than there are segments.
    #[error("the path of the request leads out of the root")]
    AboveRoot,
    /// A request for `https` on a connection without it (RFC 9110 section 7.4).
    #[error("the request is for an https URI, but the connection is not secure")]
    Misdirected,
    /// A header line without a colon.
    #[error("line {line} of the head has no colon")]
    NoColon {
        /// Where.
        line: usize,
    },
    /// A blank between name and colon (RFC 9112 section 5.1).
    #[error("line {line} of the head has a blank before its colon")]
    BlankBeforeColon {
        /// Where.
        line: usize,
    },
    /// A header name that is no token, or empty.
    #[error("the name of the header in line {line} is not a token")]
    HeaderName {
        /// Where.
        line: usize,
    },
    /// A control byte in a value (RFC 9110 section 5.5).
    #[error("the value of the header in line {line} contains a control character")]
    HeaderValue {
        /// Where.
        line: usize,
    },
    /// No `Host` in HTTP/1.1 (RFC 9112 section 3.2).
    #[error("a request with HTTP/1.1 needs a Host header")]
    HostMissing,
    /// Two `Host` headers, equal or not.
    #[error("the request has more than one Host header")]
    HostRepeated,
    /// A host that is none (RFC 9110 section 4.2.1, section 7.2).
    #[error("the host of the request is not a name or address with an optional port")]
    HostInvalid,
    /// A `Connection` that is no list of tokens (RFC 9110 section 7.6.1): those who skip what they cannot read and those
    /// who skip the header disagree about what comes after the answer.
    #[error("the Connection header is not a list of tokens")]
    ConnectionInvalid,
    /// A `Content-Length` other than 1 to 19 digits.
    #[error("Content-Length is not a number of 1 to 19 digits")]
    LengthInvalid,
    /// Two that differ.
    #[error("Content-Length is given as {first} and as {second}")]
    LengthConflict {
        /// The earlier one.
        first: u64,
        /// The later one.
        second: u64,
    },
    /// `Content-Length` and `Transfer-Encoding` together (RFC 9112 section 6.1).
    #[error("Content-Length and Transfer-Encoding exclude each other")]
    LengthAndCoding,
    /// `Transfer-Encoding` in HTTP/1.0 (RFC 9112 section 6.1).
    #[error("Transfer-Encoding does not exist in HTTP/1.0")]
    CodingIn10,
    /// A last transfer coding that is not `chunked`, so that nothing tells the end of the body (RFC 9112 section 6.3).
    #[error("the last transfer coding is not chunked, so that the end of the body is unknown")]
    CodingWithoutEnd,
    /// Codings other than one `chunked`.
    #[error("the only transfer coding accepted is chunked, once")]
    CodingUnknown,
    /// An expectation other than `100-continue` (RFC 9110 section 10.1.1).
    #[error("the only expectation that can be met is 100-continue")]
    Expectation,
}

impl Refusal {
    /// The HTTP status that answers the request.
    pub fn status(self) -> u16 {
        match self {
            Refusal::Connect => 405,
            Refusal::RequestLineTooLong { .. } => 414,
            Refusal::Expectation => 417,
            Refusal::Misdirected => 421,
            Refusal::HeaderTooLong { .. }
            | Refusal::HeadTooLarge { .. }
            | Refusal::TooManyHeaders { .. }
            | Refusal::BlockTooLarge
            | Refusal::TooManyVariables => 431,
            Refusal::CodingUnknown => 501,
            Refusal::Version => 505,
            _ => 400,
        }
    }

    /// What an answer with status 405 must say in `Allow` (RFC 9110 section 15.5.6).
    pub fn allow(self) -> Option<&'static str> {
        (self == Refusal::Connect).then_some("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
    }

    /// Who has to change something.
    pub fn fault(self) -> Fault {
        match self {
            Refusal::SpeaksTls | Refusal::SpeaksUwsgi | Refusal::SpeaksFastCgi | Refusal::SpeaksProxy => {
                Fault::Configuration
            }
            _ => Fault::Client,
        }
    }
}

impl From<Overflow> for Refusal {
    fn from(overflow: Overflow) -> Refusal {
        match overflow {
            Overflow::Bytes => Refusal::BlockTooLarge,
            Overflow::Pairs => Refusal::TooManyVariables,
        }
    }
}
