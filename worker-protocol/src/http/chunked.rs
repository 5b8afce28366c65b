//! Bodies in chunks (RFC 9112 section 7.1), decoded as they arrive. Pure; the worker keeps one [`Decoder`] for a request
//! whose body comes that way.
//!
//! Strict where servers are known to differ: sizes have 1 to 16 hexadecimal digits and nothing else, every line ends
//! with CR LF, the bytes of a chunk are followed by exactly those two. Extensions are checked against the grammar and
//! forgotten, trailers too. Each of them has a bound for the whole body, so that no client can send much and say little.

use thiserror::Error;

use crate::token::is_token_byte;

/// Bytes of all chunk extensions of a body: 400. Hardly anybody uses them.
pub const EXTENSION_BYTES_MAX: usize = 4_096;

/// Bytes of all trailers of a body: 431.
pub const TRAILER_BYTES_MAX: usize = 8_192;

/// Digits of a chunk's size, those that are zero included: 64 bits.
const DIGITS_MAX: u8 = 16;

/// Why a body cannot be read on. The connection is of no use after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Error {
    /// A byte in the place of a hexadecimal digit.
    #[error("the size of a chunk is not a hexadecimal number")]
    Size,
    /// More digits than 64 bits have.
    #[error("the size of a chunk has more than {DIGITS_MAX} digits")]
    SizeTooLong,
    /// Bytes after the size that are neither an extension nor the line's end.
    #[error("the line of a chunk's size contains more than a size and extensions")]
    Extension,
    /// More than [`EXTENSION_BYTES_MAX`].
    #[error("the chunk extensions of the body exceed {EXTENSION_BYTES_MAX} bytes")]
    ExtensionsTooLarge,
    /// A line that does not end with CR LF.
    #[error("a line of the chunked body does not end with CR LF")]
    LineEnd,
    /// Bytes beyond the announced size.
    #[error("the bytes of a chunk are not followed by CR LF")]
    DataEnd,
    /// A trailer that is no header.
    #[error("a trailer of the chunked body is not a header line")]
    Trailer,
    /// More than [`TRAILER_BYTES_MAX`].
    #[error("the trailers of the body exceed {TRAILER_BYTES_MAX} bytes")]
    TrailersTooLarge,
    /// A chunk that takes the body beyond what the caller accepts.
    #[error("the request body is larger than this server accepts")]
    BodyTooLarge,
}

impl Error {
    /// The HTTP status that answers the request, if nothing was answered yet.
    pub fn status(self) -> u16 {
        match self {
            Error::BodyTooLarge => 413,
            Error::TrailersTooLarge => 431,
            _ => 400,
        }
    }
}

/// What a call of [`Decoder::next`] made of its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Bytes of the input that are done with, `data` included.
    pub consumed: usize,
    /// Bytes of the body. Empty when the input ends before there are any, and at the end.
    pub data: &'a [u8],
    /// Whether that was the end of the body. What follows in the input is the next request's.
    pub ended: bool,
}

/// Where in the body the next byte belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A chunk's size, so many digits being read.
    Size(u8),
    /// After the size.
    Extension(Extension),
    /// The LF that ends the line of a size.
    SizeLf,
    /// The bytes of a chunk.
    Data,
    /// What ends them.
    DataCr,
    DataLf,
    /// The beginning of a trailer, or of the blank line.
    Trailer,
    TrailerName,
    TrailerValue,
    TrailerLf,
    /// The LF of the blank line.
    LastLf,
    Ended,
}

/// Where in the extensions the next byte belongs: `*( BWS ";" BWS name [ BWS "=" BWS value ] )`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extension {
    /// Blanks before a semicolon.
    Gap,
    /// After a semicolon.
    Start,
    Name,
    /// Blanks after a name.
    NameGap,
    /// After the equals sign.
    Equals,
    Token,
    Quoted,
    /// After a backslash.
    Escaped,
    /// After the closing quote.
    Closed,
}

/// Decodes one body.
///
/// ```
/// use worker_protocol::http::chunked::Decoder;
///
/// let mut decoder = Decoder::new(1_000);
/// let (mut input, mut body) = (b"5\r\nhello\r\n0\r\n\r\nGET ".as_slice(), Vec::new());
/// while !decoder.has_ended() {
///     let piece = decoder.next(input, 1_000)?;
///     body.extend_from_slice(piece.data);
///     input = &input[piece.consumed..];
/// }
/// assert_eq!((body.as_slice(), input), (b"hello".as_slice(), b"GET ".as_slice()));
/// # Ok::<(), worker_protocol::http::chunked::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Decoder {
    state: State,
    /// Of the size being read; then bytes of the chunk that are still to come.
    left: u64,
    /// Bytes that the body may still have.
    allowance: u64,
    extension_bytes: usize,
    trailer_bytes: usize,
}

impl Decoder {
    /// For a body of at most `body_bytes_max`.
    pub fn new(body_bytes_max: u64) -> Decoder {
        Decoder { state: State::Size(0), left: 0, allowance: body_bytes_max, extension_bytes: 0, trailer_bytes: 0 }
    }

