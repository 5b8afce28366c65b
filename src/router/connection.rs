//! One connection of whichever kind: whose bytes are passed on as they are, or whose requests are read. Router only.

use super::session::{Desk, Session, Watched, WorkersEnd};
use super::tunnel::{Hall, Tunnel};
use super::turn::Next;
use crate::sys::stream::Stream;

/// One of them.
pub(super) enum Connection {
    Tunnel(Box<Tunnel>),
    Session(Box<Session>),
}

/// Which end of it something happened at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Worker,
}

impl Connection {
    /// The client's end.
    pub(super) fn client(&mut self) -> &Stream {
        match self {
            Connection::Tunnel(tunnel) => tunnel.client().stream(),
            Connection::Session(session) => session.client().stream(),
        }
    }

    /// The worker's end, as soon as there is one.
    pub(super) fn worker(&self) -> Option<WorkersEnd<'_>> {
        match self {
            Connection::Tunnel(tunnel) => {
                tunnel.worker().map(|stream| WorkersEnd { stream, nth: 1, watched: Watched::Both })
            }
            Connection::Session(session) => session.worker(),
        }
    }

    /// There is something to be read at one of its ends. `ends`: its end, too.
    pub(super) fn wake(&mut self, side: Side, ends: bool) {
        match (self, side) {
            (Connection::Tunnel(tunnel), Side::Client) => tunnel.client().wake(ends),
            (Connection::Session(session), Side::Client) => session.client().wake(ends),
            (Connection::Session(session), Side::Worker) => session.wake_worker(ends),
            (Connection::Tunnel(_), Side::Worker) => {}
        }
    }

    /// Moves what can be moved.
    pub(super) fn advance(&mut self, hall: &Hall<'_>, desk: &mut Desk<'_>) -> Next {
        match self {
            Connection::Tunnel(tunnel) => tunnel.advance(hall, desk.scratch, desk.moment.us),
            Connection::Session(session) => session.advance(desk),
        }
    }
}
