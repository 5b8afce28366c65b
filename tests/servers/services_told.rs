//! What the documents tell of mules, spoolers, timers, signals, locks and the queue: beside a real uWSGI, while they work, and
//! over their deaths and a reload.

use std::collections::BTreeSet;
use std::fs;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::Instance;
use crate::monitoring::{document, page, places, stats_path, told_by_uwsgi, wait_for};
use crate::pythons::{EVALUATES, call, launch_in, one};
use crate::reloading::{operator, reload};
use crate::rivals::{self, Uwsgi};

const APPLICATION: &str = r#"
import os, time
import uwsgi, uwsgidecorators

def work(name):
    if name == 'bad':
        raise RuntimeError('it fails')
    while name == 'slow' and not os.path.exists('go'):
        time.sleep(0.01)

@uwsgidecorators.spool
def task(arguments):
    work(arguments['name'])

uwsgi.mule_msg_hook = lambda message: work(message.decode())
uwsgi.register_signal(30, 'workers', lambda number: work('well'))
uwsgi.register_signal(31, 'mule', lambda number: work('well'))
uwsgi.add_timer(31, 1)
uwsgi.add_rb_timer(30, 3600, 2)
uwsgi.add_cron(30, 0, 0, 1, 1, -1)
"#;

fn launch(directory: &std::path::Path) -> crate::harness::Launch {
    fs::write(directory.join("web.py"), format!("{APPLICATION}{EVALUATES}")).expect("write the application");
    let launch = launch_in(&one(), directory).set("module", "web").set("workers", 1);
    let stats = stats_path(launch.dir());
    let (metrics, pid) = (stats.with_file_name("metrics.sock"), launch.dir().join("pid"));
    let launch = launch.set("stats", stats.display()).set("metrics", metrics.display()).set("pidfile", pid.display());
    let launch = launch.line("mule =").line("farm = all:1").set("queue", 3).set("locks", 1);
    let spool = directory.join("spool");
    let launch = launch.set("spooler", spool.display()).set("spooler-chdir", directory.display());
    launch.line("cache2 = name=c,items=10").line("cron = 0 0 1 1 -1 true").line("attach-daemon = sleep 1000")
}

#[test]
fn mules_spoolers_timers_locks_and_the_queue_are_told_of_while_they_work() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut instance = launch(directory.path()).start();
    instance.expect_log("Traceback (most recent call last)");
    let asked = "uwsgi.queue_push('x'), uwsgi.lock(1), uwsgi.signal(30), uwsgi.mule_msg('bad', 1), \
                 task(name='well') is None, uwsgi.mule_msg('slow', 1), uwsgi.mule_msg('later', 1), \
                 uwsgi.mule_msg('to all', 'all')";
    assert_eq!(call(&instance, asked), "(True, None, None, True, False, True, True, True)");
    wait_for(&instance, |document| document["spoolers"][0]["tasks"] == 1);
    assert_eq!(call(&instance, "task(name='slow') is None, os.getpid()").split(", ").next(), Some("(False"));
    let worker = instance.workers()[0].pid;
    let told = wait_for(&instance, |document| {
        let [spooler, mule] = [&document["spoolers"][0], &document["mules"][0]];
        spooler["running"] == 1 && mule["status"] == "busy" && document["workers"][0]["signals"] == 1
    });
    let mule = &told["mules"][0];
    assert_eq!((&mule["failures"], &mule["queue"], &told["farms"][0]["queue"]), (&1.into(), &5.into(), &6.into()));
    assert_eq!(told["queue"], serde_json::json!({"slots": 3, "items": 1}));
    let holder = |name: &str| told["locks"].as_array().and_then(|locks| locks.iter().find_map(|lock| lock.get(name)));
    assert_eq!(holder("user 1").and_then(Value::as_i64), Some(worker.into()), "{:#}", told["locks"]);
    for free in ["user 0", "cache_c", "queue"] {
        assert_eq!(holder(free).and_then(Value::as_i64), Some(0), "{free}: {:#}", told["locks"]);
    }
    let [often, twice] = [&told["timers"][0], &told["timers"][1]];
    assert_eq!((&often["signal"], &often["every"], &often["left"]), (&31.into(), &1.into(), &(-1).into()));
    assert_eq!((&twice["left"], &twice["raised"]), (&2.into(), &0.into()));
    assert!(twice["next_at"].as_u64() > often["next_at"].as_u64(), "{:#}", told["timers"]);
    assert_eq!(told["signal_crons"][0]["month"], 1);
    let status = operator(&instance, "status").stdout;
    let status = String::from_utf8_lossy(&status);
    assert!(status.contains(", 1 of 1 daemons up, 1 of 1 mules up, 1 of 1 spoolers up"), "{status}");
    as_uwsgi_tells(&told, directory.path());
    deaths_and_a_reload_keep_what_was_counted(&mut instance, directory.path());
    instance.stop();
}

