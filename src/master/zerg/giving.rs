//! Sockets given to whoever comes for them: the instance's own (`zerg-server`) or those of a pool. Whoever has them takes part
//! in serving, so the file's permissions say who may, and where there is no file, the user. Master only.

use std::os::fd::{AsFd, BorrowedFd};

use nix::unistd::Uid;

use super::super::doors::{Door, Manner};
use super::super::driver::Driver;
use super::super::wake::Wake;
use crate::config::model::Address;
use crate::sys::handing::{give, peer_user};
use crate::sys::stream::{Stream, accept};

/// Most who are served before anything else gets its turn.
const WELCOMES_MAX: usize = 64;

impl Driver<'_> {
    /// Gives the sockets behind a door to all who wait there.
    pub(in crate::master) fn give_sockets(&self, number: u32) {
        let Some(door) = self.in_force.doors.get(number) else { return };
        let sockets = self.sockets_behind(door);
        for _ in 0..WELCOMES_MAX {
            match accept(&door.socket) {
                Ok(Some(connection)) => give_to(&connection, door, &sockets),
                Ok(None) => return,
                Err(error) => {
                    log::warn!("{}: nobody is let in: {error}", door.socket.name);
                    break;
                }
            }
        }
        // More may wait, of whom the event loop would not tell again by itself.
        if let Err(error) = Wake::Door(number).again(&door.socket, &self.poll) {
            log::error!("{} is not heard any more: {error}", door.socket.name);
        }
    }

    fn sockets_behind(&self, door: &Door) -> Vec<BorrowedFd<'_>> {
        match door.manner {
            Manner::Pool(place) => self.in_force.pools.sockets_of(place),
            // What is behind a certificate is for those who have that.
            _ => self.in_force.sockets.iter().filter(|one| one.listener.is_plain()).map(AsFd::as_fd).collect(),
        }
    }
}

fn give_to(connection: &Stream, door: &Door, sockets: &[BorrowedFd<'_>]) {
    let name = &door.socket.name;
    let user = peer_user(connection);
    if !may_take(user, &door.socket.listener.address) {
        return log::warn!("{name}: user {} takes no sockets there", user.map_or(-1, i64::from));
    }
    match give(connection, sockets) {
        Ok(()) => log::info!("{name}: {} sockets given to a zerg", sockets.len()),
        Err(error) => log::warn!("{name}: a zerg got no sockets: {error}"),
    }
}

/// Anybody on the machine can connect to an abstract name.
fn may_take(user: Option<u32>, address: &Address) -> bool {
    match address {
        Address::Abstract(_) => user.is_some_and(|user| user == 0 || user == Uid::effective().as_raw()),
        _ => true,
    }
}
