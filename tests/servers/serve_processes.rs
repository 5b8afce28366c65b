//! Deaths and stops: who dies, who goes on, and what is lost. How long it takes is for `make bench`.

use std::fs;
use std::time::{Duration, Instant};

use crate::harness::{Instance, Launch, PATIENCE, Process, example_path, wait_until};
use crate::reloading::{Held, Traffic, misdeed};
use nix::sys::signal::Signal;

fn unsteady() -> Launch {
    let launch = Launch::example("unsteady");
    let file = launch.dir().join("misdeed");
    launch.env("UNSTEADY_FILE", file.display())
}

#[test]
fn without_its_master_everyone_leaves_at_once_when_idle() {
    let mut server = Launch::hello().start();
    server.expect_log("the master is gone");
    server.signal(Signal::SIGKILL);
    assert!(server.wait_gone(PATIENCE), "left: {:?}", server.processes());
    server.ends_with(137);
}

#[test]
fn without_its_master_a_worker_finishes_what_it_holds_and_leaves() {
    let mut server = unsteady().set("workers", 1).set("threads", 2).start();
    server.expect_log("the master is gone");
    let held = [Held::begin(&server), Held::begin(&server)];
    server.signal(Signal::SIGKILL);
    server.log.wait_for("the master is gone");
    held[0].release();
    for held in held {
        assert_eq!(held.rest(), "released\n");
    }
    assert!(server.wait_gone(PATIENCE), "left: {:?}", server.processes());
    server.ends_with(137);
}

/// A worker that never waits must notice as well.
#[test]
fn without_its_master_a_busy_worker_leaves_too() {
    let mut server = Launch::hello().set("disable-logging", true).start();
    server.expect_log("the master is gone");
    let traffic = Traffic::start(&server, 8, "/");
    server.get("/");
    server.signal(Signal::SIGKILL);
    let gone = server.wait_gone(PATIENCE);
    let report = traffic.stop();
    assert!(gone, "left: {:?}", server.processes());
    assert_eq!(report.counts.short, 0, "{:?}", report.counts);
    server.ends_with(137);
}

#[test]
fn without_its_zygote_the_workers_go_on_and_nothing_is_lost() {
    let mut server = unsteady().set("disable-logging", true).set("workers", 3).start();
    let old = server.workers();
    let held = Held::begin(&server);
    let traffic = Traffic::start(&server, 8, "/");
    server.zygotes()[0].signal(Signal::SIGKILL);
    server.wait_for_expected("generation 1 failed: zygote killed by signal 9");
    server.log.wait_for("generation 2 loaded");
    server.log.wait_for("Respawned uWSGI worker 3");
    held.release();
    assert_eq!(held.rest(), "released\n");
    traffic.end();
    for worker in &old {
        server.log.wait_for("buried after");
        assert!(wait_until(|| !worker.is_alive()), "an old worker stays: {worker:?}");
    }
    assert!(server.get("/").body().ends_with(b"of generation 2\n"));
}

#[test]
fn with_a_worker_only_its_own_request_is_lost() {
    let mut server = unsteady().start();
    server.expect_log("died, killed by signal 9");
    let (first, second) = (Held::begin(&server), Held::begin(&server));
    let queued = Held::send(&server);
    server.workers()[0].signal(Signal::SIGKILL);
    server.log.wait_for("Respawned uWSGI worker");
    first.release();
    let mut ends = [first.rest(), second.rest()];
    ends.sort();
    assert_eq!(ends, ["", "released\n"]);
    assert!(queued.rest().ends_with("held\nreleased\n"), "who waits in the queue is served by the next worker");
}