/// What a real uWSGI tells of the same things is told, and of the same kind.
fn as_uwsgi_tells(ours: &Value, directory: &std::path::Path) {
    let Some(binary) = rivals::uwsgi() else { return };
    let theirs = directory.join("theirs.sock");
    let uwsgi = Uwsgi::start_with(binary, "rows", "/hello", |command| {
        command.arg("--stats").arg(&theirs).arg("--spooler").arg(directory.join("their-spool"));
        command.args(["--cache2", "name=c,items=10", "--cron", "0 0 1 1 -1 true", "--attach-daemon", "sleep 1000"]);
    });
    let theirs = told_by_uwsgi(&theirs);
    drop(uwsgi);
    let [mut expected, mut found] = [BTreeSet::new(), BTreeSet::new()];
    places(&theirs, "", &mut expected);
    places(ours, "", &mut found);
    let of_services = ["spoolers", "crons", "caches", "daemons"].map(|name| format!(".{name}["));
    let is_of_services = |place: &&String| of_services.iter().any(|start| place.starts_with(start.as_str()));
    let expected: Vec<&String> = expected.iter().filter(is_of_services).collect();
    assert!(expected.len() > 25, "{theirs:#}");
    let missing: Vec<_> = expected.into_iter().filter(|place| !found.contains(*place)).collect();
    assert!(missing.is_empty(), "{missing:#?}\nuWSGI: {theirs:#}\nours: {ours:#}");
}

fn deaths_and_a_reload_keep_what_was_counted(instance: &mut Instance, directory: &std::path::Path) {
    let mule = document(instance)["mules"][0]["pid"].as_i64().expect("a pid");
    instance.expect_log("crippled...trying respawn...");
    let process = instance.processes().into_iter().find(|process| i64::from(process.pid) == mule).expect("the mule");
    process.signal(Signal::SIGKILL);
    fs::write(directory.join("go"), "").expect("let them go on");
    let told = wait_for(instance, |document| {
        let mule = &document["mules"][0];
        mule["messages"].as_u64() >= Some(2) && document["spoolers"][0]["tasks"] == 2
    });
    let mule = &told["mules"][0];
    assert_eq!((&mule["deaths"], &mule["respawns"], &mule["failures"]), (&1.into(), &1.into(), &1.into()));
    reload(instance);
    let told = wait_for(instance, |document| document["mules"][0]["respawns"] == 2);
    let (mule, spooler) = (&told["mules"][0], &told["spoolers"][0]);
    assert_eq!((&mule["deaths"], &mule["failures"], &spooler["tasks"]), (&1.into(), &1.into(), &2.into()));
    assert!(told["timers"][0]["raised"].as_u64() >= Some(1), "{:#}", told["timers"]);
    let metrics = page(&instance.dir().join("metrics.sock"), "/metrics").body;
    let metrics = String::from_utf8_lossy(&metrics);
    for line in [
        "rhinod_mule_messages_total{mule=\"1\",outcome=\"failed\"} 1\n",
        "rhinod_companion_deaths_total{kind=\"mule\",number=\"1\"} 1\n",
        "rhinod_queue_items 1\n",
        ",outcome=\"done\"} 2\n",
    ] {
        assert!(metrics.contains(line), "{line}{metrics}");
    }
}
