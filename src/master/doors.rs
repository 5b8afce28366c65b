//! Where others come to the master: the sockets behind which the instance tells of itself or gives its sockets away, and
//! what is to be had behind each. Not for giving it: that is in `statistics` and `zerg`. Master only.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::os::fd::{AsRawFd, OwnedFd};

use mio::Poll;
use mio::unix::SourceFd;

use super::sockets::bind_options;
use super::wake::Wake;
use crate::config::model::{Address, Config, Listener};
use crate::failure::StartFailure;
use crate::sys::journal;
use crate::sys::listeners::{BindOptions, BoundSocket};
use crate::sys::machine;

/// How many may wait to be let in.
const BACKLOG: u32 = 128;

/// What is to be had behind a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// uWSGI's document, to whoever connects.
    Document,
    /// What is asked for over HTTP; uWSGI's document when it is nothing else.
    Pages,
    /// The same without that document.
    Metrics,
    /// A line for HAProxy's agent, to whoever connects.
    Agent,
    /// What routers tell of themselves, who wait there in the master's place (`http-stats`).
    Router,
    /// The instance's own sockets (`zerg-server`).
    Sockets,
    /// Those of the pool at this place (`zerg-pool`).
    Pool(usize),
    /// Instances announce themselves to routers, who wait there in the master's place (`http-subscription-server`).
    Announcements,
}

impl Manner {
    /// Whether whoever comes is told something, and that is all.
    pub(super) fn only_tells(self) -> bool {
        matches!(self, Manner::Document | Manner::Pages | Manner::Metrics | Manner::Agent)
    }

    /// Whether it is the routers' alone.
    fn is_of_routers(self) -> bool {
        matches!(self, Manner::Router | Manner::Announcements)
    }

    fn takes_datagrams(self) -> bool {
        self == Manner::Announcements
    }
}

/// One of them.
pub(super) struct Door {
    pub(super) socket: BoundSocket,
    pub(super) manner: Manner,
    is_watched: bool,
}

/// All of them, by numbers that no later one has.
#[derive(Default)]
pub(super) struct Doors {
    open: BTreeMap<u32, Door>,
    next: u32,
    /// In which routers tell each other of announcements; it stays while the instance does.
    journal: Option<OwnedFd>,
}

/// Those that a configuration has and the one in force has not.
#[derive(Default)]
pub(super) struct NewDoors {
    sockets: Vec<BoundSocket>,
    journal: Option<OwnedFd>,
}

impl Doors {
    /// Opens those of a configuration, and has them wake the master.
    ///
    /// # Errors
    /// When one of them cannot be opened. Nothing is left behind then.
    pub(super) fn open(config: &Config, poll: &Poll) -> Result<Self, StartFailure> {
        let mut doors = Self::default();
        let new = doors.missing(config)?;
        doors.change_to(new, config);
        doors.watch(poll).inspect_err(|_| doors.withdraw())?;
        Ok(doors)
    }

    /// Goes on with the sockets of the image before.
    ///
    /// # Errors
    /// When they cannot be watched.
    pub(super) fn adopt(
        sockets: Vec<BoundSocket>,
        journal: Option<OwnedFd>,
        config: &Config,
        poll: &Poll,
    ) -> Result<Self, StartFailure> {
        let mut doors = Self::default();
        doors.change_to(NewDoors { sockets, journal }, config);
        doors.watch(poll)?;
        Ok(doors)
    }

    /// All sockets.
    pub(super) fn sockets(&self) -> impl Iterator<Item = &BoundSocket> {
        self.open.values().map(|door| &door.socket)
    }

    /// Where routers tell of themselves.
    pub(super) fn of_routers(&self) -> Option<&BoundSocket> {
        self.open.values().find(|door| door.manner == Manner::Router).map(|door| &door.socket)
    }

