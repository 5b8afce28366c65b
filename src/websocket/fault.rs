//! What may be wrong with what a client sends, and the code that tells it.

use thiserror::Error;

use super::code;

/// What is wrong with what came. Final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Fault {
    /// It is not the protocol.
    #[error("{0}")]
    Protocol(&'static str),
    /// What should be UTF-8 is not.
    #[error("text that is not UTF-8")]
    NotText,
    /// A message is too large.
    #[error("invalid packet size received: {bytes}, max allowed: {most}")]
    TooBig {
        /// How large it is, as far as that is known.
        bytes: u64,
        /// How large it may be.
        most: u64,
    },
}

impl Fault {
    /// The code that tells the other side.
    pub fn code(&self) -> u16 {
        match self {
            Self::Protocol(_) => code::PROTOCOL,
            Self::NotText => code::NOT_TEXT,
            Self::TooBig { .. } => code::TOO_BIG,
        }
    }
}
