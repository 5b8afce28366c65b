//! A websocket on the connection of a request (RFC 6455): opened by the application while it answers, then messages one way
//! and the other, until one side ends it. The codec is `crate::websocket`; here are the connection, the clock, and the order
//! to leave. Worker only.

pub(super) mod session;

use std::io::{self, ErrorKind};

use worker_protocol::head::RequestHead;

use self::session::{Session, Standing};
use super::exchange::Exchange;
use super::reply::{Headers, StartError};
use crate::handler::request::DeclaredBody;
use crate::sys::clock::monotonic_us;
use crate::sys::stack;
use crate::sys::wait::WaitSet;
use crate::websocket::{Due, Event, Incoming, Liveness, NoHandshake, Opcode, answer_to, code, first_of, head};
pub use crate::websocket::{Kind, Message};

/// What an application says of the opening in the place of what the request says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Opening<'a> {
    /// The client's key.
    pub key: Option<&'a [u8]>,
    /// Whom the client has its page from.
    pub origin: Option<&'a [u8]>,
    /// The subprotocol.
    pub protocol: Option<&'a [u8]>,
}

/// What came of waiting for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A message.
    Message(Message),
    /// None is here yet.
    Nothing,
    /// None comes any more.
    Ended,
}

/// Tokens of the set that waits.
const STREAM: u64 = 0;
const ORDERS: u64 = 1;

/// How much is read at a time while nothing larger is known to come: on the stack, of which each of a thousand silent ones would
/// keep what it has touched once.
const READ_BYTES: usize = 512;

/// The same of a frame that is larger.
const READ_BYTES_MAX: usize = 64 * 1024;

/// After so much silence it gives back what it does not need.
const REST_AFTER_US: u64 = 100_000;

/// What the request says of its opening.
#[derive(Debug, Default)]
struct Asked<'a> {
    key: &'a [u8],
    version: Option<&'a [u8]>,
    origin: Option<&'a [u8]>,
    protocols: &'a [u8],
}