    /// Where instances announce themselves to routers, and in what those tell each other of it.
    pub(super) fn of_announcements(&self) -> impl Iterator<Item = &BoundSocket> {
        self.open.values().filter(|door| door.manner == Manner::Announcements).map(|door| &door.socket)
    }

    /// In what routers tell each other of announcements.
    pub(super) fn journal(&self) -> Option<&OwnedFd> {
        self.journal.as_ref()
    }

    pub(super) fn get(&self, number: u32) -> Option<&Door> {
        self.open.get(&number)
    }

    /// Opens what a configuration has and is not open, or not where visitors find it.
    ///
    /// # Errors
    /// When one cannot be opened. Nothing is left behind then.
    pub(super) fn missing(&self, config: &Config) -> Result<NewDoors, StartFailure> {
        let all = BindOptions { backlog: BACKLOG, ..bind_options(config)? };
        let mut new = NewDoors::default();
        for (address, manner) in wanted(config) {
            let is_it = |socket: &BoundSocket| is_behind(socket, address, manner) && socket.is_at_its_name();
            if self.sockets().any(is_it) {
                continue;
            }
            // Nobody has to say anything before an answer comes.
            let listener = Listener { defer_accept: false, ..Listener::on(address.clone()) };
            let options = match manner {
                // Who may connect may take part in serving. `chmod-socket` is about clients.
                Manner::Sockets => BindOptions { mode: None, ..all.clone() },
                Manner::Document | Manner::Pages => {
                    let mode = config.statistics.mode(config.chmod_socket, machine::umask());
                    BindOptions { mode: Some(mode), ..all.clone() }
                }
                Manner::Announcements => BindOptions { datagrams: true, ..all.clone() },
                _ => all.clone(),
            };
            match BoundSocket::bind(&listener, &options) {
                Ok(socket) => new.sockets.push(socket),
                Err(error) => {
                    new.withdraw();
                    return Err(StartFailure::from(error).about(option_of(config, address, manner)));
                }
            }
        }
        if config.routers.hearing.is_on() && self.journal.is_none() {
            let made = journal::make().map_err(|error| StartFailure::system("make the routers' journal", &error));
            new.journal = Some(made.inspect_err(|_| new.withdraw())?);
        }
        Ok(new)
    }

    /// Has those that a configuration wants, of what is open and what was opened for it; closes the others.
    pub(super) fn change_to(&mut self, new: NewDoors, config: &Config) {
        let wanted: Vec<_> = wanted(config).collect();
        let manner_of = |socket: &BoundSocket| {
            wanted.iter().find(|(address, manner)| is_behind(socket, address, *manner)).map(|(_, manner)| *manner)
        };
        let is_same = |old: &BoundSocket, socket: &BoundSocket| {
            (&socket.listener.address, socket.datagrams) == (&old.listener.address, old.datagrams)
        };
        let is_replaced = |old: &BoundSocket| new.sockets.iter().any(|socket| is_same(old, socket));
        self.open.retain(|_, door| match manner_of(&door.socket).filter(|_| !is_replaced(&door.socket)) {
            Some(manner) => {
                door.is_watched &= door.manner.is_of_routers() == manner.is_of_routers();
                door.manner = manner;
                true
            }
            None => {
                remove_file(&door.socket);
                false
            }
        });
        self.journal = self.journal.take().or(new.journal);
        for socket in new.sockets {
            if let Some(manner) = manner_of(&socket) {
                self.open.insert(self.next, Door { socket, manner, is_watched: false });
                self.next = self.next.wrapping_add(1);
            }
        }
    }

