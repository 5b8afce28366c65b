//! Many vassals of one Emperor: what those that sleep cost, and files that change faster than anybody can follow. The long way is
//! `make bench BENCH=vassals`.

use std::fs;

use loadgen::client::{Target, exchange};
use loadgen::packet::Request;

use crate::harness::{PATIENCE, wait_until};
use crate::realm::{Realm, start};

/// More than a socket takes of a document that tells of all of them.
const SLEEPERS: usize = 500;

#[test]
fn hundreds_of_sleeping_vassals_have_no_process_wake_nobody_and_are_all_told_of() {
    let realm = Realm::new();
    (0..SLEEPERS).for_each(|number| realm.put(&format!("site{number}"), "[uwsgi]\nworkers = 1\n"));
    let emperor = start(realm.emperor().set("emperor-on-demand-directory", realm.path().display()));
    let asleep = || {
        let vassals = realm.document()["vassals"].as_array().cloned().unwrap_or_default();
        vassals.iter().filter(|vassal| vassal["state"] == "asleep").count()
    };
    assert!(wait_until(|| asleep() == SLEEPERS), "{}", emperor.log.tail());
    let processes = emperor.processes();
    let [process] = &processes[..] else { panic!("{processes:?}") };
    // Its own. The program's text is everybody's, and counts as its own while nobody else runs the program.
    let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", emperor.pid())).expect("its memory");
    let dirty = rollup.lines().find_map(|line| line.strip_prefix("Private_Dirty:")?.trim().strip_suffix(" kB"));
    assert!(dirty.and_then(|kib| kib.trim().parse().ok()).is_some_and(|kib: u64| kib < 10 << 10), "{rollup}");
    // Nothing is due, so that nothing wakes it but who asks.
    let rests = || {
        let before = process.context_switches();
        std::thread::sleep(std::time::Duration::from_millis(200));
        process.context_switches() == before
    };
    assert!(wait_until(rests));
    // And whoever connects wakes one.
    let reply = exchange(&Target::Unix(realm.path().join("site7.socket")), &packet("/"), PATIENCE);
    assert_eq!(reply.expect("a reply").body(), b"worker 1 of generation 1\n");
}

fn packet(path: &str) -> Vec<u8> {
    Request::get(path).to_uwsgi().expect("a packet")
}

#[test]
fn files_that_are_replaced_again_and_again_all_end_in_their_last_state() {
    let realm = Realm::new();
    let name = |number: usize| format!("site{number}");
    let write = |number: usize, text: &str| realm.write(&name(number), &format!("app-greeting = {text}"));
    (0..6).for_each(|number| write(number, "first"));
    let emperor = start(realm.emperor());
    (0..6).for_each(|number| realm.wait_for(&name(number), "of generation 1", &emperor));
    for step in 0..600 {
        write(step % 6, &format!("text {step}"));
    }
    let says = |number: usize, text: &str| {
        let reply = exchange(&Target::Unix(realm.socket(&name(number))), &packet("/greeting"), PATIENCE);
        reply.is_ok_and(|reply| reply.body() == text.as_bytes())
    };
    for number in 0..6 {
        let last = format!("text {}", 594 + number);
        assert!(wait_until(|| says(number, &last)), "{number}:\n{}", emperor.log.tail());
    }
}