#[test]
fn a_worker_that_was_alone_is_replaced_and_who_comes_meanwhile_is_answered() {
    let mut server = unsteady().set("workers", 1).start();
    server.expect_log("died, killed by signal 9");
    let dead = server.workers().remove(0);
    dead.signal(Signal::SIGKILL);
    assert_eq!(server.get("/").body(), b"worker 1 of generation 1\n");
    server.log.wait_for("Respawned uWSGI worker 1");
    let workers = server.workers();
    assert!(workers.len() == 1 && workers[0].pid != dead.pid, "{workers:?} after {dead:?}");
}

/// The socket is there before the application is: who connects then waits in the queue for the first worker.
#[test]
fn who_comes_while_it_starts_is_answered() {
    let launch = unsteady();
    misdeed(launch.dir(), "load slow 200");
    let server = launch.spawn();
    server.log.wait_for("socket 0 bound to");
    let queued = Held::send(&server);
    queued.release();
    assert!(queued.rest().ends_with("held\nreleased\n"));
}

#[test]
fn a_reload_under_load_loses_nothing_and_keeps_the_master() {
    let server = unsteady().set("disable-logging", true).set("workers", 3).start();
    let old = server.workers();
    let traffic = Traffic::start(&server, 8, "/");
    for generation in 2..=4 {
        server.signal(Signal::SIGHUP);
        server.log.wait_for(&format!("done: generation {generation} serves"));
    }
    traffic.end();
    assert!(server.get("/").body().ends_with(b"of generation 4\n"));
    assert!(wait_until(|| !old.iter().any(crate::harness::Process::is_alive)), "old workers stay");
}

#[test]
fn a_handler_that_ends_the_process_costs_one_request() {
    let mut server = unsteady().set("workers", 1).start();
    server.expect_log("DAMN ! worker 1 (pid: ");
    let reply = server.get("/exit");
    assert!(reply.bytes.is_empty(), "{reply:?}");
    server.log.wait_for("Respawned uWSGI worker 1");
    assert_eq!(server.get("/").status(), Some(200));
}

#[test]
fn a_stop_answers_every_request_that_was_accepted() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let server = unsteady().set("workers", 2).set("threads", 25).start();
        let held: Vec<Held> = (0..50).map(|_| Held::begin(&server)).collect();
        server.signal(signal);
        server.log.wait_for("graceful shutdown triggered...");
        held[0].release();
        for held in held {
            assert_eq!(held.rest(), "released\n");
        }
        server.ends_with(0);
    }
}

/// What stands in nearly every container's configuration means "stop, do not reload", not "cut requests".
#[test]
fn die_on_term_lets_requests_finish() {
    let server = unsteady().set("die-on-term", true).set("workers", 2).start();
    let held = Held::begin(&server);
    server.signal(Signal::SIGTERM);
    server.log.wait_for("graceful shutdown triggered...");
    held.release();
    assert_eq!(held.rest(), "released\n");
    server.ends_with(0);
}

#[test]
fn die_on_term_waits_no_longer_than_mercy_lasts() {
    let mut server = unsteady().set("die-on-term", true).set("worker-reload-mercy", 1).start();
    server.expect_log("NO MERCY");
    let held = Held::begin(&server);
    server.signal(Signal::SIGTERM);
    assert_eq!(held.rest(), "");
    server.ends_with(0);
}

#[test]
fn a_second_interrupt_stops_at_once() {
    let server = unsteady().start();
    let held = Held::begin(&server);
    server.signal(Signal::SIGINT);
    server.log.wait_for("graceful shutdown triggered...");
    server.signal(Signal::SIGINT);
    assert_eq!(held.rest(), "");
    server.log.wait_for("goodbye to uWSGI.");
    server.ends_with(0);
}

/// The clients cannot tell a connection in the queue from an accepted one. The log can: it has one line for each
/// request that was accepted, and each of those must have arrived.
#[test]
fn a_stop_under_load_loses_nothing_that_was_accepted() {
    for _ in 0..5 {
        let mut server = Launch::hello().set("workers", 3).set("threads", 2).start();
        let traffic = Traffic::start(&server, 50, "/");
        server.log.wait_for("[pid: ");
        server.signal(Signal::SIGTERM);
        assert_eq!(server.wait_exit(), 0);
        assert!(server.wait_gone(PATIENCE));
        let counts = traffic.stop().counts;
        let answered = server.log.lines_with("[pid: ").len();
        assert_eq!((counts.ok as usize, counts.short, counts.malformed), (answered, 0, 0), "{counts:?}");
        server.ends_with(0);
    }
}

