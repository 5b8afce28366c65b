//! Whether an answer is packed with gzip on its way to the client, because its application asks for that with the header
//! `uWSGI-Encoding: gzip` (uWSGI's manual, "HTTP support", `http-auto-gzip`), and what its head says then. Packing itself is
//! for whoever has the body. Pure; the router asks.
//!
//! Nothing is packed that did not ask for it: where an answer has a secret of the site's beside something of an attacker's choice,
//! how long it becomes tells of the secret (BREACH).

use httparse::Header;

use super::list::{list, trim};
use crate::response::body_allowed;

/// What becomes of the wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Packing {
    /// It is not heard: the answer passes with it, as it is.
    #[default]
    Off,
    /// The client takes no gzip.
    Unwanted,
    /// The client takes gzip.
    Gzip,
}

/// What an answer says about it.
#[derive(Debug, Default)]
pub(super) struct Wish {
    asks: bool,
    is_coded: bool,
    is_part: bool,
    varies: bool,
}

/// What is no longer true of a body that is packed.
const UNTRUE: [&str; 4] = ["content-length", "accept-ranges", "content-md5", "content-digest"];

const WISH: &str = "uwsgi-encoding";

impl Wish {
    pub(super) fn of(headers: &[Header<'_>], packing: Packing) -> Wish {
        let mut wish = Wish::default();
        if packing == Packing::Off {
            return wish;
        }
        for Header { name, value } in headers {
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            match name.len() {
                4 if is("vary") => {
                    let is_it = |member: &[u8]| member == b"*" || member.eq_ignore_ascii_case(b"accept-encoding");
                    wish.varies |= list(value).any(is_it);
                }
                13 if is("content-range") => wish.is_part = true,
                14 if is(WISH) => wish.asks |= trim(value).eq_ignore_ascii_case(b"gzip"),
                16 if is("content-encoding") => wish.is_coded = true,
                _ => {}
            }
        }
        wish
    }

    /// Whether the body is packed, or would be if the method were GET.
    pub(super) fn is_granted(&self, packing: Packing, status: u16, length: Option<u64>) -> bool {
        let is_possible = body_allowed("GET", status) && status != 206 && !self.is_coded && !self.is_part;
        self.asks && packing == Packing::Gzip && is_possible && length != Some(0)
    }

    /// Whether a header is left out.
    pub(super) fn leaves_out(name: &str, packing: Packing, is_granted: bool) -> bool {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        packing != Packing::Off && is(WISH) || is_granted && UNTRUE.into_iter().any(is)
    }

    /// An entity tag of what is packed: the bytes are others, what they mean is the same (RFC 9110 section 8.8.1).
    pub(super) fn weakened(tag: &[u8]) -> Vec<u8> {
        let weak: &[u8] = if tag.starts_with(b"\"") { b"W/" } else { b"" };
        [weak, tag].concat()
    }

    /// The headers that are added.
    pub(super) fn adds(&self, is_granted: bool) -> impl Iterator<Item = (&'static str, &'static str)> {
        let coding = is_granted.then_some(("Content-Encoding", "gzip"));
        // Also where a client gets it as it is: a cache must not give it to others for what they would get.
        let varies = (self.asks && !self.varies).then_some(("Vary", "Accept-Encoding"));
        coding.into_iter().chain(varies)
    }
}
