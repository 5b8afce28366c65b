//! The vassals' processes, lines and sockets, and the files that they are of: what the machine's names stand for. Emperor only.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use worker_protocol::ids::ProcessId;

use super::birth::Birth;
use super::monitors::Candidate;
use crate::config::model::{Address, Config, Listener, OnDemand};
use crate::sys::line::Line;
use crate::sys::listeners::{BindOptions, BoundSocket};
use crate::sys::spawn::signal_group;

/// Length of the queue in which connections wait for a vassal that sleeps.
const BACKLOG: u32 = 128;

/// What a vassal is made of.
pub(super) struct Seat {
    /// The number that its descriptors have in the event loop.
    pub(super) number: u32,
    pub(super) candidate: Candidate,
    pub(super) pid: Option<ProcessId>,
    pub(super) line: Option<Line>,
    /// Where its first connection is waited for.
    pub(super) socket: Option<BoundSocket>,
}

/// All of them, by name.
pub(super) struct Court<'a> {
    config: &'a Config,
    program: PathBuf,
    seats: BTreeMap<String, Seat>,
    names: BTreeMap<u32, String>,
    next: u32,
}

impl<'a> Court<'a> {
    pub(super) fn new(config: &'a Config, program: &Path) -> Self {
        Self { config, program: program.to_owned(), seats: BTreeMap::new(), names: BTreeMap::new(), next: 0 }
    }

    pub(super) fn seats(&self) -> &BTreeMap<String, Seat> {
        &self.seats
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Seat> {
        self.seats.get_mut(name)
    }

    /// Whose descriptors have a number.
    pub(super) fn name_of(&self, number: u32) -> Option<&String> {
        self.names.get(&number)
    }

    /// Whose process this is.
    pub(super) fn name_of_process(&self, pid: ProcessId) -> Option<&String> {
        self.seats.iter().find(|(_, seat)| seat.pid == Some(pid)).map(|(name, _)| name)
    }

    /// A file was found. Whether a connection is to start its vassal.
    ///
    /// # Errors
    /// When nobody can be waited for at its address.
    pub(super) fn admit(&mut self, name: &str, candidate: Candidate) -> Result<bool, String> {
        let socket = match address_of(&self.config.emperor.on_demand, name, &candidate.path)? {
            Some(address) => Some(listen(address)?),
            None => None,
        };
        let on_demand = socket.is_some();
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.names.insert(number, name.to_owned());
        self.seats.insert(name.to_owned(), Seat { number, candidate, pid: None, line: None, socket });
        Ok(on_demand)
    }

    /// Forgets one, with its socket.
    pub(super) fn dismiss(&mut self, name: &str) {
        let Some(seat) = self.seats.remove(name) else { return };
        self.names.remove(&seat.number);
        if let Some(Err(error)) = seat.socket.map(|socket| socket.remove_file()) {
            log::warn!("[emperor] vassal {name}: {error}");
        }
    }

    /// Executes one.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn start(&mut self, name: &str) -> io::Result<()> {
        let Some(seat) = self.seats.get_mut(name) else { return Ok(()) };
        let birth = Birth {
            config: self.config,
            name,
            candidate: &seat.candidate,
            program: &self.program,
            socket: seat.socket.as_ref().map(AsFd::as_fd),
        };
        let (pid, line) = birth.begin()?;
        (seat.pid, seat.line) = (Some(pid), Some(line));
        Ok(())
    }

    /// Kills all processes of one.
    pub(super) fn kill(&self, name: &str) {
        let Some(pid) = self.seats.get(name).and_then(|seat| seat.pid) else { return };
        // It is not reaped, so that its group is its own.
        if let Err(error) = signal_group(pid, libc::SIGKILL) {
            log::error!("[emperor] cannot kill vassal {name}: {error}");
        }
    }
}

/// Where a vassal is to be waited for: the first of both ways that the configuration has.
fn address_of(on_demand: &OnDemand, name: &str, path: &Path) -> Result<Option<Address>, String> {
    if let Some(extension) = &on_demand.extension {
        let mut file = path.as_os_str().to_owned();
        file.push(extension);
        return match std::fs::read_to_string(&file) {
            Ok(text) => {
                let line = text.split(|c: char| c < ' ').next().unwrap_or_default();
                crate::config::options::parse_listening(line)
                    .map(Some)
                    .ok_or_else(|| format!("{}: {line:?} is no address", Path::new(&file).display()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{}: {error}", Path::new(&file).display())),
        };
    }
    let stem = || Path::new(name).file_stem().map(|stem| format!("{}.socket", stem.to_string_lossy()));
    Ok(on_demand.directory.as_ref().and_then(|directory| Some(Address::Unix(directory.join(stem()?)))))
}

/// Everybody may connect, as in uWSGI: who may reach the directory is its owner's to say.
fn listen(address: Address) -> Result<BoundSocket, String> {
    let options = BindOptions { backlog: BACKLOG, mode: Some(0o666), ..BindOptions::default() };
    let listener = Listener { defer_accept: false, ..Listener::on(address) };
    BoundSocket::bind(&listener, &options).map_err(|error| error.to_string())
}
