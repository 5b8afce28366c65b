//! Trials of new generations (`reload-canary`): which part of the requests they take, whom they are taken back from, and
//! what else may happen meanwhile.

use std::process::Command;

use crate::harness::{Instance, Launch, program_path, wait_until};
use crate::monitoring::{document, stats_path, wait_for};
use crate::reloading::replacing::UPGRADED;
use crate::reloading::{
    RELOAD_FAILED, Traffic, complaint, edit, misdeed, operator, reload, tell, unsteady, wait_for_generation, who,
};
use crate::terminal::Terminal;
use nix::sys::signal::Signal;

/// Four workers of the unsteady example; a second, and a hundred requests are enough.
fn tried(portion: &str) -> Launch {
    unsteady().set("reload-canary", portion).set("reload-canary-time", 1).set("reload-canary-requests", 100)
}

/// The numbers of a line of the log, in their order.
fn numbers(line: &str) -> Vec<f64> {
    line.split(|letter: char| !letter.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

fn wait_for_trial(server: &Instance) {
    server.log.wait_for("on trial");
}

#[test]
fn a_new_generation_takes_its_share_and_then_takes_over() {
    for (portion, share) in [("1%%", 0.01), ("10%%", 0.10), ("50%%", 0.50), ("1", 0.20)] {
        // A worker that takes a hundredth needs longer to tell anything.
        let server = tried(portion).set("reload-canary-verdict", "keep-waiting").start();
        let traffic = Traffic::start(&server, 8, "/sleep?ms=1");
        reload(&server);
        traffic.end();
        wait_for_generation(&server, 2);
        let line = server.log.lines_with("canary: generation 2 takes over: ").concat();
        let (_, told) = line.split_once("takes over: ").expect("the line");
        let [failed, new, old, failed_old, ..] = numbers(told)[..] else { panic!("{told}") };
        assert_eq!((failed, failed_old), (0.0, 0.0), "{told}");
        let taken = new / (new + old);
        assert!((taken - share).abs() <= share / 5.0, "{portion}: {taken} of the requests: {told}");
    }
}

#[test]
fn a_generation_that_fails_or_is_slow_is_taken_back_from_its_share() {
    // Slow ones are known after a hundred requests of theirs, failing ones at the first look.
    for (text, reason) in [("answer fail 5", "requests failed"), ("answer slow 20", "requests took longer than")] {
        let mut server = tried("20%%").set("reload-canary-time", 60).start();
        server.expect_log("failed");
        misdeed(server.dir(), text);
        let traffic = Traffic::start(&server, 8, "/sleep?ms=1");
        let output = operator(&server, "--reload");
        assert_eq!(output.status.code(), Some(RELOAD_FAILED), "{text}: {output:?}");
        assert!(complaint(&output).contains(reason), "{text}: {output:?}");
        assert!((0..16).all(|_| who(&server).ends_with("of generation 1")), "{text}");
        let counts = traffic.stop().counts;
        let met = counts.failed() as f64 / (counts.ok + counts.failed()) as f64;
        let share = if text.starts_with("answer fail") { 0.2 / 5.0 } else { 0.0 };
        assert!(met <= 1.3 * share, "{text}: {met} of the clients met an error: {counts:?}");
        assert!(wait_until(|| server.zygotes().len() == 1), "{:?}", server.processes());
        server.stop();
    }
}

#[test]
fn answers_say_which_generation_gave_them_where_that_is_asked_for() {
    let server = unsteady().set("generation-header", true).start();
    let generation = || server.get("/").header("X-Rhinod-Generation");
    assert_eq!(generation().as_deref(), Some("1"));
    reload(&server);
    assert!(wait_until(|| generation().as_deref() == Some("2")), "{:?}", generation());
}

#[test]
fn what_comes_of_too_few_requests_is_as_configured() {
    let mut server = tried("1").set("reload-canary-verdict", "rollback").start();
    server.expect_log("failed");
    let output = operator(&server, "--reload");
    assert_eq!(output.status.code(), Some(RELOAD_FAILED), "{output:?}");
    assert!(complaint(&output).contains("only 0 requests came, and 100 are to tell"), "{output:?}");
    edit(&server, |text| text.replace("rollback", "commit"));
    reload(&server);
    wait_for_generation(&server, 3);
}

#[test]
fn a_canary_that_dies_is_taken_back() {
    let mut server = tried("1").set("reload-canary-time", 60).start();
    for word in ["failed", "killed", "died", "DAMN"] {
        server.expect_log(word);
    }
    let old = server.workers();
    server.signal(Signal::SIGHUP);
    wait_for_trial(&server);
    let canary = server.workers().into_iter().find(|worker| old.iter().all(|other| other.pid != worker.pid));
    canary.expect("a worker on trial").signal(Signal::SIGKILL);
    server.log.wait_for("the old goes on serving");
    assert!((0..8).all(|_| who(&server).ends_with("of generation 1")));
    assert!(old.iter().all(|worker| worker.is_alive()));
}

#[test]
fn a_canary_whose_requests_get_stuck_is_taken_back_by_their_number() {
    let mut server = tried("1").set("harakiri", 1).set("reload-canary-time", 60).start();
    for word in ["failed", "HARAKIRI", "harakiri", "killed", "died", "DAMN", "cannot be interrupted", "stuck"] {
        server.expect_log(word);
    }
    misdeed(server.dir(), "answer slow 60000");
    let traffic = Traffic::start(&server, 4, "/sleep?ms=1");
    let output = operator(&server, "--reload");
    assert_eq!(output.status.code(), Some(RELOAD_FAILED), "{output:?}");
    let told = complaint(&output);
    let (_, told) = told.split_once("reload failed").unwrap_or(("", &told));
    let [failed, new, _, failed_old, ..] = numbers(told)[..] else { panic!("{told}") };
    // Each has cost a worker, and all that the canary was asked for were such.
    assert!(failed >= 2.0 && failed == new && failed_old == 0.0, "{told}");
    traffic.stop();
    assert!((0..8).all(|_| who(&server).ends_with("of generation 1")));
}

#[test]
fn a_second_reload_takes_the_place_of_the_one_on_trial_and_a_stop_ends_it() {
    let mut server = tried("1").set("reload-canary-time", 60).start();
    server.expect_log("has no effect without reload-canary");
    let traffic = Traffic::start(&server, 4, "/sleep?ms=1");
    server.signal(Signal::SIGHUP);
    wait_for_trial(&server);
    edit(&server, |text| text.replace("reload-canary = 1", ""));
    reload(&server);
    wait_for_generation(&server, 3);
    traffic.end();
    edit(&server, |text| format!("{text}\nreload-canary = 1\n"));
    tell(&server, "r");
    server.log.wait_for("of generation 4 serves on trial");
    server.stop();
}

/// Has the trial that is under way end, by hand.
fn decide(server: &Instance, verdict: &str) -> (Option<i32>, String) {
    let mut command = Command::new(program_path("rhinod"));
    let output = command.args(["canary", verdict]).arg(server.dir().join("pid")).output().expect("execute rhinod");
    (output.status.code(), complaint(&output))
}

#[test]
fn a_chain_reload_and_an_upgrade_wait_for_the_verdict() {
    let server = tried("1").set("reload-canary-time", 60).start();
    server.signal(Signal::SIGHUP);
    wait_for_trial(&server);
    let seen = server.log.position();
    tell(&server, "cu");
    // Answered by the master after it has heard the letters, or it hears them together with the verdict.
    assert!(String::from_utf8_lossy(&operator(&server, "status").stdout).contains(" on trial"));
    assert!(!server.log.has_after(seen, UPGRADED) && !server.log.has_after(seen, "chain reload"));
    assert_eq!(decide(&server, "commit"), (Some(0), String::new()));
    server.log.wait_for_after(seen, UPGRADED);
    wait_for_generation(&server, 2);
    server.log.wait_for_after(seen, "chain reload");
    server.stop();
}

#[test]
fn cheap_mode_ends_a_trial_and_who_wakes_the_instance_meets_the_new_generation() {
    let server = tried("1").set("reload-canary-time", 60).set("cheap", true).start();
    assert!(who(&server).ends_with("of generation 1"));
    server.signal(Signal::SIGHUP);
    wait_for_trial(&server);
    tell(&server, "C");
    server.log.wait_for("canary: generation 2 takes over: no worker is wanted, so that nothing can be tried");
    assert!(wait_until(|| server.workers().is_empty()), "{:?}", server.processes());
    assert!(who(&server).ends_with("of generation 2"));
    server.stop();
}

#[test]
fn with_one_worker_and_threads_the_two_share_and_nobody_waits() {
    let server = tried("1").set("workers", 1).set("threads", 2).start();
    let traffic = Traffic::start(&server, 4, "/sleep?ms=1");
    reload(&server);
    let report = traffic.end();
    wait_for_generation(&server, 2);
    println!("{} requests, longest {} ms", report.counts.ok, report.latency.max_us / 1_000.0);
    // Nobody else listens: what was in the queue at the end of the trial is answered as well.
    assert!(who(&server).ends_with("of generation 2"));
}

#[test]
fn an_operator_may_end_a_trial_either_way() {
    let mut server = tried("1").set("reload-canary-time", 60).start();
    server.expect_log("failed");
    let (code, why) = decide(&server, "commit");
    assert_eq!((code, why.contains("no generation is on trial")), (Some(RELOAD_FAILED), true), "{why}");
    for (verdict, serves) in [("rollback", 1), ("commit", 3)] {
        let position = server.log.position();
        server.signal(Signal::SIGHUP);
        server.log.wait_for_after(position, "on trial");
        let status = operator(&server, "status");
        assert!(String::from_utf8_lossy(&status.stdout).contains(" on trial"), "{status:?}");
        assert_eq!(decide(&server, verdict), (Some(0), String::new()));
        wait_for_generation(&server, serves);
    }
}

#[test]
fn a_share_of_nothing_or_of_more_than_all_is_refused() {
    for value in ["0", "0%%", "101%%", "-1", "half"] {
        let failed = unsteady().set("reload-canary", value).fails();
        let expected = "expected a number of workers from 1 on, or a part of them from 1% to 100%";
        let told = format!("reload-canary = {}: {expected}", value.replace("%%", "%"));
        assert!(failed.line().contains(&told), "{}", failed.line());
    }
}

#[test]
fn a_canary_with_exit_on_reload_is_refused() {
    let failed = tried("1").set("exit-on-reload", true).fails();
    let told = "reload-canary = 1: nothing can be tried: with exit-on-reload the instance ends in place of a reload";
    assert!(failed.line().contains(told), "{}", failed.line());
    assert!(failed.line().contains("leave one of the two out"), "{}", failed.line());
}

#[test]
fn on_a_terminal_a_reload_shows_how_far_the_trial_is() {
    let server = tried("1").set("reload-canary-time", 60).start();
    let traffic = Traffic::start(&server, 4, "/sleep?ms=1");
    let mut command = Command::new(program_path("rhinod"));
    let mut terminal = Terminal::running(command.arg("--reload").arg(server.dir().join("pid")));
    terminal.wait_for(&["generation 2 is on trial for 1 of 60 s: 0 of its ", "of the old generation's"]);
    assert_eq!(decide(&server, "commit"), (Some(0), String::new()));
    terminal.wait_for(&["generation 2 serves"]);
    terminal.ends_well();
    traffic.end();
    server.stop();
}

#[test]
fn statistics_tell_of_a_trial_and_of_its_verdict() {
    let launch = tried("20%%").set("reload-canary-time", 60);
    let stats = stats_path(launch.dir());
    let mut server = launch.set("stats", stats.display()).start();
    server.expect_log("failed");
    let traffic = Traffic::start(&server, 8, "/sleep?ms=1");
    assert!(document(&server)["canary"].is_null());
    let says = |parts: [&str; 2]| {
        wait_for(&server, |told| {
            told["canary"].as_str().is_some_and(|text| parts.iter().all(|part| text.contains(part)))
        });
    };
    server.signal(Signal::SIGHUP);
    says(["generation 2 is on trial for ", " of 60 s: 0 of its "]);
    assert_eq!(decide(&server, "commit"), (Some(0), String::new()));
    says(["generation 2 takes over: ", "as an operator has decided"]);
    misdeed(server.dir(), "answer fail 5");
    let output = operator(&server, "--reload");
    assert_eq!(output.status.code(), Some(RELOAD_FAILED), "{output:?}");
    says(["generation 3 does not take over: ", "requests failed, of the old generation's "]);
    traffic.stop();
    server.stop();
}
