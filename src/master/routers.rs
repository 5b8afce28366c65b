//! Executing routers: what each gets is what is in force. Master only; what a router does is `crate::router`.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use super::children::environment;
use super::children::executed::{Becomes, Order};
use super::driver::Driver;
use super::in_force::InForce;
use super::machine::{Event, Post, RecipeId, Seat};
use crate::config::model::Daemon;
use crate::router::birth::RouterBirth;
use crate::router::settings::{Gate, RoutedDoor, Settings};
use crate::sys::control::ControlSocket;
use crate::sys::listeners::BoundSocket;
use crate::sys::shared_memory::memory_file;
use crate::travel::ROUTER;

impl Driver<'_> {
    /// Executes a router for the sockets in force.
    pub(super) fn execute_router(&mut self, seat: Seat, post: Post, recipe: RecipeId, nth: u32) {
        let (settings, ours, theirs) = match equip(&self.in_force) {
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
            doors: routed(&self.in_force).map(AsFd::as_fd).collect(),
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

/// Its settings in memory, and both ends of the socket on which it is spoken to.
fn equip(in_force: &InForce) -> io::Result<(OwnedFd, ControlSocket, ControlSocket)> {
    let (ours, theirs) = ControlSocket::pair()?;
    let settings = settings(in_force, theirs.as_fd().as_raw_fd());
    Ok((memory_file(&ROUTER.pack(&settings)?)?, ours, theirs))
}

fn routed(in_force: &InForce) -> impl Iterator<Item = &BoundSocket> {
    in_force.sockets.iter().filter(|socket| socket.listener.is_routed())
}

fn settings(in_force: &InForce, control: RawFd) -> Settings {
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
    Settings {
        doors: routed(in_force).map(door).collect(),
        gates: in_force.sockets.iter().filter_map(gate).collect(),
        routers: config.routers.clone(),
        http: config.http.clone(),
        limits: config.request.clone(),
        added: config.answers.added.clone(),
        logging: config.logging.clone(),
        control,
    }
}
