//! The master's own binary replaced under load, and reloads of all kinds in a row: nothing is lost, and nothing piles
//! up. `RELOADS=1000 cargo test --release --test servers reload_upgrade` is the full number.

use std::fs;

use crate::harness::{Instance, Process, example_path, wait_until};
use crate::reloading::replacing::{UPGRADED, install, replaceable, upgrade};
use crate::reloading::{
    Held, Traffic, descriptors, edit, goes, misdeed, number_from, operator, reload, resident_kb, tell, unsteady,
    wait_for_generation, who,
};
use nix::sys::signal::Signal;

#[test]
fn an_upgrade_under_load_is_noticed_by_nobody() {
    let server = unsteady().start();
    let (workers, zygotes) = (server.workers(), server.zygotes());
    let traffic = Traffic::start(&server, 8, "/sleep?ms=2");
    let streams = Traffic::start(&server, 2, "/stream?ms=5");
    let held = Held::begin(&server);
    for _ in 0..3 {
        upgrade(&server);
    }
    held.finish();
    streams.end();
    traffic.end();
    assert_eq!((server.workers(), server.zygotes()), (workers, zygotes), "somebody was replaced");
    let status = operator(&server, "--resume");
    assert!(status.status.success(), "{status:?}");
    reload(&server);
    wait_for_generation(&server, 2);
}

#[test]
fn a_new_binary_in_the_place_of_the_old_one_is_executed() {
    let (launch, binary) = replaceable();
    let server = launch.start();
    let traffic = Traffic::start(&server, 4, "/sleep?ms=1");
    install(&binary, &fs::read(example_path("unsteady")).expect("the example"));
    upgrade(&server);
    let executed = fs::read_link(format!("/proc/{}/exe", server.pid())).expect("the master's binary");
    assert_eq!(executed, binary, "the old image goes on");
    reload(&server);
    traffic.end();
    wait_for_generation(&server, 2);
    server.stop();
    let _ = fs::remove_dir_all(binary.parent().expect("a directory"));
}

#[test]
fn a_binary_that_does_not_understand_the_handover_is_not_executed() {
    let (launch, binary) = replaceable();
    let mut server = launch.start();
    let traffic = Traffic::start(&server, 4, "/sleep?ms=1");
    let others: [&[u8]; 3] = [b"#!/bin/sh\nexit 64\n", b"no program at all", b"#!/missing/interpreter\n"];
    for (count, contents) in others.into_iter().enumerate() {
        install(&binary, contents);
        tell(&server, "u");
        server.expect_log("the master was not replaced and goes on");
        server.log.wait_for_count(count + 1, "the master was not replaced and goes on");
        assert!(who(&server).ends_with("of generation 1"));
    }
    install(&binary, &fs::read(example_path("unsteady")).expect("the example"));
    reload(&server);
    traffic.end();
    server.stop();
    let _ = fs::remove_dir_all(binary.parent().expect("a directory"));
}

#[test]
fn a_binary_that_does_not_answer_is_given_up_and_nobody_waits_for_it() {
    let (launch, binary) = replaceable();
    let mut server = launch.start();
    server.expect_log("the master was not replaced and goes on");
    install(&binary, b"#!/bin/sh\nexec sleep 1000\n");
    tell(&server, "u");
    assert!(operator(&server, "--resume").status.success());
    server.log.wait_for("did not say within 5 s that it understands this master");
    assert!(who(&server).ends_with("of generation 1"));
    server.stop();
    let _ = fs::remove_dir_all(binary.parent().expect("a directory"));
}

#[test]
fn after_an_upgrade_deaths_are_mended_as_before() {
    let mut server = unsteady().start();
    upgrade(&server);
    server.expect_log("killed by signal 9");
    let old = server.workers();
    old[0].signal(Signal::SIGKILL);
    server.log.wait_for("Respawned uWSGI worker 1 ");
    let traffic = Traffic::start(&server, 8, "/");
    server.zygotes()[0].signal(Signal::SIGKILL);
    server.log.wait_for("generation 2 loaded");
    assert!(old.iter().all(goes), "an old worker stays");
    traffic.end();
    assert!(who(&server).ends_with("of generation 2"));
}

#[test]
fn an_upgrade_while_orphans_serve_adopts_them() {
    let mut server = unsteady().start();
    server.expect_log("generation 1 failed");
    let old = server.workers();
    let held = Held::begin(&server);
    misdeed(server.dir(), "load slow 200");
    server.zygotes()[0].signal(Signal::SIGKILL);
    tell(&server, "u");
    server.log.wait_for("generation 2 loaded");
    server.log.wait_for(UPGRADED);
    held.finish();
    assert!(old.iter().all(goes), "an old worker stays");
    wait_for_generation(&server, 2);
}

