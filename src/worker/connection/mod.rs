//! One connection, from its first byte to its end: `receive` reads what is asked, `serve` has it answered, `finish`
//! closes so that nothing is lost. Worker only.

mod accepted;
mod answered;
mod finish;
mod receive;
mod serve;

use worker_protocol::head::RequestHead;
use worker_protocol::pairs;
use worker_protocol::wire::{ENVELOPE_BYTES_MAX, Receiver};

pub(crate) use self::accepted::Connection;
pub(crate) use self::answered::{Answered, Outcome};

use self::finish::refuse;
use self::receive::{Asked, Refusal, receive};
use self::serve::serve;
use super::exchange::Service;
use crate::config::model::RequestLimits;

/// Memory that one thread uses again for every connection.
#[derive(Debug)]
pub(crate) struct Buffers {
    /// What was read before the body. Zeroed memory that is only touched as far as requests reach.
    received: Box<[u8]>,
    /// The encoded head of the answer.
    answer: Vec<u8>,
}

impl Buffers {
    pub(crate) fn new(limits: &RequestLimits) -> Self {
        // Room for the largest block and what the protocols put around it; not below 16 KiB, so that small bodies come
        // along with their head.
        let room = ENVELOPE_BYTES_MAX + usize::from(limits.buffer_size);
        Self { received: vec![0; room.max(16 * 1024)].into_boxed_slice(), answer: Vec::with_capacity(512) }
    }
}

/// Handles a connection to its end, then gives an account of the request. False when there was none: the peer said
/// nothing, or something that is not a request.
pub(crate) fn handle<S: Service + ?Sized>(
    connection: Connection<'_>,
    buffers: &mut Buffers,
    service: &S,
    account: impl FnOnce(&Answered<'_>),
) -> bool {
    let Connection { worker, stream, protocol, started_us, .. } = &connection;
    let Buffers { received, answer } = buffers;
    let limits = worker.limits();
    let block_limits = pairs::Limits { block_bytes_max: limits.buffer_size, variables_max: limits.vars_max };
    let mut receiver = Receiver::new(*protocol, block_limits);
    let deadline_us = started_us.saturating_add(limits.socket_timeout.as_micros() as u64);
    let (request, path_info) = match receive(stream, received, &mut receiver, deadline_us) {
        Ok(Asked::Request(request, path_info)) => (request, path_info),
        Ok(Asked::Ping(pong)) => {
            // A peer that hangs up before the pong has no use for it.
            let _ = stream.write(pong, &[]);
            return false;
        }
        Err(refusal) => {
            refuse(stream, answer, limits, &refusal);
            return false;
        }
    };
    let head = match RequestHead::read(request.block, path_info) {
        Ok(head) => head,
        Err(error) => {
            refuse(stream, answer, limits, &Refusal::malformed(&error, error.status()));
            return false;
        }
    };
    let outcome = serve(service, &connection, &head, request.rest, answer);
    drop(connection);
    account(&Answered { head: &head, envelope: request.envelope, outcome });
    true
}
