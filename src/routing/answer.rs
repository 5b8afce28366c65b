//! What rules answer with, for a worker to send. Pure.

use std::fmt;

use super::relay::Relay;

/// What becomes of a request after a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    GoOn,
    /// It is answered.
    Answer(Answer),
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// `break:`: a status and nothing else.
    Status {
        /// The status.
        status: u16,
        /// Its text; the registered phrase without it.
        reason: Option<String>,
    },
    /// `return:`: a status, and its text as the body.
    Phrase(u16),
    /// `redirect:`.
    Redirect {
        /// 301, or 302.
        is_permanent: bool,
        /// Where to.
        to: Vec<u8>,
    },
    /// `basicauth:`: who asks is to say who they are.
    Unauthorized {
        /// Of what.
        realm: String,
    },
    /// `static:`: a file as it is served for `static-map`.
    Static {
        /// Its path.
        path: Vec<u8>,
    },
    /// `file:`, `sendfile:` and `fastfile:`.
    File(FileAnswer),
    /// `cache:`.
    Cached(CachedAnswer),
    /// `send:` and `break:`: these bytes.
    Text {
        /// The status.
        status: u16,
        /// The body.
        body: Vec<u8>,
    },
    /// `rpc:` and its relatives: what a function gave.
    Whole(WholeAnswer),
    /// `http:`, `uwsgi:`: what another server answers.
    Relayed(Relay),
    /// What the client sent would have forged a header: 400.
    Forged {
        /// Which rule, and what.
        why: String,
    },
    /// The rule could not be carried out: 500.
    Failed {
        /// Which rule, and why.
        why: String,
    },
}

impl Answer {
    /// Its status.
    pub fn status(&self) -> u16 {
        match self {
            Answer::Status { status, .. } | Answer::Phrase(status) | Answer::Text { status, .. } => *status,
            Answer::Redirect { is_permanent: true, .. } => 301,
            Answer::Redirect { is_permanent: false, .. } => 302,
            Answer::Unauthorized { .. } => 401,
            Answer::Static { .. } | Answer::Cached(_) | Answer::Relayed(_) => 200,
            Answer::Whole(whole) => whole.status,
            Answer::File(file) => file.status,
            Answer::Forged { .. } => 400,
            Answer::Failed { .. } => 500,
        }
    }
}

impl fmt::Display for Answer {
    /// For whoever follows the rules.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = String::from_utf8_lossy;
        match self {
            Answer::Status { status, reason } => write!(out, "{status} {}", reason.as_deref().unwrap_or_default()),
            Answer::Phrase(status) => write!(out, "{status}, with its phrase as the body"),
            Answer::Redirect { is_permanent, to } => {
                write!(out, "{}, to {}", if *is_permanent { 301 } else { 302 }, shown(to))
            }
            Answer::Unauthorized { realm } => write!(out, "401, for {realm}"),
            Answer::Static { path } => write!(out, "the static file {}", shown(path)),
            Answer::File(file) => {
                write!(out, "{}, with the file {}{}", file.status, shown(&file.top), shown(&file.rest))
            }
            Answer::Cached(cached) => write!(out, "200, with {} bytes of a cache", cached.body.len()),
            Answer::Text { status, body } => write!(out, "{status}, with {} bytes", body.len()),
            Answer::Whole(whole) => write!(out, "{}, with {} bytes of a function's", whole.status, whole.body.len()),
            Answer::Relayed(relay) => write!(out, "what {} answers", relay.address),
            Answer::Forged { why } => write!(out, "400: {why}"),
            Answer::Failed { why } => write!(out, "500: {why}"),
        }
    }
}

/// A file, and how it is to be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileAnswer {
    /// The directory that the rule itself names, which the path must not leave; empty if it names none.
    pub top: Vec<u8>,
    /// The path below it.
    pub rest: Vec<u8>,
    /// The status.
    pub status: u16,
    /// Its media type.
    pub content_type: String,
    /// Whether the type is found by its name.
    pub by_name: bool,
    /// No `Content-Length`.
    pub without_length: bool,
    /// No headers at all.
    pub without_headers: bool,
}

/// An answer with its head.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WholeAnswer {
    /// The status.
    pub status: u16,
    /// Its text; the registered phrase without it.
    pub reason: Option<String>,
    /// Headers, none of which says where it ends.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

/// An entry of a cache, and how it is to be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CachedAnswer {
    /// Its media type.
    pub content_type: String,
    /// How it is packed; empty if it is not.
    pub coding: String,
    /// When it expires, in seconds since the epoch; 0: never.
    pub expires_s: u64,
    /// No `Content-Length`.
    pub without_length: bool,
    /// The value.
    pub body: Vec<u8>,
}
