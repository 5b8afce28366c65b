//! One connection: read the head, let the service answer, close so that nothing is lost. Worker only.

use std::io::ErrorKind;

use worker_protocol::head::RequestHead;
use worker_protocol::response::Protocol;
use worker_protocol::scoreboard::Served;
use worker_protocol::uwsgi::{self, Kind, Limits, PONG};

use super::body::RequestBody;
use super::exchange::{Exchange, Service};
use super::process::Worker;
use super::reply::{Headers, Reply, Sent};
use crate::config::model::RequestLimits;
use crate::handler::LogNotes;
use crate::handler::request::DeclaredBody;
use crate::sys::clock::monotonic_us;
use crate::sys::stream::Stream;

/// Longest time for which the rest of a refused or unread request is waited for (uWSGI's manual, "Nginx support").
const LINGER_US: u64 = 2_000_000;

/// Most bytes read and forgotten after a head that could not be understood, so that the peer gets the answer.
const LINGER_BYTES_MAX: u64 = 1 << 20;

/// Memory that one thread uses again for every request.
#[derive(Debug)]
pub(crate) struct Buffers {
    /// The packet and what was read with it. Zeroed memory that is only touched as far as packets reach.
    packet: Box<[u8]>,
    /// The encoded head of the answer.
    head: Vec<u8>,
}

impl Buffers {
    pub(crate) fn new(limits: &RequestLimits) -> Self {
        let packet_bytes = uwsgi::HEADER_BYTES + usize::from(limits.buffer_size);
        // Not below 16 KiB, so that small bodies come along with their head.
        Self { packet: vec![0; packet_bytes.max(16 * 1024)].into_boxed_slice(), head: Vec::with_capacity(512) }
    }
}

/// A request that was answered, and whose connection is closed.
#[derive(Debug)]
pub(crate) struct Request<'b> {
    pub(crate) head: &'b RequestHead<'b>,
    /// `modifier1` and `modifier2` of the packet.
    pub(crate) modifiers: (u8, u8),
    pub(crate) variables_count: usize,
    pub(crate) block_bytes: usize,
    pub(crate) sent: Sent,
    /// How long the request waited for us, in microseconds, where the web server tells its arrival.
    pub(crate) waited_us: Option<u64>,
    pub(crate) exception: bool,
    pub(crate) read_failed: bool,
    /// What the application wants of its line in the log.
    pub(crate) notes: LogNotes,
}

impl Request<'_> {
    /// The same, as the scoreboard counts it.
    pub(crate) fn served(&self) -> Served {
        Served {
            sent_bytes: self.sent.head_bytes as u64 + self.sent.body_bytes,
            exception: self.exception,
            read_error: self.read_failed,
            write_error: self.sent.write_failed,
        }
    }
}

