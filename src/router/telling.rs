//! Where a router tells of itself (`http-stats`): whoever connects there is told beside the clients, at his own pace, and never
//! waited for. Router only; what is told is `report`.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use super::settings;
use crate::stats::{self, Head};
use crate::sys::clock::monotonic_us;
use crate::sys::process::adopt_descriptor;
use crate::sys::stream::accept;
use crate::sys::visitors::{Hear, Visitors};

/// Most who are let in before anything else gets its turn.
const WELCOMES_MAX: usize = 16;

/// The place, and who is there.
pub(super) struct Telling {
    /// `None` when nobody is let in any more.
    door: Option<OwnedFd>,
    visitors: Visitors,
    over_http: bool,
    minified: bool,
    /// The router's number among all of them.
    pub(super) router: u32,
}

/// What wakes the loop for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tokens {
    pub(super) door: Token,
    /// That of the first visitor; those of the others follow.
    pub(super) visitors: usize,
}

impl Telling {
    /// At the place that the master has opened.
    pub(super) fn new(told: &settings::Telling) -> io::Result<Telling> {
        let door = Some(adopt_descriptor(told.descriptor)?);
        let settings::Telling { over_http, minified, router, .. } = *told;
        Ok(Telling { door, visitors: Visitors::default(), over_http, minified, router })
    }

    /// Has the door wake the loop.
    pub(super) fn watch(&self, registry: &Registry, tokens: Tokens) -> io::Result<()> {
        let Some(door) = &self.door else { return Ok(()) };
        registry.register(&mut SourceFd(&door.as_raw_fd()), tokens.door, Interest::READABLE)
    }

    /// Tells those who wait at the door. `document`: of the moment, on one line or not.
    pub(super) fn welcome(&mut self, document: impl FnOnce(bool) -> Vec<u8>, registry: &Registry, tokens: Tokens) {
        let Some(door) = &self.door else { return };
        let document = self.dressed(document(self.minified));
        for _ in 0..WELCOMES_MAX {
            let stream = match accept(door) {
                Ok(Some(stream)) => stream,
                Ok(None) => return,
                Err(error) => return log::warn!("nobody is told of the router: {error}"),
            };
            let hear = self.over_http.then_some(hear as Hear);
            let Some((number, raw)) = self.visitors.tell(stream, document.clone(), hear, monotonic_us()) else {
                continue;
            };
            let token = Token(tokens.visitors + number as usize);
            let interest = Interest::READABLE | Interest::WRITABLE;
            if let Err(error) = registry.register(&mut SourceFd(&raw), token, interest) {
                log::warn!("somebody is not told of all of the router: {error}");
            }
        }
        // More may wait, of whom the event loop would not tell again by itself.
        if let Err(error) = registry.reregister(&mut SourceFd(&door.as_raw_fd()), tokens.door, Interest::READABLE) {
            log::error!("http-stats is not heard any more: {error}");
        }
    }

    fn dressed(&self, document: Vec<u8>) -> Vec<u8> {
        if !self.over_http {
            return document;
        }
        let head = Head { status: "200 OK", content_type: "application/json", length: document.len() };
        [head.bytes(), document].concat()
    }

    /// One who was let in has room for more, or has said something.
    pub(super) fn go_on(&mut self, token: usize, tokens: Tokens) {
        if let Ok(number) = u32::try_from(token - tokens.visitors) {
            self.visitors.go_on(number);
        }
    }

    /// When the first one has had time enough.
    pub(super) fn due_us(&self) -> Option<u64> {
        self.visitors.due_us()
    }

    /// Hangs up on those whose time is over.
    pub(super) fn drop_late(&mut self, now_us: u64) {
        self.visitors.drop_late(now_us);
    }

    /// Nobody is let in any more; another router is there for that.
    pub(super) fn close(&mut self, registry: &Registry) {
        if let Some(door) = self.door.take() {
            // It is closed in a moment.
            let _ = registry.deregister(&mut SourceFd(&door.as_raw_fd()));
        }
    }

    /// Whether somebody is still being told.
    pub(super) fn is_busy(&self) -> bool {
        !self.visitors.is_empty()
    }
}

/// What is asked for does not matter, but whether it is the head only, which ends with the first blank line.
fn hear(said: &[u8], document: &mut Vec<u8>) -> bool {
    let Some(request) = stats::read(said) else { return false };
    if request.head_only {
        let end = document.windows(4).position(|window| window == b"\r\n\r\n");
        document.truncate(end.map_or(0, |at| at + 4));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_the_head_gets_the_head_when_all_of_the_question_is_there() {
        for (said, told) in [
            ("GET / HTTP/1.0\r\n", None),
            ("GET / HTTP/1.0\r\n\r\n", Some("HTTP/1.0 200 OK\r\n\r\n{}\r\n\r\n")),
            ("HEAD / HTTP/1.0\r\n\r\n", Some("HTTP/1.0 200 OK\r\n\r\n")),
        ] {
            let mut document = b"HTTP/1.0 200 OK\r\n\r\n{}\r\n\r\n".to_vec();
            let heard = hear(said.as_bytes(), &mut document);
            let document = String::from_utf8_lossy(&document).into_owned();
            assert_eq!(heard.then_some(document.as_str()), told, "{said}");
        }
    }
}
