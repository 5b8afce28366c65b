//! What the headers of a request say of the message itself: its body, its connection (RFC 9112 sections 6 and 9). Pure.

use httparse::Header;

use super::list::{list, trim};
use super::{Refusal, target};
use crate::decimal;
use crate::response::Version;
use crate::token::{is_token, is_word};

/// How long the request's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// Neither length nor coding was given: there is none.
    None,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// What headers say of the message itself.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) body: Body,
    pub(super) persistent: bool,
    pub(super) expects_continue: bool,
    pub(super) upgrade: bool,
}

impl Facts {
    #[inline(always)]
    pub(super) fn of(headers: &[Header<'_>], version: Version) -> Result<Facts, Refusal> {
        let mut seen = Seen::default();
        for header in headers {
            seen.note(header.name, header.value)?;
        }
        seen.finish(version)
    }
}

/// The headers that matter, over all their lines.
#[derive(Default)]
struct Seen {
    hosts: usize,
    length: Option<u64>,
    coding: Option<Coding>,
    close: bool,
    keep_alive: bool,
    upgrade_option: bool,
    upgrade: bool,
    expects_continue: bool,
}

/// The transfer codings so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    /// One `chunked`.
    Chunked,
    /// Several, the last one being `chunked`.
    EndsChunked,
    /// The last one is not `chunked`.
    Endless,
}

impl Seen {
    #[inline(always)]
    fn note(&mut self, name: &str, value: &[u8]) -> Result<(), Refusal> {
        let name = name.as_bytes();
        match name.len() {
            4 if is_word(name, b"host") => self.note_host(value)?,
            6 if is_word(name, b"expect") => self.note_expectations(value)?,
            7 if is_word(name, b"upgrade") => self.upgrade = true,
            10 if is_word(name, b"connection") => self.note_connection(value)?,
            14 if is_word(name, b"content-length") => self.note_length(value)?,
            17 if is_word(name, b"transfer-encoding") => self.note_codings(value),
            _ => {}
        }
        Ok(())
    }

    fn note_host(&mut self, value: &[u8]) -> Result<(), Refusal> {
        self.hosts += 1;
        match self.hosts {
            1 if target::is_authority(value) => Ok(()),
            1 => Err(Refusal::HostInvalid),
            _ => Err(Refusal::HostRepeated),
        }
    }

    fn note_expectations(&mut self, value: &[u8]) -> Result<(), Refusal> {
        for expectation in list(value) {
            if !expectation.eq_ignore_ascii_case(b"100-continue") {
                return Err(Refusal::Expectation);
            }
            self.expects_continue = true;
        }
        Ok(())
    }

    fn note_connection(&mut self, value: &[u8]) -> Result<(), Refusal> {
        // What nearly all clients say, and nothing else.
        if is_word(value, b"keep-alive") {
            self.keep_alive = true;
            return Ok(());
        }
        for option in list(value) {
            if !is_token(option) {
                return Err(Refusal::ConnectionInvalid);
            }
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            self.upgrade_option |= option.eq_ignore_ascii_case(b"upgrade");
        }
        Ok(())
    }

    /// Equal lengths, in lines of their own or in a list, are one (RFC 9112 section 6.3).
    fn note_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        for text in value.split(|&byte| byte == b',').map(trim) {
            if text.is_empty() || text.len() > 19 {
                return Err(Refusal::LengthInvalid);
            }
            let second = decimal::parse(text).ok_or(Refusal::LengthInvalid)?;
            match self.length {
                Some(first) if first != second => return Err(Refusal::LengthConflict { first, second }),
                _ => self.length = Some(second),
            }
        }
        Ok(())
    }

    /// An empty coding counts as one that is not `chunked`.
    fn note_codings(&mut self, value: &[u8]) {
        for coding in value.split(|&byte| byte == b',').map(trim) {
            self.coding = Some(match (coding.eq_ignore_ascii_case(b"chunked"), self.coding) {
                (true, None) => Coding::Chunked,
                (true, Some(_)) => Coding::EndsChunked,
                (false, _) => Coding::Endless,
            });
        }
    }

    #[inline(always)]
    fn finish(self, version: Version) -> Result<Facts, Refusal> {
        let is_11 = version == Version::Http11;
        if is_11 && self.hosts == 0 {
            return Err(Refusal::HostMissing);
        }
        let body = match (self.coding, self.length) {
            (Some(_), Some(_)) => return Err(Refusal::LengthAndCoding),
            (Some(_), None) if !is_11 => return Err(Refusal::CodingIn10),
            (Some(Coding::Endless), None) => return Err(Refusal::CodingWithoutEnd),
            (Some(Coding::EndsChunked), None) => return Err(Refusal::CodingUnknown),
            (Some(Coding::Chunked), None) => Body::Chunked,
            (None, Some(length)) => Body::Length(length),
            (None, None) => Body::None,
        };
        Ok(Facts {
            body,
            persistent: !self.close && (is_11 || self.keep_alive),
            // HTTP/1.0 knows neither (RFC 9110 sections 7.8 and 10.1.1).
            expects_continue: is_11 && self.expects_continue,
            upgrade: is_11 && self.upgrade && self.upgrade_option,
        })
    }
}
