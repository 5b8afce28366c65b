//! One request as rules see and change it. Pure; the worker keeps it from the first chain to the last.

use std::borrow::Cow;

use worker_protocol::head::RequestHead;
use worker_protocol::pairs::{self, Misfit};

use super::written::{Field, Stage};

/// Most variables, headers and the like that rules may set for one request: more than any configuration needs.
const SET_MAX: usize = 128;

/// Longest text that rules may gather for one request.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// What rules know of a request, and what they have made of it.
#[derive(Debug)]
pub struct Request<'r> {
    head: &'r RequestHead<'r>,
    /// Variables that were set, the last of a name being its value.
    changes: Vec<(Vec<u8>, Vec<u8>)>,
    /// What regular expressions are compared with instead of the variable.
    fields: [Option<Vec<u8>>; Field::COUNT],
    /// The status of the answer; 500 while there is none.
    pub status: u16,
    /// Headers that the answer gets.
    pub added: Vec<(Vec<u8>, Vec<u8>)>,
    /// Names of headers that the application's answer loses.
    pub removed: Vec<Vec<u8>>,
    /// Variables for the line in the log.
    pub log_variables: Vec<(Vec<u8>, Vec<u8>)>,
    /// No line in the log.
    pub is_silent: bool,
    /// What is kept of the answer in caches.
    pub to_keep: Vec<ToKeep>,
    /// The status that takes the place of the answer's, whose headers are dropped.
    pub cleared: Option<(u16, Option<String>)>,
    /// How long it may take from here on; `Some(0)` lifts that.
    pub deadline_s: Option<u64>,
    /// What was given to be sent (`send:`).
    pub(super) sent: Vec<u8>,
    /// What happened, if somebody wants to know.
    pub(super) trace: Option<Vec<String>>,
    /// The chain that runs.
    pub(super) stage: Stage,
}

/// An entry of a cache that is made once there is an answer (`cachestore:`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToKeep {
    /// The cache; the first one if that is empty.
    pub cache: String,
    /// The key.
    pub key: Vec<u8>,
    /// Of an answer with which status.
    pub status: u16,
    /// How long it stays, in seconds; 0: for ever.
    pub lifetime_s: u64,
    /// The value; the body of the answer without.
    pub value: Option<Vec<u8>>,
}

/// What rules want does not fit a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a request has no room for that")]
pub struct NoRoom;

impl From<Misfit> for NoRoom {
    fn from(_: Misfit) -> NoRoom {
        NoRoom
    }
}

