//! Mules and farms: what they are told, what they run, and what becomes of both when they die, at a reload and at a stop.

use std::fs;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::harness::{Instance, Launch, Process, wait_until};
use crate::pythons::{EVALUATES, call, launch_in, one};

/// Mule 1 hands messages to a hook, mule 2 fetches them itself, mule 3 is a program that knows nothing of uwsgi. What a
/// request asks for is evaluated.
const APPLICATION: &str = r#"
import os, sys, time
import uwsgi, uwsgidecorators

def say(*words):
    # In one piece, so that no other process comes between.
    os.write(1, (' '.join(map(str, words)) + '\n').encode())

def hook(message):
    say('hook of mule', uwsgi.mule_id(), 'got', message)
    if message == b'die':
        os.kill(os.getpid(), 9)

dispatch = uwsgi.mule_msg_hook
uwsgi.mule_msg_hook = lambda message: hook(message) if message[:1].isalpha() else dispatch(message)

def fetch():
    say('an empty message when time is over:', uwsgi.mule_get_msg(timeout=0))
    while True:
        message = uwsgi.mule_get_msg()
        say('mule', uwsgi.mule_id(), 'fetched', len(message), message[:9], uwsgi.in_farm('jobs'))
        if message == b'slow':
            while not os.path.exists('go'):
                time.sleep(0.01)
            say('the slow one is done')

@uwsgidecorators.mulefunc(1)
def add(one, two=0):
    say('a mule added up', one + two, 'as mule', uwsgi.mule_id(), uwsgi.worker_id())

@uwsgidecorators.mulefunc('jobs')
def for_a_farm(name):
    say('never: mule 2 takes what the farm gets')
"#;

const PROGRAM: &str = r#"
import os, sys, time
os.write(1, ('a program runs as %s with %s\n' % (__name__, sys.argv)).encode())
while True:
    time.sleep(600)
"#;

fn files() -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("web.py"), format!("{APPLICATION}{EVALUATES}")).expect("write the application");
    fs::write(directory.path().join("prog.py"), PROGRAM).expect("write the program");
    directory
}

fn launch(directory: &TempDir) -> Launch {
    let launch = launch_in(&one(), directory.path()).set("module", "web");
    launch.line("mule =").line("mule = web:fetch").line("mule = prog.py").line("farm = jobs:2,2")
}

/// The mule of a number, once it has its title.
fn mule(instance: &Instance, number: u32) -> Process {
    let title = format!("rhinod mule {number}");
    let found = || instance.processes().into_iter().find(|process| process.title() == title);
    assert!(wait_until(|| found().is_some()), "no mule {number}");
    found().expect("a mule")
}

#[test]
fn mules_get_their_messages_and_keep_those_that_wait_when_they_die() {
    let directory = files();
    let mut instance = launch(&directory).start();
    instance.log.wait_for("a program runs as __main__ with ['uwsgi']");
    instance.log.wait_for("an empty message when time is over: b''");
    for (expression, value) in [
        ("uwsgi.mule_msg('for one', 1), uwsgi.mule_id(), uwsgi.in_farm()", "(True, 0, None)"),
        ("uwsgi.mule_msg(b'x' * 200000, 2)", "True"),
        (
            "uwsgi.mule_msg('to a farm', 'jobs'), uwsgi.mule_msg('by bytes', b'jobs'), uwsgi.farm_msg('jobs', 'so')",
            "(True, True, None)",
        ),
        ("uwsgi.mule_msg('m', 4)", "ValueError: invalid mule"),
        ("uwsgi.mule_msg('m', -1)", "ValueError: invalid mule"),
        ("uwsgi.mule_msg('m', None)", "ValueError: invalid mule"),
        ("uwsgi.mule_msg('m', b'nobody')", "ValueError: unknown farm"),
        ("uwsgi.mule_msg(7)", "TypeError: a bytes-like object is required, not 'int'"),
        ("uwsgi.mule_get_msg()", "ValueError: you can receive mule messages only in a mule !!!"),
        ("uwsgi.farm_get_msg()", "ValueError: you can receive farm messages only in a mule !!!"),
        ("add(40, two=2)", "None"),
    ] {
        assert_eq!(call(&instance, expression), value, "{expression}");
    }
    instance.log.wait_for("hook of mule 1 got b'for one'");
    instance.log.wait_for("mule 2 fetched 200000 b'xxxxxxxxx' True");
    for message in ["9 b'to a farm' True", "8 b'by bytes' True", "2 b'so' True"] {
        instance.log.wait_for(&format!("mule 2 fetched {message}"));
    }
    instance.log.wait_for("a mule added up 42 as mule 1 0");
    // The one that it dies of is lost, those behind it are not, nor is their order.
    instance.expect_log("crippled...trying respawn... (killed by signal 9)");
    assert_eq!(call(&instance, "[uwsgi.mule_msg(m, 1) for m in ('die', 'b', 'c')]"), "[True, True, True]");
    instance.log.wait_for("hook of mule 1 got b'c'");
    let got = instance.log.lines_with("hook of mule 1 got");
    assert!(got[1].ends_with("b'die'") && got[2].ends_with("b'b'") && got.len() == 4, "{got:?}");
    instance.stop();
}

#[test]
fn a_reload_lets_a_mule_finish_and_loses_no_message_and_a_full_queue_says_so() {
    let directory = files();
    let touched = directory.path().join("touched");
    fs::write(&touched, "").expect("a file");
    let launch = launch(&directory).set("mule-msg-size", 8192).set("touch-mules-reload", touched.display());
    let mut instance = launch.set("lazy-apps", true).start();
    instance.log.wait_for("a program runs as __main__");
    // Mule 2 has looked for one that would be there at once.
    instance.log.wait_for("an empty message when time is over: b''");
    assert_eq!(call(&instance, "uwsgi.mule_msg('slow', 2), uwsgi.mule_msg('behind', 2)"), "(True, True)");
    instance.log.wait_for("mule 2 fetched 4 b'slow'");
    let (hook, busy) = (mule(&instance, 1), mule(&instance, 2));
    instance.signal(Signal::SIGHUP);
    instance.log.wait_for("reload done: generation 2 serves");
    instance.log.wait_for(&format!("mule 1 (pid: {}) annihilated", hook.pid));
    assert!(busy.is_alive() && instance.log.lines_with("the slow one is done").is_empty());
    fs::write(directory.path().join("go"), "").expect("a file");
    instance.log.wait_for(&format!("mule 2 (pid: {}) annihilated", busy.pid));
    let lines = instance.log.lines();
    let at = |needle: &str| lines.iter().position(|line| line.contains(needle)).expect(needle);
    assert!(at("the slow one is done") < at(&format!("mule 2 (pid: {}) annihilated", busy.pid)));
    instance.log.wait_for("mule 2 fetched 6 b'behind'");
    // Its successor is in the same place of the queue; a touched file renews all.
    let before = mule(&instance, 1).pid;
    fs::write(&touched, "again").expect("a file");
    instance.log.wait_for("has been touched... reloading mules !!!");
    instance.log.wait_for(&format!("mule 1 (pid: {before}) annihilated"));
    instance.expect_log("*** MULE MSG QUEUE IS FULL: buffer size 16384 bytes");
    instance.expect_log("mule_send_msg(): Message too long: 65536 bytes");
    assert_eq!(call(&instance, "uwsgi.mule_msg(b'-' * 65536, 1)"), "False");
    // The program does not look into its queue.
    assert_eq!(call(&instance, "False in [uwsgi.mule_msg('full', 3) for _ in range(99)]"), "True");
    instance.stop();
}
