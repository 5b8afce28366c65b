//! The headers of an answer, while they are being given. Worker only.

use worker_protocol::decimal;
use worker_protocol::response::{Head, Paused};

use super::error::StartError;
use super::manner::{Fate, Said};
use super::named::NamedFile;
use super::onlooker::Onlooker;

/// The headers of an answer, while they are being given.
#[derive(Debug)]
pub struct Headers<'b> {
    head: Head<'b>,
    status: u16,
    /// By the Content-Length among them.
    length: Option<u64>,
    /// What they say of the connection, if that is the client's own.
    said: Option<Said>,
    /// Names of those that are left out.
    removed: &'b [String],
    /// Rules that look at what the application gives.
    onlooker: Option<&'b dyn Onlooker>,
    /// Whether a file may be named in the place of the body (`x-sendfile`), and the one that is.
    takes_names: bool,
    named: Option<NamedFile>,
}

impl<'b> Headers<'b> {
    /// Of a head that has been started. `said`: for a client of our own.
    pub(super) fn new(head: Head<'b>, status: u16, said: Option<Said>, removed: &'b [String]) -> Self {
        Self { head, status, length: None, said, removed, onlooker: None, takes_names: false, named: None }
    }

    /// The same, with rules that look at each header.
    pub(super) fn seen_by(self, onlooker: Option<&'b dyn Onlooker>) -> Self {
        Self { onlooker, ..self }
    }

    /// The same, of an answer that may name a file in the place of its body.
    pub(super) fn naming(self, takes_names: bool) -> Self {
        Self { takes_names, ..self }
    }

    /// The file that was named. The length of a body that is not sent is nobody's.
    pub(super) fn take_named(&mut self) -> Result<Option<NamedFile>, StartError> {
        let (held, named) = (self.length.filter(|_| self.takes_names), self.named.take());
        self.takes_names = false;
        match held {
            Some(_) if named.is_some() => self.length = None,
            Some(length) => self.head.content_length(length)?,
            None => {}
        }
        Ok(named)
    }

    /// Of a head that was laid aside, with the length by what it has.
    pub(super) fn resume(head: Head<'b>, status: u16, said: Option<Said>, length: Option<u64>) -> Self {
        Self { length, ..Self::new(head, status, said, &[]) }
    }

    /// Adds those that rules have set.
    pub(super) fn add_set(&mut self, onlooker: &dyn Onlooker, from: usize) -> Result<(), StartError> {
        self.onlooker = None;
        self.removed = &[];
        onlooker.set_headers(from).iter().try_for_each(|(name, value)| self.add(name, value))
    }

    /// Adds a `Content-Length` if there is none.
    pub(super) fn add_length(&mut self, length: u64) -> Result<(), StartError> {
        if self.length.is_none() {
            self.head.content_length(length)?;
            self.length = Some(length);
        }
        Ok(())
    }

    /// Adds those that every answer has.
    pub(super) fn add_all(&mut self, headers: &[(String, String)]) -> Result<(), StartError> {
        self.removed = &[];
        self.onlooker = None;
        headers.iter().try_for_each(|(name, value)| self.add(name.as_bytes(), value.as_bytes()))
    }

    /// The length by the headers.
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    /// Lays the head aside.
    pub(super) fn pause(self) -> (Paused, Said) {
        (self.head.pause(), self.said.unwrap_or_default())
    }

    /// Adds a header.
    ///
    /// # Errors
    /// A name or value that must not be sent, or a `Content-Length` that is none.
    pub fn add(&mut self, name: &[u8], value: &[u8]) -> Result<(), StartError> {
        if self.removed.iter().any(|removed| name.eq_ignore_ascii_case(removed.as_bytes())) {
            return Ok(());
        }
        if self.onlooker.is_some_and(|onlooker| !onlooker.lets_pass(name, value)) {
            return Ok(());
        }
        if self.takes_names
            && let Some(named) = NamedFile::of(name, value)
        {
            self.named = Some(named);
            return Ok(());
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = parse_length(value).ok_or(StartError::ContentLength)?;
            if self.length.is_some_and(|other| other != length) {
                return Err(StartError::ContentLength);
            }
            self.length = Some(length);
            if self.takes_names {
                // Until it is known whose length that is.
                return Ok(());
            }
        }
        if let Some(said) = &mut self.said
            && said.note(self.status, name, value)? == Fate::Dropped
        {
            return Ok(());
        }
        Ok(self.head.header(name, value)?)
    }
}

/// A decimal number, with blanks around it as RFC 9110 section 5.5 allows them.
fn parse_length(value: &[u8]) -> Option<u64> {
    match value.trim_ascii() {
        [] => None,
        digits => decimal::parse(digits),
    }
}
