//! Bodies that come wrapped, and what unwraps them: chunks of HTTP, records of FastCGI. Pure; a part of the seam.

use thiserror::Error;

use crate::fastcgi::receive::Event;
use crate::http::chunked;
use crate::{fastcgi, http};

/// Unwraps a body as it comes.
#[derive(Debug)]
pub enum Wrapped<'r> {
    /// Chunks of HTTP.
    Chunks(&'r mut http::chunked::Decoder),
    /// Records of FastCGI.
    Records(&'r mut fastcgi::receive::Receiver),
}

/// What was made of some input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'i> {
    /// Bytes of the input that are done with, `data` included.
    pub consumed: usize,
    /// Bytes of the body. Empty when the input ends before there are any, and at the end.
    pub data: &'i [u8],
    /// Whether the body has ended; what follows is the next request's.
    pub ended: bool,
}

/// Why a body cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BodyError {
    /// Chunks that are none.
    #[error(transparent)]
    Chunks(#[from] chunked::Error),
    /// Records that are none.
    #[error(transparent)]
    Records(#[from] fastcgi::Error),
    /// The web server has given the request up.
    #[error("the web server has given the request up")]
    Aborted,
}

impl Wrapped<'_> {
    /// Reads on: the next bytes of the body, at most `data_max` of them.
    ///
    /// # Errors
    /// What makes the rest of the connection useless.
    pub fn next<'i>(&mut self, input: &'i [u8], data_max: usize) -> Result<Piece<'i>, BodyError> {
        match self {
            Wrapped::Chunks(decoder) => {
                let piece = decoder.next(input, data_max)?;
                Ok(Piece { consumed: piece.consumed, data: piece.data, ended: piece.ended })
            }
            Wrapped::Records(records) => {
                if records.body_has_ended() {
                    return Ok(Piece { consumed: 0, data: &[], ended: true });
                }
                let step = records.next(input, data_max)?;
                let piece = Piece { consumed: step.consumed, data: &[], ended: false };
                match step.event {
                    Event::Body(data) => Ok(Piece { data, ..piece }),
                    Event::BodyEnd => Ok(Piece { ended: true, ..piece }),
                    Event::Aborted => Err(BodyError::Aborted),
                    Event::Need | Event::Head | Event::Close => Ok(piece),
                }
            }
        }
    }

    /// How many bytes of the body come next: so many can be read without unwrapping, if it is told
    /// ([`Wrapped::took`]). 0 when something else comes first.
    pub fn unwrapped_left(&self) -> u64 {
        match self {
            Wrapped::Chunks(decoder) => decoder.data_left(),
            Wrapped::Records(records) => records.body_left() as u64,
        }
    }

    /// Says that so many bytes were read without unwrapping: at most [`Wrapped::unwrapped_left`].
    pub fn took(&mut self, bytes: usize) {
        match self {
            Wrapped::Chunks(decoder) => decoder.took(bytes as u64),
            Wrapped::Records(records) => records.took(bytes),
        }
    }

    /// Whether what says that the body has ended is still to come, however many bytes of it were read.
    pub fn lacks_end(&self) -> bool {
        match self {
            Wrapped::Chunks(_) => false,
            Wrapped::Records(records) => !records.body_has_ended(),
        }
    }

    /// What is to be sent besides the answer.
    pub fn replies(&mut self) -> Option<&mut Vec<u8>> {
        match self {
            Wrapped::Records(records) if records.has_replies() => Some(records.replies()),
            _ => None,
        }
    }
}
