//! Accepting: which connections a thread takes, and what becomes of it when it cannot. The life around it is in
//! `accept_loop`. Worker only.

use std::io;
use std::net::SocketAddr;

use worker_protocol::control::LeaveReason;
use worker_protocol::wire::Protocol;

use super::accept_loop::{A_MOMENT, Core, Hears, Turn, served};
use super::peer::Bringer;
use super::share::Whose;
use crate::config::model::Peer;
use crate::member::born::Listening;
use crate::sys::stream::{accept, accept_with_address};
use crate::sys::wait::{Interest, wait_ready};

impl Core<'_> {
    /// On trial a thread hears of each connection once, perhaps while it does something else: so it looks whether there is
    /// one that is due to it. When the trial has ended well, it waits as all others do.
    #[cold]
    pub(super) fn take_what_is_owed(&mut self) -> io::Result<Option<Turn>> {
        if self.share.has_passed() {
            for (index, listening) in served(self.worker) {
                self.waiting.remove(&listening.socket)?;
                self.waiting.add_listener(&listening.socket, index as u64)?;
            }
            return Ok(None);
        }
        if !self.share.is_owed() {
            return Ok(None);
        }
        for (index, _) in served(self.worker) {
            match self.accept_from(index)? {
                Turn::Nothing => {}
                turn => return Ok(Some(turn)),
            }
        }
        Ok(None)
    }

    pub(super) fn accept_from(&mut self, index: usize) -> io::Result<Turn> {
        match self.share.decide() {
            Whose::Ours => {}
            Whose::OursAfterAll => {
                // The moment that it was left to the others is not what its request takes.
                self.look_at_clock();
            }
            Whose::Theirs => return Ok(Turn::Nothing),
        }
        match self.try_accept(index) {
            Ok(turn) => Ok(turn),
            Err(error) => self.survive_accept(index, error),
        }
    }

    fn try_accept(&self, index: usize) -> io::Result<Turn> {
        let turn = self.accept_one(index)?;
        if !matches!(turn, Turn::Nothing) {
            self.share.took();
        }
        Ok(turn)
    }

    fn accept_one(&self, index: usize) -> io::Result<Turn> {
        let Some(Listening { socket, protocol, behind_router, .. }) = self.worker.member().listeners().get(index)
        else {
            return Ok(Turn::Nothing);
        };
        let from = if *behind_router { Bringer::Router } else { Bringer::Others };
        let is_guarded = *protocol != Protocol::Http && !*behind_router && !self.worker.limits().web_servers.is_empty();
        if !protocol.keeps_connections() && !is_guarded {
            let accepted = accept(socket)?.filter(|stream| !*behind_router || stream.is_of_own_user());
            return Ok(accepted.map_or(Turn::Nothing, |stream| Turn::Accepted(stream, *protocol, from)));
        }
        Ok(match accept_with_address(socket)? {
            None => Turn::Nothing,
            // Whoever knows the name of that socket can connect to it; the router is of this user.
            Some((stream, _)) if *behind_router && !stream.is_of_own_user() => Turn::Nothing,
            Some((_, address)) if is_guarded && !self.admits(address) => Turn::Nothing,
            Some(caller) if protocol.keeps_connections() => Turn::Called(caller, index, *protocol),
            Some((stream, _)) => Turn::Accepted(stream, *protocol, from),
        })
    }

    /// Whether a web server may come from there; says so the first time that somebody else does.
    fn admits(&self, address: Option<SocketAddr>) -> bool {
        let peer = address.map_or(Peer::Unix, |address| Peer::Address(address.ip().to_canonical()));
        let admitted = self.worker.limits().admits(peer);
        if let (false, Some(address)) = (admitted, address)
            && !self.told_of_strangers.replace(true)
        {
            let name = self.worker.member().name();
            log::warn!(
                "{name}: a connection from {address} is cut off, and all others that uwsgi-allow-from does not name"
            );
        }
        admitted
    }

    /// Running out of descriptors or memory is no reason to die, and none to keep to itself that a connection waits, of
    /// which nobody else was told.
    fn survive_accept(&mut self, index: usize, error: io::Error) -> io::Result<Turn> {
        let (own, all) = match error.raw_os_error() {
            Some(libc::EMFILE) => (true, false),
            Some(libc::ENFILE) => (true, true),
            Some(libc::ENOBUFS | libc::ENOMEM) => (false, true),
            Some(libc::EINVAL) => return self.hear_of_the_end(error),
            _ => return Err(error),
        };
        // Whoever waits for a request of a client's stands back behind a client that has one.
        if self.keeping.give_one_up(&self.waiting)? {
            return Ok(Turn::Nothing);
        }
        if own && self.spare.lend() {
            self.spare.tell(&self.worker.member().name(), &error);
            return self.try_accept(index).or(Ok(Turn::Nothing));
        }
        if own && !all {
            log::error!("{}: leaves, as it cannot accept a connection: {error}", self.worker.member().name());
            // Its successor finds the connection in the queue.
            self.worker.member().retire_self(LeaveReason::Signal);
            return Ok(Turn::Nothing);
        }
        log::error!("{}: cannot accept a connection: {error}", self.worker.member().name());
        // Nothing tells when descriptors come free, so that a short rest is all there is.
        std::thread::sleep(A_MOMENT);
        Ok(Turn::Nothing)
    }

    /// Nobody listens there any more: the master is gone, which whoever hears it must know at any moment.
    fn hear_of_the_end(&mut self, error: io::Error) -> io::Result<Turn> {
        let member = self.worker.member();
        match self.hears {
            Hears::Master => {
                wait_ready(&member.control(), Interest::Readable, A_MOMENT.as_micros() as u64)?;
                member.hear()?;
            }
            Hears::Bell => std::thread::sleep(A_MOMENT),
        }
        if member.is_leaving() { Ok(Turn::Nothing) } else { Err(error) }
    }
}
