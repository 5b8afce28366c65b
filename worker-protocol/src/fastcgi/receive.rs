//! A FastCGI connection as its bytes arrive. Pure; the worker keeps one [`Receiver`] for each connection.
//!
//! Records may be cut anywhere and a request's parts may be spread over records in any way: nothing depends on it.
//! Records of requests that are not under way are skipped, as the specification has it (section 3.3), so that what is
//! left of a body does no harm after the answer.

use super::answer::{Outcome, append_outcome};
use super::record::{HEADER_BYTES, Header, append, kind};
use super::request::{AUTHORIZER, KEEP_CONNECTION, RESPONDER};
use super::{Error, pairs};
use crate::pairs::{Limits, Marks};

/// Most bytes of a record that has to be there whole. A question for three names has less than 60.
const COLLECTED_BYTES_MAX: usize = 1_024;

/// Most bytes of replies that wait to be sent; a web server that asks on without reading them is no web server.
const REPLIES_BYTES_MAX: usize = 16 * 1_024;

/// What a call of [`Receiver::next`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// Everything was consumed, and more is needed.
    Need,
    /// The variables are complete: [`Receiver::append_variables`].
    Head,
    /// Bytes of the body.
    Body(&'a [u8]),
    /// The body is complete.
    BodyEnd,
    /// The web server has no use for an answer any more. Only while the body is read.
    Aborted,
    /// There is nothing to be answered, and the web server expects the connection to end.
    Close,
}

/// What a call of [`Receiver::next`] made of its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step<'a> {
    /// Bytes of the input that are done with.
    pub consumed: usize,
    /// What it came to.
    pub event: Event<'a>,
}

/// Reads one connection.
#[derive(Debug, Clone)]
pub struct Receiver {
    limits: Limits,
    /// Requests that the instance takes at a time, for web servers that ask.
    capacity: u32,
    place: Place,
    /// The content of a record that has to be there whole.
    collected: Vec<u8>,
    request: Option<Request>,
    /// The variables of the request, as far as they have come.
    params: Vec<u8>,
    /// What is to be sent: answers to questions, and refusals of other requests.
    replies: Vec<u8>,
}

/// Where in a record the next byte belongs.
#[derive(Debug, Clone, Copy)]
enum Place {
    Header { bytes: [u8; HEADER_BYTES], filled: usize },
    Content { header: Header, left: usize },
    Padding { left: usize },
}

const BEFORE_RECORD: Place = Place::Header { bytes: [0; HEADER_BYTES], filled: 0 };

/// The request under way.
#[derive(Debug, Clone, Copy)]
struct Request {
    id: u16,
    keeps_connection: bool,
    phase: Phase,
    role: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Params,
    Body,
    Ended,
}

impl Receiver {
    /// For a connection of which nothing was read. `capacity`: how many requests the instance takes at a time, for web
    /// servers that ask.
    pub fn new(limits: Limits, capacity: u32) -> Receiver {
        Receiver {
            limits,
            capacity,
            place: BEFORE_RECORD,
            collected: Vec::new(),
            request: None,
            params: Vec::new(),
            replies: Vec::new(),
        }
    }