#[test]
fn an_upgrade_during_a_reload_comes_after_it() {
    let server = unsteady().start();
    misdeed(server.dir(), "load slow 200");
    server.signal(Signal::SIGHUP);
    assert!(wait_until(|| server.zygotes().len() == 2), "{:?}", server.processes());
    tell(&server, "u");
    server.log.wait_for(UPGRADED);
    assert_eq!(server.log.lines_with("reload done: generation 2 serves").len(), 1, "{}", server.log.tail());
    wait_for_generation(&server, 2);
}

#[test]
fn what_a_paused_master_hands_over_stays_paused() {
    let server = unsteady().start();
    assert!(operator(&server, "--pause").status.success());
    upgrade(&server);
    let status = std::process::Command::new(crate::harness::program_path("rhinod"))
        .arg("status")
        .arg(server.dir().join("pid"))
        .output()
        .expect("execute rhinod");
    assert!(String::from_utf8_lossy(&status.stdout).contains("paused"), "{status:?}");
    assert!(operator(&server, "--resume").status.success());
    assert!(who(&server).ends_with("of generation 1"));
}

/// How many reloads in a row. Not with our prefix: the server takes `RHINOD_*` for options.
fn reloads() -> usize {
    number_from("RELOADS", 60)
}

/// What must not grow.
#[derive(Debug)]
struct Stock {
    descriptors: usize,
    processes: usize,
    resident_kb: u64,
}

impl Stock {
    /// After everyone who leaves has left: four workers and one zygote below the master.
    fn take(server: &Instance) -> Self {
        let settled = wait_until(|| server.processes().len() == 6);
        assert!(settled, "{:?}\n{}", server.processes(), server.log.tail());
        Self {
            descriptors: descriptors(server.pid()),
            processes: server.processes().len(),
            resident_kb: resident_kb(server.pid()),
        }
    }
}

/// Sets off one reload, of a kind that changes from one to the next, and waits for its end.
fn any_reload(server: &Instance, number: usize) {
    let seen = server.log.position();
    let touched = server.dir().join("touched");
    let done = match number % 6 {
        0 => {
            server.signal(Signal::SIGHUP);
            "reload done: generation"
        }
        1 => {
            tell(server, "w");
            "workers' reload done"
        }
        2 => {
            tell(server, "c");
            "chain reloading complete"
        }
        3 => {
            fs::write(&touched, number.to_string()).expect("touch");
            "reload done: generation"
        }
        4 => {
            tell(server, "u");
            UPGRADED
        }
        _ => {
            reload(server);
            "reload done: generation"
        }
    };
    server.log.wait_for_after(seen, done);
}

#[test]
fn reloads_of_all_kinds_in_a_row_lose_nothing_and_nothing_piles_up() {
    let launch = unsteady().set("worker-reload-mercy", 30);
    let touched = launch.dir().join("touched");
    let server = launch.set("touch-reload", touched.display()).start();
    let traffic = [
        Traffic::start(&server, 3, "/sleep?ms=1"),
        Traffic::start(&server, 1, "/sleep?ms=100"),
        Traffic::start(&server, 1, "/sleep?ms=3000"),
        Traffic::start(&server, 1, "/stream?ms=200"),
    ];
    let mut early = None;
    for number in 0..reloads() {
        any_reload(&server, number);
        if number == 9 {
            early = Some(Stock::take(&server));
        }
    }
    let early = early.expect("at least ten reloads");
    // The dead are seen as gone before the master has buried them.
    wait_until(|| descriptors(server.pid()) <= early.descriptors);
    let late = Stock::take(&server);
    let answered: u64 = traffic.into_iter().map(|traffic| traffic.end().counts.ok).sum();
    println!("{} reloads, {answered} requests; after the tenth {early:?}, at the end {late:?}", reloads());
    assert!(late.descriptors <= early.descriptors && late.processes == early.processes, "{early:?} {late:?}");
    assert!(late.resident_kb <= early.resident_kb + 1_024, "{early:?} {late:?}");
}

#[test]
fn an_upgrade_keeps_what_a_reload_has_changed() {
    let server = unsteady().start();
    edit(&server, |text| text.replace("workers = 4", "workers = 2"));
    reload(&server);
    upgrade(&server);
    assert!(wait_until(|| server.workers().len() == 2), "{:?}", server.workers());
    edit(&server, |text| text.replace("workers = 2", "workers = 3"));
    reload(&server);
    assert!(wait_until(|| server.workers().len() == 3), "{:?}", server.workers());
}

/// A title takes the place of the arguments, by which the next image and every reload find the configuration.
#[test]
fn a_master_with_a_title_is_executed_as_it_was_called() {
    let server = unsteady().set("auto-procname", true).start();
    for generation in 2..4 {
        upgrade(&server);
        let titles: Vec<String> = server.processes().iter().map(Process::title).collect();
        assert!(titles.iter().any(|title| title == "rhinod master"), "{titles:?}");
        reload(&server);
        wait_for_generation(&server, generation);
    }
}
