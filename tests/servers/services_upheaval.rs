//! Messages, tasks, signals, timers and crons while the application is reloaded, the master is replaced, and clients ask
//! without a pause: none is lost, and none comes twice. `ROUNDS=50 cargo test --test servers upheaval` is longer.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nix::sys::signal::Signal;

use crate::harness::wait_until;
use crate::pythons::{EVALUATES, call, launch_in, one};
use crate::reloading::replacing::upgrade;
use crate::reloading::{number_from, reload};

const APPLICATION: &str = r#"
import os, time
import uwsgi

def note(name, what):
    # In one piece, so that no other process comes between.
    descriptor = os.open(os.path.join(HERE, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, b'%s\n' % what)
    os.close(descriptor)

HERE = os.getcwd()

def run(task):
    note('tasks', task[b'n'])
    return uwsgi.SPOOL_OK

uwsgi.spooler = run
uwsgi.mule_msg_hook = lambda message: note('messages', message)
for number in range(200):
    uwsgi.register_signal(number, 'mule' if number % 2 else '', lambda number: note('signals', b'%d' % number))
uwsgi.register_signal(200, 'mule', lambda number: note('ticks', b'tick'))
uwsgi.register_signal(201, 'mule', lambda number: note('minutes', b'minute'))
uwsgi.add_rb_timer(200, 0.05, 100)
uwsgi.add_cron(201, -1, -1, -1, -1, -1)

def all_of_it(number):
    uwsgi.signal(number % 200)
    return uwsgi.mule_msg(b'%d' % number), bool(uwsgi.spool({b'n': b'%d' % number}))
"#;

/// How often each line is there.
fn counts(directory: &Path, name: &str) -> BTreeMap<String, usize> {
    let text = fs::read_to_string(directory.join(name)).unwrap_or_default();
    let mut counts = BTreeMap::new();
    text.lines().for_each(|line| *counts.entry(line.to_owned()).or_default() += 1);
    counts
}

fn lines(directory: &Path, name: &str) -> usize {
    counts(directory, name).values().sum()
}

/// Waits until so many lines are there, as long as there are more now and then.
fn come(directory: &Path, name: &str, all: usize) {
    let mut there = lines(directory, name);
    while there < all {
        assert!(wait_until(|| lines(directory, name) > there), "{name}: {there} of {all}");
        there = lines(directory, name);
    }
}

fn minute() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_secs() / 60)
}

#[test]
fn nothing_is_lost_and_nothing_comes_twice_over_reloads_and_upgrades_under_load() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let here = directory.path();
    fs::write(here.join("web.py"), format!("{APPLICATION}{EVALUATES}")).expect("write the application");
    let launch = launch_in(&one(), here).set("module", "web").set("workers", 2).set("disable-logging", true);
    let (pid_file, fifo) = (launch.dir().join("pid"), launch.dir().join("fifo"));
    let launch = launch.set("pidfile", pid_file.display()).set("master-fifo", fifo.display());
    let launch = launch.set("mules", 2).set("spooler", here.join("spool").display()).set("spooler-processes", 2);
    let launch = launch
        .set("spooler-quiet", true)
        .line(format!("cron = -1 -1 -1 -1 -1 echo run >> {}", here.join("runs").display()));
    let began = minute();
    let server = launch.start();
    let (over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let ask = || {
            while !over.load(Ordering::Relaxed) {
                let number = asked.fetch_add(1, Ordering::Relaxed);
                assert_eq!(call(&server, &format!("all_of_it({number})")), "(True, True)", "{number}");
            }
        };
        let clients = [scope.spawn(ask), scope.spawn(ask)];
        for round in 0..number_from("ROUNDS", 3) {
            match round % 2 {
                0 => server.signal(Signal::SIGHUP),
                _ => reload(&server),
            }
            server.log.wait_for(&format!("reload done: generation {} serves", round + 2));
            upgrade(&server);
        }
        over.store(true, Ordering::Relaxed);
        clients.into_iter().for_each(|client| client.join().expect("a client that fails says why"));
    });
    let asked = asked.into_inner();
    for (name, all) in [("messages", asked), ("tasks", asked), ("signals", asked), ("ticks", 100)] {
        come(here, name, all);
    }
    server.stop();
    let minutes = 1 + (minute() - began) as usize;
    for name in ["messages", "tasks"] {
        let counts = counts(here, name);
        assert_eq!((counts.len(), counts.values().sum::<usize>()), (asked, asked), "{name}");
    }
    let signals: BTreeMap<String, usize> = (0..asked).fold(BTreeMap::new(), |mut counts, number| {
        *counts.entry((number % 200).to_string()).or_default() += 1;
        counts
    });
    assert_eq!(counts(here, "signals"), signals);
    assert_eq!(lines(here, "ticks"), 100);
    for name in ["minutes", "runs"] {
        assert!((1..=minutes).contains(&lines(here, name)), "{name}: {} in {minutes} minutes", lines(here, name));
    }
}
