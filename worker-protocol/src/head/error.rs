//! Why variables are no request.

use thiserror::Error;

use crate::Fault;

/// Why the variables are no request. Each one answers 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Error {
    /// A method that is no token (RFC 9110 section 9.1).
    #[error("REQUEST_METHOD is not a token")]
    MethodInvalid,
    /// A `CONTENT_LENGTH` other than 1 to 19 digits.
    #[error("CONTENT_LENGTH is not a number of 1 to 19 digits")]
    ContentLengthInvalid,
    /// Two lengths that differ.
    #[error("CONTENT_LENGTH is given as {first} and as {second}")]
    ContentLengthConflict {
        /// The earlier one.
        first: u64,
        /// The later one.
        second: u64,
    },
}

impl Error {
    /// Who has to change something.
    pub fn fault(self) -> Fault {
        Fault::Client
    }

    /// The HTTP status that answers the request.
    pub fn status(self) -> u16 {
        400
    }
}
