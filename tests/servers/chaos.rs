//! Random blows against an instance under load (`blows`): its processes are killed, crash and stand still, it is short of
//! processes, descriptors, memory and disk (`shortages`), its clients are slow and vanish (`clients`), while it is reloaded
//! and scaled. It serves all the time, loses no request but those of the killed, and ends up whole, with nothing left over.
//! A few blows in `make test`, as many as one likes in `make soak`.

mod blows;
mod clients;
mod shortages;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::chown;

use fastrand::Rng;
use nix::unistd::Uid;
use testkit::seeds::Seeds;

use crate::harness::{Instance, Launch, wait_until};
use crate::reloading::{Traffic, unsteady};
use blows::{ALL, Chaos};
use clients::Crowd;
use shortages::Disk;

/// Blows against one instance.
const BLOWS: usize = 24;
const WORKERS_MIN: usize = 2;
const WORKERS_MAX: usize = 5;
/// Master, zygote and logger.
const BESIDE_WORKERS: usize = 3;
/// Whom the kernel holds to a number of processes, as it does not hold root (setrlimit(2), RLIMIT_NPROC).
const NOBODY: u32 = 65_534;

/// Its log goes to a disk that can be full, as well as to us.
fn launch(disk: &Disk) -> Launch {
    let launch = unsteady().set("workers", WORKERS_MAX).set("cheaper", WORKERS_MIN).set("socket-timeout", 60);
    let launch = launch.set("disable-logging", false).line("req-logger = file:disk/requests.log");
    let launch = disk.under(launch.line("logger = stdio").line("logger = file:disk/all.log"));
    if !Uid::effective().is_root() {
        return launch;
    }
    chown(launch.dir(), Some(NOBODY), Some(NOBODY)).expect("give the directory away");
    launch.set("uid", NOBODY).set("gid", NOBODY)
}

/// What the master has open by kind, such as sockets and memories; its workers' ends apart, of which there are now more and
/// now less.
fn held(server: &Instance) -> BTreeMap<String, usize> {
    let names = fs::read_dir(format!("/proc/{}/fd", server.pid())).into_iter().flatten().flatten();
    let targets = names.filter_map(|name| fs::read_link(name.path()).ok());
    let mut held = BTreeMap::new();
    for target in targets {
        let kind = target.to_string_lossy().replace(|letter: char| letter.is_ascii_digit(), "");
        *held.entry(kind).or_default() += 1;
    }
    let workers = server.workers().len();
    for of_each in ["socket:[]", "anon_inode:[pidfd]"] {
        held.entry(of_each.to_owned()).and_modify(|count| *count -= workers.min(*count));
    }
    held
}

fn is_whole(server: &Instance, before: &BTreeMap<String, usize>) -> bool {
    let workers = server.workers().len();
    (WORKERS_MIN..=WORKERS_MAX).contains(&workers)
        && server.processes().len() == workers + BESIDE_WORKERS
        // It may have been looking at something before.
        && held(server).iter().all(|(kind, count)| before.get(kind).is_some_and(|known| count <= known))
}

fn survive(seed: u64) {
    let disk = Disk::find();
    let mut server = launch(&disk).start();
    // What happened is told; what may never happen is looked for below.
    ["[warn]", "[error]", "rhinod zygote: ", "DAMN"].into_iter().for_each(|usual| server.expect_log(usual));
    let is_begun = || server.workers().len() == WORKERS_MIN && server.processes().len() == WORKERS_MIN + BESIDE_WORKERS;
    assert!(wait_until(is_begun), "{:?}", server.processes());
    let before = held(&server);
    let traffic = Traffic::start(&server, 6, "/sleep?ms=1");
    let crowd = Crowd::start(&server, seed);
    let mut chaos = Chaos::against(&server, &disk, Rng::with_seed(seed));
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
    assert!(wait_until(|| server.workers().len() >= WORKERS_MIN), "{blows:?}\n{}", server.log.tail());
    assert_eq!(server.get("/?last").status(), Some(200), "{blows:?}\n{}", server.log.tail());
    let (counts, clients) = (traffic.stop().counts, crowd.stop());
    let lost_at_most = chaos.killed + chaos.fallen();
    let lost = counts.failed() + clients.lost;
    let log = || server.log.lines().join("\n");
    assert!(lost <= lost_at_most, "{lost_at_most} may be lost, {counts:?} {clients:?} after {blows:?}\n{}", log());
    assert!(counts.ok > 0 && clients.served > 0, "{counts:?} {clients:?}");
    let whole = wait_until(|| is_whole(&server, &before));
    assert!(whole, "{:?}, {before:?} before; {:?}; {blows:?}", held(&server), server.processes());
    assert!(wait_until(|| disk.read(&server, "requests.log").contains("GET /?last")), "no log after {blows:?}");
    for never in ["impossible, please report", "panicked at"] {
        assert_eq!(server.log.lines_with(never), [""; 0], "{blows:?}");
    }
}

#[test]
fn an_instance_survives_random_blows_and_loses_only_what_the_killed_had() {
    Seeds::of_this_run(2).try_in_turn(survive);
}
