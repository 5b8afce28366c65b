//! An Emperor and its vassals: files that come, change and go, vassals that fail, sleep and are somebody else's, reloads under
//! load, the end of the Emperor, and a real uWSGI on either side.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use loadgen::client::{Target, Wire};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, chown};
use serde_json::Value;

use crate::harness::{example_path, wait_until};
use crate::pythons::applications;
use crate::realm::{Realm, start};
use crate::reloading::Traffic;
use crate::rivals;

#[test]
fn vassals_follow_their_files() {
    let realm = Realm::new();
    realm.write("a", "");
    let emperor = start(realm.emperor());
    realm.wait_for("a", "of generation 1", &emperor);
    realm.write("b", "");
    realm.wait_for("b", "of generation 1", &emperor);
    // Put in place of the old one, that is one reload.
    realm.write("a", "# another line");
    realm.wait_for("a", "of generation 2", &emperor);
    assert_eq!(emperor.log.lines_with("reload the uwsgi instance a.ini").len(), 1);
    assert!(wait_until(|| realm.told("a")["loyal"] == 1), "{:?}", realm.told("a"));
    assert_eq!(realm.told("b")["respawns"], 0);
    realm.remove("b");
    emperor.log.wait_for("removed uwsgi instance b.ini");
    assert_eq!((realm.ask("b"), realm.told("b")), (None, Value::Null));
    assert!(realm.ask("a").is_some());
}

#[test]
fn one_that_cannot_start_is_tried_again_and_troubles_no_other_until_it_is_mended() {
    let realm = Realm::new();
    realm.write("bad", "listen = many");
    realm.write("good", "");
    let mut emperor = start(realm.emperor());
    emperor.wait_for_expected("vassal bad.ini failed 2 times in a row (exit code 78)");
    for expected in ["vassal bad.ini failed", "listen = many", "rhinod: "] {
        emperor.expect_log(expected);
    }
    realm.wait_for("good", "of generation 1", &emperor);
    let told = realm.told("bad");
    assert_eq!((&told["last_end"], &told["loyal"]), (&Value::from("exit code 78"), &Value::from(0)), "{told}");
    realm.write("bad", "");
    realm.wait_for("bad", "of generation 1", &emperor);
}

#[test]
fn twenty_vassals_reload_at_once_under_load_and_lose_nothing() {
    let realm = Realm::new();
    let names: Vec<String> = (0..20).map(|number| format!("site{number}")).collect();
    names.iter().for_each(|name| realm.write(name, "disable-logging = true"));
    let emperor = start(realm.emperor());
    names.iter().for_each(|name| realm.wait_for(name, "of generation 1", &emperor));
    let traffic: Vec<Traffic> = names[..3]
        .iter()
        .map(|name| Traffic::to(Target::Unix(realm.socket(name)), Wire::Uwsgi, 1, "/sleep?ms=5"))
        .collect();
    emperor.signal(Signal::SIGHUP);
    names.iter().for_each(|name| realm.wait_for(name, "of generation 2", &emperor));
    traffic.into_iter().for_each(|traffic| drop(traffic.end()));
}

#[test]
fn on_demand_a_vassal_sleeps_until_somebody_connects_and_again_when_it_has_nothing_to_do() {
    let realm = Realm::new();
    realm.put("a", "[uwsgi]\nworkers = 1\nidle = 1\ndie-on-idle = true\n");
    fs::write(realm.vassals().join("a.ini.at"), format!("{}\n", realm.socket("a").display())).expect("write");
    let emperor = start(realm.emperor().set("emperor-on-demand-extension", ".at"));
    emperor.log.wait_for("vassal a.ini sleeps");
    assert_eq!(realm.told("a")["pid"], -1);
    for life in 1..=2 {
        assert_eq!(realm.ask("a").as_deref(), Some("worker 1 of generation 1"), "life {life}");
        assert!(
            wait_until(|| emperor.log.lines_with("vassal a.ini sleeps").len() == life + 1),
            "{}",
            emperor.log.tail()
        );
    }
    assert_eq!(realm.told("a")["respawns"], 1);
}

#[test]
fn under_a_tyrant_each_runs_as_the_owner_of_its_file_and_root_is_refused() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let realm = Realm::new();
    realm.write("root", "");
    realm.put("own", "[uwsgi]\nsocket = @SOCKET\nworkers = 1\n".replace("@SOCKET", "127.0.0.1:0").as_str());
    let nobody = (Some(nix::unistd::Uid::from_raw(65_534)), Some(nix::unistd::Gid::from_raw(65_534)));
    chown(&realm.vassals().join("own.ini"), nobody.0, nobody.1).expect("give it away");
    fs::set_permissions(realm.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("open the way");
    // Where the program lies nobody else may go: it is copied.
    let program = realm.path().join("program");
    fs::copy(example_path("unsteady"), &program).expect("copy the program");
    let launch = realm.emperor().set("emperor-tyrant", true).set("emperor-wrapper", program.display());
    let mut emperor = launch.spawn();
    emperor.wait_for_expected("invalid permissions for vassal root.ini");
    emperor.log.wait_for("vassal own.ini is ready to accept");
    let told = realm.told("own");
    let pid = told["pid"].as_i64().expect("a pid");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process");
    assert!(status.contains("Uid:\t65534\t65534\t65534\t65534"), "{status}");
    assert!(status.contains("Gid:\t65534\t65534\t65534\t65534"), "{status}");
    assert!(status.lines().any(|line| line.trim_end() == "Groups:"), "{status}");
}

