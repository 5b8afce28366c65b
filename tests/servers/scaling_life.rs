//! Instances that scale for their lives: to nobody and back, ten thousand times up and down, when forks fail, with a
//! thousand workers. Nothing is ever lost by it.
//! `CYCLES=10000 cargo test --release --test servers scaling_life::up_and_down` is the full number.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use crate::harness::{Instance, wait_until};
use crate::reloading::{Held, Traffic, edit, operator, reload, send, tell, unsteady, who};
use loadgen::packet::Request;
use nix::sys::signal::Signal;

const ASLEEP: &str = "cheap mode enabled: waiting for socket connection...";

fn wait_for_workers(server: &Instance, count: usize) {
    let come = wait_until(|| server.workers().len() == count);
    assert!(come, "{:?}\n{}", server.workers(), server.log.tail());
}

#[test]
fn idle_takes_every_worker_away_and_the_first_connection_brings_them_back() {
    let server = unsteady().set("workers", 4).set("cheaper", 2).set("idle", 1).start();
    for round in 1..=3 {
        server.log.wait_for_count(round, ASLEEP);
        wait_for_workers(&server, 0);
        send(server.target(), &Request::get("/sleep?ms=1"), 8, 200);
    }
    assert!(server.log.lines_with("workers have been inactive for more than 1 seconds").len() >= 3);
}

#[test]
fn idle_without_scaling_takes_and_brings_all_workers() {
    let server = unsteady().set("workers", 2).set("idle", 1).start();
    server.log.wait_for(ASLEEP);
    wait_for_workers(&server, 0);
    send(server.target(), &Request::get("/"), 2, 10);
    wait_for_workers(&server, 2);
}

#[test]
fn who_sleeps_is_reloaded_and_upgraded_without_being_woken() {
    let server = unsteady().set("workers", 4).set("cheaper", 2).set("idle", 1).start();
    server.log.wait_for(ASLEEP);
    wait_for_workers(&server, 0);
    reload(&server);
    tell(&server, "u");
    server.log.wait_for("the master (pid");
    tell(&server, "s");
    server.log.wait_for("0 of 0 workers ready");
    assert!(server.workers().is_empty(), "{}", server.log.tail());
    assert!(who(&server).ends_with("of generation 2"));
}

#[test]
fn an_instance_that_starts_cheap_serves_the_first_who_comes() {
    let server = unsteady().set("workers", 4).set("cheaper", 2).set("cheap", true).start();
    server.log.wait_for(ASLEEP);
    assert!(server.workers().is_empty(), "{}", server.log.tail());
    send(server.target(), &Request::get("/sleep?ms=1"), 8, 200);
    server.log.wait_for("no worker runs");
}

#[test]
fn die_on_idle_ends_an_instance_that_nobody_asks() {
    let launch = unsteady().set("idle", 1).set("die-on-idle", true).set("vacuum", true);
    let mut server = launch.start();
    assert_eq!(server.wait_exit(), 0);
    assert!(!server.socket().exists(), "its socket is left");
    server.log.wait_for("workers have been inactive for more than 1 seconds, the instance ends");
    server.ends_with(0);
}

/// To sleep at once, in the middle of the load, by the operator's word: whoever has connected already is served.
#[test]
fn sleep_on_the_operators_word_loses_nobody() {
    let server = unsteady().set("threads", 2).set("cheaper", 2).start();
    let traffic = [Traffic::start(&server, 4, "/"), Traffic::start(&server, 4, "/sleep?ms=3")];
    for round in 1..=30 {
        tell(&server, "C");
        server.log.wait_for_count(round, ASLEEP);
        server.log.wait_for_count(round, "no worker runs");
    }
    traffic.into_iter().for_each(|traffic| drop(traffic.end()));
}

#[test]
fn an_operator_wakes_a_sleeper() {
    let server = unsteady().set("workers", 4).set("cheaper", 2).start();
    tell(&server, "C");
    wait_for_workers(&server, 0);
    tell(&server, "+");
    wait_for_workers(&server, 2);
}

