//! The end of a request's head in bytes that arrive in pieces, and the rules that need no understanding: line ends,
//! folding, lengths. Pure; the worker keeps one [`Scan`] for each head that it reads.
//!
//! Each rule is broken at one certain byte, and the earliest one counts: however the bytes are cut into reads, the
//! outcome is the same. No byte is looked at twice.

use std::ops::Range;

use memchr::memchr2;

use super::request::HEADERS_MAX;
use super::{Limits, Refusal};
use crate::token::is_token_byte;

/// How far the search for the end of a head has come.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    /// Where the request line begins: after an empty line that is forgiven.
    start: usize,
    /// Where the line that is being searched begins.
    line_start: usize,
    /// Where to search on.
    at: usize,
    /// Lines that are complete, the request line included.
    lines: usize,
}

impl Scan {
    /// Looks at what `buffer` holds more than at the last call. `None`: the head is not whole yet. Otherwise where it
    /// lies, from its request line to its blank line; what follows is the body.
    ///
    /// # Errors
    /// The first rule that is broken. It stays broken whatever follows.
    pub fn advance(&mut self, buffer: &[u8], limits: &Limits) -> Result<Option<Range<usize>>, Refusal> {
        loop {
            let Some(&first) = buffer.get(self.line_start) else { return Ok(None) };
            self.judge_first_byte(first, buffer, limits)?;
            let found = memchr2(b'\r', b'\n', &buffer[self.at..]);
            self.at = found.map_or(buffer.len(), |distance| self.at + distance);
            self.judge_lengths(limits)?;
            match (found.map(|_| buffer[self.at]), buffer.get(self.at + 1)) {
                (None, _) => return Ok(None),
                (Some(b'\r'), next) => {
                    self.judge_head_byte(self.at, limits)?;
                    match next {
                        None => return Ok(None),
                        Some(b'\n') => self.judge_head_byte(self.at + 1, limits)?,
                        Some(_) => return Err(Refusal::BareCr { line: self.lines + 1 }),
                    }
                }
                _ => return Err(Refusal::BareLf { line: self.lines + 1 }),
            }
            if let Some(head) = self.end_line()? {
                return Ok(Some(head));
            }
        }
    }

    /// Whether it has looked at anything of this head.
    #[inline]
    pub(super) fn has_begun(&self) -> bool {
        self.at > 0
    }

    /// Whether nothing of a request has arrived: at most the empty line that some clients send after a body.
    pub fn is_idle(&self, buffer: &[u8]) -> bool {
        self.lines == 0 && buffer.len() <= self.start.max(b"\r\n".len()) && b"\r\n".starts_with(buffer)
    }

    /// A line ends at `at`. The head, if it was the blank one behind it.
    fn end_line(&mut self) -> Result<Option<Range<usize>>, Refusal> {
        let is_empty = self.at == self.line_start;
        self.at += b"\r\n".len();
        self.line_start = self.at;
        match (is_empty, self.lines) {
            (false, _) => self.lines += 1,
            (true, 0) if self.start > 0 => return Err(Refusal::EmptyLines),
            (true, 0) => self.start = self.at,
            (true, _) => return Ok(Some(self.start..self.at)),
        }
        Ok(None)
    }

    fn judge_first_byte(&self, first: u8, buffer: &[u8], limits: &Limits) -> Result<(), Refusal> {
        if matches!(first, b'\r' | b'\n') {
            return Ok(());
        }
        if self.lines == 0 {
            return judge_beginning(first, &buffer[self.line_start..]);
        }
        if matches!(first, b' ' | b'\t') {
            return Err(Refusal::Folded { line: self.lines + 1 });
        }
        let headers_max = limits.headers_max.min(HEADERS_MAX);
        if self.lines > headers_max {
            return Err(Refusal::TooManyHeaders { headers_max });
        }
        Ok(())
    }

