//! What can wake the master: the closed list, and its tokens of the event loop. Master only.
//!
//! A token is written and read here only. Not for what is heard then: that is the business of whoever owns the source.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use mio::unix::SourceFd;
use mio::{Interest, Poll, Token};

use super::machine::{Generation, Seat};

/// A source that the event loop waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wake {
    /// A signal has come.
    Signals,
    /// A worker has rung the doorbell: the load is such as the master wanted to be told of.
    Bell,
    /// A connection is in the queue of a listening socket; watched only while that is news. One token stands for all.
    Queue,
    /// Letters are in the master fifo.
    Fifo,
    /// Something has changed in a directory that is watched.
    Watches,
    /// An operator connects.
    Operators,
    /// The operator with this number asks something.
    Operator(u32),
    /// The inherited descriptor at this place asks for a reload.
    Descriptor(u32),
    /// A zygote speaks.
    Zygote(Generation),
    /// The child in this seat speaks.
    Member(Seat),
    /// The process of the child in this seat has ended.
    Ended(Seat),
    /// The process in this seat has become its program, or says why not.
    Report(Seat),
    /// The program in this seat, which may be nobody's child, has ended.
    Program(Seat),
    /// The Emperor says something.
    Emperor,
    /// A router acknowledges that it knows the instance.
    Routers,
    /// Somebody connects to the door with this number, behind which the instance tells of itself.
    Door(u32),
    /// The application wants something of signals and timers.
    Wishes,
    /// Something has changed in a directory that is watched for the sake of signals.
    SignalFiles,
    /// The collector of the log wants something done.
    Collector,
    /// The visitor with this number has said something, or has room for more of what it is told.
    Visitor(u32),
    /// The attendant with this number asks something, or has room for more of an answer.
    Attendant(u32),
}

/// A token is the number of the kind, and below it which one of that kind.
const KIND: u32 = 32;

impl Wake {
    /// Has the event loop wake up when `descriptor` becomes readable.
    pub(super) fn when_readable(self, descriptor: &impl AsFd, poll: &Poll) -> io::Result<()> {
        let raw = descriptor.as_fd().as_raw_fd();
        poll.registry().register(&mut SourceFd(&raw), self.token(), Interest::READABLE)
    }

    /// Has the event loop wake up when `descriptor` can be read from or written to.
    pub(super) fn when_ready(self, descriptor: &impl AsFd, poll: &Poll) -> io::Result<()> {
        let raw = descriptor.as_fd().as_raw_fd();
        poll.registry().register(&mut SourceFd(&raw), self.token(), Interest::READABLE | Interest::WRITABLE)
    }

    /// Has it wake up once more though nothing has changed: the loop tells of changes only, and what was left over is
    /// news again after this.
    pub(super) fn again(self, descriptor: &impl AsFd, poll: &Poll) -> io::Result<()> {
        let raw = descriptor.as_fd().as_raw_fd();
        poll.registry().reregister(&mut SourceFd(&raw), self.token(), Interest::READABLE)
    }

    /// Has it wake up as well when there is room for more in what we write to `descriptor`, until [`Wake::again`].
    pub(super) fn when_there_is_room(self, descriptor: &impl AsFd, poll: &Poll) -> io::Result<()> {
        let raw = descriptor.as_fd().as_raw_fd();
        poll.registry().reregister(&mut SourceFd(&raw), self.token(), Interest::READABLE | Interest::WRITABLE)
    }

    /// The token that stands for it.
    pub(super) fn token(self) -> Token {
        let (kind, number) = match self {
            Wake::Signals => (0, 0),
            Wake::Wishes => (15, 0),
            Wake::SignalFiles => (16, 0),
            Wake::Bell => (1, 0),
            Wake::Queue => (2, 0),
            Wake::Fifo => (3, 0),
            Wake::Watches => (4, 0),
            Wake::Operators => (5, 0),
            Wake::Operator(number) => (6, number),
            Wake::Descriptor(place) => (7, place),
            Wake::Zygote(generation) => (8, generation.0),
            Wake::Member(seat) => (9, seat.0),
            Wake::Ended(seat) => (10, seat.0),
            Wake::Report(seat) => (11, seat.0),
            Wake::Program(seat) => (12, seat.0),
            Wake::Door(number) => (13, number),
            Wake::Visitor(number) => (14, number),
            Wake::Emperor => (17, 0),
            Wake::Collector => (18, 0),
            Wake::Routers => (19, 0),
            Wake::Attendant(number) => (20, number),
        };
        Token(kind << KIND | number as usize)
    }

    /// What a token stands for; `None` for one that was never given out.
    pub(super) fn of(token: Token) -> Option<Wake> {
        let number = (token.0 & u32::MAX as usize) as u32;
        Some(match token.0 >> KIND {
            0 => Wake::Signals,
            15 => Wake::Wishes,
            16 => Wake::SignalFiles,
            1 => Wake::Bell,
            2 => Wake::Queue,
            3 => Wake::Fifo,
            4 => Wake::Watches,
            5 => Wake::Operators,
            6 => Wake::Operator(number),
            7 => Wake::Descriptor(number),
            8 => Wake::Zygote(Generation(number)),
            9 => Wake::Member(Seat(number)),
            10 => Wake::Ended(Seat(number)),
            11 => Wake::Report(Seat(number)),
            12 => Wake::Program(Seat(number)),
            13 => Wake::Door(number),
            14 => Wake::Visitor(number),
            17 => Wake::Emperor,
            18 => Wake::Collector,
            19 => Wake::Routers,
            20 => Wake::Attendant(number),
            _ => return None,
        })
    }
}

/// No longer wakes up for `descriptor`. Closing it does not do, while others hold what it stands for.
pub(super) fn no_more(descriptor: &impl AsFd, poll: &Poll) -> io::Result<()> {
    poll.registry().deregister(&mut SourceFd(&descriptor.as_fd().as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_is_read_as_what_it_was_written_for() {
        let last = u32::MAX;
        let all = [
            Wake::Signals,
            Wake::Wishes,
            Wake::SignalFiles,
            Wake::Bell,
            Wake::Queue,
            Wake::Fifo,
            Wake::Watches,
            Wake::Operators,
            Wake::Operator(last),
            Wake::Descriptor(last),
            Wake::Zygote(Generation(last)),
            Wake::Member(Seat(last)),
            Wake::Ended(Seat(last)),
            Wake::Report(Seat(last)),
            Wake::Program(Seat(last)),
            Wake::Door(last),
            Wake::Visitor(last),
            Wake::Emperor,
            Wake::Collector,
            Wake::Routers,
            Wake::Attendant(last),
        ];
        let mut tokens: Vec<Token> = all.iter().map(|wake| wake.token()).collect();
        assert_eq!(tokens.iter().map(|token| Wake::of(*token)).collect::<Vec<_>>(), all.map(Some));
        tokens.dedup();
        assert_eq!(tokens.len(), all.len());
        assert_eq!(Wake::of(Token(usize::MAX)), None);
    }
}