/// Handles one connection from its first byte to its end, then gives an account of the request. False when there was
/// none: the peer said nothing, or something that is not a request.
pub(crate) fn handle<S: Service + ?Sized>(
    worker: &Worker<'_>,
    service: &S,
    core: usize,
    stream: Stream,
    buffers: &mut Buffers,
    started_us: u64,
    account: impl FnOnce(&Request<'_>),
) -> bool {
    let limits = worker.limits();
    let deadline = started_us.saturating_add(limits.socket_timeout.as_micros() as u64);
    let Buffers { packet, head: head_buffer } = buffers;
    let wire = Limits { packet_bytes_max: limits.buffer_size, variables_max: limits.vars_max };
    let filled = match read_packet(&stream, packet, &wire, deadline) {
        Ok(filled) => filled,
        Err(refusal) => {
            refuse(&stream, head_buffer, limits, &refusal);
            return false;
        }
    };
    let (whole, wire_limits) = (&packet[..filled], &wire);
    let parsed = match uwsgi::decode(whole, wire_limits) {
        Ok(Some(parsed)) => parsed,
        // `read_packet` returns only whole packets.
        Ok(None) => return false,
        Err(error) => {
            refuse(&stream, head_buffer, limits, &Refusal::malformed(&error, error.status()));
            return false;
        }
    };
    let Kind::Request(path_info) = parsed.kind() else {
        // A peer that hangs up before the pong has no use for it.
        let _ = stream.write(&PONG, &[]);
        return false;
    };
    let head = match RequestHead::read(parsed.pairs(), path_info) {
        Ok(head) => head,
        Err(error) => {
            refuse(&stream, head_buffer, limits, &Refusal::malformed(&error, error.status()));
            return false;
        }
    };
    let silence_us = limits.socket_timeout.as_micros() as u64;
    let length = head.content_length.unwrap_or(0);
    let waited_us = head
        .arrival_us(limits.trusts(head.remote_addr))
        .map(|arrival| crate::sys::clock::epoch_us().saturating_sub(arrival));
    let mut exchange = Exchange {
        body: RequestBody::new(&stream, &whole[parsed.consumed()..], length, silence_us),
        reply: Reply::new(&stream, silence_us, head_buffer, head.response_protocol(), head.method == "HEAD"),
        head: &head,
        worker,
        core,
        stream: &stream,
        exception: false,
        notes: LogNotes::default(),
    };
    if limits.body_max.is_some_and(|body_max| length > body_max) {
        exchange.answer_plainly(413, "The request body is larger than this server accepts.\n");
    } else {
        service.serve(&mut exchange);
    }
    let (exception, read_failed) = (exchange.exception, exchange.body.failed());
    let notes = std::mem::take(&mut exchange.notes);
    let sent = exchange.close();
    drop(stream);
    account(&Request {
        modifiers: (parsed.header().modifier1, parsed.header().modifier2),
        variables_count: parsed.variables_count(),
        block_bytes: parsed.block_bytes(),
        head: &head,
        sent,
        waited_us,
        exception,
        read_failed,
        notes,
    });
    true
}

/// Why a connection gets no service.
enum Refusal {
    /// Nothing to answer: the peer has gone or never spoke.
    Silent,
    /// An answer for the peer, and a line for the log.
    Answer { status: u16, reason: String },
}

impl Refusal {
    fn malformed(error: &dyn std::fmt::Display, status: u16) -> Self {
        Self::Answer { status, reason: error.to_string() }
    }
}

/// Reads until a whole packet is there; returns how many bytes are. The deadline is for all of it.
///
/// The first read does not wait, as the packet has mostly come before the worker got there.
fn read_packet(stream: &Stream, buffer: &mut [u8], limits: &Limits, deadline: u64) -> Result<usize, Refusal> {
    let mut filled = 0;
    let mut waits = false;
    loop {
        let room = &mut buffer[filled..];
        let read =
            if waits { stream.read_within(room, deadline.saturating_sub(monotonic_us())) } else { stream.read(room) };
        match read {
            Ok(0) => {
                if filled > 0 {
                    log::debug!("the client closed the connection after {filled} bytes of a request");
                }
                return Err(Refusal::Silent);
            }
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock && waits => return Err(too_slow(filled)),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => return Err(Refusal::Silent),
        }
        waits = true;
        match uwsgi::missing(&buffer[..filled], limits) {
            Ok(0) => return Ok(filled),
            Ok(_) => {}
            Err(error) => return Err(Refusal::malformed(&error, error.status())),
        }
    }
}

/// What becomes of a connection on which the head was not there in time.
fn too_slow(filled: usize) -> Refusal {
    match filled {
        0 => Refusal::Silent,
        _ => Refusal::Answer {
            status: 408,
            reason: format!("only {filled} bytes of a request came within the socket timeout"),
        },
    }
}

/// Answers what could not be understood, and lets the peer read the answer before the connection closes.
#[cold]
fn refuse(stream: &Stream, head_buffer: &mut Vec<u8>, limits: &RequestLimits, refusal: &Refusal) {
    let Refusal::Answer { status, reason } = refusal else { return };
    log::warn!("request refused with status {status}: {reason}");
    let silence_us = (limits.socket_timeout.as_micros() as u64).min(LINGER_US);
    let mut reply = Reply::new(stream, silence_us, head_buffer, Protocol::Http11, false);
    answer_plainly(&mut reply, *status, &format!("{reason}\n"));
    if reply.finish() && stream.finish_writing().is_ok() {
        RequestBody::new(stream, &[], LINGER_BYTES_MAX, LINGER_US).discard(LINGER_US);
    }
}

/// A short answer in plain text. Nothing happens if an answer is on its way already.
fn answer_plainly(reply: &mut Reply<'_>, status: u16, text: &str) {
    let kind = |headers: &mut Headers<'_>| headers.add(b"Content-Type", b"text/plain; charset=utf-8");
    if !reply.is_sending() && reply.start(status, None, Some(text.len() as u64), kind).is_ok() {
        // If the client has gone, there is nobody to tell.
        let _ = reply.send(text.as_bytes());
    }
}

impl Exchange<'_> {
    /// Answers with a status and a short text, unless an answer is on its way already.
    pub fn answer_plainly(&mut self, status: u16, text: &str) {
        answer_plainly(&mut self.reply, status, text);
    }

    /// Ends the exchange: whatever is missing of the answer is sent, whatever is left of the body is read.
    fn close(mut self) -> Sent {
        if !self.reply.is_started() {
            self.answer_plainly(500, "The application gave no answer.\n");
        }
        let complete = self.reply.finish();
        let sent = self.reply.sent();
        if !complete && !sent.write_failed {
            log::warn!(
                "the answer to {} {} ended before its announced length",
                self.head.method,
                String::from_utf8_lossy(self.head.uri).escape_debug()
            );
        }
        if self.body.remaining() > 0 && !self.body.failed() && self.stream.finish_writing().is_ok() {
            self.body.discard(LINGER_US);
        }
        sent
    }
}