impl Exchange<'_> {
    /// Makes the connection a websocket. From here on the request has no deadline but one that the application sets.
    ///
    /// # Errors
    /// Why that is not possible. A client of another version of the protocol has got its answer.
    pub fn open_websocket(&mut self, opening: &Opening<'_>) -> io::Result<()> {
        if self.websocket.is_some() || !self.reply.can_upgrade() {
            return Err(io::Error::other("the connection cannot become a websocket"));
        }
        if self.body.length() != Some(0) {
            return Err(io::Error::other("the request has a body"));
        }
        let asked = asked_opening(self.head);
        let key = opening.key.unwrap_or(asked.key);
        let accepted = match answer_to(key, asked.version) {
            Ok(accepted) => accepted,
            Err(error) => {
                if error == NoHandshake::Version {
                    self.reply.answer_upgrade_required();
                }
                return Err(io::Error::other(error));
            }
        };
        let origin = opening.origin.or(asked.origin).unwrap_or(b"*");
        let protocol = opening.protocol.or_else(|| first_of(asked.protocols));
        let session = self.session()?;
        let headers = |headers: &mut Headers<'_>| {
            headers.add(b"Upgrade", b"WebSocket")?;
            headers.add(b"Connection", b"Upgrade")?;
            headers.add(b"Sec-WebSocket-Origin", origin)?;
            protocol.map_or(Ok(()), |protocol| headers.add(b"Sec-WebSocket-Protocol", protocol))?;
            headers.add(b"Sec-WebSocket-Accept", accepted.as_bytes())
        };
        let reason: &[u8] = b"Web Socket Protocol Handshake";
        self.reply.start::<StartError>(101, Some(reason), None, headers).map_err(io::Error::other)?;
        self.reply.push_head()?;
        self.lift_deadline();
        self.websocket = Some(Box::new(session));
        Ok(())
    }

    fn session(&self) -> io::Result<Session> {
        let member = self.worker.member();
        let config = &member.config().websockets;
        let waiting = WaitSet::new()?;
        waiting.add(self.stream, STREAM)?;
        match hears_the_master(self) {
            true => waiting.add(&member.control(), ORDERS)?,
            // With each ring once, so that a pause, during which it stays rung, does not keep this thread awake.
            false => waiting.add_to_overhear(member.bell(), ORDERS)?,
        }
        let us = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let mut incoming = Incoming::new(config.message_bytes_max);
        incoming.feed(&self.body.beyond());
        let liveness = Liveness::new(config.ask_after.map(us), us(config.answer_within), monotonic_us());
        Ok(Session { incoming, liveness, waiting, standing: Standing::Open, is_at_rest: false, last: None })
    }

    /// The next message. `waits`: until there is one, or the end; meanwhile the other side is asked now and then whether it
    /// is there. An order to leave is an end.
    pub fn receive_message(&mut self, waits: bool) -> Received {
        self.with_session(|session, exchange| session.receive(exchange, waits)).unwrap_or(Received::Ended)
    }

    /// What the last message was; `None` before the first one.
    pub fn last_message_kind(&self) -> Option<Kind> {
        self.websocket.as_ref()?.last
    }

    /// Sends a message. False: nobody gets one any more.
    pub fn send_message(&mut self, kind: Kind, bytes: &[u8]) -> bool {
        let opcode = match kind {
            Kind::Text => Opcode::Text,
            Kind::Binary => Opcode::Binary,
        };
        self.with_session(|session, exchange| session.send(exchange, opcode, bytes)).unwrap_or(false)
    }

    /// Ends a websocket, if there is one that has not ended.
    #[inline(always)]
    pub(super) fn end_websocket(&mut self) {
        let failed = self.exception;
        let code = if failed { code::FAILED } else { code::NORMAL };
        self.with_session(|session, exchange| {
            let code = if exchange.worker.member().is_leaving() && !failed { code::GOING_AWAY } else { code };
            session.close(exchange, code);
        });
    }

    /// Whether there was a websocket and it has ended: what fails after that is no fault of the application.
    pub fn has_websocket_ended(&self) -> bool {
        self.websocket.as_ref().is_some_and(|session| session.standing != Standing::Open)
    }

    /// Whether the other side of a websocket may be sending still, and not have seen the end.
    pub(super) fn is_websocket_to_linger(&self) -> bool {
        self.websocket.as_ref().is_some_and(|session| session.standing == Standing::Told)
    }

    #[inline(always)]
    fn with_session<R>(&mut self, act: impl FnOnce(&mut Session, &mut Self) -> R) -> Option<R> {
        let mut session = self.websocket.take()?;
        let result = act(&mut session, self);
        self.websocket = Some(session);
        Some(result)
    }
}

fn asked_opening<'a>(head: &'a RequestHead<'a>) -> Asked<'a> {
    let mut asked = Asked::default();
    for (name, value) in head.variables() {
        match name {
            b"HTTP_SEC_WEBSOCKET_KEY" => asked.key = value,
            b"HTTP_SEC_WEBSOCKET_VERSION" => asked.version = Some(value),
            b"HTTP_SEC_WEBSOCKET_PROTOCOL" => asked.protocols = value,
            b"HTTP_ORIGIN" => asked.origin = Some(value).filter(|value| !value.is_empty()),
            _ => {}
        }
    }
    asked
}

/// Whether this thread is the one that hears the master.
fn hears_the_master(exchange: &Exchange<'_>) -> bool {
    exchange.worker.member().config().threads <= 1
}

impl Session {
    fn receive(&mut self, exchange: &mut Exchange<'_>, waits: bool) -> Received {
        while self.standing == Standing::Open {
            match self.incoming.next_event() {
                Ok(Some(Event::Message(message))) => {
                    self.last = Some(message.kind);
                    return Received::Message(message);
                }
                Ok(Some(Event::Ping(payload))) => drop(self.send(exchange, Opcode::Pong, &payload)),
                Ok(Some(Event::Pong)) => {}
                Ok(Some(Event::Close(close))) => {
                    let code = close.code.map(u16::to_be_bytes);
                    self.send(exchange, Opcode::Close, code.as_ref().map_or(&[], |code| &code[..]));
                    self.standing = Standing::Over;
                }
                Err(fault) => {
                    log::warn!("[uwsgi-websocket] {}: {fault}", named(exchange));
                    self.close(exchange, fault.code());
                }
                Ok(None) if exchange.worker.member().is_leaving() => self.close(exchange, code::GOING_AWAY),
                Ok(None) if !self.read(exchange, waits) => return Received::Nothing,
                Ok(None) => {}
            }
        }
        Received::Ended
    }

