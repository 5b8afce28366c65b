//! The loop of a router, the only place where it waits: accepts, has each connection move what it can, and ends those that
//! have waited long enough. Router only.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustls::ServerConfig;
use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook_mio::v1_0::Signals;
use worker_protocol::proxy::Origin;
use worker_protocol::wire::Protocol;

use super::alarms::Alarms;
use super::settings::Settings;
use super::tunnel::{Hall, Introduction, Next, Tunnel};
use crate::config::model::Peer;
use crate::sys::clock::monotonic_us;
use crate::sys::stream::{Stream, accept_with_address, local_address};

/// A socket that clients connect to.
pub(super) struct Door {
    pub(super) socket: OwnedFd,
    pub(super) protocol: Protocol,
    pub(super) config: Arc<ServerConfig>,
}

/// A router at work.
pub(super) struct Router {
    poll: Poll,
    signals: Signals,
    doors: Vec<Door>,
    settings: Settings,
    tunnels: BTreeMap<usize, Tunnel>,
    /// The number of the next connection.
    next: usize,
    alarms: Alarms,
    /// Those that have more to move, and those that wait for room in the workers' queue.
    ready: BTreeSet<usize>,
    blocked: BTreeSet<usize>,
    /// Whether connections wait that could not be accepted.
    starved: bool,
    scratch: Vec<u8>,
}

const SIGNALS: Token = Token(usize::MAX - 1);

/// Bytes that are moved at once.
const SCRATCH_BYTES: usize = 16_384;

/// How long until what could not be done for want of something is tried again: nothing tells when there is some.
const A_MOMENT: Duration = Duration::from_millis(10);

/// How long a client may take for its first byte when the router has been told to go.
const PARTING_PATIENCE: Duration = Duration::from_secs(2);

const EVENTS_MAX: usize = 256;

/// Connections that are accepted before those that are there have their turn.
const ACCEPTED_AT_ONCE: usize = 64;