    /// Reads on: returns the next bytes of the body, at most `data_max` of them and of one chunk only.
    ///
    /// # Errors
    /// The first rule that is broken. It stays broken whatever follows.
    pub fn next<'a>(&mut self, input: &'a [u8], data_max: usize) -> Result<Piece<'a>, Error> {
        for (at, &byte) in input.iter().enumerate() {
            match self.state {
                State::Data => return Ok(self.take(input, at, data_max)),
                State::Ended => return Ok(Piece { consumed: at, data: &[], ended: true }),
                state => self.state = self.step(state, byte)?,
            }
        }
        Ok(Piece { consumed: input.len(), data: &[], ended: self.has_ended() })
    }

    /// Whether the end of the body was seen.
    pub fn has_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// How many bytes of the chunk are still to come: so many can be read without asking the decoder, if it is told
    /// ([`Decoder::took`]). 0 when something else comes first.
    pub fn data_left(&self) -> u64 {
        if self.state == State::Data { self.left } else { 0 }
    }

    /// Says that so many bytes of the chunk were read without the decoder: at most [`Decoder::data_left`].
    pub fn took(&mut self, bytes: u64) {
        if self.state == State::Data {
            self.left = self.left.saturating_sub(bytes);
            if self.left == 0 {
                self.state = State::DataCr;
            }
        }
    }

    fn take<'a>(&mut self, input: &'a [u8], at: usize, data_max: usize) -> Piece<'a> {
        let here = &input[at..];
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(data_max).min(here.len());
        self.took(wanted as u64);
        Piece { consumed: at + wanted, data: &here[..wanted], ended: false }
    }

    fn step(&mut self, state: State, byte: u8) -> Result<State, Error> {
        match state {
            State::Size(digits) => self.size(digits, byte),
            State::Extension(extension) => self.extension(extension, byte),
            State::SizeLf => self.end_size_line(byte),
            State::DataCr => expect(byte, b'\r', Error::DataEnd, State::DataLf),
            State::DataLf => expect(byte, b'\n', Error::DataEnd, State::Size(0)),
            State::Trailer | State::TrailerName | State::TrailerValue | State::TrailerLf => self.trailer(state, byte),
            State::LastLf => expect(byte, b'\n', Error::LineEnd, State::Ended),
            // `next` handles them.
            State::Data | State::Ended => Ok(state),
        }
    }

    fn size(&mut self, digits: u8, byte: u8) -> Result<State, Error> {
        match char::from(byte).to_digit(16) {
            Some(_) if digits == DIGITS_MAX => Err(Error::SizeTooLong),
            Some(digit) => {
                // 16 digits fit.
                self.left = if digits == 0 { 0 } else { self.left << 4 } | u64::from(digit);
                Ok(State::Size(digits + 1))
            }
            None if digits == 0 => Err(Error::Size),
            None => match byte {
                b'\r' => Ok(State::SizeLf),
                b';' | b' ' | b'\t' => self.extension(Extension::Gap, byte),
                b'\n' => Err(Error::LineEnd),
                _ => Err(Error::Size),
            },
        }
    }

    fn extension(&mut self, extension: Extension, byte: u8) -> Result<State, Error> {
        self.extension_bytes += 1;
        if self.extension_bytes > EXTENSION_BYTES_MAX {
            return Err(Error::ExtensionsTooLarge);
        }
        match (extension, byte) {
            (Extension::Name | Extension::Token | Extension::Closed, b'\r') => Ok(State::SizeLf),
            (_, b'\r' | b'\n') => Err(if byte == b'\n' { Error::LineEnd } else { Error::Extension }),
            _ => extension.after(byte).map(State::Extension).ok_or(Error::Extension),
        }
    }

    fn end_size_line(&mut self, byte: u8) -> Result<State, Error> {
        if byte != b'\n' {
            return Err(Error::LineEnd);
        }
        if self.left == 0 {
            return Ok(State::Trailer);
        }
        self.allowance = self.allowance.checked_sub(self.left).ok_or(Error::BodyTooLarge)?;
        Ok(State::Data)
    }

    fn trailer(&mut self, state: State, byte: u8) -> Result<State, Error> {
        self.trailer_bytes += 1;
        if self.trailer_bytes > TRAILER_BYTES_MAX {
            return Err(Error::TrailersTooLarge);
        }
        match (state, byte) {
            (State::Trailer, b'\r') => Ok(State::LastLf),
            (State::TrailerValue, b'\r') => Ok(State::TrailerLf),
            (State::TrailerLf, b'\n') => Ok(State::Trailer),
            (State::TrailerLf, _) | (_, b'\n') => Err(Error::LineEnd),
            (State::Trailer | State::TrailerName, _) if is_token_byte(byte) => Ok(State::TrailerName),
            (State::TrailerName, b':') => Ok(State::TrailerValue),
            (State::TrailerValue, b'\t' | b' '..=b'~' | 0x80..) => Ok(State::TrailerValue),
            _ => Err(Error::Trailer),
        }
    }
}

impl Extension {
    /// What comes after `byte`, which is neither CR nor LF; `None` where it cannot be.
    fn after(self, byte: u8) -> Option<Extension> {
        use Extension::*;
        match (self, byte) {
            (Quoted, b'"') => Some(Closed),
            (Quoted, b'\\') => Some(Escaped),
            (Quoted | Escaped, b'\t' | b' '..=b'~' | 0x80..) => Some(Quoted),
            (Quoted | Escaped, _) => None,
            (Gap | Name | NameGap | Token | Closed, b';') => Some(Start),
            (Name | NameGap, b'=') => Some(Equals),
            (Equals, b'"') => Some(Quoted),
            (Gap | Token | Closed, b' ' | b'\t') => Some(Gap),
            (Name | NameGap, b' ' | b'\t') => Some(NameGap),
            (Start | Equals, b' ' | b'\t') => Some(self),
            (Start | Name, _) if is_token_byte(byte) => Some(Name),
            (Equals | Token, _) if is_token_byte(byte) => Some(Token),
            _ => None,
        }
    }
}

fn expect(byte: u8, wanted: u8, error: Error, next: State) -> Result<State, Error> {
    if byte == wanted { Ok(next) } else { Err(error) }
}
