//! The generation switch: who serves meanwhile, what bad code and bad configurations come to, what changes without a
//! restart, and what wins when several things are asked for.

use std::fs;

use crate::harness::{Instance, Launch, Nginx, wait_until};
use crate::reloading::{
    Held, RELOAD_FAILED, Traffic, complaint, edit, goes, misdeed, operator, reload, tell, unsteady,
    wait_for_generation, who,
};
use loadgen::client::{Target, Wire, exchange};
use loadgen::packet::Request;
use nix::sys::signal::Signal;

/// With a short load: what the waits are is the bench's to measure.
fn three_reloads_under_load(launch: Launch, clients: usize) {
    misdeed(launch.dir(), "load slow 300");
    let server = launch.start();
    let traffic = Traffic::start(&server, clients, "/sleep?ms=5");
    for _ in 0..3 {
        reload(&server);
    }
    let report = traffic.end();
    println!("{} requests, longest {} ms", report.counts.ok, report.latency.max_us / 1_000.0);
    wait_for_generation(&server, 4);
}

#[test]
fn three_reloads_under_load_lose_nothing() {
    three_reloads_under_load(unsteady(), 16);
}

#[test]
fn with_a_short_queue_nothing_is_refused_either() {
    three_reloads_under_load(unsteady().set("listen", 8), 16);
}

#[test]
fn with_lazy_apps_each_worker_loads_before_it_takes_over() {
    three_reloads_under_load(unsteady().set("lazy-apps", true), 16);
}

#[test]
fn keep_alive_clients_of_nginx_see_nothing_of_a_reload() {
    let launch = unsteady();
    misdeed(launch.dir(), "load slow 300");
    let server = launch.start();
    let mut nginx = Nginx::before(&server);
    // The clients' own end, in the middle of a request.
    nginx.expect_log("client prematurely closed connection");
    let traffic = Traffic::to(nginx.target(), Wire::Http { keep_alive: true }, 16, "/sleep?ms=5");
    for _ in 0..3 {
        reload(&server);
    }
    traffic.end();
}

#[test]
fn the_old_generation_answers_while_the_new_one_loads() {
    let server = unsteady().start();
    misdeed(server.dir(), "load hang");
    server.signal(Signal::SIGHUP);
    assert!(wait_until(|| server.zygotes().len() == 2), "{:?}", server.processes());
    assert!(who(&server).ends_with("of generation 1"));
    server.stop();
}

/// Each misdeed, the log's reason for it, and whether `load-timeout` has to end it.
const BAD_CODE: &[(&str, &str)] = &[
    ("load fail", "told to fail"),
    ("load panic", "panicked"),
    ("load exit", "3"),
    ("load abort", "6"),
    ("load segfault", "signal 11"),
    ("load hang", "load-timeout"),
    ("start fail", "told to fail"),
    ("start panic", "panicked"),
    ("start exit", "3"),
    ("start abort", "6"),
    ("start segfault", "signal 11"),
    ("start hang", "load-timeout"),
];

/// Reloads with each kind of bad code under load and with a wrong configuration, then with good ones.
fn bad_code_is_survived(launch: Launch) {
    let mut server = launch.set("load-timeout", 1).start();
    for word in ["failed", "told to", "panicked at", "OOPS", "DAMN", "died", "respawning too fast", "listen = many"] {
        server.expect_log(word);
    }
    let old = server.workers();
    let traffic = Traffic::start(&server, 4, "/sleep?ms=1");
    for (text, reason) in BAD_CODE {
        misdeed(server.dir(), text);
        let output = operator(&server, "--reload");
        assert_eq!(output.status.code(), Some(RELOAD_FAILED), "{text}: {output:?}");
        assert!(complaint(&output).contains(reason), "{text}: {output:?}");
        assert!(who(&server).ends_with("of generation 1"), "{text}");
    }
    misdeed(server.dir(), "");
    edit(&server, |text| format!("{text}listen = many\n"));
    let output = operator(&server, "--reload");
    assert_eq!(output.status.code(), Some(RELOAD_FAILED), "{output:?}");
    assert!(complaint(&output).contains("listen = many"), "{output:?}");
    edit(&server, |text| text.replace("listen = many\n", ""));
    // With `cheaper` the load may have let some go, but none may have died.
    for worker in old.iter().filter(|worker| !worker.is_alive()) {
        assert_eq!(server.log.lines_with(&format!("(pid: {}) died", worker.pid)), [""; 0], "a worker was lost");
    }
    reload(&server);
    assert!(old.iter().all(goes), "an old worker stays");
    traffic.end();
    assert!(!who(&server).ends_with("of generation 1"));
    assert!(wait_until(|| server.zygotes().len() == 1), "{:?}", server.processes());
}

