//! How an answer is put, by what is spoken on the connection: which headers HTTP wants added and which are not the
//! application's to send. Decides; worker only.

use std::sync::atomic::{AtomicBool, Ordering};

use worker_protocol::http::date::DateText;
use worker_protocol::http::framing::{self, Answer, Framing};
use worker_protocol::http::hop::is_of_connection;
use worker_protocol::response::{Paused, Version, body_allowed};
use worker_protocol::wire::Form;

use super::error::StartError;
use super::onlooker::Onlooker;
use crate::config::model::Answers;
use crate::sys::clock::coarse_epoch_s;
use crate::worker::claim::Claim;
use crate::worker::offloading::Berths;

/// What is known of an answer before there is one.
#[derive(Debug)]
pub(crate) struct Manner<'c> {
    /// How it goes.
    pub(crate) form: Form,
    /// Whether a router takes it, whom the end is told in its bytes: the end of the connection would not tell it from one that
    /// breaks off.
    pub(crate) by_router: bool,
    /// The version of the request.
    pub(crate) version: Version,
    /// Whether the request is a HEAD.
    pub(crate) is_head: bool,
    /// Whether client and server both let the connection go on.
    pub(crate) persistent: bool,
    /// Whether an HTTP client is told what serves it (`server-header`).
    pub(crate) names_server: bool,
    /// Headers that every answer gets or loses, and how files go out.
    pub(crate) answers: Option<&'c Answers>,
    /// Set while the client waits for word before it sends the body. An answer is such a word.
    pub(crate) awaited: Option<&'c AtomicBool>,
    /// Who may have answered before the application does.
    pub(crate) claim: Option<&'c dyn Claim>,
    /// Where others send to clients that take their time.
    pub(in crate::worker) berths: Option<&'c Berths>,
    /// Rules that look at the answer.
    pub(crate) onlooker: Option<&'c dyn Onlooker>,
    /// The date of the current second.
    pub(crate) clock: &'c mut DateText,
}

impl<'c> Manner<'c> {
    /// Of an answer of our own that ends its connection, and that no application has a part in.
    pub(crate) fn of_our_own(form: Form, version: Version, is_head: bool, clock: &'c mut DateText) -> Self {
        Self {
            form,
            by_router: false,
            version,
            is_head,
            persistent: false,
            names_server: false,
            answers: None,
            awaited: None,
            claim: None,
            berths: None,
            onlooker: None,
            clock,
        }
    }
}

impl Manner<'_> {
    /// Whether it goes to an HTTP client, at once or by a router.
    pub(super) fn is_http(&self) -> bool {
        self.form == Form::Http || self.by_router
    }
}

/// What an HTTP client is told beside what the application says, as far as the application has a part in it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Said {
    closes: bool,
    date: bool,
    server: bool,
}

/// What becomes of a header that the application gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is sent.
    Sent,
    /// It is not: it is about the connection, which is the server's business (PEP 3333; RFC 9110 section 7.6.1).
    Dropped,
}

impl Said {
    /// Takes in a header of an answer to an HTTP client.
    #[inline(always)]
    pub(super) fn note(&mut self, status: u16, name: &[u8], value: &[u8]) -> Result<Fate, StartError> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        match name.len() {
            4 if is("date") => self.date = true,
            6 if is("server") => self.server = true,
            // A change of the protocol is the application's, and so is what it says of the connection then.
            10 if is("connection") && status != 101 => {
                self.closes |=
                    value.split(|byte| *byte == b',').any(|word| word.trim_ascii().eq_ignore_ascii_case(b"close"));
                return Ok(Fate::Dropped);
            }
            // Neither of them can have a body (RFC 9110 section 8.6).
            14 if is("content-length") && matches!(status, 101 | 204) => return Ok(Fate::Dropped),
            17 if is("transfer-encoding") => return Err(StartError::TransferEncoding),
            10 if is("connection") => {}
            _ if is_of_connection(name) => return Ok(Fate::Dropped),
            _ => {}
        }
        Ok(Fate::Sent)
    }
}

/// How the end of an answer is told, and whether the connection goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) chunked: bool,
    pub(super) persistent: bool,
}

impl Manner<'_> {
    /// Whether an answer with this status has a body.
    pub(super) fn body_allowed(&self, status: u16) -> bool {
        body_allowed(if self.is_head { "HEAD" } else { "" }, status)
    }

    /// What the answer ends with, and the headers that say so, added to its head.
    #[inline(always)]
    pub(super) fn seal(
        &mut self,
        head: &mut Vec<u8>,
        paused: &mut Paused,
        status: u16,
        length: Option<u64>,
        said: Said,
    ) -> Ending {
        let awaited = self.awaited.is_some_and(|awaited| awaited.swap(false, Ordering::Relaxed));
        match self.form {
            // It has its own words for all that it tells the client of the connection.
            Form::Plain if self.by_router => {
                let chunked = length.is_none() && status >= 200 && self.body_allowed(status);
                if chunked {
                    paused.add(head, "Transfer-Encoding", b"chunked");
                }
                if said.closes {
                    paused.add(head, "Connection", b"close");
                }
                Ending { chunked, persistent: false }
            }
            Form::Plain | Form::Status => Ending { chunked: false, persistent: false },
            Form::Records { .. } => Ending { chunked: false, persistent: self.persistent },
            Form::Http => {
                let method = if self.is_head { "HEAD" } else { "GET" };
                // A client that waits may or may not send its body after the answer, and nobody could tell which.
                let persistent = self.persistent && !said.closes && !awaited;
                let plan = framing::plan(&Answer { version: self.version, method, status, length, persistent });
                if plan.framing == Framing::Chunked {
                    paused.add(head, "Transfer-Encoding", b"chunked");
                }
                if let Some(connection) = plan.connection {
                    paused.add(head, "Connection", connection.as_bytes());
                }
                if !said.date {
                    paused.add(head, "Date", self.clock.at(coarse_epoch_s()));
                }
                if self.names_server && !said.server {
                    paused.add(head, "Server", b"rhinod");
                }
                Ending { chunked: plan.framing == Framing::Chunked, persistent: plan.persistent }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_connection_are_not_the_applications() {
        let mut said = Said::default();
        for (status, name, value, fate) in [
            (200, "Content-Type", "text/plain", Fate::Sent),
            (200, "Keep-Alive", "timeout=5", Fate::Dropped),
            (200, "connection", "keep-alive", Fate::Dropped),
            (101, "Connection", "upgrade", Fate::Sent),
            (101, "Upgrade", "websocket", Fate::Sent),
            (204, "Content-Length", "0", Fate::Dropped),
            (200, "Content-Length", "0", Fate::Sent),
            (200, "Trailer", "X-A", Fate::Dropped),
            (200, "Date", "now", Fate::Sent),
            (200, "SERVER", "mine", Fate::Sent),
        ] {
            assert_eq!(said.note(status, name.as_bytes(), value.as_bytes()).ok(), Some(fate), "{status} {name}");
        }
        assert!(said.date && said.server && !said.closes);
        assert!(said.note(200, b"Connection", b"x, Close").is_ok() && said.closes);
        assert!(said.note(200, b"Transfer-Encoding", b"chunked").is_err());
    }
}
