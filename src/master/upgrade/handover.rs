//! What a master leaves to its next image: written down with every descriptor's number, and made into a master again.
//! Both images; what makes it out of the running master is in `replacing`.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use mio::Poll;
use serde::{Deserialize, Serialize};

use super::super::children::{Children, ChildrenHandover};
use super::super::decisions::{DecisionFile, DecisionFileHandover};
use super::super::descriptors::{DescriptorHandover, Descriptors};
use super::super::doors::Doors;
use super::super::driver::Parts;
use super::super::fifo::FifoHandover;
use super::super::files::PidFiles;
use super::super::in_force::{InForce, adopt_fifos, go_on_watching};
use super::super::ledger::Ledger;
use super::super::machine::{Machine, Snapshot, Time};
use super::super::memories::{Memories, MemoryHandover};
use super::super::operator::Operators;
use super::super::passed::Passed;
use super::super::schedule::Schedule;
use super::super::signals::Signals;
use super::super::vassal::Vassal;
use super::super::wake::Wake;
use super::super::watches::WatchHandover;
use super::super::zerg::Pools;
use crate::config::model::{Config, Listener};
use crate::failure::StartFailure;
use crate::scaling::Memory;
use crate::sys::clock::monotonic_us;
use crate::sys::listeners::BoundSocket;
use crate::sys::shared_memory::{memory_file, read_memory_file};
use crate::sys::wait::Doorbell;
use crate::timetable::{Errands, Timetable};
use crate::travel::HANDOVER;

/// Everything that the next image must know. What later versions add has a default.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Handover {
    pub(super) snapshot: Snapshot,
    pub(super) config: Config,
    pub(super) children: ChildrenHandover,
    pub(super) sockets: Vec<SocketHandover>,
    pub(super) bell: Passed,
    pub(super) operators: Passed,
    /// Whether the application's processes may not look into the master, which an exec would make them.
    #[serde(default)]
    pub(super) closed: bool,
    #[serde(default)]
    pub(super) descriptors: Vec<DescriptorHandover>,
    #[serde(default)]
    pub(super) fifo: FifoHandover,
    #[serde(default)]
    pub(super) watches: Vec<WatchHandover>,
    #[serde(default)]
    pub(super) pid_files: Vec<PathBuf>,
    #[serde(default)]
    pub(super) decisions: Option<DecisionFileHandover>,
    #[serde(default)]
    pub(super) scaling: Memory,
    /// Where the instance tells of itself.
    #[serde(default)]
    pub(super) doors: Vec<SocketHandover>,
    /// In which routers tell each other of announcements.
    #[serde(default)]
    pub(super) journal: Option<Passed>,
    /// Sockets that are held for zergs, pool by pool.
    #[serde(default)]
    pub(super) pools: Vec<Vec<SocketHandover>>,
    /// Masters up to 0.2 had none.
    #[serde(default)]
    pub(super) ledger: Option<Ledger>,
    /// What the application wants of signals.
    #[serde(default)]
    pub(super) timetable: Timetable,
    /// The commands that run at certain minutes.
    #[serde(default)]
    pub(super) errands: Errands,
    /// The line to the Emperor.
    #[serde(default)]
    pub(super) vassal: Option<Passed>,
    /// What all processes share, besides the scoreboard.
    #[serde(default)]
    pub(super) memories: Vec<MemoryHandover>,
    /// When the stop begins that was ordered.
    #[serde(default)]
    pub(super) stops_at_us: Option<u64>,
    /// Where the log would be without a collector.
    #[serde(default)]
    pub(super) log_beneath: Option<Passed>,
}

/// What the image before has learnt.
pub(super) struct Learnt {
    pub(super) scaling: Memory,
    pub(super) ledger: Option<Ledger>,
    pub(super) timetable: Timetable,
    pub(super) errands: Errands,
    pub(super) stops_at_us: Option<u64>,
    pub(super) log_beneath: Option<File>,
    pub(super) vassal: Option<Vassal>,
}

/// A listening socket on its way to the next image.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SocketHandover {
    listener: Listener,
    descriptor: Passed,
    #[serde(default)]
    file: Option<(PathBuf, u64, u64)>,
    #[serde(default)]
    activated: bool,
}

impl SocketHandover {
    pub(super) fn of(socket: &BoundSocket) -> io::Result<Self> {
        Ok(Self {
            listener: socket.listener.clone(),
            descriptor: Passed::on(socket)?,
            file: socket.file.clone(),
            activated: socket.activated,
        })
    }

