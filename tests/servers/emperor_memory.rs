//! Vassals that share memory (`emperor-memory`): who has idle workers gives them up when requests of another wait. And what
//! vassals of ours tell their Emperor beyond uWSGI's bytes: that a reload has failed, and why.

use std::fs;
use std::path::Path;
use std::thread::JoinHandle;

use loadgen::client::{Target, exchange};
use loadgen::packet::Request;
use serde_json::Value;

use crate::harness::{PATIENCE, wait_until};
use crate::realm::{Realm, start};

/// Requests that a vassal holds until a file is there.
fn hold(realm: &Realm, name: &str, count: usize, until: &Path) -> Vec<JoinHandle<u16>> {
    let packet = Request::get(&format!("/hold?until={}", until.display())).to_uwsgi().expect("a packet");
    let one = |target: Target, packet: Vec<u8>| {
        move || exchange(&target, &packet, PATIENCE * 4).map_or(0, |reply| reply.status().unwrap_or(0))
    };
    (0..count).map(|_| std::thread::spawn(one(Target::Unix(realm.socket(name)), packet.clone()))).collect()
}

fn workers(realm: &Realm, name: &str) -> Value {
    realm.told(name)["workers"].clone()
}

fn live(realm: &Realm, name: &str) -> u64 {
    workers(realm, name)["live"].as_u64().unwrap_or(0)
}

/// What all workers have together is never more than the memory, whatever is wanted.
fn assert_within(realm: &Realm) {
    let document = realm.document();
    let (bytes, held) = (document["memory"]["bytes"].as_u64(), document["memory"]["held_bytes"].as_u64());
    assert!(held <= bytes, "{document:#}");
}

#[test]
fn an_idle_vassal_gives_workers_to_one_whose_requests_wait() {
    let realm = Realm::new();
    let site = |name: &str, lines: &str| {
        let socket = realm.socket(name).display().to_string();
        realm.put(name, &format!("[uwsgi]\nsocket = {socket}\nworkers = 20\ncheaper = 1\n{lines}\n"));
    };
    // It keeps what it has for an hour, if nobody else needs it.
    site("a", "cheaper-algo = spare2\ncheaper-idle = 3600");
    site("b", "");
    let emperor = start(realm.emperor().set("emperor-memory", "12M"));
    for name in ["a", "b"] {
        realm.wait_for(name, "of generation 1", &emperor);
        assert!(wait_until(|| live(&realm, name) > 0), "{name} tells nothing:\n{}", emperor.log.tail());
    }
    let first = realm.path().join("first");
    let held = hold(&realm, "a", 12, &first);
    // As many as fit beside the one of the other.
    let is_full = || workers(&realm, "a")["wanted"].as_u64() > workers(&realm, "a")["allowed"].as_u64();
    assert!(wait_until(is_full), "{:?}\n{}", workers(&realm, "a"), emperor.log.tail());
    assert_within(&realm);
    fs::write(&first, "").expect("let them go");
    held.into_iter().for_each(|one| assert_eq!(one.join().expect("an answer"), 200));
    let before = live(&realm, "a");
    assert!(before > 2, "{:?}\n{}", workers(&realm, "a"), emperor.log.tail());

    let second = realm.path().join("second");
    let held = hold(&realm, "b", 12, &second);
    let moved = || live(&realm, "a") == 1 && live(&realm, "b") >= before - 1;
    assert!(wait_until(moved), "a: {:?}\nb: {:?}\n{}", workers(&realm, "a"), workers(&realm, "b"), emperor.log.tail());
    assert_within(&realm);
    assert!(!emperor.log.lines_with("memory is short, and b.ini needs it").is_empty(), "{}", emperor.log.tail());
    assert!(!emperor.log.lines_with("vassal b.ini may have").is_empty(), "{}", emperor.log.tail());
    assert!(!emperor.log.lines_with("the Emperor allows").is_empty(), "{}", emperor.log.tail());
    assert!(realm.ask("a").is_some(), "its minimum serves");
    fs::write(&second, "").expect("let them go");
    held.into_iter().for_each(|one| assert_eq!(one.join().expect("an answer"), 200));
    realm.remove("b");
    emperor.log.wait_for("removed uwsgi instance b.ini");
    assert_eq!(workers(&realm, "b"), Value::Null);
}

#[test]
fn the_emperor_tells_who_goes_on_with_old_code_and_why() {
    let realm = Realm::new();
    realm.write("a", "");
    let mut emperor = start(realm.emperor());
    realm.wait_for("a", "of generation 1", &emperor);
    assert_eq!(realm.told("a")["old_code"], Value::Null);
    realm.write("a", "listen = many");
    emperor.wait_for_expected("vassal a.ini could not reload and goes on with old code");
    emperor.expect_log("listen = many");
    emperor.expect_log("reload");
    let told = realm.told("a");
    assert!(told["old_code"].as_str().is_some_and(|reason| reason.contains("listen")), "{told}");
    realm.wait_for("a", "of generation 1", &emperor);
    realm.write("a", "# mended");
    emperor.log.wait_for("vassal a.ini goes on with new code");
    assert_eq!(realm.told("a")["old_code"], Value::Null);
}
