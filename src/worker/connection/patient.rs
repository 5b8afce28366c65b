//! A connection that may bring one request after the other, and take its time: it is attended to when there is something
//! to be read, and waited on meanwhile, so that it never keeps a thread from others. Worker only.

mod away;
mod collect;
mod rest;

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};

use worker_protocol::head::RequestHead;
use worker_protocol::http::caller::Caller;
use worker_protocol::wire::{Asks, Envelope, Progress, Protocol, Receiver};
use worker_protocol::{pairs, proxy};

use super::answered::{After, Answered, Outcome};
use super::buffers::Buffers;
use super::collecting::Collecting;
use super::finish::{LINGER_BYTES_MAX, LINGER_US, refuse};
use super::handed::Handed;
use super::receive::{Incoming, Refusal, too_slow};
use super::serve::{Served, Stage, Then, serve};
use crate::config::model::{self, HttpSockets};
use crate::sys::clock::monotonic_us;
use crate::sys::stream::Stream;
use crate::worker::body::{Gathered, write_all};
use crate::worker::exchange::Service;
use crate::worker::parking::Owes;
use crate::worker::peer::{Bringer, Door, is_trusted};
use crate::worker::place::Place;
use crate::worker::process::Worker;
use crate::worker::routes::{Routes, read};

/// Longest time for which a connection is silent on which an answer broke off: more than any web server waits.
const SILENCE_US: u64 = 3_600_000_000;

/// One of them.
#[derive(Debug)]
pub(crate) struct Patient {
    stream: Stream,
    protocol: Protocol,
    /// Which of the thread's doors it came through.
    door: usize,
    caller: Caller,
    receiver: Receiver,
    /// What was read of a request that is not whole.
    carried: Vec<u8>,
    phase: Phase,
    /// Since when it owes what it owes.
    since_us: u64,
    /// What others send of its last answer.
    handed: Option<Box<Handed>>,
    /// A request whose body is coming; its head is what is carried.
    collecting: Option<Box<Collecting>>,
}

/// What comes on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A header of the PROXY protocol, then requests.
    Introduction,
    /// The first request.
    First,
    /// Another request, or none.
    Another,
    /// Nothing that is answered: so many bytes are read and forgotten.
    Rest { bytes_left: u64 },
    /// Its end, after an answer that broke off.
    Silent,
}

/// Who attends to it, and how.
pub(crate) struct Visit<'v> {
    pub(crate) worker: &'v Worker<'v>,
    /// Which of the worker's threads.
    pub(crate) place: Place<'v>,
    /// The rules that look at each request, if there are any.
    pub(crate) routes: Option<&'v Routes<'v>>,
    /// The thread's doors.
    pub(crate) doors: &'v [Door],
    /// Whether the connection is to end with the next answer, since the worker leaves.
    pub(crate) is_last: bool,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// It has ended.
    Ended,
    /// It is to be waited on, until then.
    Waits { owes: Owes, until_us: u64 },
    /// Another request has begun to come already.
    Ready,
    /// Others are to send the rest of its answer; then it comes back.
    HandedOver,
}

impl Patient {
    /// A connection that was accepted just now.
    pub(crate) fn new(
        worker: &Worker<'_>,
        (stream, address): (Stream, Option<SocketAddr>),
        (door, doors): (usize, &[Door]),
        protocol: Protocol,
        now_us: u64,
    ) -> Self {
        let config = worker.member().config();
        let limits = worker.limits();
        let block_limits = pairs::Limits { block_bytes_max: limits.buffer_size, variables_max: limits.vars_max };
        let capacity = u32::try_from(config.workers.saturating_mul(config.threads.max(1))).unwrap_or(u32::MAX);
        let by_router = doors.get(door).is_some_and(|door| door.behind_router);
        let introduced = (config.http.proxy_protocol || by_router) && protocol == Protocol::Http;
        Self {
            stream,
            protocol,
            door,
            caller: Caller::new(address, doors.get(door).and_then(|door| door.port)),
            receiver: Receiver::with_capacity(protocol, block_limits, capacity),
            carried: Vec::new(),
            phase: if introduced { Phase::Introduction } else { Phase::First },
            since_us: now_us,
            handed: None,
            collecting: None,
        }
    }