    fn adopt(self) -> io::Result<BoundSocket> {
        let Self { listener, descriptor, file, activated } = self;
        let name = listener.address.to_string();
        let socket = BoundSocket::adopt(listener, descriptor.take()?, file, activated)?;
        if !socket.datagrams && !socket.listens() {
            return Err(io::Error::other(format!("what was passed for {name} does not listen")));
        }
        Ok(socket)
    }
}

impl Handover {
    /// Puts it into memory behind a descriptor.
    pub(super) fn write(&self) -> io::Result<OwnedFd> {
        memory_file(&HANDOVER.pack(self)?)
    }

    /// Reads what the image before has left behind a descriptor.
    pub(super) fn read(number: i32) -> io::Result<Self> {
        let file = Passed::numbered(number).take()?;
        HANDOVER.open(&read_memory_file(file)?).map_err(io::Error::other)
    }

    /// Makes a master of it: all that can fail for the next image. A binary that is only asked whether it could be that
    /// does the same, with descriptors that it has inherited, and changes nothing by it.
    ///
    /// # Errors
    /// What of it cannot be used.
    pub(super) fn adopt(self) -> Result<(Parts, Learnt), StartFailure> {
        let system = |what| move |error: io::Error| StartFailure::system(what, &error);
        let mut signals = Signals::install().map_err(system("install signal handlers"))?;
        let poll = Poll::new().map_err(system("set up the event loop"))?;
        signals.watch(&poll).map_err(system("watch for signals"))?;
        let machine = Machine::adopt(Time(monotonic_us()), self.snapshot).map_err(StartFailure::configuration)?;
        let children = Children::adopt(self.children, &poll).map_err(system("take over the children"))?;
        children.judge(&machine, &self.config).map_err(StartFailure::configuration)?;
        let bell = self.bell.take().map(Doorbell::from_owned);
        let bell = bell.and_then(|bell| Wake::Bell.when_readable(&bell, &poll).map(|()| bell));
        let bell = bell.map_err(system("take over the doorbell"))?;
        let operators = self.operators.take().and_then(|listener| Operators::adopt(listener, &poll));
        let operators = operators.map_err(system("take over the operators' socket"))?;
        let descriptors =
            Descriptors::adopt(self.descriptors).map_err(system("take over the descriptors to reload on"))?;
        descriptors.watch(&poll)?;
        let mut in_force = InForce::of(self.config);
        let sockets = self.sockets.into_iter().map(SocketHandover::adopt).collect::<io::Result<_>>();
        in_force.sockets = sockets.map_err(system("take over the sockets"))?;
        let doors = self.doors.into_iter().map(SocketHandover::adopt).collect::<io::Result<_>>();
        let doors = doors.map_err(system("take over the master's own sockets"))?;
        let pools = self.pools.into_iter().map(|pool| pool.into_iter().map(SocketHandover::adopt).collect());
        let pools = pools.collect::<io::Result<_>>().map_err(system("take over the sockets of the zerg pools"))?;
        in_force.pools = Pools::adopt(pools);
        let journal = self.journal.map(Passed::take).transpose();
        let journal = journal.map_err(system("take over the routers' journal"))?;
        in_force.doors = Doors::adopt(doors, journal, &in_force.config, &poll)?;
        in_force.memories = Memories::adopt(self.memories, &in_force.config)?;
        in_force.fifos = adopt_fifos(&in_force.config, self.fifo, &poll)?;
        in_force.schedule = Schedule::of(&in_force.config.scaling)?;
        in_force.watches = go_on_watching(&in_force.config, &poll)?;
        in_force.watches.remember(self.watches, monotonic_us());
        let decisions = self.decisions.map(DecisionFile::adopt).transpose();
        in_force.decisions = decisions.map_err(system("take over the log of decisions"))?;
        let pid_files = PidFiles::adopt(self.pid_files);
        let parts = Parts { poll, machine, children, bell, signals, operators, descriptors, in_force, pid_files };
        let log_beneath = self.log_beneath.map(Passed::take).transpose().map_err(system("take over the log"))?;
        let vassal = self.vassal.map(Vassal::adopt).transpose().map_err(system("hear the Emperor"))?;
        let learnt = Learnt {
            vassal,
            scaling: self.scaling,
            ledger: self.ledger,
            timetable: self.timetable,
            errands: self.errands,
            stops_at_us: self.stops_at_us,
            log_beneath: log_beneath.map(File::from),
        };
        Ok((parts, learnt))
    }
}
