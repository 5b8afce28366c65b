//! Executing zygotes, and ending them. How they are executed is in `launch` and `interpreter`. Master only.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use mio::Poll;
use nix::sys::signal::Signal;
use worker_protocol::control::ToZygote;

use super::super::directory::Directory;
use super::super::machine::{Event, ExitStatus, Generation, ProcessId};
use super::super::memories::Memories;
use super::super::upgrade::start_directory;
use super::super::wake::Wake;
use super::launch;
use super::registry::{Children, Zygote};
use crate::config::model::Config;
use crate::exit::Exit;
use crate::sys::control::ControlSocket;
use crate::sys::listeners::BoundSocket;
use crate::sys::process::PidFd;
use crate::sys::shared_memory::memory_file;
use crate::sys::wait::Doorbell;
use crate::travel::SETTINGS;

/// What a zygote is executed for, and what it gets.
pub(in crate::master) struct Equipment<'a> {
    /// What it loads, and how.
    pub(in crate::master) config: &'a Config,
    /// What its workers listen on.
    pub(in crate::master) sockets: &'a [BoundSocket],
    /// What its processes share.
    pub(in crate::master) memories: &'a Memories,
    /// Where it logs, if not where the master does.
    pub(in crate::master) log: Option<&'a File>,
    /// Where it is executed, if not where the master stands.
    pub(in crate::master) directory: Option<&'a Directory>,
    /// What its workers ring.
    pub(in crate::master) bell: &'a Doorbell,
}

impl Children {
    /// Executes a zygote and sends it what it needs. A failure is told as its death.
    pub(in crate::master) fn start_zygote(
        &mut self,
        generation: Generation,
        equipment: &Equipment<'_>,
        poll: &Poll,
    ) -> Result<(), Vec<Event>> {
        match self.execute_zygote(generation, equipment, poll) {
            Ok(zygote) => {
                self.zygotes.insert(generation, zygote);
                Ok(())
            }
            // There is no process whose end could be awaited.
            Err(error) => Err(vec![
                Event::ZygoteLoadFailed {
                    generation,
                    exit_code: i32::from(exit_of(&error).code()),
                    reason: format!("cannot execute the zygote: {error}"),
                },
                Event::ZygoteExited { generation, status: ExitStatus::Code(1) },
            ]),
        }
    }

    fn execute_zygote(&mut self, generation: Generation, equipment: &Equipment<'_>, poll: &Poll) -> io::Result<Zygote> {
        let Equipment { config, sockets, memories, log, directory, bell } = *equipment;
        let (ours, theirs) = ControlSocket::pair()?;
        // The sockets that there are: those that the init system opened may not be in the configuration, and some are
        // the router's.
        let served: Vec<&BoundSocket> = sockets.iter().filter(|socket| !socket.listener.is_routed()).collect();
        let listeners: Vec<_> = served.iter().map(|socket| socket.told()).collect();
        let count = u32::try_from(listeners.len()).map_err(io::Error::other)?;
        let mailboxes = self.mailboxes.provide(config, poll)?;
        let ends = self.mailboxes.ends(&mailboxes);
        let mut settings = Config { sockets: listeners, mailboxes, memories: memories.names(), ..config.clone() };
        // Workers that load by themselves look the directory up anew.
        if settings.identity.chdir.is_some() {
            settings.identity.chdir = Some(config.directory(&start_directory()?));
        }
        let settings = memory_file(&SETTINGS.pack(&settings)?)?;
        let child =
            Directory::within(directory, || launch::launch(config, &self.own_path, &self.ahead, &theirs, log))??;
        if let Some(board) = self.board() {
            board.write_header();
        }
        let mut beside = vec![self.words.as_fd(), bell.as_fd(), settings.as_fd()];
        beside.extend(served.iter().map(|socket| socket.as_fd()));
        let mailboxes = u32::try_from(ends.len() / 2).map_err(io::Error::other)?;
        beside.extend(ends);
        beside.extend(memories.descriptors());
        let shared = u32::try_from(memories.names().len()).map_err(io::Error::other)?;
        let (seats, threads) = (self.layout.seats(), self.layout.threads());
        let records = ToZygote::set_up(generation, seats, threads, count, mailboxes, shared);
        match ours.send_records(&records, &beside) {
            // It has ended already, which is still to be told.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            sent => sent?,
        }
        Wake::Zygote(generation).when_readable(&ours, poll)?;
        let pid = i32::try_from(child.id()).ok().and_then(ProcessId::new);
        let pid = pid.ok_or_else(|| io::Error::other("the system gave an impossible process id"))?;
        Ok(Zygote::new(pid, ours, launch::requirement(config), self.layout.seats()))
    }

    /// Tells a zygote to leave. It has no workers left.
    pub(in crate::master) fn stop_zygote(&self, generation: Generation) {
        if let Some(zygote) = self.zygotes.get(&generation) {
            // One that has gone meanwhile shows as a death.
            let _ = zygote.control.send_record(&ToZygote::Stop, &[]);
        }
    }

    /// Has threads of the application stand still in the zygotes of all other generations: this one, in which they run as
    /// well, has taken over.
    pub(in crate::master) fn rest_zygotes_but(&self, current: Generation) {
        for (_, zygote) in self.zygotes.iter().filter(|(generation, _)| **generation != current) {
            // One that has gone meanwhile shows as a death, and one that does not listen is on its way out.
            let _ = zygote.control.send_record(&ToZygote::Rest, &[]);
        }
    }

    /// Ends a zygote at once.
    pub(in crate::master) fn kill_zygote(&self, generation: Generation) {
        if let Some(zygote) = self.zygotes.get(&generation) {
            let killed = match &zygote.grown {
                Some(grown) => grown.process.signal(Signal::SIGKILL),
                // It has not been reaped, so that the number is still its own.
                None => PidFd::open(zygote.pid).and_then(|pidfd| pidfd.signal(Signal::SIGKILL)),
            };
            if let Err(error) = killed {
                log::error!("cannot kill the zygote of generation {generation}: {error}");
            }
        }
    }
}

impl Zygote {
    /// Has the event loop tell when its queue has room again.
    pub(super) fn await_room(&mut self, generation: Generation, poll: &Poll) {
        self.orders.is_full = true;
        if let Err(error) = Wake::Zygote(generation).when_there_is_room(&self.control, poll) {
            log::error!("zygote of generation {generation}: nothing tells when it takes more orders: {error}");
        }
    }

    /// The queue may have room again, of which the event loop need not tell any more.
    pub(super) fn try_again(&mut self, generation: Generation, poll: &Poll) {
        if std::mem::take(&mut self.orders.is_full)
            && let Err(error) = Wake::Zygote(generation).again(&self.control, poll)
        {
            log::error!("zygote of generation {generation} is not heard: {error}");
        }
    }
}

/// With what status an instance ends whose zygote cannot be executed. The interpreter is what the configuration chose;
/// all else is the system's refusal.
fn exit_of(error: &io::Error) -> Exit {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Exit::Configuration,
        _ if error.raw_os_error() == Some(libc::ENOEXEC) => Exit::Configuration,
        _ => Exit::System,
    }
}
