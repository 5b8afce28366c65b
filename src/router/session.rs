//! One connection of HTTP whose requests the router reads: moves bytes between the client, the conversation that decides and
//! the worker that answers. Router only.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use super::client::Client;
use super::conversation::{Conversation, Ending, Failure, Moment, Piece, Remark, Terms};
use super::report::Tally;
use super::turn::{Next, STEPS_MAX, Stop};
use super::whom::{Asked, Chosen, Who, Whom};
use crate::config::model::ToHttps;
use crate::sys::stream::Stream;
use crate::sys::unlinked::unlinked_file;

/// One of them.
pub(super) struct Session {
    client: Client,
    conversation: Conversation,
    /// Whether the conversation knows who the client is.
    has_met: bool,
    worker: Option<Worker>,
    /// How many it has had.
    workers_count: u64,
    /// What of a body is too long for memory.
    file: Option<File>,
    /// Who has just failed with this request.
    avoided: Option<Who>,
}

/// A worker, or a node, that was connected to.
struct Worker {
    stream: Stream,
    asked: Asked,
    /// Whether there may be something to be read, and whether its end is among that.
    readable: bool,
    ends: bool,
    /// Whether it took all that it was offered.
    takes: bool,
}

/// What all sessions have in common.
pub(super) struct Desk<'d> {
    pub(super) terms: &'d Terms,
    pub(super) whom: &'d mut Whom,
    pub(super) tally: &'d mut Tally,
    /// Where a file may be made.
    pub(super) room: &'d Path,
    pub(super) moment: Moment,
    pub(super) scratch: &'d mut [u8],
}

/// The worker's end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct WorkersEnd<'s> {
    pub(super) stream: &'s Stream,
    /// Which one of those that the connection has had.
    pub(super) nth: u64,
    pub(super) watched: Watched,
}

/// How it is to be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watched {
    Reading,
    Both,
}

impl Session {
    /// For a client that has just connected.
    pub(super) fn new(client: Client, to_https: Option<ToHttps>, now_us: u64) -> Session {
        Session {
            client,
            conversation: Conversation::new(to_https, now_us),
            has_met: false,
            worker: None,
            workers_count: 0,
            file: None,
            avoided: None,
        }
    }

