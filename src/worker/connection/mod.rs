//! One connection, from its first byte to its end: `receive` reads what is asked, `serve` has it answered, `finish`
//! closes so that nothing is lost. Those that may bring several requests are `patient`. Worker only.

mod answered;
mod finish;
mod patient;
mod receive;
mod serve;

use worker_protocol::pairs;
use worker_protocol::wire::{Protocol, Receiver};

pub(crate) use self::answered::{Answered, Outcome};
pub(crate) use self::patient::{Next, Patient, Visit};

use self::finish::{linger_after_refusal, refuse};
use self::receive::{Asked, receive};
use self::serve::{Served, Stage, Then, serve};
use super::exchange::Service;
use super::process::Worker;
use super::reply::DateText;
use crate::config::model::RequestLimits;
use crate::sys::stream::Stream;

/// Memory that one thread uses again for every connection.
#[derive(Debug)]
pub(crate) struct Buffers {
    /// What was read before the body. Zeroed memory that is only touched as far as requests reach.
    received: Box<[u8]>,
    /// The encoded head of the answer.
    answer: Vec<u8>,
    /// The date of the current second.
    clock: DateText,
}

impl Buffers {
    pub(crate) fn new(limits: &RequestLimits) -> Self {
        // Room for the largest block and what the protocols put around it; not below 16 KiB, so that small bodies come
        // along with their head.
        let room = ENVELOPE_BYTES_MAX + usize::from(limits.buffer_size);
        Self {
            received: vec![0; room.max(16 * 1024)].into_boxed_slice(),
            answer: Vec::with_capacity(512),
            clock: DateText::default(),
        }
    }
}

/// Most bytes of a head that are not part of its block: an empty line before it, or the length of a netstring.
const ENVELOPE_BYTES_MAX: usize = 16;

/// A connection that was accepted, and by whom.
#[derive(Debug)]
pub(crate) struct Connection<'w> {
    pub(crate) worker: &'w Worker<'w>,
    /// Which of the worker's threads, from 0.
    pub(crate) core: usize,
    pub(crate) stream: Stream,
    /// What is spoken on it.
    pub(crate) protocol: Protocol,
    /// When the wait for it ended.
    pub(crate) started_us: u64,
}

/// Handles a connection to its end, then gives an account of the request. False when there was none: the peer said
/// nothing, or something that is not a request.
pub(crate) fn handle<S: Service + ?Sized>(
    connection: Connection<'_>,
    buffers: &mut Buffers,
    service: &S,
    account: impl FnOnce(&Answered<'_>),
) -> bool {
    let Connection { worker, core, stream, protocol, started_us } = connection;
    let Buffers { received, answer, clock } = buffers;
    let limits = worker.limits();
    let block_limits = pairs::Limits { block_bytes_max: limits.buffer_size, variables_max: limits.vars_max };
    let mut receiver = Receiver::new(protocol, block_limits);
    let deadline_us = started_us.saturating_add(limits.socket_timeout.as_micros() as u64);
    let mut request = match receive(&stream, received, &mut receiver, deadline_us) {
        Ok(Asked::Request(request)) => request,
        Ok(Asked::Ping(pong)) => {
            // A peer that hangs up before the pong has no use for it.
            let _ = stream.write(pong);
            return false;
        }
        Err(refusal) => {
            let silence_us = limits.socket_timeout.as_micros() as u64;
            if refuse(&stream, answer, receiver.refusal_form(), silence_us, &refusal) {
                linger_after_refusal(&stream);
            }
            return false;
        }
    };
    let stage = Stage { worker, core, stream: &stream, answer, clock, then: Then::Nothing };
    let Served { outcome, .. } = serve(service, &mut request, stage);
    drop(stream);
    account(&Answered { head: &request.head, envelope: request.envelope, outcome });
    true
}
