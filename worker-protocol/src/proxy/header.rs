//! What a header of the PROXY protocol says, in either version, and what can be wrong with one. Pure.

use core::net::SocketAddr;

use thiserror::Error;

/// Most bytes of a header of version 1, its line's end included (section 2.1).
pub const TEXT_BYTES_MAX: usize = 107;

/// Most bytes of a header of version 2. Addresses take 232 at most; the rest is for what else is told, a certificate's
/// name for instance.
pub const BINARY_BYTES_MAX: usize = 4_096;

/// What the header says of the connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Origin {
    /// The client's address, and the one it connected to. `None` where the load balancer speaks for itself (a health
    /// check), or does not know, or where the client came over a unix socket.
    pub addresses: Option<(SocketAddr, SocketAddr)>,
    /// Whether the client's connection is secure, where it is told (version 2 only).
    pub https: Option<bool>,
}

/// A whole header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What it says.
    pub origin: Origin,
    /// Bytes that it took; what follows is the connection's own.
    pub consumed: usize,
}

/// Why bytes are no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Error {
    /// They begin like neither version.
    #[error("the connection does not begin with a PROXY protocol header")]
    Missing,
    /// A line of version 1 that does not end in time.
    #[error("the PROXY line does not end within {TEXT_BYTES_MAX} bytes")]
    LineTooLong,
    /// A line of version 1 of another form.
    #[error("the PROXY line is not of the form PROXY TCP4|TCP6|UNKNOWN with addresses and ports")]
    Line,
    /// A version other than 2 behind the signature of version 2.
    #[error("a PROXY header of version {0}: 1 and 2 are spoken here")]
    Version(
        /// As received.
        u8,
    ),
    /// A command other than LOCAL and PROXY.
    #[error("a PROXY header with the command {0}")]
    Command(
        /// As received.
        u8,
    ),
    /// A family or transport that is not defined.
    #[error("a PROXY header with the address family and transport {0:#04x}")]
    Family(
        /// As received.
        u8,
    ),
    /// Less than the addresses of the family need.
    #[error("a PROXY header too short for its addresses")]
    TooShort,
    /// More than [`BINARY_BYTES_MAX`].
    #[error("a PROXY header of more than {BINARY_BYTES_MAX} bytes")]
    TooLong,
    /// Further values that do not add up.
    #[error("a PROXY header whose further values run past its end")]
    Values,
}
