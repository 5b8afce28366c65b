//! The record of a real instance's decisions: each one a line of the log and a line of the file, and replayed they are
//! reached again, bit for bit; and the signals that they rest on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::harness::{Instance, Launch, PATIENCE, program_path, wait_until};
use crate::reloading::{Held, Traffic, complaint, edit, operator, reload, send, tell, unsteady};
use loadgen::packet::Request;
use nix::sys::signal::Signal;
use rhinod::scaling::decision_log::{Record, text_line};
use rhinod::scaling::{Decision, Reason};

/// The unsteady example with 2 to 6 workers that records what it decides.
fn recording(policy: &str) -> Launch {
    let launch = unsteady().set("workers", 6).set("cheaper", 2).set("cheaper-algo", policy);
    let file = launch.dir().join("decisions");
    launch.set("cheaper-log", file.display())
}

fn decisions(server: &Instance) -> PathBuf {
    server.dir().join("decisions")
}

fn records(path: &Path) -> Vec<Record> {
    let text = fs::read_to_string(path).expect("the log of decisions");
    text.lines().map(|line| serde_json::from_str(line).expect("a record")).collect()
}

/// Has the command decide again on every record; all must come out the same.
fn assert_replays(path: &Path, count: usize) {
    let output = Command::new(program_path("rhinod")).args(["simulate", "--replay"]).arg(path).output();
    let output = output.expect("execute rhinod");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains(&format!("{count} decisions")), "{output:?}");
}

#[test]
fn trying_out_a_configuration_ends_as_starting_it_would() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let wrong = directory.path().join("wrong.ini");
    fs::write(&wrong, "[uwsgi]\nworkers = many\n").expect("written");
    for (ini, status) in [(directory.path().join("missing.ini"), 66), (wrong, 78)] {
        for arguments in [&["simulate", "--shape", "steady", "--ini"][..], &["--ini"]] {
            let output = Command::new(program_path("rhinod")).args(arguments).arg(&ini).output();
            let output = output.expect("execute rhinod");
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
            assert!(said.contains(&*ini.to_string_lossy()), "{said}");
        }
    }
}

#[test]
fn the_policies_are_listed_at_the_start_of_an_instance_that_asks_for_it() {
    let server = unsteady().set("cheaper-algo-list", true).start();
    assert_eq!(server.get("/sleep?ms=0").status(), Some(200));
    let lines = server.log.lines();
    for name in ["adaptive", "spare", "spare2", "backlog", "busyness", "manual"] {
        assert!(lines.iter().any(|line| line == name), "{name}: {lines:?}");
    }
}

/// From the minimum up under load and, with the load gone, back again.
fn up_and_down(server: &Instance) {
    send(server.target(), &Request::get("/sleep?ms=100"), 16, 128);
    server.log.wait_for("to 6 workers");
    server.log.wait_for("to 2 workers");
}

/// What has been decided, in the log and in the file; both must say the same.
fn judge(server: Instance) {
    server.signal(Signal::SIGTERM);
    assert!(server.wait_gone(PATIENCE), "it does not end");
    let path = decisions(&server);
    let records = records(&path);
    let lines: Vec<String> = records.iter().map(|record| text_line(&record.sample, &record.decided)).collect();
    assert_eq!(lines, server.log.lines_with("scaling: "));
    assert_replays(&path, records.len());
    server.ends_with(0);
}

#[test]
fn adaptive_decides_again_as_it_did() {
    let server = recording("adaptive").set("cheaper-target-wait", 50).start();
    up_and_down(&server);
    judge(server);
}

#[test]
fn spare_decides_again_as_it_did() {
    let server = recording("spare").set("cheaper-overload", 1).set("cheaper-step", 2).start();
    up_and_down(&server);
    judge(server);
}

#[test]
fn spare2_decides_again_as_it_did() {
    let server = recording("spare2").set("cheaper-idle", 1).set("cheaper-step", 4).start();
    up_and_down(&server);
    judge(server);
}

#[test]
fn backlog_decides_again_as_it_did() {
    let server = recording("backlog").set("cheaper-overload", 2).start();
    up_and_down(&server);
    judge(server);
}

