//! The loop of a router, the only place where it waits: accepts, has each connection move what it can, and ends those that
//! have waited long enough. Router only.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;
use std::time::Duration;

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook_mio::v1_0::Signals;
use worker_protocol::control::ToWorker;
use worker_protocol::http::date::DateText;
use worker_protocol::wire::Protocol;

use super::alarms::{Alarms, micros};
use super::announced::Table;
#[cfg(feature = "tls")]
use super::certificates;
use super::connection::{Connection, Side};
use super::conversation::{Moment, Terms};
use super::doors::Door;
use super::hearing::{Ears, tell_of_silent};
use super::report::{Report, Tally};
use super::session::{Desk, Watched};
use super::settings::Gate;
use super::telling::{Telling, Tokens};
use super::tunnel::Hall;
use super::turn::Next;
use super::whom::Whom;
use crate::config::model::Address;
use crate::sys::clock::{epoch_us, monotonic_us};
use crate::sys::control::{ControlSocket, Received};
use crate::sys::process::log_to;
use crate::sys::stream::{Stream, accept_with_address};

/// A router at work.
pub(super) struct Router {
    poll: Poll,
    signals: Signals,
    /// On which the master speaks.
    control: ControlSocket,
    doors: Vec<Door>,
    gates: Vec<Gate>,
    terms: Terms,
    whom: Whom,
    /// Where instances announce themselves, if they do, and whether something may have been said there.
    ears: Option<Ears>,
    is_spoken_to: bool,
    /// Where what is too long for memory goes.
    room: PathBuf,
    /// Where it tells of itself, if it does.
    telling: Option<Telling>,
    tally: Tally,
    connections: BTreeMap<usize, Watch>,
    /// The number of the next connection.
    next: usize,
    alarms: Alarms,
    /// Those that have more to move, and those that wait for room in the workers' queue.
    ready: BTreeSet<usize>,
    blocked: BTreeSet<usize>,
    /// Whether connections wait that could not be accepted.
    starved: bool,
    scratch: Vec<u8>,
    date: DateText,
}

/// A connection, and which one of its workers' ends is watched how.
struct Watch {
    connection: Connection,
    worker: Option<(u64, Watched)>,
}

const SIGNALS: Token = Token(usize::MAX - 1);

const CONTROL: Token = Token(usize::MAX - 2);

/// Higher than the numbers of connections get.
const EARS: Token = Token(usize::MAX - 4);