#[test]
fn bad_code_does_not_reach_whom_the_old_generation_serves() {
    bad_code_is_survived(unsteady());
}

#[test]
fn bad_code_is_survived_with_one_worker_only() {
    bad_code_is_survived(unsteady().set("workers", 1));
}

#[test]
fn bad_code_is_survived_with_cheaper() {
    bad_code_is_survived(unsteady().set("cheaper", 1));
}

#[test]
fn bad_code_that_only_workers_load_is_survived_too() {
    bad_code_is_survived(unsteady().set("lazy-apps", true).set("workers", 2));
}

#[test]
fn a_wrong_configuration_changes_nothing_and_is_named() {
    let mut server = unsteady().start();
    let good = fs::read_to_string(server.dir().join("app.ini")).expect("the ini file");
    edit(&server, |text| text.replace("workers = 4", "workers = many"));
    server.expect_log("reload failed, the old goes on serving");
    server.expect_log("workers = many");
    let output = operator(&server, "--reload");
    assert_eq!(output.status.code(), Some(RELOAD_FAILED), "{output:?}");
    assert!(complaint(&output).contains("many"), "{output:?}");
    assert!(who(&server).ends_with("of generation 1"));
    edit(&server, |_| good);
    reload(&server);
    wait_for_generation(&server, 2);
}

#[test]
fn a_socket_that_cannot_be_bound_fails_the_reload_and_leaves_no_file() {
    let mut server = unsteady().start();
    let fine = server.dir().join("fine.sock");
    let impossible = server.dir().join("missing/directory.sock");
    edit(&server, |text| format!("{text}socket = {}\nsocket = {}\n", fine.display(), impossible.display()));
    server.expect_log("reload failed, the old goes on serving");
    let output = operator(&server, "--reload");
    assert_eq!(output.status.code(), Some(RELOAD_FAILED), "{output:?}");
    assert!(!fine.exists(), "the socket that could be bound is left behind");
    assert!(who(&server).ends_with("of generation 1"));
}

#[test]
fn workers_sockets_and_logging_change_without_a_restart() {
    let server = unsteady().set("workers", 2).start();
    let second = server.dir().join("second.sock");
    edit(&server, |text| {
        let text = text.replace("workers = 2", "workers = 5").replace("disable-logging = true", "");
        format!("{text}socket = {}\n", second.display())
    });
    let seen = server.log.position();
    let traffic = Traffic::start(&server, 4, "/sleep?ms=1");
    reload(&server);
    assert!(wait_until(|| server.workers().len() == 5), "{:?}", server.workers());
    let packet = Request::get("/new-socket").to_uwsgi().expect("a small request");
    let reply = exchange(&Target::Unix(second.clone()), &packet, crate::harness::PATIENCE).expect("a reply");
    assert_eq!(reply.status(), Some(404));
    server.log.wait_for_after(seen, "/new-socket");
    edit(&server, |text| {
        let text = text.replace("workers = 5", "workers = 1\ndisable-logging = true");
        text.replace(&format!("socket = {}\n", second.display()), "")
    });
    reload(&server);
    traffic.end();
    assert!(!second.exists(), "the file of a socket that was taken out stays");
    assert!(wait_until(|| server.workers().len() == 1), "{:?}", server.workers());
    let seen = server.log.position();
    server.get("/quiet");
    server.signal(Signal::SIGUSR1);
    server.log.wait_for_after(seen, "pid ");
    assert!(server.log.lines_with("/quiet").is_empty());
}

#[test]
fn the_log_moves_to_the_file_of_a_new_configuration_and_takes_its_form() {
    let launch = unsteady().without("disable-logging");
    let (old, new) = (launch.dir().join("old.log"), launch.dir().join("new.log"));
    let server = launch.set("logto", old.display()).spawn();
    let text = |path: &std::path::Path| fs::read_to_string(path).unwrap_or_default();
    assert!(wait_until(|| text(&old).contains("ready to serve")), "{}", text(&old));
    let missing = server.dir().join("missing/new.log");
    edit(&server, |text| text.replace("old.log", "missing/new.log"));
    let output = operator(&server, "--reload");
    assert_eq!(output.status.code(), Some(RELOAD_FAILED), "{output:?}");
    assert!(complaint(&output).contains(&format!("cannot open the log {}", missing.display())), "{output:?}");
    edit(&server, |text| text.replace("missing/new.log", "new.log") + "log-prefix = app one\n");
    misdeed(server.dir(), "load fail");
    assert_eq!(operator(&server, "--reload").status.code(), Some(RELOAD_FAILED));
    assert!(text(&old).contains("told to fail"), "the old generation's log has the reason");
    misdeed(server.dir(), "");
    reload(&server);
    wait_for_generation(&server, 3);
    server.get("/seen-by-the-new-generation");
    assert!(wait_until(|| text(&new).contains("GET /seen-by-the-new-generation")), "{}", text(&new));
    assert!(wait_until(|| text(&new).contains("app one - reload done: generation 3 serves")), "{}", text(&new));
    assert!(!text(&old).contains("reload done"), "{}", text(&old));
    // The lines of the workers, too.
    server.signal(Signal::SIGKILL);
    assert!(wait_until(|| text(&new).contains("app one - [error] worker 1: the master is gone")), "{}", text(&new));
    assert!(server.wait_gone(crate::harness::PATIENCE));
    server.ends_with(137);
}