#[test]
fn busyness_decides_again_as_it_did() {
    let launch = recording("busyness").set("cheaper-overload", 1).set("cheaper-step", 4);
    let server = launch.set("cheaper-busyness-multiplier", 1).start();
    up_and_down(&server);
    judge(server);
}

#[test]
fn each_window_of_busyness_can_be_told() {
    let launch = recording("busyness").set("cheaper-overload", 1).set("cheaper-busyness-max", 100);
    let server = launch.set("cheaper-busyness-verbose", true).start();
    let traffic = Traffic::start(&server, 8, "/sleep?ms=50");
    server.log.wait_for_count(2, "scaling: hold 2 workers: ");
    traffic.end();
    assert!(!server.log.lines_with(" % busy in this window [").is_empty());
    judge(server);
}

#[test]
fn manual_decides_again_as_it_did() {
    let server = recording("manual").start();
    tell(&server, "++++");
    server.log.wait_for("to 6 workers");
    // A removal that finds nobody idle is dropped, and the newest may only be starting yet: ask until it is done.
    while server.log.lines_with("to 2 workers").is_empty() {
        let seen = server.log.position();
        tell(&server, "-s");
        server.log.wait_for_after(seen, "generation 1");
    }
    judge(server);
}

#[test]
fn decisions_of_threads_and_of_an_instance_that_was_upgraded_are_recorded_as_well() {
    let server = recording("adaptive").set("cheaper-target-wait", 50).set("threads", 2).start();
    tell(&server, "u");
    server.log.wait_for("the master (pid");
    up_and_down(&server);
    judge(server);
}

#[test]
fn the_file_is_opened_anew_by_its_name_and_moved_by_a_reload() {
    let server = recording("manual").start();
    tell(&server, "+");
    server.log.wait_for("to 3 workers");
    let rotated = server.dir().join("decisions.1");
    fs::rename(decisions(&server), &rotated).expect("rotate");
    tell(&server, "l");
    assert!(wait_until(|| decisions(&server).exists()), "not opened anew");
    tell(&server, "+");
    server.log.wait_for("to 4 workers");
    assert_eq!((records(&rotated).len(), records(&decisions(&server)).len()), (1, 1));

    let moved = server.dir().join("elsewhere");
    edit(&server, |text| text.replace("/decisions", "/elsewhere"));
    reload(&server);
    tell(&server, "+");
    server.log.wait_for("to 5 workers");
    assert_eq!((records(&decisions(&server)).len(), records(&moved).len()), (1, 1));

    edit(&server, |text| text.replace("/elsewhere", "/none/elsewhere"));
    let mut server = server;
    server.expect_log("cannot open the log of decisions");
    let output = crate::reloading::operator(&server, "--reload");
    assert_eq!(output.status.code(), Some(crate::reloading::RELOAD_FAILED), "{output:?}");
    assert!(crate::reloading::complaint(&output).contains("cannot open the log of decisions"), "{output:?}");
    tell(&server, "+");
    server.log.wait_for("to 6 workers");
    // The record is written after the line of the log.
    assert!(wait_until(|| records(&moved).len() == 2), "the old configuration does not go on: {:?}", records(&moved));
}

/// Whatever `chdir` says, and after an upgrade as well, whose image begins in the directory of `chdir`.
#[test]
fn a_relative_path_is_meant_from_the_directory_of_the_start() {
    let launch = recording("manual").set("cheaper-log", "decisions").set("chdir", "/");
    let there = launch.dir().as_os_str().to_owned();
    // The shell executes the example in its own place; $1 is that, $2 the ini file.
    let server = launch.through(["sh".into(), "-c".into(), "cd \"$0\" && exec \"$1\" app.ini".into(), there]).start();
    tell(&server, "+");
    server.log.wait_for("to 3 workers");

    let moves = [("= decisions", "= ./elsewhere", "to 4 workers"), ("= ./elsewhere", "= third", "to 5 workers")];
    for (from, to, grown) in moves {
        edit(&server, |text| text.replace(from, to));
        reload(&server);
        tell(&server, "+");
        server.log.wait_for(grown);

        let seen = server.log.position();
        tell(&server, "u");
        server.log.wait_for_after(seen, "the master (pid");
    }
    for name in ["decisions", "elsewhere", "third"] {
        assert_eq!(records(&server.dir().join(name)).len(), 1, "{name}");
    }
}

