//! Zygotes and what they are told to do: orders by the hundred, and a zygote that is stopped and neither forks nor tells
//! who has died. `WORKERS=1000 cargo test --test servers as_many_workers` is the full number, and a chain reload
//! of all of them.

use crate::harness::wait_until;
use crate::reloading::{goes, operator, reload, send, tell, unsteady, wait_for_generation};
use loadgen::packet::Request;
use nix::sys::signal::Signal;

/// More orders than the queue of a control socket has room for, which are some 280.
const MANY: usize = 300;

#[test]
fn as_many_workers_as_no_queue_holds_start_and_are_reloaded() {
    let asked = std::env::var("WORKERS").ok().map(|number| number.parse().expect("WORKERS is a number"));
    let workers = asked.unwrap_or(MANY);
    let server = unsteady().set("workers", workers).set("listen", 128).start();
    assert_eq!(server.workers().len(), workers);
    reload(&server);
    assert!(wait_until(|| server.workers().len() == workers), "{}", server.log.tail());
    if asked.is_some() {
        tell(&server, "c");
        (1..=workers).for_each(|number| drop(server.log.wait_for(&format!("chain next victim is worker {number}"))));
        server.log.wait_for("chain reloading complete");
    }
    // `stop` finds any line about a fork that failed.
}

#[test]
fn a_zygote_that_is_stopped_does_not_keep_the_dead_on_duty_and_is_replaced() {
    let mut server = unsteady().set("workers", 2).start();
    let zygote = server.zygotes().pop().expect("the zygote");
    zygote.signal(Signal::SIGSTOP);
    let workers = server.workers();
    workers[0].signal(Signal::SIGKILL);
    server.wait_for_expected("is stopped or stuck");
    server.wait_for_expected(&format!("(pid: {}) died", workers[0].pid));
    let status = String::from_utf8(operator(&server, "status").stdout).expect("text");
    assert!(status.contains("1 of 2 workers ready"), "{status}");
    // The other one serves meanwhile.
    send(server.target(), &Request::get("/"), 1, 1);
    server.wait_for_expected("the zygote does not answer");
    assert!(goes(&zygote), "the zygote stays:\n{}", server.log.tail());
    wait_for_generation(&server, 2);
    assert!(wait_until(|| server.workers().len() == 2), "{}", server.log.tail());
}
