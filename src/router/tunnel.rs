//! One connection with TLS: what the client sends is passed on to a worker, and what the worker sends back to the client,
//! each at the speed of the slower one and with few bytes in between. Router only.
//!
//! A worker hears of a connection with the first byte of a request; until then whoever connects costs some memory here and
//! nothing else. Of HTTP connections it is told first whose they are, in a header of the PROXY protocol.

use std::io::{self, ErrorKind};

use worker_protocol::proxy;
use worker_protocol::wire::Protocol;

use super::client::Client;
use super::pipe::Pipe;
use super::turn::{Next, STEPS_MAX, Stop};
use crate::sys::stream::Stream;

/// How long a client may take to end its side after an answer that ends the connection, so that it gets to read all of it.
const LINGER_US: u64 = 2_000_000;

/// One of them.
pub(super) struct Tunnel {
    client: Client,
    protocol: Protocol,
    worker: Option<Stream>,
    /// To the worker.
    up: Pipe,
    /// Whether the client sends nothing more, and whether the worker knows.
    client_ended: bool,
    worker_told: bool,
    /// Whether the worker reads nothing more, or sends nothing more.
    worker_deaf: bool,
    worker_ended: bool,
    /// Since when its end is awaited.
    ending_us: Option<u64>,
    began_us: u64,
    moved_us: u64,
}

/// Where it is passed on to, and how long clients may take.
pub(super) struct Hall<'h> {
    /// Connects to the workers who serve a protocol.
    pub(super) connect: &'h dyn Fn(Protocol) -> io::Result<Stream>,
    /// For the handshake and the first byte of a request.
    pub(super) head_patience_us: u64,
    /// For an answer that is not read.
    pub(super) patience_us: u64,
}

impl Tunnel {
    /// For a client that has just connected.
    pub(super) fn new(client: Client, protocol: Protocol, now_us: u64) -> Tunnel {
        Tunnel {
            client,
            protocol,
            worker: None,
            up: Pipe::default(),
            client_ended: false,
            worker_told: false,
            worker_deaf: false,
            worker_ended: false,
            ending_us: None,
            began_us: now_us,
            moved_us: now_us,
        }
    }

    /// The client's end.
    pub(super) fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// The worker's end, as soon as there is one.
    pub(super) fn worker(&self) -> Option<&Stream> {
        self.worker.as_ref()
    }

    /// Moves what can be moved. Its time is over only if nothing can: what came before may still be unread.
    pub(super) fn advance(&mut self, hall: &Hall<'_>, scratch: &mut [u8], now_us: u64) -> Next {
        for _ in 0..STEPS_MAX {
            match self.step(hall, scratch, now_us) {
                Ok(true) => self.moved_us = now_us,
                Ok(false) => match self.until_us(hall) {
                    until_us if until_us <= now_us => return Next::Ended,
                    until_us => return Next::Waits { until_us },
                },
                Err(Stop::Blocked) => return Next::Blocked,
                Err(Stop::Ended) => return Next::Ended,
            }
        }
        Next::Again
    }

    /// Whether anything moved.
    fn step(&mut self, hall: &Hall<'_>, scratch: &mut [u8], now_us: u64) -> Result<bool, Stop> {
        let mut moved = self.take_from_client(scratch)?;
        moved |= self.pass_to_worker(hall)?;
        moved |= self.take_from_worker(scratch)?;
        moved |= self.client.flush()?;
        self.end_in_order(now_us)?;
        Ok(moved)
    }

    fn until_us(&self, hall: &Hall<'_>) -> u64 {
        match self.ending_us {
            Some(since_us) => since_us + LINGER_US,
            None if self.worker.is_none() => self.began_us.saturating_add(hall.head_patience_us),
            None if self.client.has_unsent() => self.moved_us.saturating_add(hall.patience_us),
            // The worker knows how long it waits for what.
            None => u64::MAX,
        }
    }

    fn take_from_client(&mut self, scratch: &mut [u8]) -> Result<bool, Stop> {
        let mut moved = false;
        while !self.client_ended && self.up.has_room() {
            match self.client.read(scratch) {
                Ok(0) => self.client_ended = true,
                Ok(count) => {
                    self.note(&scratch[..count]);
                    moved = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(moved)
    }

    /// Notes what the client has sent, for the worker.
    fn note(&mut self, bytes: &[u8]) {
        if self.worker_deaf {
            return;
        }
        if self.worker.is_none() && self.up.is_empty() && self.protocol == Protocol::Http {
            self.up.add(&proxy::encode(&self.client.origin().unwrap_or_default()));
        }
        self.up.add(bytes);
    }

    fn pass_to_worker(&mut self, hall: &Hall<'_>) -> Result<bool, Stop> {
        if self.up.is_empty() {
            return Ok(false);
        }
        let worker = match &mut self.worker {
            Some(worker) => worker,
            none => match (hall.connect)(self.protocol) {
                Ok(stream) => none.insert(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(Stop::Blocked),
                Err(error) => {
                    log::error!("cannot pass a connection on to the workers: {error}");
                    return Err(Stop::Ended);
                }
            },
        };
        let mut moved = false;
        while !self.up.is_empty() {
            match worker.write(self.up.rest()) {
                Ok(count) => {
                    self.up.pass(count);
                    moved = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // It has said all that it had to say, which is still to be read.
                Err(_) => {
                    self.worker_deaf = true;
                    self.up.clear();
                }
            }
        }
        Ok(moved)
    }

    /// Takes something of the answer, unless the client has not read what was taken before.
    fn take_from_worker(&mut self, scratch: &mut [u8]) -> Result<bool, Stop> {
        let Some(worker) = self.worker.as_ref().filter(|_| !self.worker_ended && !self.client.has_unsent()) else {
            return Ok(false);
        };
        match worker.read(scratch) {
            Ok(0) => {
                (self.worker_ended, self.worker_deaf) = (true, true);
                self.up.clear();
                self.client.say_goodbye();
                Ok(true)
            }
            Ok(count) => {
                // All of it, since TLS has nothing else in its hands.
                self.client.write(&scratch[..count])?;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            // It has broken off: the client must not take this for the end of the answer.
            Err(error) => Err(error.into()),
        }
    }

    fn end_in_order(&mut self, now_us: u64) -> Result<(), Stop> {
        if self.client_ended && self.up.is_empty() {
            match &self.worker {
                None => return Err(Stop::Ended),
                Some(worker) if !self.worker_told => {
                    self.worker_told = true;
                    // A worker that has gone shows when it is read from.
                    let _ = worker.finish_writing();
                }
                Some(_) => {}
            }
        }
        if self.worker_ended && !self.client.has_unsent() {
            if self.client_ended {
                return Err(Stop::Ended);
            }
            if self.ending_us.is_none() {
                self.ending_us = Some(now_us);
                self.client.stream().finish_writing()?;
            }
        }
        Ok(())
    }
}
