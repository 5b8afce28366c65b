//! What the master has its children with a seat do: begin, pause, resume, leave, die, log elsewhere. Master only.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use mio::Poll;
use nix::sys::signal::Signal;
use worker_protocol::control::{ToWorker, ToZygote};
use worker_protocol::ids::Life;
use worker_protocol::scoreboard::{MasterSeat, Presence, SeatOrder};

use super::super::machine::{Event, Generation, Post, Seat};
use super::super::wake::Wake;
use super::orders::ForkOrder;
use super::registry::{Calling, Children, Member};
use crate::sys::control::ControlSocket;

impl Children {
    /// Has a zygote fork the `nth` child of a post into a seat, as soon as it has answered enough of the orders before. A
    /// failure that shows at once is told as the zygote's.
    pub(in crate::master) fn fork(
        &mut self,
        generation: Generation,
        seat: Seat,
        post: Post,
        nth: u32,
        poll: &Poll,
    ) -> Vec<Event> {
        let Some(zygote) = self.zygotes.get_mut(&generation) else {
            return vec![Event::ForkFailed { seat, errno: libc::ESRCH }];
        };
        zygote.orders.add(ForkOrder { seat, post, nth });
        self.send_orders(generation, poll)
    }

    /// Sends a zygote the orders that it may have now. Those that can never be carried out are told.
    pub(super) fn send_orders(&mut self, generation: Generation, poll: &Poll) -> Vec<Event> {
        let mut failed = Vec::new();
        while let Some(order) = self.zygotes.get(&generation).and_then(|zygote| zygote.orders.next()) {
            let sent = self.send_order(generation, order, poll);
            let Some(zygote) = self.zygotes.get_mut(&generation) else { break };
            match sent {
                Ok(()) => zygote.orders.sent(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    zygote.await_room(generation, poll);
                    break;
                }
                // It has gone, which shows as a death.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                Err(error) => {
                    zygote.orders.drop_next();
                    failed
                        .push(Event::ForkFailed { seat: order.seat, errno: error.raw_os_error().unwrap_or(libc::EIO) });
                }
            }
        }
        failed
    }

    fn send_order(&mut self, generation: Generation, order: ForkOrder, poll: &Poll) -> io::Result<()> {
        let ForkOrder { seat, post, nth } = order;
        let life = Life(self.lives.0 + 1);
        if let Some(board) = self.board()
            && let Some(own) = board.master(seat)
        {
            own.vacate();
            // Those of before may be of an image that did not say so.
            self.members.last_key_value().into_iter().for_each(|(last, _)| board.use_seat(*last));
            board.use_seat(seat);
        }
        let zygote = self.zygotes.get(&generation).ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))?;
        let (ours, theirs) = ControlSocket::pair()?;
        zygote.control.send_record(&ToZygote::Fork { seat, post, life, nth }, &[theirs.as_fd()])?;
        self.lives = life;
        Wake::Member(seat).when_readable(&ours, poll)?;
        self.members.insert(seat, Member::ordered(generation, ours, life));
        Ok(())
    }

    /// Takes back the order to fork into a seat. One that was not sent yet is dropped, which is told as a failure of the
    /// fork; else whoever comes finds the order to leave in its seat.
    pub(in crate::master) fn call_off(&mut self, seat: Seat) -> Option<Event> {
        if self.zygotes.values_mut().any(|zygote| zygote.orders.drop_for(seat)) {
            return Some(Event::ForkFailed { seat, errno: libc::ECANCELED });
        }
        self.retire(seat);
        None
    }

    /// Tells a worker to stop accepting, finish what it holds, and leave.
    pub(in crate::master) fn retire(&self, seat: Seat) {
        self.order(seat, SeatOrder::Retire, &ToWorker::Retire);
    }

    /// Tells a worker to stop accepting for now.
    pub(in crate::master) fn pause(&self, seat: Seat) {
        self.order(seat, SeatOrder::Pause, &ToWorker::Pause);
    }

    /// Tells a worker to accept again.
    pub(in crate::master) fn resume(&self, seat: Seat) {
        self.order(seat, SeatOrder::Run, &ToWorker::Resume);
    }

    /// Passes a signal of the application on to a worker. Whether there was room for it.
    pub(in crate::master) fn pass_signal(&self, seat: Seat, number: u8) -> bool {
        let sent = self.members.get(&seat).map(|member| member.control.send_record(&ToWorker::Signal { number }, &[]));
        // One that has gone meanwhile shows as a death.
        !matches!(sent, Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock)
    }

    fn order(&self, seat: Seat, order: SeatOrder, record: &ToWorker) {
        let Some(member) = self.members.get(&seat) else { return };
        if let Some(board) = self.board()
            && let Some(own) = board.master(seat)
        {
            own.set_order(order, member.life);
        }
        // The word is the order and the record only the knock; a full queue means that there are knocks enough, and
        // a worker that has gone shows as a death.
        let _ = member.control.send_record(record, &[]);
    }

    /// Kills a worker unless it accepts, of which its word may still be under way.
    pub(in crate::master) fn withdraw(&mut self, seat: Seat) {
        // The word of the order first: a worker that does not accept yet then never will.
        self.retire(seat);
        let Some(member) = self.members.get(&seat) else { return };
        let own = self.board().and_then(|board| board.master(seat));
        let accepted = |own: MasterSeat<'_>| own.is_taken_by(member.life) && own.presence() != Presence::NotAccepting;
        if !own.is_some_and(accepted) {
            self.kill(seat);
        }
    }

    /// Ends a child at once.
    pub(in crate::master) fn kill(&mut self, seat: Seat) {
        match self.members.get(&seat).map(|member| &member.process) {
            Some(Some((pid, pidfd))) => {
                if let Err(error) = pidfd.signal(Signal::SIGKILL) {
                    log::error!("cannot kill worker process {pid}: {error}");
                }
            }
            // Not known to be forked: without its control socket it leaves by itself.
            Some(None) => drop(self.members.remove(&seat)),
            None => {}
        }
    }

    /// Has every process write its log to `file` from now on, and with the zygotes those that they fork.
    pub(in crate::master) fn log_to(&mut self, file: &File) {
        let on_the_way = self.members.values_mut().filter(|member| !matches!(member.calling, Calling::None));
        on_the_way.for_each(|member| member.missed_log = true);
        let beside = [file.as_fd()];
        let zygotes = self.zygotes.values().map(|zygote| zygote.control.send_record(&ToZygote::LogTo, &beside));
        let members = self.members.values().map(|member| member.control.send_record(&ToWorker::LogTo, &beside));
        let routers = self.router_ears.log_to(file.as_fd());
        for error in zygotes.chain(members).chain(routers).filter_map(Result::err) {
            // One that has gone meanwhile writes nothing more.
            if error.kind() != io::ErrorKind::BrokenPipe {
                log::error!("a process goes on writing to the old log: {error}");
            }
        }
    }
}
