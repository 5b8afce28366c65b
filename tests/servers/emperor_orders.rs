//! What is done around a vassal's life, and what a vassal asks for: hooks, addresses that a command prints, capabilities,
//! reinforcements.

use std::fs;
use std::path::PathBuf;

use crate::harness::{Instance, wait_for_text, wait_until, write_executable};
use crate::realm::{Realm, start};
use crate::reloading::Held;

/// A program that writes what it was called with into the file `NAME.log` beside it, and its path.
fn note_taker(realm: &Realm, name: &str, script: &str) -> PathBuf {
    let path = realm.path().join(name);
    write_executable(&path, format!("#!/bin/sh\n{script} >>\"$0.log\"\n").as_bytes());
    path
}

#[test]
fn hooks_run_around_a_vassals_life_and_for_each_order_of_its_emperor() {
    let realm = Realm::new();
    let log = |name: &str| realm.path().join(name);
    let hook = |what: &str| format!("hook-emperor-{what} = appendn:{} {what}", log("orders.log").display());
    let lines = [hook("reload"), hook("stop")].join("\n");
    realm.write("a", &lines);
    let ended = note_taker(&realm, "ended", "echo \"$1 in $UWSGI_VASSALS_DIR\"");
    let begun = "echo $UWSGI_VASSAL_CONFIG $UWSGI_VASSAL_PID $UWSGI_VASSAL_UID";
    let launch = realm
        .emperor()
        .set("hook-emperor-start", format!("writen:{} begins", log("start.log").display()))
        .set("hook-as-emperor", format!("exec:{begun} >>{}", log("begun.log").display()))
        .set("vassals-stop-hook", ended.display());
    let emperor = start(launch);
    realm.wait_for("a", "of generation 1", &emperor);
    let pid = realm.told("a")["pid"].as_i64().expect("a pid");
    let uid = nix::unistd::Uid::effective();
    assert_eq!(fs::read_to_string(log("start.log")).expect("written before any vassal"), "begins\n");
    let told = wait_for_text(&log("begun.log"), &format!("a.ini {pid} {uid}\n"));
    assert_eq!(told.lines().count(), 1);
    realm.write("a", &format!("{lines}\n# another line"));
    realm.wait_for("a", "of generation 2", &emperor);
    wait_for_text(&log("orders.log"), "reload\n");
    realm.remove("a");
    emperor.log.wait_for("removed uwsgi instance a.ini");
    // Its end is told when its hook has ended.
    let told = fs::read_to_string(log("ended.log")).expect("what the stop hook wrote");
    assert_eq!(told, format!("a.ini in {}\n", realm.vassals().display()));
    assert_eq!(wait_for_text(&log("orders.log"), "stop\n"), "reload\nstop\n");
}

#[test]
fn a_command_says_where_a_vassal_is_waited_for_and_one_that_says_nothing_has_it_started() {
    let realm = Realm::new();
    realm.put("a", "[uwsgi]\nworkers = 1\n");
    realm.write("b", "");
    // A name is one word of the command, whatever stands in it.
    let strange = "c d; touch strange";
    realm.put(strange, "[uwsgi]\nworkers = 1\n");
    let socket = |name: &str| realm.socket(name).display().to_string();
    let script = format!("#!/bin/sh\ncase \"$1\" in a.ini) echo {};; c*) echo {};; esac\n", socket("a"), socket("c"));
    let command = realm.path().join("where");
    write_executable(&command, script.as_bytes());
    let emperor = start(realm.emperor().set("emperor-on-demand-exec", command.display()));
    emperor.log.wait_for("vassal a.ini sleeps");
    emperor.log.wait_for(&format!("vassal {strange}.ini sleeps"));
    realm.wait_for("b", "of generation 1", &emperor);
    assert_eq!((realm.told("a")["pid"].as_i64(), realm.told("a")["on_demand"].as_i64()), (Some(-1), Some(1)));
    realm.wait_for("a", "of generation 1", &emperor);
    assert!(!realm.vassals().join("strange").exists());
}

#[test]
fn a_vassal_has_no_capabilities_but_those_that_it_may_have() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let realm = Realm::new();
    realm.write("a", "");
    let emperor = start(realm.emperor().set("emperor-cap", "net_bind_service,chown"));
    realm.wait_for("a", "of generation 1", &emperor);
    let pid = realm.told("a")["pid"].as_i64().expect("a pid");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process");
    for set in ["CapBnd", "CapPrm", "CapEff"] {
        assert!(status.contains(&format!("{set}:\t0000000000000401")), "{status}");
    }
}

/// How many vassals there are that others have asked for, and serve.
fn reinforcements(realm: &Realm) -> usize {
    let vassals = realm.document()["vassals"].as_array().cloned().unwrap_or_default();
    vassals.iter().filter(|vassal| vassal["zerg"] != 0 && vassal["ready"] == 1).count()
}

/// A vassal that asks for reinforcements, which share its socket and go when they have nothing to do.
fn strained(realm: &Realm) -> Instance {
    let zerg = realm.socket("zerg").display().to_string();
    let fifo = realm.path().join("fifo").display().to_string();
    let lines = format!(
        "zerg-server = {zerg}\nmaster-fifo = {fifo}\nvassal-sos = 1\n\n\
         [zerg]\nzerg = {zerg}\nworkers = 1\nidle = 1\ndie-on-idle = true"
    );
    realm.write("a", &lines);
    let emperor = start(realm.emperor().set("emperor-broodlord", 1));
    realm.wait_for("a", "of generation 1", &emperor);
    emperor
}

#[test]
fn whoever_is_busy_gets_reinforcements_that_go_when_they_have_nothing_to_do() {
    let realm = Realm::new();
    let emperor = strained(&realm);
    let pid = realm.told("a")["pid"].as_i64().expect("a pid");
    // Its only worker is busy for as long as it takes.
    let held = Held::begin_at(&realm.socket("a"), realm.path());
    assert!(wait_until(|| reinforcements(&realm) == 1), "{}", emperor.log.tail());
    let told = realm.told_of("a.ini:zerg-1");
    assert_eq!((&told["zerg"], &told["on_demand"]), (&1.into(), &0.into()), "{told}");
    let variables = fs::read(format!("/proc/{}/environ", told["pid"])).expect("its environment");
    assert!(variables.split(|byte| *byte == 0).any(|known| known == b"UWSGI_BROODLORD_NUM=1"));
    // It answers in the other's place.
    assert!(realm.ask("a").is_some());
    held.finish();
    emperor.log.wait_for("removed uwsgi instance a.ini:zerg-1");
    assert_eq!(realm.told("a")["pid"].as_i64(), Some(pid));
    // Also when somebody says so, and then they go with who has asked.
    fs::write(realm.path().join("fifo"), "B").expect("write into the fifo");
    emperor.log.wait_for_count(2, "vassal a.ini:zerg-1 is ready to accept");
    realm.remove("a");
    assert!(wait_until(|| realm.document()["vassals"].as_array().is_some_and(Vec::is_empty)), "{}", emperor.log.tail());
}