#[test]
fn a_stop_at_once_waits_for_nobody() {
    let server = unsteady().start();
    let held = Held::begin(&server);
    server.signal(Signal::SIGQUIT);
    assert_eq!(held.rest(), "");
    server.log.wait_for("goodbye to uWSGI.");
    server.ends_with(0);
}

#[test]
fn a_stop_ends_when_mercy_does() {
    let mut server = unsteady().set("worker-reload-mercy", 1).start();
    server.expect_log("NO MERCY");
    let held = Held::begin(&server);
    let asked = Instant::now();
    server.signal(Signal::SIGTERM);
    assert_eq!(held.rest(), "");
    assert!(asked.elapsed() >= Duration::from_secs(1), "cut off before its time");
    server.ends_with(0);
}

/// Orders are words in shared memory and records on a socket: none may be lost between a worker's look and its wait.
#[test]
fn a_stop_right_after_the_start_is_not_lost() {
    for _ in 0..20 {
        let server = Launch::hello().set("workers", 4).start();
        server.signal(Signal::SIGTERM);
        server.ends_with(0);
    }
}

#[test]
fn a_stop_while_the_application_loads_is_not_lost() {
    let launch = unsteady();
    misdeed(launch.dir(), "load hang");
    let server = launch.spawn();
    server.log.wait_for("socket 0 bound to");
    server.signal(Signal::SIGTERM);
    server.ends_with(0);
}

#[test]
fn an_application_that_cannot_load_ends_the_instance_with_22() {
    for (deed, reason) in [
        ("load fail", "generation 1 failed: the application could not be loaded: told to fail"),
        ("load panic", "generation 1 failed: the application panicked while it was loaded"),
        ("start panic", "the application panicked in start_worker"),
    ] {
        let launch = unsteady().set("vacuum", true);
        misdeed(launch.dir(), deed);
        let failed = launch.fails();
        assert!(failed.lines.iter().any(|line| line.contains(reason)), "{deed}: {:#?}", failed.lines);
        assert_eq!(failed.code, 22, "{deed}: {:#?}", failed.lines);
        assert_eq!(failed.files(), ["app.ini", "misdeed"]);
    }
}

#[test]
fn an_application_that_ends_while_it_loads_gives_its_exit_code() {
    let launch = unsteady();
    misdeed(launch.dir(), "load exit");
    let failed = launch.fails();
    assert!(failed.lines.iter().any(|line| line.contains("generation 1 failed: zygote")), "{:#?}", failed.lines);
    assert_eq!(failed.code, 3);
}

#[test]
fn a_worker_that_crashes_at_once_again_and_again_is_started_ever_more_slowly() {
    let launch = unsteady().set("workers", 1).set("forkbomb-delay", 1);
    misdeed(launch.dir(), "start exit");
    let misdeed = launch.dir().join("misdeed");
    let mut server = launch.spawn();
    server.expect_log("respawning too fast");
    server.expect_log("DAMN ! worker 1");
    let lines = server.log.wait_for_count(5, "respawning too fast");
    let delays: Vec<f64> = lines.iter().map(|line| delay_of(&line.text)).collect();
    assert_eq!(delays, [0.16, 0.32, 0.64, 1.0, 1.0]);
    assert!(lines[4].at - lines[3].at >= Duration::from_secs(1), "it waits as it says");
    fs::remove_file(misdeed).expect("the end of the misdeed");
    assert_eq!(server.get("/").body(), b"worker 1 of generation 1\n");
}