#[test]
fn vassals_go_with_an_emperor_that_is_killed_and_are_given_what_is_for_them() {
    let realm = Realm::new();
    realm.write("a", "");
    let launch = realm.emperor().env("UWSGI_VASSAL_NAP", "long").set("vassals-set", "disable-logging=true");
    let hook = realm.path().join("hook");
    crate::harness::write_executable(&hook, b"#!/bin/sh\necho \"began $1\" in \"$UWSGI_VASSALS_DIR\" >>\"$0.log\"\n");
    let mut emperor = start(launch.set("vassals-start-hook", hook.display()));
    realm.wait_for("a", "of generation 1", &emperor);
    let pid = realm.told("a")["pid"].as_i64().expect("a pid");
    let words = fs::read(format!("/proc/{pid}/cmdline")).expect("its command line");
    let words: Vec<&[u8]> = words.split(|byte| *byte == 0).collect();
    assert_eq!(words[1..5], [&b"--set"[..], b"disable-logging=true", b"--ini", b"a.ini"]);
    let environment = fs::read(format!("/proc/{pid}/environ")).expect("its environment");
    let has = |variable: &[u8]| environment.split(|byte| *byte == 0).any(|known| known == variable);
    assert!(has(b"UWSGI_NAP=long") && !has(b"UWSGI_VASSAL_NAP=long"));
    let told = fs::read_to_string(realm.path().join("hook.log")).expect("what the hook wrote");
    assert_eq!(told.trim_end(), format!("began a.ini in {}", realm.vassals().display()));
    emperor.signal(Signal::SIGKILL);
    emperor.expect_log("lost connection with my emperor");
    // A worker may hear of its master's end before that master's order.
    emperor.expect_log("the master is gone");
    emperor.ends_with(137);
}

/// A uWSGI at the head of a process group of its own, which is ended with it.
struct Uwsgi(Child);

impl Uwsgi {
    fn start(binary: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(binary);
        command.args(arguments).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("execute uWSGI"))
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.0.id()).expect("a pid is positive"))
    }
}

impl Drop for Uwsgi {
    fn drop(&mut self) {
        // Not reaped yet, so that the group is its own.
        let _ = killpg(self.pid(), Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

#[test]
fn a_real_uwsgi_is_a_vassal_of_ours() {
    let Some(binary) = rivals::uwsgi() else { return };
    let realm = Realm::new();
    let lines = format!("chdir = {}\nmodule = rows\nneed-app = true\ndisable-logging = true", applications().display());
    realm.write("a", &lines);
    let launch = realm.emperor().set("emperor-wrapper", binary.display()).env("PYTHONDONTWRITEBYTECODE", 1);
    // It tells nothing of its memory, and nobody asks it for any.
    let launch = launch.set("emperor-memory", "1G");
    let mut emperor = start(launch);
    emperor.log.wait_for("vassal a.ini is ready to accept");
    assert!(wait_until(|| realm.ask("a").is_some()));
    emperor.log.wait_for("vassal a.ini is now loyal");
    assert_eq!(realm.told("a")["workers"], Value::Null);
    let accepting = || emperor.log.lines_with("vassal a.ini is ready to accept").len();
    realm.write("a", &format!("{lines}\n# another line"));
    assert!(wait_until(|| accepting() == 2), "it does not reload:\n{}", emperor.log.tail());
    realm.remove("a");
    emperor.log.wait_for("removed uwsgi instance a.ini");
    for said in ["uWSGI", "***", "WARNING"] {
        emperor.expect_log(said);
    }
}

#[test]
fn rhinod_is_a_vassal_of_a_real_uwsgi_and_goes_with_it() {
    let Some(binary) = rivals::uwsgi() else { return };
    let realm = Realm::new();
    let log = realm.path().join("log");
    realm.write("a", &format!("logto = {}", log.display()));
    let (vassals, program) = (realm.vassals().display().to_string(), example_path("unsteady").display().to_string());
    let stats = realm.socket("stats").display().to_string();
    let emperor = Uwsgi::start(
        binary,
        &["--emperor", &vassals, "--emperor-wrapper", &program, "--emperor-stats", &stats, "--emperor-freq", "1"],
    );
    let answers = |end: &str| wait_until(|| realm.ask("a").is_some_and(|answer| answer.ends_with(end)));
    assert!(answers("of generation 1"), "{:?}", fs::read_to_string(&log));
    let is_loyal = || realm.told("a")["loyal"] == 1 && realm.told("a")["ready"] == 1;
    assert!(wait_until(is_loyal), "{:?}", realm.told("a"));
    // uWSGI counts whole seconds.
    let path = realm.vassals().join("a.ini");
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    fs::File::options().append(true).open(path).and_then(|file| file.set_modified(later)).expect("touch");
    assert!(answers("of generation 2"), "{:?}", fs::read_to_string(&log));
    kill(emperor.pid(), Signal::SIGKILL).expect("it is our child");
    assert!(wait_until(|| realm.ask("a").is_none()), "it serves on without its Emperor");
}
