//! One connection with TLS: what the client sends is passed on to a worker, and what the worker sends back to the client,
//! each at the speed of the slower one and with few bytes in between. Router only.
//!
//! A worker hears of a connection with the first byte of a request; until then whoever connects costs some memory here and
//! nothing else. Of HTTP connections it is told first whose they are, in a header of the PROXY protocol.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection};
use worker_protocol::proxy::{self, Origin};
use worker_protocol::wire::Protocol;

use super::pipe::Pipe;
use crate::sys::stream::Stream;

/// How long a client may take to end its side after an answer that ends the connection, so that it gets to read all of it.
const LINGER_US: u64 = 2_000_000;

/// How often one connection moves bytes before others have their turn.
const STEPS_MAX: usize = 16;

/// One of them.
pub(super) struct Tunnel {
    client: Stream,
    tls: ServerConnection,
    protocol: Protocol,
    origin: Origin,
    /// What came before TLS, while a header of the PROXY protocol is awaited; then what came with it.
    before: Vec<u8>,
    /// Who may say who the client is; until it has been said.
    introduction: Introduction,
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

/// Whether a header of the PROXY protocol comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Introduction {
    /// Yes.
    Awaited,
    /// No, or it has come.
    Done,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It waits for something to be read or written, until then.
    Waits {
        /// A moment of the monotonic clock.
        until_us: u64,
    },
    /// There is more to be moved, when others have had their turn.
    Again,
    /// The workers' queue is full; it is to be tried again a little later.
    Blocked,
    /// It has ended.
    Ended,
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

/// Why it does not go on.
enum Stop {
    Blocked,
    Ended,
}

impl From<io::Error> for Stop {
    fn from(_: io::Error) -> Stop {
        Stop::Ended
    }
}

impl Tunnel {
    /// For a client that has just connected.
    pub(super) fn new(
        client: Stream,
        origin: Origin,
        (config, protocol, introduction): (&Arc<ServerConfig>, Protocol, Introduction),
        now_us: u64,
    ) -> Result<Tunnel, rustls::Error> {
        Ok(Tunnel {
            client,
            tls: ServerConnection::new(Arc::clone(config))?,
            protocol,
            origin,
            before: Vec::new(),
            introduction,
            worker: None,
            up: Pipe::default(),
            client_ended: false,
            worker_told: false,
            worker_deaf: false,
            worker_ended: false,
            ending_us: None,
            began_us: now_us,
            moved_us: now_us,
        })
    }

    /// The client's end.
    pub(super) fn client(&self) -> &Stream {
        &self.client
    }

    /// The worker's end, as soon as there is one.
    pub(super) fn worker(&self) -> Option<&Stream> {
        self.worker.as_ref()
    }

    /// Moves what can be moved.
    pub(super) fn advance(&mut self, hall: &Hall<'_>, scratch: &mut [u8], now_us: u64) -> Next {
        for _ in 0..STEPS_MAX {
            match self.step(hall, scratch, now_us) {
                Ok(true) => self.moved_us = now_us,
                Ok(false) => return Next::Waits { until_us: self.until_us(hall) },
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
        moved |= self.pass_to_client()?;
        self.end_in_order(now_us)?;
        Ok(moved)
    }

    fn until_us(&self, hall: &Hall<'_>) -> u64 {
        match self.ending_us {
            Some(since_us) => since_us + LINGER_US,
            None if self.worker.is_none() => self.began_us.saturating_add(hall.head_patience_us),
            None if self.tls.wants_write() => self.moved_us.saturating_add(hall.patience_us),
            // The worker knows how long it waits for what.
            None => u64::MAX,
        }
    }

    fn take_from_client(&mut self, scratch: &mut [u8]) -> Result<bool, Stop> {
        let mut moved = false;
        if self.introduction == Introduction::Awaited && !self.hear_introduction(scratch)? {
            return Ok(false);
        }
        while !self.client_ended && self.up.has_room() {
            match self.tls.reader().read(scratch) {
                Ok(0) => self.client_ended = true,
                Ok(count) => {
                    self.note(&scratch[..count]);
                    moved = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if !self.read_records()? {
                        break;
                    }
                    moved = true;
                }
                // It has gone without a word. What it sent is for the worker to judge, as on a connection without TLS.
                Err(_) => self.client_ended = true,
            }
        }
        Ok(moved)
    }

    /// Whether the header has come.
    fn hear_introduction(&mut self, scratch: &mut [u8]) -> Result<bool, Stop> {
        let room = proxy::BINARY_BYTES_MAX.min(scratch.len());
        match self.client.read(&mut scratch[..room]) {
            Ok(0) => return Err(Stop::Ended),
            Ok(count) => self.before.extend_from_slice(&scratch[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        match proxy::decode(&self.before) {
            Ok(None) => Ok(false),
            Ok(Some(header)) => {
                self.origin.addresses = header.origin.addresses.or(self.origin.addresses);
                self.before.drain(..header.consumed);
                self.introduction = Introduction::Done;
                Ok(true)
            }
            Err(error) => {
                log::warn!("a connection with TLS was refused: {error}");
                Err(Stop::Ended)
            }
        }
    }

    /// Notes what the client has sent, for the worker.
    fn note(&mut self, bytes: &[u8]) {
        if self.worker_deaf {
            return;
        }
        if self.worker.is_none() && self.up.is_empty() && self.protocol == Protocol::Http {
            self.up.add(&proxy::encode(&self.origin));
        }
        self.up.add(bytes);
    }

    /// Whether there were any.
    fn read_records(&mut self) -> Result<bool, Stop> {
        match self.tls.read_tls(&mut Source { before: &mut self.before, stream: &self.client }) {
            // The next look at what was sent finds the end.
            Ok(0) => Ok(true),
            Ok(_) => {
                if let Err(error) = self.tls.process_new_packets() {
                    log::debug!("a client does not get on with TLS: {error}");
                    // It is told why, if it listens.
                    let _ = self.tls.write_tls(&mut Sink(&self.client));
                    return Err(Stop::Ended);
                }
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
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
        let Some(worker) = self.worker.as_ref().filter(|_| !self.worker_ended && !self.tls.wants_write()) else {
            return Ok(false);
        };
        match worker.read(scratch) {
            Ok(0) => {
                (self.worker_ended, self.worker_deaf) = (true, true);
                self.up.clear();
                self.tls.send_close_notify();
                Ok(true)
            }
            Ok(count) => {
                self.tls.writer().write_all(&scratch[..count])?;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            // It has broken off: the client must not take this for the end of the answer.
            Err(error) => Err(error.into()),
        }
    }

    fn pass_to_client(&mut self) -> Result<bool, Stop> {
        let mut moved = false;
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut Sink(&self.client)) {
                Ok(_) => moved = true,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(moved)
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
        if self.worker_ended && !self.tls.wants_write() {
            if self.client_ended {
                return Err(Stop::Ended);
            }
            if self.ending_us.is_none() {
                self.ending_us = Some(now_us);
                self.client.finish_writing()?;
            }
        }
        Ok(())
    }
}

/// Where TLS reads.
struct Source<'s> {
    before: &'s mut Vec<u8>,
    stream: &'s Stream,
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.before.is_empty() {
            return self.stream.read(buffer);
        }
        let count = self.before.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.before[..count]);
        self.before.drain(..count);
        Ok(count)
    }
}

/// Where TLS writes.
struct Sink<'s>(&'s Stream);

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
