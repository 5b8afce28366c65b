//! The instance as its processes see it: what all of them share. Zygote, and every process below it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use worker_protocol::ids::{Generation, Seat};
use worker_protocol::scoreboard::{MasterSeat, Notice, Scoreboard, Trial, WorkerSeat};

use super::born::{Common, Listening};
use super::memories::SharedCache;
use super::shared_queue::SharedQueue;
use crate::config::model::Config;
use crate::routing::Rules;
use crate::sys::listeners;
use crate::sys::mailbox::Mailbox;
use crate::sys::shared_memory::SharedWords;

/// What a process has in common with the others of its instance.
#[derive(Debug, Clone, Copy)]
pub struct Instance<'z> {
    common: &'z Common,
    scoreboard: Scoreboard<'z>,
    /// Whether this process comes from a worker that has become the mold of others.
    is_grown: bool,
}

impl<'z> Instance<'z> {
    pub(crate) fn of(common: &'z Common) -> io::Result<Self> {
        let scoreboard = Scoreboard::fit(common.scoreboard.words(), common.layout).map_err(io::Error::other)?;
        Ok(Self { common, scoreboard, is_grown: false })
    }

    /// The same as processes see it that come from a mold.
    pub(crate) fn grown(self) -> Self {
        Self { is_grown: true, ..self }
    }

    /// Whether this process comes from a worker that has become the mold of others (`refork`): the application has been
    /// loaded there, and has served.
    pub fn is_grown(&self) -> bool {
        self.is_grown
    }

    /// The configuration of the instance.
    pub fn config(&self) -> &'z Config {
        &self.common.config
    }

    /// Its rules of routing.
    pub(crate) fn rules(&self) -> &'z Rules {
        &self.common.rules
    }

    /// Which loading of the application this process comes from.
    pub fn generation(&self) -> Generation {
        self.common.generation
    }

    /// The seats of all workers, as the master sees them.
    pub fn seats(&self) -> impl Iterator<Item = (Seat, MasterSeat<'z>)> + use<'z> {
        let scoreboard = self.scoreboard;
        scoreboard.used_seats().filter_map(move |seat| Some((seat, scoreboard.master(seat)?)))
    }

    /// Where lines of the log wait.
    pub(crate) fn lines(&self) -> Option<Arc<SharedWords>> {
        self.common.memories.lines()
    }

    /// Requests of all workers that live now.
    pub fn requests(&self) -> u64 {
        self.seats().map(|(_, seat)| seat.requests()).fold(0, u64::saturating_add)
    }

    /// The sockets of the instance.
    pub fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'z>> + use<'z> {
        self.common.listeners.iter().map(|listening| listening.socket.as_fd())
    }

    /// The mailbox of this name.
    pub fn mailbox(&self, name: &str) -> Option<&'z Mailbox> {
        self.common.mailboxes.get(name)
    }

    /// The memory file that all processes of the instance share; record locks on it hold over all of them.
    pub fn shared_memory(&self) -> BorrowedFd<'z> {
        self.common.scoreboard.as_fd()
    }

    /// The cache of a name, which all processes of the instance share; the first one without a name.
    pub fn cache(&self, name: Option<&str>) -> Option<SharedCache<'z>> {
        self.common.memories.cache(name)
    }

    /// The word of a metric of the application's, which all processes of the instance share.
    pub fn metric(&self, name: &str) -> Option<&'z AtomicU64> {
        self.common.memories.metric(name)
    }

    /// The queue that all processes of the instance share.
    pub fn queue(&self) -> Option<SharedQueue<'z>> {
        self.common.memories.queue()
    }

    /// The memory file of the shared area with this number.
    pub fn area(&self, number: usize) -> Option<BorrowedFd<'z>> {
        self.common.memories.area(number)
    }

    /// The same as [`Instance::sockets`], each with what is spoken on it, to be accepted on.
    pub(super) fn listeners(&self) -> &'z [Listening] {
        &self.common.listeners
    }

    /// The seat that a process writes its state into.
    pub(super) fn own_seat(&self, seat: Seat) -> io::Result<WorkerSeat<'z>> {
        self.scoreboard.worker(seat).ok_or_else(|| io::Error::other("there is no such seat"))
    }

    /// Whether no process of the instance has told something yet; then this one does.
    pub(crate) fn is_news(&self, notice: Notice) -> bool {
        self.scoreboard.notices().is_news(notice)
    }

    /// Has nobody listen any more, as the master is gone: a process that the application has forked would keep the addresses
    /// from the next instance.
    pub(crate) fn end_listening(&self) {
        for (listener, listening) in self.config().sockets.iter().zip(&self.common.listeners) {
            if listener.ends_with_instance() {
                listeners::end_listening(&listening.socket);
            }
        }
    }

    /// Which generation is on trial, if one is.
    pub(crate) fn trial(&self) -> Trial<'z> {
        self.scoreboard.trial()
    }

    /// Wakes the master.
    pub(super) fn ring_master(&self) {
        self.common.master_bell.ring();
    }
}
