//! Random blows against an instance under load: workers and zygotes are killed, crash and stand still while it is reloaded
//! and scaled. It serves all the time, loses no request but those of the killed, and ends up whole. A few blows in `make
//! test`, as many as one likes in `make soak`.

use std::fs;

use fastrand::Rng;
use nix::sys::signal::Signal;
use testkit::seeds::Seeds;

use crate::harness::{Instance, Process, wait_until};
use crate::reloading::{Traffic, tell, unsteady};

/// Blows against one instance.
const BLOWS: usize = 16;
const WORKERS_MIN: usize = 2;
const WORKERS_MAX: usize = 5;
/// Descriptors of the master for one worker, and for one generation beside another.
const SLACK: usize = 2 * WORKERS_MAX + 4;

#[derive(Debug, Clone, Copy)]
enum Blow {
    KillWorker,
    CrashWorker,
    StopWorker,
    KillZygote,
    StopZygote,
    Reload,
    WorkersReload,
    ChainReload,
    More,
    Fewer,
}

const ALL: [Blow; 10] = [
    Blow::KillWorker,
    Blow::CrashWorker,
    Blow::StopWorker,
    Blow::KillZygote,
    Blow::StopZygote,
    Blow::Reload,
    Blow::WorkersReload,
    Blow::ChainReload,
    Blow::More,
    Blow::Fewer,
];

/// What was done to an instance.
struct Chaos<'s> {
    server: &'s Instance,
    dice: Rng,
    /// Requests that may be lost: one for each worker that was killed.
    lost_at_most: u64,
    stopped: Vec<Process>,
}

impl Chaos<'_> {
    fn strike(&mut self, blow: Blow) {
        let server = self.server;
        match blow {
            Blow::KillWorker => self.kill_worker(|victim| {
                victim.signal(Signal::SIGKILL);
                true
            }),
            // The first one only takes away the handler that Rust programs have for it.
            Blow::CrashWorker => self.kill_worker(|victim| {
                wait_until(|| {
                    // One that was stopped hears of no other signal.
                    victim.signal(Signal::SIGCONT);
                    victim.signal(Signal::SIGSEGV);
                    !victim.is_alive()
                })
            }),
            Blow::StopWorker => self.stop(server.workers()),
            Blow::KillZygote => server.zygotes().iter().for_each(|zygote| zygote.signal(Signal::SIGKILL)),
            Blow::StopZygote => self.stop(server.zygotes()),
            Blow::Reload => server.signal(Signal::SIGHUP),
            Blow::WorkersReload => tell(server, "w"),
            Blow::ChainReload => tell(server, "c"),
            Blow::More => server.signal(Signal::SIGTTIN),
            Blow::Fewer => server.signal(Signal::SIGTTOU),
        }
    }

    fn kill_worker(&mut self, kill: impl FnOnce(&Process) -> bool) {
        let workers = self.server.workers();
        if let Some(victim) = self.dice.choice(&workers) {
            self.lost_at_most += 1;
            assert!(kill(victim), "it does not die: {victim:?}");
        }
    }

    fn stop(&mut self, from: Vec<Process>) {
        if let Some(victim) = self.dice.choice(from) {
            victim.signal(Signal::SIGSTOP);
            self.stopped.push(victim);
        }
    }

    fn let_go_on(&mut self) {
        self.stopped.drain(..).for_each(|process| process.signal(Signal::SIGCONT));
    }
}

fn descriptors_of_master(server: &Instance) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.pid())).map_or(0, Iterator::count)
}

fn survive(seed: u64) {
    let launch = unsteady().set("workers", WORKERS_MAX).set("cheaper", WORKERS_MIN).set("socket-timeout", 60);
    let mut server = launch.start();
    // What happened is told; what may never happen is looked for below.
    ["[warn]", "[error]", "rhinod zygote: "].into_iter().for_each(|usual| server.expect_log(usual));
    let descriptors = descriptors_of_master(&server);
    let traffic = Traffic::start(&server, 8, "/sleep?ms=1");
    let mut chaos = Chaos { server: &server, dice: Rng::with_seed(seed), lost_at_most: 0, stopped: Vec::new() };
    let mut blows = Vec::new();
    for _ in 0..BLOWS {
        let blow = chaos.dice.choice(ALL).expect("there are some");
        blows.push(blow);
        chaos.strike(blow);
        // Not in turn with the blows only: two may come at once.
        if chaos.dice.bool() {
            chaos.let_go_on();
            assert_eq!(server.get("/").status(), Some(200), "{blows:?}\n{}", server.log.tail());
        }
    }
    chaos.let_go_on();
    let lost_at_most = chaos.lost_at_most;
    assert!(wait_until(|| server.workers().len() >= WORKERS_MIN), "{blows:?}\n{}", server.log.tail());
    assert_eq!(server.get("/").status(), Some(200), "{blows:?}\n{}", server.log.tail());
    let counts = traffic.stop().counts;
    assert!(counts.failed() <= lost_at_most, "{lost_at_most} may be lost, {counts:?} after {blows:?}");
    assert!(counts.ok > 0, "{counts:?}");
    let is_whole = || server.zygotes().len() == 1 && descriptors_of_master(&server) <= descriptors + SLACK;
    assert!(wait_until(is_whole), "{} descriptors, {} before; {blows:?}", descriptors_of_master(&server), descriptors);
    for never in ["impossible, please report", "panicked at"] {
        assert_eq!(server.log.lines_with(never), [""; 0], "{blows:?}");
    }
}

#[test]
fn an_instance_survives_random_blows_and_loses_only_what_the_killed_had() {
    Seeds::of_this_run(2).try_in_turn(survive);
}
