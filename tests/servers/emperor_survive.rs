//! What outlives an Emperor (`emperor-survive`): vassals go on when it is killed or executed anew, and the next one goes on with
//! them and with nobody else.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use loadgen::client::{Target, Wire};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::harness::{Instance, Launch, example_path, wait_until, write_executable};
use crate::realm::{Realm, start};
use crate::reloading::Traffic;

fn reunion(realm: &Realm) -> PathBuf {
    realm.path().join("reunion")
}

fn surviving(realm: &Realm) -> Launch {
    realm.emperor().set("emperor-survive", reunion(realm).display())
}

fn pid(realm: &Realm, name: &str) -> i64 {
    realm.told(name)["pid"].as_i64().unwrap_or(-1)
}

/// Two vassals that have answered, and who they are.
fn settled(realm: &Realm) -> (Instance, [i64; 2]) {
    for name in ["a", "b"] {
        realm.write(name, "disable-logging = true");
    }
    let emperor = start(surviving(realm));
    for name in ["a", "b"] {
        realm.wait_for(name, "of generation 1", &emperor);
        assert!(wait_until(|| realm.told(name)["loyal"] == 1), "{:?}", realm.told(name));
    }
    let roll = realm.path().join("reunion.roll");
    let is_written = || std::fs::read_to_string(&roll).is_ok_and(|text| text.lines().count() == 2);
    assert!(wait_until(is_written), "{:?}", std::fs::read_to_string(&roll));
    (emperor, ["a", "b"].map(|name| pid(realm, name)))
}

fn traffic(realm: &Realm) -> Traffic {
    Traffic::to(Target::Unix(realm.socket("a")), Wire::Uwsgi, 1, "/sleep?ms=2")
}

#[test]
fn vassals_outlive_an_emperor_that_is_killed_and_the_next_one_goes_on_with_them() {
    let realm = Realm::new();
    let (mut first, before) = settled(&realm);
    let traffic = traffic(&realm);
    first.signal(Signal::SIGKILL);
    assert_eq!(first.wait_exit(), 137);
    first.wait_for_expected("going on until there is another one");
    realm.remove("b");
    realm.write("c", "disable-logging = true");
    let mut second = start(surviving(&realm));
    second.log.wait_for(&format!("vassal a.ini goes on (pid: {})", before[0]));
    second.log.wait_for("vassal b.ini of the Emperor before has no file any more");
    realm.wait_for("c", "of generation 1", &second);
    assert!(wait_until(|| realm.ask("b").is_none()), "it was told to go:\n{}", second.log.tail());
    assert!(wait_until(|| realm.told("a")["loyal"] == 1 && realm.told("a")["state"] == "running"));
    assert_eq!(pid(&realm, "a"), before[0]);
    // Its files are obeyed, and its end is noticed.
    realm.write("a", "disable-logging = true\n# another line");
    realm.wait_for("a", "of generation 2", &second);
    drop(traffic.end());
    first.expect_log("the master is gone");
    second.expect_log("it was the child of an Emperor before");
    kill(Pid::from_raw(i32::try_from(before[0]).expect("a pid")), Signal::SIGKILL).expect("it lives");
    assert!(wait_until(|| !["-1".to_owned(), before[0].to_string()].contains(&pid(&realm, "a").to_string())));
    realm.wait_for("a", "of generation 1", &second);
    second.stop();
    first.ends_with(137);
    assert!(!reunion(&realm).exists() && !realm.path().join("reunion.roll").exists());
}

#[test]
fn an_emperor_that_is_executed_anew_goes_on_with_its_vassals() {
    let realm = Realm::new();
    let (mut emperor, before) = settled(&realm);
    emperor.expect_log("going on until there is another one");
    let traffic = traffic(&realm);
    emperor.signal(Signal::SIGUSR2);
    emperor.log.wait_for("the Emperor is executed anew");
    for (name, pid) in ["a", "b"].iter().zip(before) {
        emperor.log.wait_for(&format!("vassal {name}.ini goes on (pid: {pid})"));
    }
    assert!(wait_until(|| realm.told("b")["state"] == "running"));
    assert_eq!(["a", "b"].map(|name| pid(&realm, name)), before);
    drop(traffic.end());
    realm.remove("a");
    emperor.log.wait_for("removed uwsgi instance a.ini");
    emperor.stop();
}

#[test]
fn who_was_no_vassal_of_the_emperor_before_is_none_of_the_next_one() {
    let realm = Realm::new();
    let (mut emperor, before) = settled(&realm);
    let mut stranger = UnixStream::connect(reunion(&realm)).expect("the door is open");
    // It may be turned away before it has said anything.
    let _ = stranger.write_all(b"\x64\x04\x05\x00a.ini");
    emperor.wait_for_expected("comes for a vassal that it is not");
    assert_eq!(pid(&realm, "a"), before[0]);
    assert_ne!(realm.told("a"), Value::Null);
    emperor.stop();
}

#[test]
fn an_emperor_that_is_executed_anew_is_the_release_that_a_link_leads_to_by_now() {
    let realm = Realm::new();
    realm.write("a", "disable-logging = true");
    let (releases, current) = (realm.path().join("releases"), realm.path().join("current"));
    for number in ["1", "2"] {
        std::fs::create_dir_all(releases.join(number)).expect("a release");
        let program = std::fs::read(example_path("unsteady")).expect("the example");
        write_executable(&releases.join(number).join("unsteady"), &program);
    }
    std::os::unix::fs::symlink(releases.join("1"), &current).expect("a link");
    let words: [OsString; 4] = ["sh".into(), "-c".into(), "exec \"$0\" \"$2\"".into(), current.join("unsteady").into()];
    let mut emperor = start(surviving(&realm).through(words));
    emperor.expect_log("going on until there is another one");
    realm.wait_for("a", "of generation 1", &emperor);
    assert!(wait_until(|| realm.told("a")["loyal"] == 1));
    let executed = || std::fs::read_link(format!("/proc/{}/exe", emperor.pid())).expect("its binary");
    assert_eq!(executed(), releases.join("1/unsteady"));
    std::os::unix::fs::symlink(releases.join("2"), realm.path().join("next")).expect("a link");
    std::fs::rename(realm.path().join("next"), &current).expect("the link is switched");
    emperor.signal(Signal::SIGUSR2);
    emperor.log.wait_for("vassal a.ini goes on");
    assert_eq!(executed(), releases.join("2/unsteady"));
    emperor.stop();
}