impl Router {
    pub(super) fn new(doors: Vec<Door>, settings: Settings) -> io::Result<Router> {
        let poll = Poll::new()?;
        // Only the master says when it is to go.
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2])?;
        poll.registry().register(&mut signals, SIGNALS, Interest::READABLE)?;
        for (index, door) in doors.iter().enumerate() {
            poll.registry().register(&mut SourceFd(&door.socket.as_raw_fd()), Token(index), Interest::READABLE)?;
        }
        let next = doors.len();
        Ok(Router {
            poll,
            signals,
            doors,
            settings,
            tunnels: BTreeMap::new(),
            next,
            alarms: Alarms::default(),
            ready: BTreeSet::new(),
            blocked: BTreeSet::new(),
            starved: false,
            scratch: vec![0; SCRATCH_BYTES],
        })
    }

    /// Until it was told to go and its last connection has ended.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        while !(self.doors.is_empty() && self.tunnels.is_empty()) {
            match self.poll.poll(&mut events, self.patience()) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            let mut callers: BTreeSet<usize> = std::mem::take(&mut self.ready);
            callers.append(&mut self.blocked);
            for event in &events {
                match event.token() {
                    SIGNALS => self.hear_signals(),
                    Token(index) if index < self.doors.len() => self.starved = true,
                    Token(number) => {
                        callers.insert(number);
                    }
                }
            }
            for number in callers {
                self.attend(number);
            }
            if self.starved {
                self.accept();
            }
            while let Some(number) = self.alarms.take_due(monotonic_us()) {
                self.end(number);
            }
        }
        Ok(())
    }

    fn patience(&self) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let moment = (self.starved || !self.blocked.is_empty()).then_some(A_MOMENT);
        let alarm =
            self.alarms.next_us().map(|at_us| Duration::from_micros(at_us.saturating_sub(monotonic_us()) + 1_000));
        moment.into_iter().chain(alarm).min()
    }

    /// Told to go: no connection is accepted any more, and those that there are end with their workers.
    fn hear_signals(&mut self) {
        if !self.signals.pending().any(|signal| signal == SIGTERM) {
            return;
        }
        for door in self.doors.drain(..) {
            // It is closed in a moment.
            let _ = self.poll.registry().deregister(&mut SourceFd(&door.socket.as_raw_fd()));
        }
        self.starved = false;
        // Who has said nothing yet may be about to.
        self.settings.routers.head_patience = PARTING_PATIENCE;
        self.ready.extend(self.tunnels.keys());
    }

    /// Takes the connections that wait.
    fn accept(&mut self) {
        self.starved = false;
        for index in 0..self.doors.len() {
            for turn in 0.. {
                if turn == ACCEPTED_AT_ONCE {
                    self.starved = true;
                    break;
                }
                match self.doors.get(index).map(|door| accept_with_address(&door.socket)) {
                    Some(Ok(Some(caller))) => self.welcome(index, caller),
                    Some(Err(error)) => {
                        log::error!("the router cannot accept a connection: {error}");
                        self.starved = true;
                        break;
                    }
                    Some(Ok(None)) | None => break,
                }
            }
        }
    }

    fn welcome(&mut self, index: usize, (client, address): (Stream, Option<SocketAddr>)) {
        let Some(door) = self.doors.get(index) else { return };
        let now_us = monotonic_us();
        let introduction = match self.settings.proxy_protocol && door.protocol == Protocol::Http {
            true => Introduction::Awaited,
            false => Introduction::Done,
        };
        let peer = address.map_or(Peer::Unix, |address| Peer::Address(address.ip().to_canonical()));
        if introduction == Introduction::Awaited && !self.settings.limits.trusts_peer(peer) {
            return log::warn!("the PROXY protocol is believed from a trusted-proxy only, which this peer is not");
        }
        if door.protocol != Protocol::Http
            && !self.settings.limits.web_servers.is_empty()
            && !self.settings.limits.admits(peer)
        {
            return log::warn!("a connection with TLS is cut off: uwsgi-allow-from does not name where it comes from");
        }
        let origin = Origin { addresses: address.zip(local_address(&client)), https: Some(true) };
        match Tunnel::new(client, origin, (&door.config, door.protocol, introduction), now_us) {
            Ok(tunnel) => self.take_in(tunnel, now_us),
            Err(error) => log::error!("the router cannot begin TLS: {error}"),
        }
    }

    fn take_in(&mut self, tunnel: Tunnel, now_us: u64) {
        let number = self.next;
        // Numbers do not come again while anybody lives who had one before.
        self.next += 1;
        if let Err(error) = watch(&self.poll, tunnel.client(), number) {
            return log::error!("the router cannot watch a connection: {error}");
        }
        let patience_us = micros(self.settings.routers.head_patience);
        self.alarms.set(number, now_us.saturating_add(patience_us));
        self.tunnels.insert(number, tunnel);
        self.ready.insert(number);
    }

    /// Has a connection move what it can.
    fn attend(&mut self, number: usize) {
        let Some(tunnel) = self.tunnels.get_mut(&number) else { return };
        let settings = &self.settings;
        let connect = |protocol| connect(settings, protocol);
        let hall = Hall {
            connect: &connect,
            head_patience_us: micros(settings.routers.head_patience),
            patience_us: micros(settings.routers.patience),
        };
        let was_alone = tunnel.worker().is_none();
        let next = tunnel.advance(&hall, &mut self.scratch, monotonic_us());
        if let Some(worker) = tunnel.worker().filter(|_| was_alone)
            && let Err(error) = watch(&self.poll, worker, number)
        {
            log::error!("the router cannot watch a worker's connection: {error}");
            return self.end(number);
        }
        match next {
            Next::Waits { until_us } => self.alarms.set(number, until_us),
            Next::Again => {
                self.ready.insert(number);
            }
            Next::Blocked => {
                self.blocked.insert(number);
            }
            Next::Ended => self.end(number),
        }
    }

    fn end(&mut self, number: usize) {
        self.alarms.remove(number);
        self.ready.remove(&number);
        self.blocked.remove(&number);
        // Closing them takes them out of the event loop.
        self.tunnels.remove(&number);
    }
}

/// Both ends of a connection wake the loop by its number.
fn watch(poll: &Poll, stream: &Stream, number: usize) -> io::Result<()> {
    let descriptor = stream.as_fd().as_raw_fd();
    poll.registry().register(&mut SourceFd(&descriptor), Token(number), Interest::READABLE | Interest::WRITABLE)
}

fn connect(settings: &Settings, protocol: Protocol) -> io::Result<Stream> {
    let name = settings.gate(protocol).ok_or_else(|| io::Error::other("no worker serves this protocol"))?;
    Stream::connect_abstract(name)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