    /// Reads on, up to the next event. Bytes of the body come as they lie in the input, at most `body_max` of them.
    ///
    /// # Errors
    /// What makes the connection useless. [`Receiver::request_id`] says whether a request can be told.
    pub fn next<'a>(&mut self, input: &'a [u8], body_max: usize) -> Result<Step<'a>, Error> {
        let mut at = 0;
        loop {
            if let Some(event) = self.end_of_record()? {
                return Ok(Step { consumed: at, event });
            }
            let rest = &input[at..];
            if rest.is_empty() {
                return Ok(Step { consumed: at, event: Event::Need });
            }
            let (taken, event) = self.take(rest, body_max)?;
            at += taken;
            if let Some(event) = event {
                return Ok(Step { consumed: at, event });
            }
        }
    }

    /// Writes the variables of the request whose head is complete as the block of a uwsgi packet, and returns how many
    /// there are.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn append_variables(&mut self, block: &mut Vec<u8>) -> Result<usize, Error> {
        self.append_noting((block, &mut Marks::default()))
    }

    /// The same, and where in the block the variables with a meaning are.
    pub(super) fn append_noting(&mut self, into: (&mut Vec<u8>, &mut Marks)) -> Result<usize, Error> {
        let outcome = pairs::append_block(&self.params, &self.limits, into);
        self.params.clear();
        outcome
    }

    /// Whether bytes wait to be sent besides answers.
    pub fn has_replies(&self) -> bool {
        !self.replies.is_empty()
    }

    /// The number of the request under way.
    pub fn request_id(&self) -> Option<u16> {
        self.request.map(|request| request.id)
    }

    /// Whether the web server wants the connection to go on after the answer.
    pub fn keeps_connection(&self) -> bool {
        self.request.is_some_and(|request| request.keeps_connection)
    }

    /// The request is answered: what still comes of it is skipped, and another one may begin.
    pub fn finish(&mut self) {
        self.request = None;
        self.params = Vec::new();
    }

    /// How many bytes of the body come next: so many can be read without asking, if it is told ([`Receiver::took`]). 0
    /// when something else comes first.
    pub fn body_left(&self) -> usize {
        match self.place {
            Place::Content { header, left } if header.kind == kind::STDIN && self.is_of_request(header.id) => left,
            _ => 0,
        }
    }

    /// Says that so many bytes of the body were read without asking: at most [`Receiver::body_left`].
    pub fn took(&mut self, bytes: usize) {
        if let Place::Content { left, .. } = &mut self.place {
            *left = left.saturating_sub(bytes);
        }
    }

    /// Whether nothing of a request is here, so that the connection can be closed without a loss.
    pub fn is_idle(&self) -> bool {
        self.request.is_none() && matches!(self.place, Place::Header { filled: 0, .. })
    }

    /// What is to be sent besides answers. The caller sends it and clears it.
    pub fn replies(&mut self) -> &mut Vec<u8> {
        &mut self.replies
    }

    /// Takes some of `input`, which is not empty. The content of a record is not at its end.
    fn take<'a>(&mut self, input: &'a [u8], body_max: usize) -> Result<(usize, Option<Event<'a>>), Error> {
        match &mut self.place {
            Place::Header { bytes, filled } => {
                if *filled == 0 {
                    judge_beginning(input[0])?;
                }
                let count = input.len().min(HEADER_BYTES - *filled);
                bytes[*filled..*filled + count].copy_from_slice(&input[..count]);
                *filled += count;
                if *filled == HEADER_BYTES {
                    let header = Header::parse(*bytes)?;
                    self.begin_record(header)?;
                }
                Ok((count, None))
            }
            Place::Padding { left } => {
                let count = input.len().min(*left);
                *left -= count;
                if *left == 0 {
                    self.place = BEFORE_RECORD;
                }
                Ok((count, None))
            }
            &mut Place::Content { header, left } => {
                let is_body = header.kind == kind::STDIN && self.is_of_request(header.id);
                let count = input.len().min(left).min(if is_body { body_max } else { usize::MAX });
                self.place = Place::Content { header, left: left - count };
                let content = &input[..count];
                if is_body {
                    return Ok((count, Some(Event::Body(content))));
                }
                match header.kind {
                    kind::PARAMS if self.is_of_request(header.id) => self.take_params(content)?,
                    kind::BEGIN_REQUEST | kind::GET_VALUES => self.collected.extend_from_slice(content),
                    _ => {}
                }
                Ok((count, None))
            }
        }
    }

    fn is_of_request(&self, id: u16) -> bool {
        self.request_id() == Some(id)
    }

    fn take_params(&mut self, content: &[u8]) -> Result<(), Error> {
        self.params.extend_from_slice(content);
        let block_bytes_max = self.limits.block_bytes_max;
        if self.params.len() > usize::from(block_bytes_max) {
            return Err(Error::ParamsTooLarge { block_bytes_max });
        }
        Ok(())
    }

    /// Judges what a header alone shows.
    fn begin_record(&mut self, header: Header) -> Result<(), Error> {
        let Header { kind, id, content_bytes, padding_bytes: _ } = header;
        let wrong = Error::Content { kind, content_bytes };
        match kind {
            kind::END_REQUEST | kind::STDOUT | kind::STDERR | kind::GET_VALUES_RESULT | kind::UNKNOWN_TYPE => {
                return Err(Error::Misplaced { kind, id });
            }
            kind::BEGIN_REQUEST..=kind::DATA if id == 0 => return Err(Error::Misplaced { kind, id }),
            kind::GET_VALUES if id != 0 => return Err(Error::Misplaced { kind, id }),
            kind::BEGIN_REQUEST if content_bytes != 8 => return Err(wrong),
            kind::ABORT_REQUEST if content_bytes != 0 => return Err(wrong),
            kind::GET_VALUES if usize::from(content_bytes) > COLLECTED_BYTES_MAX => return Err(wrong),
            kind::BEGIN_REQUEST | kind::PARAMS | kind::STDIN => self.judge_order(kind, id)?,
            _ => {}
        }
        self.collected.clear();
        self.place = Place::Content { header, left: usize::from(content_bytes) };
        Ok(())
    }

    fn judge_order(&self, kind: u8, id: u16) -> Result<(), Error> {
        let phase = self.request.filter(|request| request.id == id).map(|request| request.phase);
        let wanted = match kind {
            kind::BEGIN_REQUEST => None,
            kind::PARAMS => Some(Phase::Params),
            _ => Some(Phase::Body),
        };
        // What belongs to no request that is under way is skipped.
        if phase.is_some() && phase != wanted { Err(Error::Order { kind, id }) } else { Ok(()) }
    }

    /// Acts upon a record whose content has come to its end.
    fn end_of_record(&mut self) -> Result<Option<Event<'static>>, Error> {
        let Place::Content { header, left: 0 } = self.place else { return Ok(None) };
        self.place = match header.padding_bytes {
            0 => BEFORE_RECORD,
            left => Place::Padding { left: usize::from(left) },
        };
        let event = match header.kind {
            kind::BEGIN_REQUEST => self.begin_request(header.id),
            kind::ABORT_REQUEST if self.is_of_request(header.id) => self.abort(header.id),
            kind::PARAMS if header.content_bytes == 0 && self.is_of_request(header.id) => self.end_params(),
            kind::STDIN if header.content_bytes == 0 && self.is_of_request(header.id) => self.end_body(),
            kind::GET_VALUES => self.answer_question(),
            kind if header.id == 0 => {
                append(&mut self.replies, kind::UNKNOWN_TYPE, 0, &[kind, 0, 0, 0, 0, 0, 0, 0]);
                None
            }
            _ => None,
        };
        if self.replies.len() > REPLIES_BYTES_MAX {
            return Err(Error::Misplaced { kind: header.kind, id: header.id });
        }
        Ok(event)
    }

    fn begin_request(&mut self, id: u16) -> Option<Event<'static>> {
        let &[role_high, role_low, flags, ..] = self.collected.as_slice() else { return None };
        let role = u16::from_be_bytes([role_high, role_low]);
        let keeps_connection = flags & KEEP_CONNECTION != 0;
        if self.request.is_some() {
            append_outcome(&mut self.replies, id, Outcome::CannotMultiplex);
            return None;
        }
        if !matches!(role, RESPONDER | AUTHORIZER) {
            append_outcome(&mut self.replies, id, Outcome::UnknownRole);
            return (!keeps_connection).then_some(Event::Close);
        }
        self.params.clear();
        self.request = Some(Request { id, keeps_connection, phase: Phase::Params, role });
        None
    }

    fn abort(&mut self, id: u16) -> Option<Event<'static>> {
        let request = self.request?;
        if request.phase != Phase::Params {
            return Some(Event::Aborted);
        }
        append_outcome(&mut self.replies, id, Outcome::Complete);
        self.finish();
        (!request.keeps_connection).then_some(Event::Close)
    }

    /// An authorizer gets no body (section 6.3 of the specification).
    fn end_params(&mut self) -> Option<Event<'static>> {
        let request = self.request.as_mut()?;
        request.phase = if request.role == AUTHORIZER { Phase::Ended } else { Phase::Body };
        Some(Event::Head)
    }

    fn end_body(&mut self) -> Option<Event<'static>> {
        self.request.as_mut()?.phase = Phase::Ended;
        Some(Event::BodyEnd)
    }

    /// Whether the body of the request has come to its end, or there is none.
    pub fn body_has_ended(&self) -> bool {
        self.request.is_none_or(|request| request.phase == Phase::Ended)
    }

    /// One request at a time on a connection, and as many connections as the instance takes requests.
    fn answer_question(&mut self) -> Option<Event<'static>> {
        let capacity = self.capacity.to_string();
        let mut content = Vec::new();
        for name in pairs::names(&self.collected) {
            let value: &[u8] = match name {
                b"FCGI_MAX_CONNS" | b"FCGI_MAX_REQS" => capacity.as_bytes(),
                b"FCGI_MPXS_CONNS" => b"0",
                _ => continue,
            };
            pairs::append(&mut content, name, value);
        }
        append(&mut self.replies, kind::GET_VALUES_RESULT, 0, &content);
        None
    }
}

/// Names the protocols that are taken for FastCGI by mistake, at the first byte of a record.
fn judge_beginning(byte: u8) -> Result<(), Error> {
    match byte {
        0 => Err(Error::SpeaksUwsgi),
        b'A'..=b'Z' => Err(Error::SpeaksHttp),
        _ => Ok(()),
    }
}
