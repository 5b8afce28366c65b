//! What the master has its children with a seat do: begin, pause, resume, leave, die, log elsewhere. Master only.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use mio::Poll;
use nix::sys::signal::Signal;
use worker_protocol::control::{ToWorker, ToZygote};
use worker_protocol::scoreboard::{MasterSeat, Presence, SeatOrder};

use super::super::machine::{Event, Generation, Post, Seat};
use super::super::wake::Wake;
use super::budget::Budget;
use super::registry::{Children, Member};
use crate::sys::clock::monotonic_us;
use crate::sys::control::ControlSocket;

impl Children {
    /// Has a zygote fork the `nth` child of a post into a seat. A failure that shows at once is told as the zygote's.
    pub(in crate::master) fn fork(
        &mut self,
        generation: Generation,
        seat: Seat,
        post: Post,
        nth: u32,
        poll: &Poll,
    ) -> Result<(), Event> {
        self.lives.0 += 1;
        if let Some(own) = self.board().and_then(|board| board.master(seat)) {
            own.vacate();
        }
        let order = ToZygote::Fork { seat, post, life: self.lives, nth };
        match self.order_fork(generation, seat, &order, poll) {
            Ok(member) => {
                self.members.insert(seat, member);
                Ok(())
            }
            Err(error) => Err(Event::ForkFailed { seat, errno: error.raw_os_error().unwrap_or(libc::EIO) }),
        }
    }

    fn order_fork(&self, generation: Generation, seat: Seat, order: &ToZygote, poll: &Poll) -> io::Result<Member> {
        let zygote = self.zygotes.get(&generation).ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))?;
        let (ours, theirs) = ControlSocket::pair()?;
        zygote.control.send_record(order, &[theirs.as_fd()])?;
        Wake::Member(seat).when_readable(&ours, poll)?;
        Ok(Member {
            generation,
            control: ours,
            process: None,
            life: self.lives,
            ordered_us: monotonic_us(),
            heard_ready: false,
            orphan: false,
            budget: Budget::of_worker(),
        })
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
    pub(in crate::master) fn log_to(&self, file: &File) {
        let beside = [file.as_fd()];
        let zygotes = self.zygotes.values().map(|zygote| zygote.control.send_record(&ToZygote::LogTo, &beside));
        let members = self.members.values().map(|member| member.control.send_record(&ToWorker::LogTo, &beside));
        for error in zygotes.chain(members).filter_map(Result::err) {
            // One that has gone meanwhile writes nothing more.
            if error.kind() != io::ErrorKind::BrokenPipe {
                log::error!("a process goes on writing to the old log: {error}");
            }
        }
    }
}