    /// Has the new ones wake the master.
    ///
    /// # Errors
    /// When the event loop does not take one.
    pub(super) fn watch(&mut self, poll: &Poll) -> Result<(), StartFailure> {
        for (number, door) in self.open.iter_mut().filter(|(_, door)| !door.is_watched) {
            if door.manner.is_of_routers() {
                // Known only if it had another manner before.
                let _ = poll.registry().deregister(&mut SourceFd(&door.socket.as_fd().as_raw_fd()));
            } else {
                Wake::Door(*number)
                    .when_readable(&door.socket, poll)
                    .map_err(|error| StartFailure::system("listen at the master's own sockets", &error))?;
            }
            door.is_watched = true;
            let (name, raw) = (&door.socket.name, door.socket.as_fd().as_raw_fd());
            match door.manner {
                Manner::Document | Manner::Pages => log::info!("*** Stats server enabled on {name} fd: {raw} ***"),
                Manner::Metrics => log::info!("metrics are told on {name}"),
                Manner::Agent => log::info!("HAProxy's agent is told on {name}"),
                Manner::Router => log::info!("routers tell of themselves on {name}"),
                Manner::Announcements => log::info!("routers hear announcements on {name}"),
                Manner::Sockets => log::info!("zerg server enabled on {name}"),
                Manner::Pool(_) => log::info!("zerg pool enabled on {name}"),
            }
        }
        Ok(())
    }

    /// Removes what was made for an instance that does not start after all.
    pub(super) fn withdraw(&self) {
        for socket in self.sockets() {
            // Best effort: the failure itself is what the operator must read.
            let _ = socket.remove_file();
        }
    }

    /// `vacuum`: leaves no file behind.
    pub(super) fn vacuum(&self) {
        for socket in self.sockets() {
            match socket.remove_file() {
                Ok(true) => log::info!("VACUUM: unix socket {} (of the master) removed.", socket.name),
                Ok(false) => {}
                Err(error) => log::warn!("VACUUM: cannot remove {}: {error}", socket.name),
            }
        }
    }
}

impl NewDoors {
    /// Removes what was made for a configuration that does not come into force.
    pub(super) fn withdraw(&self) {
        for socket in &self.sockets {
            // Best effort: what kept them from being used is what the operator must read.
            let _ = socket.remove_file();
        }
    }
}

/// The addresses of a configuration, each once.
fn wanted(config: &Config) -> impl Iterator<Item = (&Address, Manner)> {
    let statistics = &config.statistics;
    let manner = if statistics.http { Manner::Pages } else { Manner::Document };
    let server = statistics.server.as_ref().map(|address| (address, manner));
    let metrics = statistics.metrics.as_ref().filter(|address| statistics.server.as_ref() != Some(address));
    let agent = statistics.agent.as_ref().map(|address| (address, Manner::Agent));
    let zergs = config.zerg.server.as_ref().map(|address| (address, Manner::Sockets));
    let pools = config.zerg.pools.iter().enumerate().map(|(place, pool)| (&pool.door, Manner::Pool(place)));
    let metrics = metrics.map(|address| (address, Manner::Metrics));
    let routers = config.routers.statistics.as_ref().map(|address| (address, Manner::Router));
    let heard = config.routers.hearing.at.iter().map(|address| (address, Manner::Announcements));
    server.into_iter().chain(metrics).chain(agent).chain(routers).chain(heard).chain(zergs).chain(pools)
}

/// Whether a socket is the one for an address of a configuration: the ports of UDP are not those of TCP.
fn is_behind(socket: &BoundSocket, address: &Address, manner: Manner) -> bool {
    socket.listener.address == *address && socket.datagrams == manner.takes_datagrams()
}

/// The option that has a door opened.
fn option_of(config: &Config, address: &Address, manner: Manner) -> &'static str {
    match manner {
        Manner::Agent => "agent-check",
        Manner::Router => "http-stats",
        Manner::Announcements => "http-subscription-server",
        Manner::Sockets => "zerg-server",
        Manner::Pool(_) => "zergpool",
        _ if config.statistics.metrics.as_ref() == Some(address) => "metrics",
        _ => "stats",
    }
}

fn remove_file(socket: &BoundSocket) {
    if let Err(error) = socket.remove_file() {
        log::warn!("cannot remove {}: {error}", socket.name);
    }
}