    /// The connection itself.
    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Reads what is there, and has a request answered if that makes one whole. `begin` is called before, `account`
    /// after it is answered; it tells the time.
    #[inline(always)]
    pub(crate) fn attend<S: Service + ?Sized>(
        &mut self,
        visit: &Visit<'_>,
        buffers: &mut Buffers,
        service: &S,
        begin: impl FnOnce(),
        account: impl FnOnce(&Answered<'_>) -> u64,
    ) -> Next {
        match self.phase {
            Phase::Rest { bytes_left } => return self.read_and_forget(buffers, bytes_left, LINGER_US),
            Phase::Silent => return self.read_and_forget(buffers, u64::MAX, SILENCE_US),
            Phase::Introduction | Phase::First | Phase::Another => {}
        }
        if let Some(collecting) = self.collecting.take() {
            return self.collect(visit, buffers, collecting, service, begin, account);
        }
        let mut filled = self.carried.len();
        buffers.received[..filled].copy_from_slice(&self.carried);
        match self.receive(visit, &mut buffers.received, &mut filled) {
            Ok(Some(envelope)) => match self.begin_to_collect(visit, &buffers.received[..filled], &envelope) {
                Ok(Some(collecting)) => self.collect(visit, buffers, collecting, service, begin, account),
                Ok(None) => self.serve(visit, buffers, filled, (&envelope, None), service, begin, account),
                Err(refusal) => self.refuse(visit, buffers, &refusal),
            },
            Ok(None) => self.wait(visit, &buffers.received[..filled]),
            Err(refusal) => self.refuse(visit, buffers, &refusal),
        }
    }

    /// It has not sent in time what it owes.
    pub(crate) fn expire(&mut self, visit: &Visit<'_>, buffers: &mut Buffers, owes: Owes) -> Next {
        if let Some(collecting) = self.collecting.take() {
            return self.expire_collecting(visit, buffers, collecting);
        }
        match owes {
            Owes::Rest => self.refuse(visit, buffers, &too_slow(self.carried.len().max(1))),
            Owes::Request | Owes::End => Next::Ended,
        }
    }

    /// Reads until a head is whole. `None`: no more is there, and it is not.
    #[inline(always)]
    fn receive(
        &mut self,
        visit: &Visit<'_>,
        received: &mut [u8],
        filled: &mut usize,
    ) -> Result<Option<Envelope>, Refusal> {
        let mut is_known = *filled == 0;
        loop {
            if !is_known && let Some(envelope) = self.understand(visit, received, filled)? {
                return Ok(Some(envelope));
            }
            is_known = false;
            if *filled == received.len() && !self.make_room(received, filled) {
                return Err(Refusal::with(431, "the head of the request does not fit the buffer (buffer-size)"));
            }
            match self.stream.read(&mut received[*filled..]) {
                Ok(0) => {
                    if !self.is_idle(&received[..*filled]) {
                        log::debug!("the client closed the connection after {filled} bytes of a request");
                    }
                    return Err(Refusal::Silent);
                }
                Ok(count) => *filled += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(_) => return Err(Refusal::Silent),
            }
        }
    }

    /// What the bytes mean that are there.
    #[inline(always)]
    fn understand(
        &mut self,
        visit: &Visit<'_>,
        received: &mut [u8],
        filled: &mut usize,
    ) -> Result<Option<Envelope>, Refusal> {
        let limits = visit.worker.limits();
        if self.phase == Phase::Introduction {
            let by_router = visit.doors.get(self.door).is_some_and(|door| door.behind_router);
            if !by_router && !is_trusted(&self.caller, limits) {
                return Err(Refusal::with(
                    400,
                    "the PROXY protocol is believed from a trusted-proxy only, which this peer is not",
                ));
            }
            let Some(header) = proxy::decode(&received[..*filled]).map_err(|error| Refusal::with(400, error))? else {
                return Ok(None);
            };
            self.caller.become_origin(header.origin);
            received.copy_within(header.consumed..*filled, 0);
            *filled -= header.consumed;
            self.phase = Phase::First;
        }
        let trusts = |address: IpAddr| limits.trusts_peer(model::Peer::Address(address));
        let trusts: Option<&dyn Fn(IpAddr) -> bool> =
            if is_trusted(&self.caller, limits) { Some(&trusts) } else { None };
        let nowhere = Door::default();
        let door = visit.doors.get(self.door).unwrap_or(&nowhere);
        let peer = self.caller.seen_from(door.name.as_bytes(), trusts);
        let progress = self.receiver.feed_from(&received[..*filled], &peer);
        if let Some(replies) = self.receiver.replies() {
            // A web server that does not read them will not read an answer either.
            let _ = write_all(&self.stream, replies, limits.socket_timeout.as_micros() as u64);
            replies.clear();
        }
        match progress {
            Progress::Need(_) => Ok(None),
            Progress::Head(envelope) => Ok(Some(envelope)),
            Progress::Refused(refusal) => Err(refusal.into()),
        }
    }

    /// Removes what is of no use any more. False: everything is.
    fn make_room(&mut self, received: &mut [u8], filled: &mut usize) -> bool {
        let used = self.receiver.release();
        received.copy_within(used..*filled, 0);
        *filled -= used;
        used > 0
    }

    fn is_idle(&self, received: &[u8]) -> bool {
        if self.phase == Phase::Introduction { received.is_empty() } else { self.receiver.is_idle(received) }
    }

    #[allow(clippy::too_many_arguments, reason = "private, and each of them is something else")]
    #[inline(always)]
    fn serve<S: Service + ?Sized>(
        &mut self,
        visit: &Visit<'_>,
        buffers: &mut Buffers,
        filled: usize,
        (envelope, gathered): (&Envelope, Option<Gathered>),
        service: &S,
        begin: impl FnOnce(),
        account: impl FnOnce(&Answered<'_>) -> u64,
    ) -> Next {
        let Asks::Request(path_info) = envelope.asks else { return Next::Ended };
        let Buffers { received, answer, clock } = buffers;
        let (received, body_max) = (&received[..filled], visit.worker.limits().body_max.unwrap_or(u64::MAX));
        let (block, wrapped) = self.receiver.open(received, envelope, body_max);
        let rest = &received[envelope.consumed..];
        let mut incoming = match RequestHead::read(block, path_info) {
            Ok(head) => Incoming { head, envelope: *envelope, rest, wrapped, gathered },
            Err(error) => return self.refuse(visit, buffers, &Refusal::with(error.status(), error)),
        };
        begin();
        let keeps = self.protocol != Protocol::Http || !http(visit).keep_alive.is_zero();
        let then = if visit.is_last || !keeps { Then::Waiting } else { Then::Requests };
        let stage = Stage {
            worker: visit.worker,
            place: visit.place,
            stream: &self.stream,
            // Behind a router, too, a client of HTTP is answered as without.
            from: Bringer::Others,
            routes: visit.routes,
            answer,
            clock,
            then,
        };
        let mut outcome = Outcome::default();
        let Served { after, beyond, block, handed } = serve(service, &mut incoming, stage, &mut outcome);
        let changed = block.as_deref().and_then(|block| read(block).ok());
        let head = changed.as_ref().unwrap_or(&incoming.head);
        let now_us = account(&Answered { head, envelope: incoming.envelope, outcome: &outcome });
        match handed {
            Some(transfer) => self.hand_over(Box::new(Handed { transfer, after, beyond })),
            None => self.go_on(visit, after, beyond, now_us),
        }
    }

    /// What becomes of it after an answer.
    #[inline(always)]
    fn go_on(&mut self, visit: &Visit<'_>, after: After, beyond: Vec<u8>, now_us: u64) -> Next {
        match after {
            After::Ends => Next::Ended,
            After::Lingers => self.forget_the_rest(u64::MAX),
            After::Persists => self.await_another(visit, beyond, now_us),
            After::Cut if self.stream.will_reset() => Next::Ended,
            After::Cut => self.fall_silent(),
        }
    }

    /// The answer is sent, and another request may follow.
    #[inline(always)]
    fn await_another(&mut self, visit: &Visit<'_>, beyond: Vec<u8>, now_us: u64) -> Next {
        self.receiver.next_request();
        self.carried = beyond;
        self.phase = Phase::Another;
        self.since_us = now_us;
        if self.carried.is_empty() { self.waits(visit, Owes::Request) } else { Next::Ready }
    }

    /// Keeps what was read of a request that is not whole.
    fn wait(&mut self, visit: &Visit<'_>, received: &[u8]) -> Next {
        let was_idle = self.carried.is_empty();
        let idle = self.is_idle(received);
        let used = self.receiver.release();
        self.carried.clear();
        self.carried.extend_from_slice(&received[used..]);
        if was_idle && !idle && self.phase == Phase::Another {
            // The time for the head begins with its first byte.
            self.since_us = monotonic_us();
        }
        self.waits(visit, if idle { Owes::Request } else { Owes::Rest })
    }

    #[inline(always)]
    fn waits(&self, visit: &Visit<'_>, owes: Owes) -> Next {
        let patience = match (owes, self.phase) {
            (Owes::Request, Phase::Another) => idle_time(http(visit)),
            _ => visit.worker.limits().socket_timeout,
        };
        Next::Waits { owes, until_us: self.since_us.saturating_add(patience.as_micros() as u64) }
    }

    #[cold]
    fn refuse(&mut self, visit: &Visit<'_>, buffers: &mut Buffers, refusal: &Refusal) -> Next {
        let silence_us = visit.worker.limits().socket_timeout.as_micros() as u64;
        if refuse(&self.stream, &mut buffers.answer, self.receiver.refusal_form(), silence_us, refusal) {
            self.forget_the_rest(LINGER_BYTES_MAX)
        } else {
            Next::Ended
        }
    }
}

fn http<'v>(visit: &Visit<'v>) -> &'v HttpSockets {
    &visit.worker.member().config().http
}

/// How long a connection may be silent between two requests. Those of web servers are kept whatever holds for clients.
fn idle_time(http: &HttpSockets) -> std::time::Duration {
    if http.keep_alive.is_zero() { HttpSockets::KEEP_ALIVE } else { http.keep_alive }
}
