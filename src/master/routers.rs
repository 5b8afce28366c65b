//! Executing routers: what each gets is what is in force. Master only; what a router does is `crate::router`.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::PathBuf;

use super::children::environment;
use super::children::executed::{Becomes, Order};
use super::driver::Driver;
use super::in_force::InForce;
use super::machine::{Event, Post, RecipeId, Seat};
use crate::config::model::{Address, Daemon};
use crate::router::birth::RouterBirth;
use crate::router::settings::{Gate, Listening, RoutedDoor, Settings, Telling};
use crate::sys::control::ControlSocket;
use crate::sys::listeners::BoundSocket;
use crate::sys::shared_memory::memory_file;
use crate::travel::ROUTER;

impl Driver<'_> {
    /// Executes a router for the sockets in force.
    pub(super) fn execute_router(&mut self, seat: Seat, post: Post, recipe: RecipeId, nth: u32) {
        let (settings, ours, theirs) = match equip(&self.in_force, post) {
            Ok(equipment) => equipment,
            Err(error) => {
                log::error!("{post} cannot be executed: {error}");
                return self.handle(Event::ForkFailed { seat, errno: error.raw_os_error().unwrap_or(libc::EIO) });
            }
        };
        let config = &self.in_force.config;
        let birth = RouterBirth {
            program: self.children.own_path().to_owned(),
            settings,
            control: theirs,
            doors: listened(&self.in_force).map(AsFd::as_fd).chain(journal(&self.in_force)).collect(),
            // Else the master itself has become that user, and the router is it as well.
            identity: config.identity.master_as_root.then_some(&config.identity),
            environment: environment::for_children(&config.environment),
            parent: std::process::id(),
        };
        // What the book of programs needs to know: what it is called, and which signal tells it to go.
        let daemon = Daemon { command: post.to_string(), ..Daemon::default() };
        let becomes = Becomes::Router(&birth);
        let order = Order { seat, recipe, nth, daemon: &daemon, environment: Vec::new(), becomes };
        self.children.router_ears.note(seat, ours);
        let events = self.children.executed.start(order, &self.poll);
        self.handle_all(events);
    }
}

/// Where routers listen, and the files there.
pub(super) type Held = Vec<(Address, Option<(PathBuf, u64, u64)>)>;

/// Those of what is in force.
pub(super) fn held(in_force: &InForce) -> Held {
    listened(in_force).map(|socket| (socket.listener.address.clone(), socket.file.clone())).collect()
}

/// Whether one of them was made anew at the same place, since nobody found the old one there any more: routers whose settings
/// are the same still have that.
pub(super) fn are_made_anew(before: &Held, now: &Held) -> bool {
    let is_old = |(address, file): &(Address, _)| before.iter().any(|(known, old)| known == address && old != file);
    now.iter().any(is_old)
}

/// Its settings in memory, and both ends of the socket on which it is spoken to.
fn equip(in_force: &InForce, post: Post) -> io::Result<(OwnedFd, ControlSocket, ControlSocket)> {
    let (ours, theirs) = ControlSocket::pair()?;
    let settings = settings(in_force, post, theirs.as_fd().as_raw_fd());
    Ok((memory_file(&ROUTER.pack(&settings)?)?, ours, theirs))
}

/// All sockets that a router is given.
fn listened(in_force: &InForce) -> impl Iterator<Item = &BoundSocket> {
    routed(in_force).chain(in_force.doors.of_routers()).chain(in_force.doors.of_announcements())
}

/// In what routers tell each other of announcements.
fn journal(in_force: &InForce) -> Option<BorrowedFd<'_>> {
    in_force.doors.journal().map(AsFd::as_fd).filter(|_| in_force.config.routers.hearing.is_on())
}

fn routed(in_force: &InForce) -> impl Iterator<Item = &BoundSocket> {
    in_force.sockets.iter().filter(|socket| socket.listener.is_routed())
}

fn settings(in_force: &InForce, post: Post, control: RawFd) -> Settings {
    let config = &in_force.config;
    let door = |socket: &BoundSocket| RoutedDoor {
        descriptor: socket.as_fd().as_raw_fd(),
        name: socket.name.clone(),
        protocol: socket.listener.protocol,
        reads_requests: socket.listener.reads_requests,
        to_https: socket.listener.to_https,
        tls: socket.listener.tls.clone(),
    };
    let gate =
        |socket: &BoundSocket| Some(Gate { protocol: socket.listener.protocol, name: socket.name_behind_router()? });
    let telling = |socket: &BoundSocket| Telling {
        descriptor: socket.as_fd().as_raw_fd(),
        over_http: config.statistics.http,
        minified: config.statistics.minified,
        router: post.number,
    };
    Settings {
        doors: routed(in_force).map(door).collect(),
        gates: in_force.sockets.iter().filter_map(gate).collect(),
        routers: config.routers.clone(),
        http: config.http.clone(),
        limits: config.request.clone(),
        added: config.answers.added.clone(),
        logging: config.logging.clone(),
        telling: in_force.doors.of_routers().map(telling),
        listening: journal(in_force).map(|journal| Listening {
            sockets: in_force.doors.of_announcements().map(|socket| socket.as_fd().as_raw_fd()).collect(),
            journal: journal.as_raw_fd(),
        }),
        control,
    }
}