#[test]
fn what_cannot_change_without_a_restart_is_named() {
    let mut server = unsteady().start();
    edit(&server, |text| format!("{text}umask = 027\n"));
    server.expect_log("umask changes only with a restart");
    reload(&server);
    server.log.wait_for("umask changes only with a restart");
    edit(&server, |text| format!("{text}threads = 2\n"));
    server.expect_log("threads = 2 needs a restart");
    let output = operator(&server, "--reload");
    assert_eq!(output.status.code(), Some(RELOAD_FAILED), "{output:?}");
    assert!(complaint(&output).contains("threads = 2 needs a restart"), "{output:?}");
}

#[test]
fn what_the_old_workers_hold_is_finished() {
    let server = unsteady().start();
    let held = Held::begin(&server);
    reload(&server);
    wait_for_generation(&server, 2);
    held.finish();
}

#[test]
fn who_outlives_the_mercy_is_killed() {
    let mut server = unsteady().set("worker-reload-mercy", 1).start();
    server.expect_log("NO MERCY");
    server.expect_log("killed by signal 9");
    let old = server.workers();
    let _held = Held::begin(&server);
    reload(&server);
    server.log.wait_for("NO MERCY");
    assert!(old.iter().all(goes), "an old worker stays");
}

#[test]
fn a_reload_that_comes_during_another_takes_its_place() {
    let server = unsteady().start();
    misdeed(server.dir(), "load hang");
    server.signal(Signal::SIGHUP);
    assert!(wait_until(|| server.zygotes().len() == 2), "{:?}", server.processes());
    misdeed(server.dir(), "");
    reload(&server);
    wait_for_generation(&server, 3);
    assert!(wait_until(|| server.zygotes().len() == 1), "{:?}", server.processes());
}

#[test]
fn a_stop_wins_over_a_reload() {
    let mut server = unsteady().start();
    server.expect_log("the instance is stopping");
    misdeed(server.dir(), "load hang");
    server.signal(Signal::SIGHUP);
    assert!(wait_until(|| server.zygotes().len() == 2), "{:?}", server.processes());
    server.stop();
}

#[test]
fn a_reload_during_a_stop_is_refused() {
    let mut server = unsteady().start();
    server.expect_log("reload refused");
    let held = Held::begin(&server);
    tell(&server, "q");
    server.log.wait_for("graceful shutdown triggered");
    let output = operator(&server, "--reload");
    assert_eq!(output.status.code(), Some(RELOAD_FAILED), "{output:?}");
    held.finish();
    server.ends_with(0);
}

#[test]
fn a_reload_while_workers_are_added_loses_nothing() {
    let launch = unsteady().set("workers", 6).set("cheaper", 1);
    misdeed(launch.dir(), "start slow 50");
    let server = launch.start();
    let traffic = Traffic::start(&server, 12, "/sleep?ms=20");
    server.log.wait_for("spawned uWSGI worker 2 ");
    let old = server.workers();
    reload(&server);
    assert!(old.iter().all(goes), "an old worker stays");
    traffic.end();
    assert!(!who(&server).ends_with("of generation 1"));
}

#[test]
fn signals_during_the_start_are_heard_afterwards() {
    let launch = unsteady();
    misdeed(launch.dir(), "load slow 300");
    let server = launch.spawn();
    assert!(wait_until(|| !server.zygotes().is_empty()), "no zygote");
    server.signal(Signal::SIGHUP);
    server.log.wait_for("reload done: generation 2 serves");
}

#[test]
fn a_stop_during_the_start_ends_it() {
    let launch = unsteady();
    misdeed(launch.dir(), "load hang");
    let server: Instance = launch.spawn();
    assert!(wait_until(|| !server.zygotes().is_empty()), "no zygote");
    server.stop();
}

#[test]
fn of_several_signals_at_once_the_most_severe_wins() {
    let mut server = unsteady().start();
    server.expect_log("refused");
    // Stopped, it gets all of them at once.
    server.signal(Signal::SIGSTOP);
    for signal in [Signal::SIGHUP, Signal::SIGTSTP, Signal::SIGTERM, Signal::SIGTTIN] {
        server.signal(signal);
    }
    server.signal(Signal::SIGCONT);
    server.ends_with(0);
}