/// The kernel's queue of a TCP socket (`TCP_INFO`): the one signal that `backlog` has.
#[test]
fn the_queue_of_a_tcp_socket_is_seen() {
    let launch = recording("backlog").set("cheaper-overload", 2).line("socket = 127.0.0.1:0");
    let server = launch.start();
    let bound = server.log.wait_for("bound to 127.0.0.1:").text;
    let address = bound.rsplit(' ').next().expect("an address").parse().expect("an address");
    let held: Vec<Held> = (0..2).map(|_| Held::begin(&server)).collect();
    send(address, &Request::get("/sleep?ms=20"), 8, 64);
    held.into_iter().for_each(Held::finish);
    let grown = records(&decisions(&server)).into_iter().find(|record| record.decided.decision == Decision::Grow(1));
    let record = grown.expect("a decision to grow");
    assert!(matches!(record.decided.reason, Reason::QueueLong { queue: 3..=8, limit: 2 }), "{record:?}");
}

/// The exact wait that the first decision saw, in microseconds, after requests which say that they came to the web
/// server three seconds ago.
fn exact_wait_us(launch: Launch, variable: &str, value: impl Fn(f64) -> String) -> u64 {
    let server = launch.set("cheaper", 1).start();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock of this century").as_secs_f64();
    let request = Request::get("/").var("REMOTE_ADDR", b"10.1.2.3").var(variable, value(now - 3.0).as_bytes());
    // There is one worker, so that the answer to the second one shows that the first is booked.
    send(server.target(), &request, 1, 2);
    tell(&server, "+");
    server.log.wait_for("to 2 workers");
    records(&decisions(&server))[0].sample.exact_wait_us
}

#[test]
fn the_time_of_arrival_that_the_web_server_passes_becomes_an_exact_wait() {
    let trusting = || recording("manual").set("trusted-proxy", "10.1.0.0/16");
    let seconds = |moment: f64| format!("{moment:.3}");
    let waits_us = [
        exact_wait_us(recording("manual"), "REQUEST_MSEC", seconds),
        exact_wait_us(trusting(), "HTTP_X_REQUEST_START", |moment| format!("t={moment:.3}")),
        exact_wait_us(trusting(), "HTTP_X_REQUEST_START", |moment| format!("{:.0}", moment * 1e3)),
        exact_wait_us(trusting(), "HTTP_X_REQUEST_START", |moment| format!("t={:.0}", moment * 1e6)),
    ];
    assert!(waits_us.iter().all(|wait_us| (2_900_000..60_000_000).contains(wait_us)), "{waits_us:?}");
    let stranger = exact_wait_us(recording("manual"), "HTTP_X_REQUEST_START", seconds);
    assert_eq!(stranger, 0, "anyone can send the header");
}

#[test]
fn a_schedule_keeps_more_workers_than_the_policy_would() {
    let launch = recording("spare").line("cheaper-schedule = daily 00:00-24:00 4");
    let mut server = launch.start();
    server.expect_log("failed to find time zone");
    server.log.wait_for("grow by 2 to 4 workers: 2 workers, the schedule keeps 4 at this time");
    edit(&server, |text| text.replace("00:00-24:00 4", "00:00-24:00 5 UTC"));
    reload(&server);
    server.log.wait_for("to 5 workers: 4 workers, the schedule keeps 5 at this time");
    edit(&server, |text| text.replace("UTC", "Europe/Berlim"));
    let refused = operator(&server, "--reload");
    let told = complaint(&refused);
    assert!(!refused.status.success() && told.contains("app.ini:") && told.contains("Europe/Berlim"), "{told}");
    let records = records(&decisions(&server));
    let scheduled = |record: &&Record| matches!(record.decided.reason, Reason::Scheduled { .. });
    assert_eq!(records.iter().filter(scheduled).count(), 2);
    assert_replays(&decisions(&server), records.len());
    server.stop();
    for (line, expected) in [
        ("cheaper-schedule = mon 8-18 3", "expected DAYS HH:MM-HH:MM WORKERS"),
        ("cheaper-schedule = mon 08:00-18:00 7", "7 workers are more than there may be (6)"),
    ] {
        let failed = recording("spare").line(line).fails();
        assert!(failed.line().contains("app.ini:") && failed.line().contains(expected), "{}", failed.line());
    }
}