    /// The client's end.
    pub(super) fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// The worker's end, as soon as there is one.
    pub(super) fn worker(&self) -> Option<WorkersEnd<'_>> {
        let Worker { stream, takes, .. } = self.worker.as_ref()?;
        let watched = if *takes { Watched::Reading } else { Watched::Both };
        Some(WorkersEnd { stream, nth: self.workers_count, watched })
    }

    /// The worker has sent something. `ends`: its end, too.
    pub(super) fn wake_worker(&mut self, ends: bool) {
        if let Some(worker) = &mut self.worker {
            worker.readable = true;
            worker.ends |= ends;
        }
    }

    /// The router was told to go.
    pub(super) fn hurry(&mut self, moment: &Moment) {
        self.conversation.hurry(moment);
    }

    /// Moves what can be moved. Its time is over only if nothing can: what came before may still be unread.
    pub(super) fn advance(&mut self, desk: &mut Desk<'_>) -> Next {
        let mut has_expired = false;
        for _ in 0..STEPS_MAX {
            let stepped = self.step(desk);
            self.tell(desk);
            match stepped {
                Ok(true) => {}
                Ok(false) => {
                    let until_us = self.conversation.until_us(desk.terms);
                    if has_expired || desk.moment.us < until_us {
                        return Next::Waits { until_us };
                    }
                    self.expire(desk);
                    has_expired = true;
                }
                Err(Stop::Blocked) => return Next::Blocked,
                Err(Stop::Ended) => return Next::Ended,
            }
        }
        Next::Again
    }

    /// It has waited long enough; for one who does not let himself be connected to, another may.
    fn expire(&mut self, desk: &mut Desk<'_>) {
        let unheard = self.worker.take_if(|_| !self.conversation.has_begun_upload());
        match unheard {
            Some(worker) => self.miss(&worker.asked, &ErrorKind::TimedOut.into(), desk),
            None => self.conversation.expire(desk.terms, &desk.moment),
        }
    }

    /// Whether anything moved.
    fn step(&mut self, desk: &mut Desk<'_>) -> Result<bool, Stop> {
        let mut moved = self.conversation.resume(desk.terms, &desk.moment);
        moved |= self.hear_client(desk)?;
        if self.conversation.wants_worker() {
            moved |= self.find_worker(desk)?;
            moved |= self.pass_up(desk);
            moved |= self.hear_worker(desk);
        }
        self.release();
        moved |= self.pass_down(desk)?;
        Ok(moved | self.end_in_order(desk)?)
    }

    fn hear_client(&mut self, desk: &mut Desk<'_>) -> Result<bool, Stop> {
        let room = self.conversation.client_room().min(desk.scratch.len());
        if room == 0 {
            return Ok(false);
        }
        match self.client.read(&mut desk.scratch[..room]) {
            Ok(0) => self.conversation.end_client(),
            Ok(count) => {
                self.meet();
                self.conversation.take(&desk.scratch[..count], desk.terms, &desk.moment);
                self.put_aside(desk);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::InvalidData && !self.client.is_secure() => {
                self.conversation.refuse_introduction(&error.to_string(), desk.terms, &desk.moment);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }

    fn meet(&mut self) {
        if let (false, Some(origin)) = (self.has_met, self.client.origin()) {
            self.has_met = true;
            self.conversation.meet(origin);
        }
    }

    /// Writes what of a body is too long for memory to a file.
    fn put_aside(&mut self, desk: &Desk<'_>) {
        let Some(bytes) = self.conversation.overflow(desk.terms) else { return };
        let put = match &mut self.file {
            Some(file) => file.write_all(bytes),
            none => unlinked_file(desk.room).and_then(|file| none.insert(file).write_all(bytes)),
        };
        match put {
            Ok(()) => self.conversation.has_overflown(),
            Err(error) => {
                log::error!("the router has no room for a request body in {}: {error}", desk.room.display());
                self.conversation.refuse_for_want_of_room(desk.terms, &desk.moment);
            }
        }
    }

    /// Lets go of what the request needed that has been answered: another one is another worker's.
    fn release(&mut self) {
        if !self.conversation.wants_worker() {
            (self.worker, self.avoided) = (None, None);
            self.file = self.file.take().filter(|_| self.conversation.is_collecting());
        }
    }

    /// Connects to a worker, if none is.
    fn find_worker(&mut self, desk: &mut Desk<'_>) -> Result<bool, Stop> {
        if self.worker.is_some() {
            return Ok(false);
        }
        let asked = match desk.whom.choose(self.conversation.host(), desk.moment.us, self.avoided) {
            Chosen::One(asked) => asked,
            Chosen::Nobody => {
                self.conversation.lose_worker(Failure::Unreachable, desk.terms, &desk.moment);
                return Ok(true);
            }
            Chosen::Unknown => {
                self.conversation.refuse_unknown_host(desk.terms, &desk.moment);
                return Ok(true);
            }
        };
        match Stream::connect(&asked.address) {
            Ok(stream) => {
                desk.whom.note_hit(asked.who);
                self.conversation.address_to(asked.modifiers.unwrap_or(desk.terms.routers.modifiers));
                self.workers_count += 1;
                self.worker = Some(Worker { stream, asked, readable: false, ends: false, takes: true });
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(Stop::Blocked),
            Err(error) => self.miss(&asked, &error, desk),
        }
        Ok(true)
    }

    /// One cannot be connected to.
    fn miss(&mut self, asked: &Asked, error: &io::Error, desk: &mut Desk<'_>) {
        if !desk.terms.routers.quiet {
            log::error!("the router cannot connect to {}: {error}", asked.address);
        }
        desk.whom.shun(asked.who, desk.moment.us);
        (self.worker, self.avoided) = (None, Some(asked.who));
        let failure = if error.kind() == ErrorKind::TimedOut { Failure::Late } else { Failure::Unreachable };
        self.conversation.lose_worker(failure, desk.terms, &desk.moment);
    }

    /// Sends the worker what it is to be sent.
    fn pass_up(&mut self, desk: &mut Desk<'_>) -> bool {
        let mut moved = false;
        while let Some(worker) = &mut self.worker {
            let sent = match self.conversation.upload() {
                Piece::Nothing => {
                    worker.takes = true;
                    break;
                }
                Piece::Bytes(bytes) => worker.stream.write(bytes),
                Piece::File { offset, bytes } => match &self.file {
                    Some(file) => worker.stream.send_file(file, offset, usize::try_from(bytes).unwrap_or(usize::MAX)),
                    None => Err(ErrorKind::NotFound.into()),
                },
            };
            match sent {
                Ok(count) if count > 0 => {
                    moved = true;
                    self.conversation.pass_upload(count as u64, &desk.moment);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    worker.takes = false;
                    break;
                }
                Err(error) if !self.conversation.has_begun_upload() => {
                    if let Some(worker) = self.worker.take() {
                        self.miss(&worker.asked, &error, desk);
                    }
                    return true;
                }
                // It reads nothing more; but it may have said something.
                Ok(_) | Err(_) => {
                    worker.readable = true;
                    self.conversation.give_up_upload();
                }
            }
        }
        if let Some(worker) = self.worker.as_ref().filter(|_| self.conversation.tells_worker_of_the_end()) {
            // One that has gone shows when it is read from.
            let _ = worker.stream.finish_writing();
        }
        moved
    }

    /// Takes something of the answer, unless the client has not taken enough of what came before.
    fn hear_worker(&mut self, desk: &mut Desk<'_>) -> bool {
        let Some(worker) = self.worker.as_mut().filter(|worker| worker.readable) else { return false };
        if !self.conversation.has_room_for_answer() {
            return false;
        }
        let failure = match worker.stream.read(desk.scratch) {
            Ok(0) => Failure::Ended,
            Ok(count) => {
                // What does not fill the room was all that there was.
                worker.readable = count == desk.scratch.len() || worker.ends;
                self.conversation.take_answer(&desk.scratch[..count], desk.terms, &desk.moment);
                return true;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                worker.readable = false;
                return false;
            }
            Err(_) => Failure::Broken,
        };
        // Another one may do better.
        self.avoided = self.worker.take().map(|worker| worker.asked.who);
        self.conversation.lose_worker(failure, desk.terms, &desk.moment);
        true
    }

    fn pass_down(&mut self, desk: &Desk<'_>) -> Result<bool, Stop> {
        let mut moved = self.client.flush()?;
        while !self.conversation.answer().is_empty() {
            match self.client.write(self.conversation.answer()) {
                Ok(count) => {
                    moved = true;
                    self.conversation.pass_answer(count, &desk.moment);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(moved)
    }

    /// Ends the connection, or its sending side, if that is due.
    fn end_in_order(&mut self, desk: &Desk<'_>) -> Result<bool, Stop> {
        match self.conversation.ending(&desk.moment) {
            Ending::NotYet => Ok(false),
            Ending::Half => {
                self.client.say_goodbye();
                self.client.flush()?;
                if !self.client.has_unsent() {
                    self.client.stream().finish_writing()?;
                }
                Ok(true)
            }
            Ending::Closed => {
                self.client.say_goodbye();
                // Whoever does not take it at once has gone or will see the end of the connection.
                let _ = self.client.flush();
                Err(Stop::Ended)
            }
            Ending::Cut => {
                let _ = self.client.stream().will_reset();
                Err(Stop::Ended)
            }
        }
    }

    /// Says in the log what there is to be said.
    fn tell(&mut self, desk: &mut Desk<'_>) {
        match self.conversation.take_remark() {
            Some(Remark::Refused { status, why }) => {
                desk.tally.refused += 1;
                log::warn!("request refused with status {status}: {why}");
            }
            Some(Remark::Backend(why)) => {
                desk.tally.failed += 1;
                if !desk.terms.routers.quiet {
                    log::error!("the router: {why}");
                }
            }
            None => {}
        }
    }
}
