//! What applications can do to the memory that they share with their master, done to it from the tests' own process: the
//! master goes on, and so does everybody else.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;

use nix::sys::signal::Signal;

use crate::harness::{Instance, Process, wait_until};
use crate::reloading::{operator, reload, tell, unsteady, wait_for_generation};

const WORD_BYTES: u64 = 8;
/// Header and global line, and the seats that few workers ever have.
const WORDS_IN_USE: u64 = 16 + 16 * 24;
const ROUNDS: usize = 150;

/// The scoreboard, by a descriptor of a worker.
fn scoreboard(worker: &Process) -> File {
    let descriptors = fs::read_dir(format!("/proc/{}/fd", worker.pid)).expect("the worker's descriptors").flatten();
    let is_board = |path: &std::path::PathBuf| {
        fs::read_link(path).is_ok_and(|target| target.to_string_lossy().contains("rhinod-scoreboard"))
    };
    let path = descriptors.map(|entry| entry.path()).find(is_board).expect("a scoreboard among them");
    OpenOptions::new().read(true).write(true).open(path).expect("open it anew")
}

fn write_word(board: &File, index: u64, word: u64) {
    board.write_all_at(&word.to_ne_bytes(), index * WORD_BYTES).expect("write a word");
}

#[track_caller]
fn assert_all_is_well(server: &Instance) {
    let status = operator(server, "status");
    assert!(status.status.success(), "{status:?}; the log:\n{}", server.log.tail());
    assert_eq!(server.get("/").status(), Some(200));
}

#[test]
fn nobody_can_change_the_size_of_the_shared_memory() {
    let server = unsteady().start();
    let board = scoreboard(&server.workers()[0]);
    let bytes = board.metadata().expect("its size").len();
    for other in [0, bytes - 1, bytes + 1] {
        let refused = board.set_len(other).expect_err("it changed its size");
        assert_eq!(refused.raw_os_error(), Some(libc::EPERM), "{refused}");
    }
    assert_all_is_well(&server);
}

#[test]
fn an_overwritten_header_stops_no_fork_no_reload_and_no_upgrade() {
    let mut server = unsteady().start();
    let spoil = |server: &Instance| {
        let board = scoreboard(&server.workers()[0]);
        (0..16).for_each(|index| write_word(&board, index, u64::MAX));
    };
    spoil(&server);
    server.expect_log("DAMN");
    let seen = server.log.position();
    server.workers()[0].signal(Signal::SIGKILL);
    server.log.wait_for_after(seen, "Respawned uWSGI worker");
    spoil(&server);
    reload(&server);
    wait_for_generation(&server, 2);
    spoil(&server);
    let seen = server.log.position();
    tell(&server, "u");
    server.log.wait_for_after(seen, "the master (pid");
    spoil(&server);
    reload(&server);
    wait_for_generation(&server, 3);
    assert_all_is_well(&server);
}

#[test]
fn random_words_anywhere_in_the_shared_memory_end_no_master_and_keep_nobody_waiting() {
    let launch = unsteady().set("workers", 6).set("cheaper", 2).set("threads", 2).set("cheaper-overload", 1);
    let mut server = launch.start();
    let seed = 20_261_129;
    let mut random = fastrand::Rng::with_seed(seed);
    let words = scoreboard(&server.workers()[0]).metadata().expect("its size").len() / WORD_BYTES;
    for _ in 0..ROUNDS {
        assert!(wait_until(|| !server.workers().is_empty()), "nobody is left");
        // A worker may leave between the look and the opening.
        let Some(worker) = server.workers().into_iter().find(|worker| worker.name.starts_with("rhinod worker")) else {
            continue;
        };
        let board = scoreboard(&worker);
        for _ in 0..64 {
            let end = if random.bool() { words } else { WORDS_IN_USE };
            let place = random.u64(..end);
            let word = match random.u8(..4) {
                0 => random.u64(..8) | random.u64(..4) << 62,
                1 => u64::MAX - random.u64(..4),
                _ => random.u64(..),
            };
            write_word(&board, place, word);
        }
        assert_eq!(server.get("/").status(), Some(200), "seed {seed}");
    }
    assert_all_is_well(&server);
    // What such words make workers do is theirs: leave early, be counted wrongly.
    for told in ["[warn]", "[error]", "DAMN"] {
        server.expect_log(told);
    }
}