/// How many times up and down. Not with our prefix: the server takes `RHINOD_*` for options.
fn cycles() -> usize {
    std::env::var("CYCLES").ok().and_then(|text| text.parse().ok()).unwrap_or(60)
}

/// Asks by letters of the fifo until the log says from line `position` on that it is done. What cannot be done at the
/// moment is dropped, and asked for again.
fn insist(server: &Instance, letters: &str, position: usize, done: &str) {
    let come = wait_until(|| {
        tell(server, letters);
        server.log.has_after(position, done)
    });
    assert!(come, "no {done:?}:\n{}", server.log.tail());
}

#[test]
fn up_and_down_under_load_loses_nothing() {
    let launch = unsteady().set("threads", 4).set("workers", 5).set("cheaper", 2).set("cheaper-algo", "manual");
    let server = launch.start();
    let traffic = [
        Traffic::start(&server, 2, "/"),
        Traffic::start(&server, 2, "/sleep?ms=1"),
        Traffic::start(&server, 1, "/stream?ms=20"),
    ];
    for _ in 0..cycles() {
        let position = server.log.position();
        insist(&server, "+++", position, "to 5 workers");
        insist(&server, "---", position, "to 2 workers");
    }
    let answered: u64 = traffic.into_iter().map(|traffic| traffic.end().counts.ok).sum();
    println!("{} times up and down, {answered} requests", cycles());
}

/// The same by the load itself: bursts that need everybody, and silence.
#[test]
fn bursts_and_silence_lose_nothing() {
    let launch = unsteady().set("threads", 2).set("workers", 6).set("cheaper", 1);
    let server = launch.set("cheaper-target-wait", 100).start();
    for _ in 0..5 {
        let position = server.log.position();
        send(server.target(), &Request::get("/sleep?ms=50"), 24, 96);
        server.log.wait_for_after(position, "scaling: grow");
        server.log.wait_for_after(position, "to 1 workers");
    }
}

/// In uWSGI a removal that found nobody idle was tried again at every tick, instead of asking the algorithm: no worker
/// was ever added again (uWSGI's manual, "The uWSGI cheaper subsystem").
#[test]
fn a_removal_that_finds_nobody_idle_does_not_block_growth() {
    let launch = unsteady().set("workers", 6).set("cheaper", 1).set("cheaper-algo", "backlog");
    let server = launch.set("cheaper-overload", 4).start();
    let mut held = vec![Held::begin(&server)];
    for workers in 2..=3 {
        // In the queue when the worker comes, so that it is not idle for a moment and taken away again.
        let waiting = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| Held::begin(&server));
            let position = server.log.position();
            assert!(wait_until(|| server.queued() > 0), "nobody waits");
            tell(&server, "+");
            server.log.wait_for_after(position, &format!("to {workers} workers"));
            // It may serve before the master hears that it is ready.
            server.log.wait_for_after(position, &format!("spawned uWSGI worker {workers} "));
            waiting.join().expect("a held request")
        });
        held.push(waiting);
    }
    // All three are busy and nobody waits: the policy wishes one fewer at each check interval, the operator three.
    for _ in 0..3 {
        let position = server.log.position();
        tell(&server, "---s");
        server.log.wait_for_after(position, "3 of 3 workers ready");
    }
    // Their ceiling goes with the operator's next word, and nothing else of them is left.
    let position = server.log.position();
    tell(&server, "+");
    server.log.wait_for_after(position, "grow by 1 to 4 workers: asked for +1");
    let traffic = Traffic::start(&server, 12, "/sleep?ms=5");
    server.log.wait_for_after(position, "grow by 1 to 5 workers");
    held.into_iter().for_each(Held::finish);
    traffic.end();
}

