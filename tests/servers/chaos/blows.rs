//! What is done to an instance, and taken back as far as it can be.

use fastrand::Rng;
use nix::sys::signal::Signal;

use super::shortages::{Disk, Shortage};
use crate::harness::{Instance, Process, wait_until};
use crate::reloading::tell;

#[derive(Debug, Clone, Copy)]
pub(super) enum Blow {
    KillWorker,
    CrashWorker,
    StopWorker,
    KillZygote,
    StopZygote,
    Short(Shortage),
    FullDisk,
    Reload,
    WorkersReload,
    ChainReload,
    More,
    Fewer,
}

pub(super) const ALL: [Blow; 14] = [
    Blow::KillWorker,
    Blow::CrashWorker,
    Blow::StopWorker,
    Blow::KillZygote,
    Blow::StopZygote,
    Blow::Short(Shortage::Processes),
    Blow::Short(Shortage::Descriptors),
    Blow::Short(Shortage::Memory),
    Blow::FullDisk,
    Blow::Reload,
    Blow::WorkersReload,
    Blow::ChainReload,
    Blow::More,
    Blow::Fewer,
];

/// What was done to an instance.
pub(super) struct Chaos<'s> {
    server: &'s Instance,
    disk: &'s Disk,
    pub(super) dice: Rng,
    /// Workers, each of which takes one request along.
    pub(super) killed: u64,
    /// Those of them that were told to crash.
    crashed: u64,
    stopped: Vec<Process>,
}

impl<'s> Chaos<'s> {
    pub(super) fn against(server: &'s Instance, disk: &'s Disk, dice: Rng) -> Self {
        Self { server, disk, dice, killed: 0, crashed: 0, stopped: Vec::new() }
    }

    pub(super) fn strike(&mut self, blow: Blow) {
        let server = self.server;
        match blow {
            Blow::KillWorker => self.kill_worker(|victim| {
                victim.signal(Signal::SIGKILL);
                true
            }),
            Blow::CrashWorker => self.crash_worker(),
            Blow::StopWorker => self.stop(server.workers()),
            Blow::KillZygote => server.zygotes().iter().for_each(|zygote| zygote.signal(Signal::SIGKILL)),
            Blow::StopZygote => self.stop(server.zygotes()),
            Blow::Short(shortage) => self.starve(shortage),
            Blow::FullDisk => self.disk.fill(server),
            Blow::Reload => server.signal(Signal::SIGHUP),
            Blow::WorkersReload => tell(server, "w"),
            Blow::ChainReload => tell(server, "c"),
            Blow::More => server.signal(Signal::SIGTTIN),
            Blow::Fewer => server.signal(Signal::SIGTTOU),
        }
    }

    fn crash_worker(&mut self) {
        self.crashed += 1;
        // The first signal only takes away the handler that Rust programs have for it.
        self.kill_worker(|victim| {
            wait_until(|| {
                // One that was stopped hears of no other signal.
                victim.signal(Signal::SIGCONT);
                victim.signal(Signal::SIGSEGV);
                !victim.is_alive()
            })
        });
    }

    fn kill_worker(&mut self, kill: impl FnOnce(&Process) -> bool) {
        let workers = self.server.workers();
        if let Some(victim) = self.dice.choice(&workers) {
            self.killed += 1;
            assert!(kill(victim), "it does not die: {victim:?}");
        }
    }

    fn stop(&mut self, from: Vec<Process>) {
        if let Some(victim) = self.dice.choice(from) {
            victim.signal(Signal::SIGSTOP);
            self.stopped.push(victim);
        }
    }

    /// The master is spared where it could only give up: without memory.
    fn starve(&mut self, shortage: Shortage) {
        let server = self.server;
        let master = Process { pid: server.pid(), name: String::new() };
        let mut victims = if shortage == Shortage::Memory { Vec::new() } else { vec![master] };
        // As often a zygote as a worker, of which there are more.
        victims.extend(if self.dice.bool() { server.zygotes() } else { server.workers() });
        if let Some(victim) = self.dice.choice(victims) {
            shortage.impose(&victim);
        }
    }

    /// Workers that have ended with a request each, and were not meant: without memory a process gives up or falls over its
    /// stack, and one that is just being forked has its zygote's name yet.
    pub(super) fn fallen(&self) -> u64 {
        let ends = self.server.log.lines_with(" died");
        let signals = ends.iter().filter_map(|line| line.split_once("killed by signal ")?.1.split(' ').next());
        let signals: Vec<&str> = signals.collect();
        let meant = [("6", 0), ("9", self.killed.saturating_sub(self.crashed)), ("11", self.crashed)];
        let told = |signal: &str| signals.iter().filter(|told| **told == signal).count() as u64;
        meant.into_iter().map(|(signal, meant)| told(signal).saturating_sub(meant)).sum()
    }

    pub(super) fn let_go_on(&mut self) {
        self.stopped.drain(..).for_each(|process| process.signal(Signal::SIGCONT));
        self.disk.free(self.server);
        // Whoever is being forked by a process in need is in need as well.
        let is_over = || self.server.processes().iter().filter(|process| Shortage::relieve(process)).count() == 0;
        assert!(wait_until(is_over), "{:?}", self.server.processes());
    }
}
