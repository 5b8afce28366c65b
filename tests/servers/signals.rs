//! Signals of applications: whom they reach, timers and watched files that raise them, and what a reload leaves of them.

use std::fs;

use nix::sys::signal::Signal;

use crate::pythons::{EVALUATES, call, launch_in, one};

const APPLICATION: &str = r#"
import os, sys, time
import uwsgi, uwsgidecorators

def say(*words):
    # In one piece, so that no other process comes between.
    os.write(1, (' '.join(map(str, words)) + '\n').encode())

def where(number):
    say('signal', number, 'in worker', uwsgi.worker_id(), 'mule', uwsgi.mule_id(), 'of', GENERATION)

def fails(number):
    raise RuntimeError('it fails')

GENERATION = open('generation').read()
for number, target in [(20, 'workers'), (21, ''), (22, 'worker2'), (23, 'mule1'), (24, 'farm_all'), (25, 'active-workers')]:
    uwsgi.register_signal(number, target, where)
uwsgi.register_signal(26, 'mules', fails)
uwsgi.register_signal(27, 'nowhere', where)

@uwsgidecorators.timer(1, target='mule')
def tick(number):
    say('tick', number, 'in mule', uwsgi.mule_id(), 'of', GENERATION)

@uwsgidecorators.filemon(os.path.abspath('watched'), target='mule')
def changed(number):
    say('changed, says signal', number)
"#;

#[test]
fn signals_reach_whom_they_were_registered_for_also_over_a_reload() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("web.py"), format!("{APPLICATION}{EVALUATES}")).expect("write the application");
    fs::write(directory.path().join("generation"), "one").expect("a file");
    fs::write(directory.path().join("watched"), "").expect("a file");
    let launch = launch_in(&one(), directory.path()).set("module", "web").set("workers", 2);
    let mut instance = launch.line("mule =").line("farm = all:1").start();
    for (expression, value) in [
        ("[uwsgi.signal(number) for number in (20, 21, 22, 23, 24, 25)]", "[None, None, None, None, None, None]"),
        ("uwsgi.signal_registered(20), uwsgi.signal_registered(99)", "(True, None)"),
        ("uwsgi.signal(256)", "ValueError: there is no signal 256: they are 0 to 255"),
        ("uwsgi.add_rb_timer(30, 0)", "ValueError: unable to add rb_timer"),
        ("uwsgi.add_cron(30, -1, -1, -1, -1, -1)", "True"),
        ("tick.__name__, uwsgidecorators.get_free_signal()", "('tick', 2)"),
    ] {
        assert_eq!(call(&instance, expression), value, "{expression}");
    }
    for (signal, place) in [
        (20, "1 mule 0"),
        (20, "2 mule 0"),
        (22, "2 mule 0"),
        (23, "0 mule 1"),
        (24, "0 mule 1"),
        (25, "1 mule 0"),
        (25, "2 mule 0"),
    ] {
        instance.log.wait_for(&format!("signal {signal} in worker {place} of one"));
    }
    instance.log.wait_for("signal 21 in worker ");
    instance.log.wait_for_count(2, "tick 0 in mule 1 of one");
    instance.expect_log("Traceback (most recent call last)");
    instance.expect_log("error managing signal 26 on mule 1");
    instance.expect_log("error managing signal 30 on worker ");
    instance.expect_log("^^^ UNSUPPORTED SIGNAL TARGET: nowhere ^^^");
    assert_eq!(call(&instance, "[uwsgi.signal(number) for number in (26, 27)]"), "[None, None]");
    instance.log.wait_for("error managing signal 26 on mule 1");
    instance.log.wait_for("UNSUPPORTED SIGNAL TARGET: nowhere");
    fs::write(directory.path().join("watched"), "changed").expect("a file");
    instance.log.wait_for("changed, says signal 1");
    fs::write(directory.path().join("generation"), "two").expect("a file");
    let position = instance.log.position();
    instance.signal(Signal::SIGHUP);
    instance.log.wait_for("reload done: generation 2 serves");
    instance.log.wait_for_after(position, "tick 0 in mule 1 of two");
    assert_eq!(call(&instance, "uwsgi.signal(22)"), "None");
    instance.log.wait_for("signal 22 in worker 2 mule 0 of two");
    let pool = instance.log.lines_with("signal 21 in worker ");
    assert_eq!(pool.len(), 1, "the first that has time, and nobody else: {pool:?}");
    instance.stop();
}