/// From `... ({} seconds)...`.
fn delay_of(line: &str) -> f64 {
    let number = line.rsplit_once('(').and_then(|(_, rest)| rest.split_once(' '));
    number.and_then(|(number, _)| number.parse().ok()).unwrap_or_else(|| panic!("no delay in {line:?}"))
}

#[test]
fn threads_take_requests_side_by_side() {
    let server = unsteady().set("workers", 1).set("threads", 4).start();
    assert_eq!(server.log.lines_with("cores: 4)").len(), 1);
    let held: Vec<Held> = (0..4).map(|_| Held::begin(&server)).collect();
    let mut fifth = Held::send(&server);
    assert!(fifth.is_silent_for(Duration::from_millis(200)), "a fifth request has no thread");
    held[0].release();
    for held in held {
        assert_eq!(held.rest(), "released\n");
    }
    assert!(fifth.rest().ends_with("held\nreleased\n"));
    let lines = server.log.wait_for_count(5, "[pid: ");
    for core in 0..4 {
        assert!(lines.iter().any(|line| line.text.ends_with(&format!("on core {core})"))), "core {core}: {lines:#?}");
    }
}

#[test]
fn a_worker_is_ready_once_all_its_threads_are() {
    let server = Launch::hello().set("workers", 1).set("threads", 64).start();
    let tasks = fs::read_dir(format!("/proc/{}/task", server.workers()[0].pid)).expect("its threads").flatten();
    let names = tasks.map(|task| fs::read_to_string(task.path().join("comm")).expect("a thread that stays"));
    assert_eq!(names.filter(|name| name.starts_with("core ")).count(), 64);
}

#[test]
fn idle_workers_and_their_master_sleep() {
    let server = Launch::hello().set("workers", 4).start();
    server.get("/");
    let spent = |server: &Instance| server.processes().iter().map(crate::harness::Process::cpu_ticks).sum::<u64>();
    let before = spent(&server);
    // Nothing announces that nothing happens.
    std::thread::sleep(Duration::from_secs(2));
    assert!(spent(&server) - before <= 1, "an idle instance computes");
}

/// The titles of all processes, sorted.
fn titles(server: &Instance) -> Vec<String> {
    let mut titles: Vec<String> = server.processes().iter().map(Process::title).collect();
    titles.sort();
    titles
}

#[test]
fn processes_say_in_ps_what_they_are() {
    let launch = Launch::hello();
    let ini = launch.ini_path();
    let server = launch.start();
    let own = format!("{} {}", example_path("hello").display(), ini.display());
    assert_eq!(titles(&server), [own.as_str(), "rhinod worker 1", "rhinod worker 2", "rhinod zygote 1"]);
}

#[test]
fn titles_can_be_the_operators() {
    let prefixed = Launch::hello().set("procname-prefix-spaced", "shop").set("procname-append", "-blue").start();
    let expected = ["master", "worker 1", "worker 2", "zygote 1"].map(|name| format!("shop rhinod {name}-blue"));
    assert_eq!(titles(&prefixed), expected);
    let named = Launch::hello().set("procname", "shop").set("procname-master", "shop's head").start();
    assert_eq!(titles(&named), ["shop", "shop", "shop", "shop's head"]);
    assert_eq!(named.processes().iter().filter(|process| process.name == "shop").count(), 3);
    let automatic = Launch::hello().set("workers", 1).set("auto-procname", true).start();
    assert_eq!(titles(&automatic), ["rhinod master", "rhinod worker 1", "rhinod zygote 1"]);
}

#[test]
fn a_title_is_cut_to_the_room_that_there_is() {
    let server = Launch::hello().set("workers", 1).set("procname", "x".repeat(5_000)).start();
    for process in server.processes() {
        let title = process.title();
        assert!(title.len() < 1_000 && title.len() > 20 && title.bytes().all(|byte| byte == b'x'), "{title}");
    }
}
