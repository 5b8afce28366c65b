//! One connection, from its first byte to its end: `receive` reads what is asked, `serve` has it answered, `finish`
//! closes so that nothing is lost. Those that may bring several requests are `patient`. Worker only.

mod answered;
mod buffers;
mod collecting;
mod finish;
mod handed;
mod patient;
mod receive;
mod serve;

use std::time::Duration;

use worker_protocol::pairs;
use worker_protocol::wire::{Form, Protocol, Receiver};

pub(crate) use self::answered::{Answered, Outcome};
pub(crate) use self::buffers::Buffers;
pub(crate) use self::handed::{Handed, Leftover};
pub(crate) use self::patient::{Next, Patient, Visit};

use self::answered::After;
use self::finish::{linger_after_refusal, refuse};
use self::receive::{Asked, Refusal, receive};
use self::serve::{Served, Stage, Then, serve};
use super::exchange::Service;
use super::offers::{self, Stand, Stranger};
use super::peer::Bringer;
use super::place::Place;
use super::process::Worker;
use super::routes::{Routes, read};
use crate::sys::stream::Stream;

/// A connection that was accepted, and by whom.
#[derive(Debug)]
pub(crate) struct Connection<'w> {
    pub(crate) worker: &'w Worker<'w>,
    /// Which of the worker's threads.
    pub(crate) place: Place<'w>,
    pub(crate) stream: Stream,
    pub(crate) from: Bringer,
    /// The rules that look at each request, if there are any.
    pub(crate) routes: Option<&'w Routes<'w>>,
    /// What is spoken on it.
    pub(crate) protocol: Protocol,
    /// When the wait for it ended.
    pub(crate) started_us: u64,
}

/// Handles a connection to its end, then gives an account of the request, if there was one. What comes back of it is still to
/// be kept.
pub(crate) fn handle<S: Service + ?Sized>(
    connection: Connection<'_>,
    buffers: &mut Buffers,
    service: &S,
    account: impl FnOnce(&Answered<'_>),
) -> Option<Leftover> {
    let Connection { worker, place, stream, from, routes, protocol, started_us } = connection;
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
            return None;
        }
        Ok(Asked::Offer(offer, question)) => {
            match offers::refusal(worker, &stream, offer) {
                None => offers::answer(service, offer, &question, &Stand { worker, place, stream: &stream }, account),
                Some(why) => turn_away(&stream, answer, &why, limits.socket_timeout),
            }
            return None;
        }
        Err(refusal) => {
            let silence_us = limits.socket_timeout.as_micros() as u64;
            if refuse(&stream, answer, receiver.refusal_form(), silence_us, &refusal) {
                linger_after_refusal(&stream);
            }
            return None;
        }
    };
    let stage = Stage { worker, place, stream: &stream, from, routes, answer, clock, then: Then::Nothing };
    let mut outcome = Outcome::default();
    let Served { after, block, handed, .. } = serve(service, &mut request, stage, &mut outcome);
    let left = match handed {
        Some(transfer) => Some(Leftover::Handed(stream, Box::new(Handed { transfer, after, beyond: Vec::new() }))),
        None if after == After::Cut && !stream.will_reset() => Some(Leftover::Silent(stream)),
        None => {
            drop(stream);
            None
        }
    };
    let changed = block.as_deref().and_then(|block| read(block).ok());
    let head = changed.as_ref().unwrap_or(&request.head);
    account(&Answered { head, envelope: request.envelope, outcome: &outcome });
    left
}

/// Who may not have what he asks for is told so where it is offered to nobody, and gets nothing where it is to others.
#[cold]
fn turn_away(stream: &Stream, answer: &mut Vec<u8>, stranger: &Stranger, patience: Duration) {
    match stranger {
        Stranger::Offered { told } => log::warn!("{told}"),
        Stranger::NotOffered { told } => {
            let silence_us = patience.as_micros() as u64;
            if refuse(stream, answer, Some(Form::Plain), silence_us, &Refusal::with(501, told)) {
                linger_after_refusal(stream);
            }
        }
    }
}