const TELLING: Tokens = Tokens { door: Token(usize::MAX - 3), visitors: 1 << (usize::BITS - 2) };

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
    #[expect(clippy::too_many_arguments, reason = "each is another thing that the master has given it")]
    pub(super) fn new(
        doors: Vec<Door>,
        control: ControlSocket,
        gates: Vec<Gate>,
        whom: Whom,
        terms: Terms,
        room: PathBuf,
        telling: Option<Telling>,
        ears: Option<Ears>,
    ) -> io::Result<Router> {
        let poll = Poll::new()?;
        // Only the master says when it is to go.
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2])?;
        poll.registry().register(&mut signals, SIGNALS, Interest::READABLE)?;
        poll.registry().register(&mut SourceFd(&control.as_fd().as_raw_fd()), CONTROL, Interest::READABLE)?;
        for (index, door) in doors.iter().enumerate() {
            poll.registry().register(&mut SourceFd(&door.socket.as_raw_fd()), Token(index), Interest::READABLE)?;
        }
        telling.as_ref().map_or(Ok(()), |telling| telling.watch(poll.registry(), TELLING))?;
        ears.as_ref().map_or(Ok(()), |ears| ears.watch(poll.registry(), EARS))?;
        let next = doors.len();
        Ok(Router {
            poll,
            signals,
            control,
            doors,
            gates,
            terms,
            whom,
            // What others have heard is there already.
            is_spoken_to: ears.is_some(),
            ears,
            room,
            telling,
            tally: Tally::default(),
            connections: BTreeMap::new(),
            next,
            alarms: Alarms::default(),
            ready: BTreeSet::new(),
            blocked: BTreeSet::new(),
            starved: false,
            scratch: vec![0; SCRATCH_BYTES],
            date: DateText::default(),
        })
    }

    /// Until it was told to go and its last connection has ended.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        while !self.has_ended() {
            match self.poll.poll(&mut events, self.patience()) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            let mut callers: BTreeSet<usize> = std::mem::take(&mut self.ready);
            callers.append(&mut self.blocked);
            for event in &events {
                match event.token() {
                    SIGNALS => self.hear_signals(),
                    CONTROL => self.hear_master(),
                    EARS => self.is_spoken_to = true,
                    token if token == TELLING.door => self.tell_of_itself(),
                    Token(token) if token >= TELLING.visitors => {
                        self.telling.iter_mut().for_each(|telling| telling.go_on(token, TELLING));
                    }
                    Token(index) if index < self.doors.len() => self.starved = true,
                    Token(token) => {
                        self.wake(token, event);
                        callers.insert(token / 2);
                    }
                }
            }
            self.listen();
            for number in callers {
                self.attend(number);
            }
            if self.starved {
                self.accept();
            }
            while let Some(number) = self.alarms.take_due(monotonic_us()) {
                self.expire(number);
            }
            self.telling.iter_mut().for_each(|telling| telling.drop_late(monotonic_us()));
        }
        Ok(())
    }

    /// Hears who announces himself, here or to another router, and lets go who has not for too long.
    fn listen(&mut self) {
        let (Some(ears), Some(table)) = (&mut self.ears, &mut self.whom.announced) else { return };
        if std::mem::take(&mut self.is_spoken_to) {
            self.is_spoken_to = ears.hear(table);
        }
        ears.share(table);
        let now_us = monotonic_us();
        // What is still to be heard may be a word of theirs.
        if !self.is_spoken_to && table.due_us().is_some_and(|due_us| due_us <= now_us) {
            let silent = table.expire(now_us);
            tell_of_silent(&silent, table);
        }
    }

    fn has_ended(&self) -> bool {
        let is_telling = self.telling.as_ref().is_some_and(Telling::is_busy);
        self.doors.is_empty() && self.connections.is_empty() && !is_telling
    }

    fn patience(&self) -> Option<Duration> {
        if !self.ready.is_empty() || self.is_spoken_to {
            return Some(Duration::ZERO);
        }
        let owes = self.ears.as_ref().is_some_and(Ears::is_owing);
        let moment = (self.starved || owes || !self.blocked.is_empty()).then_some(A_MOMENT);
        let visit_us = self.telling.as_ref().and_then(Telling::due_us);
        let silence_us = self.whom.announced.as_ref().and_then(Table::due_us);
        let alarm_us = self.alarms.next_us().into_iter().chain(visit_us).chain(silence_us).min();
        let alarm = alarm_us.map(|at_us| Duration::from_micros(at_us.saturating_sub(monotonic_us()) + 1_000));
        moment.into_iter().chain(alarm).min()
    }

    /// Told to go: no connection is accepted any more, and those that there are end with their workers, or with the next
    /// answer.
    fn hear_signals(&mut self) {
        if !self.signals.pending().any(|signal| signal == SIGTERM) {
            return;
        }
        for door in self.doors.drain(..) {
            // It is closed in a moment.
            let _ = self.poll.registry().deregister(&mut SourceFd(&door.socket.as_raw_fd()));
        }
        self.telling.iter_mut().for_each(|telling| telling.close(self.poll.registry()));
        self.ears.iter_mut().for_each(|ears| ears.close(self.poll.registry()));
        self.starved = false;
        // Who has said nothing yet may be about to.
        self.terms.routers.head_patience = PARTING_PATIENCE;
        self.terms.is_leaving = true;
        let moment = self.moment();
        for watch in self.connections.values_mut() {
            if let Connection::Session(session) = &mut watch.connection {
                session.hurry(&moment);
            }
        }
        self.ready.extend(self.connections.keys());
    }

    /// The master says where the log goes from now on, or which certificates are shown. When it has gone, so has this process.
    fn hear_master(&mut self) {
        loop {
            match self.control.receive() {
                Ok(Received::Message(ToWorker::LogTo, beside)) => log_to(&beside),
                #[cfg(feature = "tls")]
                Ok(Received::Message(ToWorker::Certificates, beside)) => certificates::renew(&mut self.doors, beside),
                Ok(Received::Message(other, _)) => log::error!("a router is told something else: {other:?}"),
                Ok(Received::Unfit(unfit)) => log::error!("a router is told what it does not understand: {unfit}"),
                Ok(Received::Nothing | Received::EndOfFile) | Err(_) => return,
            }
        }
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
                    Some(Ok(Some((client, address)))) => {
                        self.tally.accepted += 1;
                        let now_us = monotonic_us();
                        let door = self.doors.get(index);
                        let welcomed = door.and_then(|door| door.welcome(client, address, &self.terms, now_us));
                        if let Some(connection) = welcomed {
                            self.take_in(connection, now_us);
                        }
                    }
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

    fn take_in(&mut self, mut connection: Connection, now_us: u64) {
        let number = self.next;
        // Numbers do not come again while anybody lives who had one before.
        self.next += 1;
        if let Err(error) = watch(&self.poll, connection.client(), Token(2 * number), Interest::WRITABLE) {
            return log::error!("the router cannot watch a connection: {error}");
        }
        let patience_us = micros(self.terms.routers.head_patience);
        self.alarms.set(number, now_us.saturating_add(patience_us));
        self.connections.insert(number, Watch { connection, worker: None });
        self.ready.insert(number);
    }

    /// Tells a connection what has happened at one of its ends.
    fn wake(&mut self, token: usize, event: &Event) {
        let side = if token.is_multiple_of(2) { Side::Client } else { Side::Worker };
        let ends = event.is_read_closed() || event.is_error();
        if let Some(watch) = self.connections.get_mut(&(token / 2)).filter(|_| event.is_readable() || ends) {
            watch.connection.wake(side, ends);
        }
    }

    /// Tells whoever has connected for it.
    fn tell_of_itself(&mut self) {
        let Some(telling) = &mut self.telling else { return };
        let names: Vec<String> = self.doors.iter().map(|door| door.name.clone()).collect();
        let cwd = std::env::current_dir().map_or_else(|_| String::new(), |path| path.to_string_lossy().into_owned());
        let (now_us, epoch_s) = (monotonic_us(), epoch_us() / 1_000_000);
        let report = Report {
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            uid: nix::unistd::Uid::effective().as_raw(),
            gid: nix::unistd::Gid::effective().as_raw(),
            cwd: &cwd,
            active_sessions: self.connections.len(),
            http: &names,
            static_nodes: self.whom.fixed.told(now_us),
            subscriptions: self.whom.announced.as_ref().map_or_else(Vec::new, |table| table.told(now_us, epoch_s)),
            cheap: 0,
            router: telling.router,
            asking: self.connections.values().filter(|watch| watch.worker.is_some()).count(),
            tally: self.tally,
        };
        telling.welcome(|minified| report.document(minified), self.poll.registry(), TELLING);
    }

    fn moment(&mut self) -> Moment {
        let epoch_us = epoch_us();
        Moment { us: monotonic_us(), epoch_us, date: *self.date.at(epoch_us / 1_000_000) }
    }

    /// Has a connection move what it can.
    fn attend(&mut self, number: usize) {
        let moment = self.moment();
        let Some(watched) = self.connections.get_mut(&number) else { return };
        let gates = &self.gates;
        let connect = |protocol| connect(gates, protocol);
        let hall = Hall {
            connect: &connect,
            head_patience_us: micros(self.terms.routers.head_patience),
            patience_us: micros(self.terms.routers.patience),
        };
        let mut desk = Desk {
            terms: &self.terms,
            whom: &mut self.whom,
            tally: &mut self.tally,
            room: &self.room,
            moment,
            scratch: &mut self.scratch,
        };
        let next = watched.connection.advance(&hall, &mut desk);
        if let Err(error) = watch_worker(&self.poll, watched, number) {
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

    /// It has waited long enough, unless something is there that nobody has heard of yet.
    fn expire(&mut self, number: usize) {
        if let Some(watch) = self.connections.get_mut(&number) {
            [Side::Client, Side::Worker].into_iter().for_each(|side| watch.connection.wake(side, false));
        }
        self.attend(number);
    }

    fn end(&mut self, number: usize) {
        self.alarms.remove(number);
        self.ready.remove(&number);
        self.blocked.remove(&number);
        // Closing them takes them out of the event loop.
        self.connections.remove(&number);
    }
}

/// Connects to the workers who serve a protocol.
fn connect(gates: &[Gate], protocol: Protocol) -> io::Result<Stream> {
    let gate = gates.iter().find(|gate| gate.protocol == protocol);
    let gate = gate.ok_or_else(|| io::Error::other("no worker serves this protocol"))?;
    Stream::connect(&Address::Abstract(gate.name.clone()))
}

/// An end of a connection wakes the loop by its token.
fn watch(poll: &Poll, stream: &Stream, token: Token, also: Interest) -> io::Result<()> {
    poll.registry().register(&mut SourceFd(&stream.as_fd().as_raw_fd()), token, Interest::READABLE | also)
}

/// The worker's end wakes the loop, too: for what it sends, and for room where it did not take all at once.
fn watch_worker(poll: &Poll, watched: &mut Watch, number: usize) -> io::Result<()> {
    let Some(end) = watched.connection.worker() else {
        watched.worker = None;
        return Ok(());
    };
    let interest = match end.watched {
        Watched::Reading => Interest::READABLE,
        Watched::Both => Interest::READABLE | Interest::WRITABLE,
    };
    let (descriptor, token, registry) = (end.stream.as_fd().as_raw_fd(), Token(2 * number + 1), poll.registry());
    match watched.worker {
        Some((nth, how)) if nth == end.nth && (how == end.watched || how == Watched::Both) => return Ok(()),
        Some((nth, _)) if nth == end.nth => registry.reregister(&mut SourceFd(&descriptor), token, interest)?,
        // A descriptor that was closed is not watched any more, whoever has its number now.
        _ => registry.register(&mut SourceFd(&descriptor), token, interest)?,
    }
    watched.worker = Some((end.nth, end.watched));
    Ok(())
}
