//! An application that turns against its server (`tests/python/evil.py`): the master lives and answers, the log stays
//! small, and the other workers serve.

use std::time::{Duration, Instant};

use rhinod_bench::client::exchange;
use rhinod_bench::packet::Request;

use crate::harness::{Instance, Launch, PATIENCE, wait_until};
use crate::pythons::{launch, one};
use crate::reloading::{descriptors, operator, resident_kb};

fn evil() -> Launch {
    let launch = launch(&one(), "evil").set("workers", 3).set("disable-logging", true).set("enable-threads", true);
    let pid_file = launch.dir().join("pid").display().to_string();
    launch.set("pidfile", pid_file)
}

#[track_caller]
fn assert_all_is_well(server: &Instance) {
    let began = Instant::now();
    let status = operator(server, "status");
    assert!(status.status.success(), "{status:?}; the log:\n{}", server.log.tail());
    // An operator's patience: a loaded machine is slower than a second, a locked-out operator waits for ever.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    for _ in 0..6 {
        assert_eq!(server.get("/").status(), Some(200));
    }
}

#[test]
fn a_worker_that_floods_its_master_is_told_of_once_and_replaced() {
    let mut server = evil().start();
    server.expect_log("DAMN");
    server.expect_log("worker in seat");
    // A debug build has pages of its own still to read in.
    let before_kb = resident_kb(server.pid());
    let seen = server.log.position();
    server.get("/flood");
    server.log.wait_for_after(seen, "that is too much, and it is killed and replaced");
    server.log.wait_for_after(seen, "Respawned uWSGI worker");
    assert_all_is_well(&server);
    let told = server.log.lines().iter().filter(|line| line.contains("worker in seat")).count();
    assert_eq!(told, 2, "what came, and that it was too much:\n{}", server.log.tail());
    let grown_kb = resident_kb(server.pid()).saturating_sub(before_kb);
    assert!(grown_kb < 32_768, "the master has grown by {grown_kb} kB");
}

#[test]
fn descriptors_beside_what_is_no_record_are_closed() {
    let mut server = evil().start();
    server.expect_log("worker in seat");
    assert_all_is_well(&server);
    let before = descriptors(server.pid());
    for _ in 0..2 {
        server.get("/surplus");
    }
    server.log.wait_for("worker in seat");
    assert_all_is_well(&server);
    let closed = wait_until(|| descriptors(server.pid()) <= before + 2);
    assert!(closed, "{before} descriptors, and now {}", descriptors(server.pid()));
}

#[test]
fn whatever_a_worker_does_its_master_answers_and_its_siblings_serve() {
    let mut server = evil().start();
    // What becomes of the evil one is its own affair.
    for told in ["worker in seat", "DAMN", "exception in", "RuntimeError", "[warn]"] {
        server.expect_log(told);
    }
    for deed in ["/surplus", "/scribble", "/bell", "/operators", "/shout", "/flood", "/scribble"] {
        let (seen, began) = (server.log.lines().len(), Instant::now());
        // The worker may be replaced before it has answered.
        let _ = exchange(&server.target(), &Request::get(deed).to_uwsgi().expect("a packet"), PATIENCE);
        assert_all_is_well(&server);
        let lines = server.log.lines();
        let bytes: usize = lines[seen..].iter().map(String::len).sum();
        assert!(bytes < 512 * 1_024, "{deed}: {bytes} bytes of log");
        assert!(lines.iter().all(|line| !line.contains('\x1b')), "{deed} moves a cursor");
        assert!(began.elapsed() < PATIENCE, "{deed}: {:?}", began.elapsed());
    }
}