    /// The bytes of the line up to `at` are neither CR nor LF. The byte that exceeds a length decides, and of two
    /// lengths the shorter one.
    fn judge_lengths(&self, limits: &Limits) -> Result<(), Refusal> {
        let line_end = self.line_start + usize::from(limits.line_bytes_max);
        let head_end = self.start + limits.head_bytes_max;
        if self.at > line_end.min(head_end) {
            return Err(match self.lines {
                _ if head_end < line_end => Refusal::HeadTooLarge { head_bytes_max: limits.head_bytes_max },
                0 => Refusal::RequestLineTooLong { line_bytes_max: limits.line_bytes_max },
                lines => Refusal::HeaderTooLong { line: lines + 1, line_bytes_max: limits.line_bytes_max },
            });
        }
        Ok(())
    }

    fn judge_head_byte(&self, at: usize, limits: &Limits) -> Result<(), Refusal> {
        if at >= self.start + limits.head_bytes_max {
            return Err(Refusal::HeadTooLarge { head_bytes_max: limits.head_bytes_max });
        }
        Ok(())
    }
}

/// Names the protocols that are taken for HTTP by mistake, as soon as they show.
fn judge_beginning(first: u8, line: &[u8]) -> Result<(), Refusal> {
    match first {
        0x16 => Err(Refusal::SpeaksTls),
        0x00 => Err(Refusal::SpeaksUwsgi),
        0x01 => Err(Refusal::SpeaksFastCgi),
        _ if !is_token_byte(first) => Err(Refusal::FirstByte(first)),
        b'P' if line.starts_with(b"PROXY ") => Err(Refusal::SpeaksProxy),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The outcome for the whole, which must be the same however the bytes are cut.
    fn scan(bytes: &[u8], limits: &Limits) -> Result<Option<Range<usize>>, Refusal> {
        let whole = Scan::default().advance(bytes, limits);
        let mut by_bytes = Scan::default();
        let mut outcome = Ok(None);
        for end in 0..=bytes.len() {
            outcome = by_bytes.advance(&bytes[..end], limits);
            if !matches!(outcome, Ok(None)) {
                break;
            }
        }
        assert_eq!(outcome, whole, "byte by byte: {}", bytes.escape_ascii());
        for cut in 0..=bytes.len() {
            let mut scan = Scan::default();
            let outcome = match scan.advance(&bytes[..cut], limits) {
                Ok(None) => scan.advance(bytes, limits),
                early => early,
            };
            assert_eq!(outcome, whole, "cut after {cut}: {}", bytes.escape_ascii());
        }
        whole
    }

    const TINY: Limits = Limits { line_bytes_max: 20, head_bytes_max: 60, headers_max: 3 };

    #[test]
    fn a_head_ends_at_its_blank_line() {
        let limits = Limits::default();
        assert_eq!(scan(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nbody\n\r", &limits), Ok(Some(0..27)));
        assert_eq!(scan(b"\r\nGET / HTTP/1.1\r\n\r\n", &limits), Ok(Some(2..20)));
        assert_eq!(scan(b"GET / HTTP/1.1\r\nHost: a\r\n\r", &limits), Ok(None));
        assert_eq!(scan(b"\r\n\r\nGET / HTTP/1.1\r\n\r\n", &limits), Err(Refusal::EmptyLines));
    }

    #[test]
    fn line_ends_are_both_bytes() {
        let limits = Limits::default();
        assert_eq!(scan(b"GET / HTTP/1.1\nHost: a\r\n\r\n", &limits), Err(Refusal::BareLf { line: 1 }));
        assert_eq!(scan(b"\nGET / HTTP/1.1\r\n\r\n", &limits), Err(Refusal::BareLf { line: 1 }));
        assert_eq!(scan(b"GET / HTTP/1.1\r\nHost: a\r\n\n", &limits), Err(Refusal::BareLf { line: 3 }));
        assert_eq!(scan(b"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", &limits), Err(Refusal::BareCr { line: 2 }));
        assert_eq!(scan(b"GET / HTTP/1.1\r\nA: b\r\r\n\r\n", &limits), Err(Refusal::BareCr { line: 2 }));
    }

    #[test]
    fn a_line_begins_with_no_blank() {
        for blank in [" ", "\t"] {
            let folded = format!("GET / HTTP/1.1\r\nA: b\r\n{blank}c\r\n\r\n");
            assert_eq!(scan(folded.as_bytes(), &Limits::default()), Err(Refusal::Folded { line: 3 }));
            let first = format!("GET / HTTP/1.1\r\n{blank}A: b\r\n\r\n");
            assert_eq!(scan(first.as_bytes(), &Limits::default()), Err(Refusal::Folded { line: 2 }));
        }
    }

    #[test]
    fn limits_hold_to_the_byte() {
        let request = b"GET /aaaaaa HTTP/1.1\r\n\r\n";
        assert_eq!(scan(request, &TINY), Ok(Some(0..24)));
        assert_eq!(
            scan(b"GET /aaaaaaa HTTP/1.1\r\n\r\n", &TINY),
            Err(Refusal::RequestLineTooLong { line_bytes_max: 20 })
        );
        assert_eq!(scan(b"G / HTTP/1.1\r\nA: bbbbbbbbbbbbbbbbb\r\n\r\n", &TINY), Ok(Some(0..38)));
        let long = Err(Refusal::HeaderTooLong { line: 2, line_bytes_max: 20 });
        assert_eq!(scan(b"G / HTTP/1.1\r\nA: bbbbbbbbbbbbbbbbbb\r\n\r\n", &TINY), long);
        assert_eq!(scan(b"G / HTTP/1.1\r\nA: bbbbbbbbbbbbbbbbbb\n", &TINY), long);
    }

    #[test]
    fn the_head_has_a_limit_to_the_byte() {
        // 14 bytes of a request line, 22 and then 20 to 22 of headers, 2 of the blank line.
        for (last, fits) in [("bbbbbbbbbbbbbbb", true), ("bbbbbbbbbbbbbbbb", false), ("bbbbbbbbbbbbbbbbb", false)] {
            let head = format!("G / HTTP/1.1\r\nA: bbbbbbbbbbbbbbbbb\r\nB: {last}\r\n\r\n");
            let outcome = scan(head.as_bytes(), &Limits { head_bytes_max: 58, ..TINY });
            let expected = if fits { Ok(Some(0..58)) } else { Err(Refusal::HeadTooLarge { head_bytes_max: 58 }) };
            assert_eq!(outcome, expected, "{last}");
        }
        let endless = "G / HTTP/1.1\r\nA: bbbbbbbbbbbbbbbbb\r\nA: bbbbbbbbbbbbbbbbb\r\nB";
        assert_eq!(scan(endless.as_bytes(), &TINY), Ok(None));
        let endless = endless.to_owned() + "BBBBB";
        assert_eq!(scan(endless.as_bytes(), &TINY), Err(Refusal::HeadTooLarge { head_bytes_max: 60 }));
    }

    #[test]
    fn headers_are_counted() {
        assert_eq!(scan(b"G / HTTP/1.1\r\nA:\r\nA:\r\nA:\r\n\r\n", &TINY), Ok(Some(0..28)));
        let four = b"G / HTTP/1.1\r\nA:\r\nA:\r\nA:\r\nA";
        assert_eq!(scan(four, &TINY), Err(Refusal::TooManyHeaders { headers_max: 3 }));
    }

    #[test]
    fn other_protocols_are_named_at_once() {
        for (bytes, refusal) in [
            (b"\x16\x03\x01".as_slice(), Refusal::SpeaksTls),
            (b"\x00\x83\x01\x00", Refusal::SpeaksUwsgi),
            (b"\x01\x01\x00\x01", Refusal::SpeaksFastCgi),
            (b"PROXY TCP4", Refusal::SpeaksProxy),
            (b"\r\n\x00\r\nQUIT\n", Refusal::SpeaksUwsgi),
            (b"\x80", Refusal::FirstByte(0x80)),
            (b" GET / HTTP/1.1\r\n\r\n", Refusal::FirstByte(b' ')),
        ] {
            assert_eq!(scan(bytes, &Limits::default()), Err(refusal));
        }
        assert_eq!(scan(b"PROXYX / HTTP/1.1\r\n\r\n", &Limits::default()), Ok(Some(0..21)));
    }

    #[test]
    fn a_connection_is_idle_until_a_request_begins() {
        for (bytes, idle) in [(b"".as_slice(), true), (b"\r", true), (b"\r\n", true), (b"G", false), (b"\r\nG", false)]
        {
            let mut scan = Scan::default();
            let _ = scan.advance(bytes, &Limits::default());
            assert_eq!(scan.is_idle(bytes), idle, "{}", bytes.escape_ascii());
        }
    }
}