/// What a worker takes is known when there is one: a reload to a limit that the fewest break has failed then.
#[test]
fn a_reload_to_a_memory_limit_that_the_fewest_workers_break_fails() {
    let mut server = unsteady().set("cheaper", 2).set("cheaper-rss-limit-soft", 1_u64 << 40).start();
    let traffic = Traffic::start(&server, 4, "/sleep?ms=1");
    edit(&server, |text| text.replace(&(1_u64 << 40).to_string(), "100000"));
    server.expect_log("reload failed, the old goes on serving: `cheaper = 2` workers of ");
    let output = operator(&server, "--reload");
    assert_eq!(output.status.code(), Some(crate::reloading::RELOAD_FAILED), "{output:?}");
    assert!(
        crate::reloading::complaint(&output).contains("more than `cheaper-rss-limit-soft` (100000 bytes)"),
        "{output:?}"
    );
    edit(&server, |text| text.replace("100000", &(1_u64 << 39).to_string()));
    reload(&server);
    traffic.end();
}

/// Without a worker there is nothing to measure at the start, and whoever has connected by then is served.
#[test]
fn a_cheap_instance_goes_on_although_the_fewest_workers_break_the_memory_limit() {
    let launch = unsteady().set("cheaper", 2).set("cheap", true).set("cheaper-rss-limit-soft", 100_000);
    let mut server = launch.start();
    server.expect_log("generation 1 goes on although `cheaper = 2` workers of ");
    send(server.target(), &Request::get("/sleep?ms=1"), 4, 100);
    server.log.wait_for("more than `cheaper-rss-limit-soft` (100000 bytes)");
    wait_for_workers(&server, 2);
}

/// Processes of a user that use up what the kernel allows it.
struct Crowd(Vec<Child>);

impl Crowd {
    fn of(user: u32, count: usize) -> Self {
        let sleeper = |_| Command::new("sleep").arg("600").uid(user).gid(user).spawn().expect("execute sleep");
        Self((0..count).map(sleeper).collect())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for sleeper in &mut self.0 {
            // One that has gone is what we want.
            let _ = sleeper.kill();
            let _ = sleeper.wait();
        }
    }
}

/// The kernel holds every user but root to RLIMIT_NPROC: at eight processes, of which three are somebody else's, the
/// master, its zygote and three workers have room.
#[test]
fn a_fork_that_fails_is_told_with_its_reason_and_tried_again_until_it_succeeds() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    // Of this test alone: the kernel counts by user.
    let user = 100_000 + std::process::id() % 1_000_000;
    let launch = unsteady().set("workers", 6).set("cheaper", 2).set("cheaper-algo", "manual");
    let launch = launch.set("uid", user).set("gid", user).set("forkbomb-delay", 1);
    fs::set_permissions(launch.dir(), fs::Permissions::from_mode(0o777)).expect("a directory for everyone");
    let crowd = Crowd::of(user, 3);
    let mut server = launch.through(["prlimit", "--nproc=8", "--"]).start();
    server.expect_log("respawning too fast");
    tell(&server, "++++");
    let refused = "OOPS ! no worker 6: fork failed: Resource temporarily unavailable (os error 11)";
    server.expect_log("fork failed: Resource temporarily unavailable");
    let traffic = Traffic::start(&server, 4, "/sleep?ms=1");
    server.log.wait_for_count(6, refused);
    for pause in ["0.160", "0.320"] {
        server.log.wait_for(&format!("worker 6 respawning too fast !!! i have to sleep a bit ({pause} seconds)"));
    }
    assert_eq!(server.workers().len(), 3, "{}", server.log.tail());
    drop(crowd);
    wait_for_workers(&server, 6);
    traffic.end();
}

#[test]
fn a_thousand_workers_may_come() {
    let launch = unsteady().set("workers", 1000).set("cheaper", 2).set("listen", 1024);
    let server = launch.start();
    let traffic = Traffic::start(&server, 200, "/sleep?ms=300");
    assert!(wait_until(|| server.workers().len() > 20), "{}", server.log.tail());
    assert!(!server.log.lines_with("scaling: grow").is_empty(), "{}", server.log.tail());
    // They may have come before the first of them has answered.
    let counts = traffic.stop().counts;
    assert_eq!(counts.failed(), 0, "{counts:?}");
    server.signal(Signal::SIGTERM);
    server.ends_with(0);
}