    /// Reads what is there, or waits for something to happen. False: nothing is there, and it is not to wait.
    fn read(&mut self, exchange: &mut Exchange<'_>, waits: bool) -> bool {
        match self.take(exchange, waits) {
            Ok(count) if count > 0 => {
                self.liveness.heard(monotonic_us());
                self.is_at_rest = false;
                return true;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock && !exchange.is_overdue() => {}
            _ => {
                self.standing = Standing::Over;
                return true;
            }
        }
        let now_us = monotonic_us();
        match self.liveness.due(now_us) {
            Due::Ask => drop(self.send(exchange, Opcode::Ping, b"")),
            Due::Gone => {
                let seconds = exchange.worker.member().config().websockets.answer_within.as_secs();
                log::info!("[uwsgi-websocket] {} no PONG received in {seconds} seconds !!!", named(exchange));
                self.standing = Standing::Over;
            }
            Due::Nothing(_) if !waits => return false,
            Due::Nothing(until_us) => self.wait(exchange, until_us.map(|until_us| until_us.saturating_sub(now_us))),
        }
        true
    }

    /// Takes in what is there; how many bytes.
    fn take(&mut self, exchange: &Exchange<'_>, waits: bool) -> io::Result<usize> {
        let wanted = self.incoming.wants();
        if wanted > READ_BYTES {
            let mut buffer = vec![0; wanted.min(READ_BYTES_MAX)];
            let count = exchange.stream.read(&mut buffer)?;
            self.incoming.feed(&buffer[..count]);
            return Ok(count);
        }
        let mut buffer = [0; READ_BYTES];
        // Who does not wait here waits for the connection to become readable, which it is not when all was read already.
        let most = if waits { READ_BYTES } else { wanted };
        let count = exchange.stream.read(&mut buffer[..most])?;
        self.incoming.feed(&buffer[..count]);
        Ok(count)
    }

    /// Waits until something can be read, the master wants something, or the time is over.
    fn wait(&mut self, exchange: &Exchange<'_>, timeout_us: Option<u64>) {
        let until_rest_us = if self.is_at_rest { None } else { Some(REST_AFTER_US) };
        let timeout_us = timeout_us.into_iter().chain(until_rest_us).min();
        let woken = self.waiting.wait(timeout_us.map(|timeout_us| timeout_us.div_ceil(1_000)));
        if matches!(woken, Ok(None)) && !self.is_at_rest {
            self.rest(exchange);
        }
        let heard = match woken {
            Ok(Some(ORDERS)) if hears_the_master(exchange) => exchange.worker.member().hear(),
            other => other.map(drop),
        };
        if let Err(error) = heard {
            log::error!("[uwsgi-websocket] {}: cannot wait: {error}", named(exchange));
            self.standing = Standing::Over;
        }
    }

    /// Gives back what is not needed while nothing comes.
    fn rest(&mut self, exchange: &Exchange<'_>) {
        self.is_at_rest = true;
        self.incoming.give_back();
        if !hears_the_master(exchange) {
            stack::give_back_unused();
        }
    }

    /// Sends a frame. False: nobody gets one any more.
    fn send(&mut self, exchange: &mut Exchange<'_>, opcode: Opcode, payload: &[u8]) -> bool {
        if self.standing != Standing::Open {
            return false;
        }
        let sent = exchange.reply.send_of_another_protocol([&head(opcode, payload.len()), payload]).is_ok();
        if !sent {
            self.standing = Standing::Over;
        }
        sent
    }

    /// Tells the other side of the end.
    fn close(&mut self, exchange: &mut Exchange<'_>, code: u16) {
        if self.send(exchange, Opcode::Close, &code.to_be_bytes()) {
            self.standing = Standing::Told;
        }
    }
}

/// The request for a line of the log.
fn named(exchange: &Exchange<'_>) -> String {
    format!("\"{}\" ({})", exchange.named(), crate::escape::value(exchange.head.remote_addr()))
}