impl<'r> Request<'r> {
    /// A request as it came. `traced`: notes are taken of what rules do.
    pub fn new(head: &'r RequestHead<'r>, traced: bool) -> Request<'r> {
        Request {
            head,
            changes: Vec::new(),
            fields: Default::default(),
            status: 500,
            added: Vec::new(),
            removed: Vec::new(),
            log_variables: Vec::new(),
            is_silent: false,
            to_keep: Vec::new(),
            cleared: None,
            deadline_s: None,
            sent: Vec::new(),
            trace: traced.then(Vec::new),
            stage: Stage::Request,
        }
    }

    /// The value of a variable; empty if there is none.
    pub fn variable(&self, name: &[u8]) -> &[u8] {
        let changed = self.changes.iter().rev().find(|(own, _)| own == name);
        changed.map_or_else(|| self.original(name), |(_, value)| value)
    }

    fn original(&self, name: &[u8]) -> &'r [u8] {
        match name {
            b"PATH_INFO" => self.head.path(),
            b"SCRIPT_NAME" => self.head.script_name(),
            _ => self.head.block().get(name).unwrap_or_default(),
        }
    }

    /// What regular expressions of a field are compared with.
    pub(super) fn field(&self, field: Field) -> &[u8] {
        if let Some(set) = &self.fields[field as usize] {
            return set;
        }
        match field {
            Field::Path => self.head.path(),
            Field::Uri => self.head.uri(),
            Field::Query => self.head.query(),
            Field::Host if self.head.host().is_empty() => self.head.server_name(),
            Field::Host => self.head.host(),
            Field::Address => self.head.remote_addr(),
            Field::Agent => self.head.user_agent(),
            Field::User => self.head.remote_user(),
            Field::Referer => self.head.referer(),
        }
    }

    /// Whether a rule has said who asks. What a web server says does not count: nobody may have looked at the password.
    pub(super) fn is_authenticated(&self) -> bool {
        self.fields[Field::User as usize].is_some()
    }

    /// Sets a variable, to no more than a block has room for: rules that double a value would soon fill all memory.
    pub fn set(&mut self, name: &[u8], value: Vec<u8>) -> Result<(), NoRoom> {
        if value.len() > usize::from(u16::MAX) {
            return Err(NoRoom);
        }
        if let Some((_, own)) = self.changes.iter_mut().find(|(own, _)| own == name) {
            *own = value;
        } else {
            push(&mut self.changes, (name.to_vec(), value))?;
        }
        Ok(())
    }

    /// Sets a variable and what regular expressions of the field see.
    pub(super) fn set_field(&mut self, field: Field, value: Vec<u8>) -> Result<(), NoRoom> {
        self.fields[field as usize] = Some(value.clone());
        self.set(field.variable().as_bytes(), value)
    }

    /// Gives the answer another header.
    pub(super) fn add_header(&mut self, name: Vec<u8>, value: Vec<u8>) -> Result<(), NoRoom> {
        push(&mut self.added, (name, value))
    }

    pub(super) fn remove_header(&mut self, name: Vec<u8>) -> Result<(), NoRoom> {
        push(&mut self.removed, name)
    }

    pub(super) fn add_log_variable(&mut self, name: Vec<u8>, value: Vec<u8>) -> Result<(), NoRoom> {
        push(&mut self.log_variables, (name, value))
    }

    /// Has something of the answer kept.
    pub(super) fn keep(&mut self, entry: ToKeep) -> Result<(), NoRoom> {
        push(&mut self.to_keep, entry)
    }

    /// Gathers text to be sent.
    pub(super) fn send(&mut self, text: &[u8]) -> Result<(), NoRoom> {
        if self.sent.len() + text.len() > TEXT_BYTES_MAX {
            return Err(NoRoom);
        }
        self.sent.extend_from_slice(text);
        Ok(())
    }

    /// The block of variables as rules have left it; `None` if they changed none of it.
    ///
    /// # Errors
    /// When it is larger than a block may be.
    pub fn changed_block(&self) -> Result<Option<Vec<u8>>, NoRoom> {
        if self.changes.is_empty() {
            return Ok(None);
        }
        let mut block = Vec::with_capacity(self.head.block().bytes() + 256);
        for (name, value) in self.head.block().pairs() {
            if self.changes.iter().any(|(own, _)| own == name) {
                continue;
            }
            let value = if matches!(name, b"PATH_INFO" | b"SCRIPT_NAME") { self.original(name) } else { value };
            pairs::append(&mut block, 0, name, value)?;
        }
        for (name, value) in &self.changes {
            pairs::append(&mut block, 0, name, value)?;
        }
        Ok(Some(block))
    }

    /// Notes what happened, if somebody wants to know.
    pub(super) fn note(&mut self, told: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(told());
        }
    }

    /// What was noted since the last call.
    pub fn take_notes(&mut self) -> Vec<String> {
        self.trace.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Variables that rules have set, in the order of their first appearance.
    pub fn changes(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        self.changes.iter().map(|(name, value)| (String::from_utf8_lossy(name), String::from_utf8_lossy(value)))
    }
}

fn push<T>(list: &mut Vec<T>, item: T) -> Result<(), NoRoom> {
    if list.len() >= SET_MAX {
        return Err(NoRoom);
    }
    list.push(item);
    Ok(())
}
