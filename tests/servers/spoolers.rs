//! Spoolers: tasks as files of uWSGI's form, run once, again where they ask for it or were cut short, and set aside where they
//! kill whoever runs them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;

use crate::harness::wait_until;
use crate::pythons::{EVALUATES, call, launch_in, one};

const APPLICATION: &str = r#"
import os, sys, time
import uwsgi, uwsgidecorators

def say(*words):
    # In one piece, so that no other process comes between.
    os.write(1, (' '.join(map(str, words)) + '\n').encode())

@uwsgidecorators.spool
def once(task):
    say('once', task['name'], task.get('body'), sorted(key for key in task if key.startswith('ud_')))
    if task['name'] == 'fatal':
        os.kill(os.getpid(), 9)
    if task['name'] == 'cut' and not os.path.exists('cut'):
        open('cut', 'w').close()
        os.kill(os.getpid(), 9)

@uwsgidecorators.spool(pass_arguments=True)
def called(one, two=0):
    say('called with', one, two, uwsgi.i_am_the_spooler(), uwsgi.worker_id(), uwsgi.mule_id())

@uwsgidecorators.spoolraw
def retried(task):
    if os.path.exists('retried'):
        say('the second time it is done')
        return uwsgi.SPOOL_OK
    open('retried', 'w').close()
    say('the first time it is not')
    return uwsgi.SPOOL_RETRY

def locks():
    try:
        uwsgi.lock()
    except ValueError as error:
        return error

@uwsgidecorators.spool
def locked(task):
    say('in a spooler:', locks())

def waiting(name):
    return sorted(entry for entry in os.listdir(name) if not entry.startswith('.'))
"#;

#[test]
fn tasks_run_once_or_until_they_are_done_and_none_is_lost_or_goes_on_killing() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let spool = directory.path().join("spool");
    let other = directory.path().join("other");
    fs::write(directory.path().join("web.py"), format!("{APPLICATION}{EVALUATES}")).expect("write the application");
    let launch = launch_in(&one(), directory.path()).set("module", "web").set("spooler-frequency", 1);
    let launch = launch.set("spooler", spool.display()).set("spooler-external", other.display());
    let mut instance = launch.set("spooler-processes", 2).set("spooler-chdir", directory.path().display()).start();
    instance.log.wait_for(&format!("spawned the uWSGI spooler on dir {} with pid ", spool.display()));
    for (expression, value) in [
        ("type(once(name='plain', body=b'text')).__name__, once.__name__", "('bytes', 'once')"),
        ("called.spool(1, two=[2]) is not None", "True"),
        ("retried() is not None, locked() is not None", "(True, True)"),
        ("once({'name': 'later', 'at': str(int(time.time()) + 3600)}) is not None", "True"),
        ("len(uwsgi.spoolers), uwsgi.i_am_the_spooler(), len(uwsgi.spooler_jobs()) > 0", "(2, None, True)"),
        ("uwsgi.spool({b'a': 1})", "ValueError: spooler callable dictionary must contains only bytes"),
        ("uwsgi.spool()", "ValueError: The argument of spooler callable must be a dictionary"),
        ("uwsgi.spool({'a': 'b', 'priority': '../x'})", "ValueError: priority is no number from 0 to 999999: '../x'"),
        (
            "uwsgi.spool({'a': 'x' * 70000})",
            "ValueError: a value of 70000 bytes is too long for a task: use the body for it",
        ),
        ("uwsgi.spool({'a': 'b', 'spooler': '/nowhere'})", "ValueError: unable to find spooler '/nowhere'"),
    ] {
        assert_eq!(call(&instance, expression), value, "{expression}");
    }
    instance.log.wait_for("once plain text ['ud_spool_func', 'ud_spool_ret']");
    instance.log.wait_for("called with 1 [2] True 0 0");
    instance.log.wait_for("in a spooler: The spooler cannot lock/unlock resources");
    instance.log.wait_for("the second time it is done");
    // As uWSGI writes it, byte for byte.
    let named = format!("uwsgi.spool({{b'a': b'1', b'spooler': {:?}}})", other.display().to_string());
    let path = call(&instance, &format!("{named}.decode()"));
    let path = path.trim_matches('\'').to_owned();
    let written = fs::read(&path).expect("the task");
    assert_eq!(written[..4], [17, (written.len() - 4) as u8, 0, 0]);
    assert_eq!(written[4..10], [1, 0, b'a', 1, 0, b'1']);
    assert_eq!(fs::metadata(&path).expect("the task").permissions().mode() & 0o777, 0o600);
    // One that is cut short runs again; one that kills everybody is set aside.
    instance.expect_log("OOOPS the spooler is no more...trying respawn...");
    instance.expect_log("is set aside in ");
    instance.expect_log("respawning too fast !!!");
    assert_eq!(call(&instance, "once(name='cut') is not None"), "True");
    instance.log.wait_for_count(2, "once cut None");
    assert_eq!(call(&instance, "once(name='fatal') is not None"), "True");
    instance.log.wait_for("it has taken 3 processes with it");
    assert_eq!(instance.log.lines_with("once fatal None").len(), 3);
    let waits = || call(&instance, &format!("len(waiting({:?}))", spool.display().to_string()));
    assert!(wait_until(|| waits() == "2"), "the one of later, and the directory of those set aside: {}", waits());
    instance.signal(Signal::SIGHUP);
    instance.log.wait_for("reload done: generation 2 serves");
    assert_eq!(call(&instance, "once(name='after a reload') is not None"), "True");
    instance.log.wait_for("once after a reload None");
    instance.stop();
}

const SLOW: &str = r#"
import os, time
import uwsgi, uwsgidecorators

@uwsgidecorators.spool
def slow(task):
    os.write(1, ('begun ' + task['name'] + '\n').encode())
    while not os.path.exists('go'):
        time.sleep(0.01)
"#;

#[test]
fn more_processes_run_while_tasks_wait_and_none_before() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let spool = directory.path().join("spool");
    fs::write(directory.path().join("web.py"), format!("{SLOW}{EVALUATES}")).expect("write the application");
    let launch =
        launch_in(&one(), directory.path()).set("module", "web").set("spooler-chdir", directory.path().display());
    let launch = launch.set("spooler", spool.display()).set("spooler-processes", 4).set("spooler-cheaper", 1);
    let instance = launch.start();
    instance.log.wait_for("spawned uWSGI spooler 1 (pid: ");
    assert_eq!(call(&instance, "[slow(name=name) is None for name in 'abc']"), "[False, False, False]");
    for name in ["a", "b", "c"] {
        instance.log.wait_for(&format!("begun {name}"));
    }
    // What waits is known as of somebody's last look only, so that the second step may be one too far.
    let steps = ["processes: 1 -> 2: 1 are busy", "processes: 2 -> "].map(|step| instance.log.lines_with(step).len());
    assert_eq!(steps, [1, 1]);
    fs::write(directory.path().join("go"), "").expect("let them end");
    assert!(wait_until(|| call(&instance, "len(uwsgi.spooler_jobs())") == "0"));
    instance.stop();
}

const NOTING: &str = r#"
import os
import uwsgi

def run(task):
    os.write(1, ('ran %s\n' % sorted((str(key), bytes(value)) for key, value in task.items() if key != 'spooler_task_name')).encode())
    return uwsgi.SPOOL_OK

uwsgi.spooler = run
"#;

/// A packet with the variables of a task.
fn packet(pieces: &[&str]) -> Vec<u8> {
    let block: Vec<u8> =
        pieces.iter().flat_map(|piece| [&(piece.len() as u16).to_le_bytes()[..], piece.as_bytes()].concat()).collect();
    [&[17][..], &(block.len() as u16).to_le_bytes(), &[0], &block].concat()
}

#[test]
fn tasks_come_over_a_socket_from_whom_the_configuration_names() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let spool = directory.path().join("spool");
    fs::write(directory.path().join("web.py"), format!("{NOTING}{EVALUATES}")).expect("write the application");
    let common = || {
        let launch = launch_in(&one(), directory.path()).set("module", "web").set("spooler-ordered", true);
        launch.set("spooler", spool.display())
    };
    let mut server = common().set("spool-allow-from", "unix:").start();
    let (queued, refused) = (&b"\xff\0\0\x01"[..], &b"\xff\0\0\0"[..]);
    assert_eq!(server.send(&packet(&["a", "1", "priority", "3", "body", "text"])).bytes, queued);
    server.log.wait_for("ran [(\"b'a'\", b'1'), (\"b'priority'\", b'3'), ('body', b'text')]");
    server.expect_log("a task that was sent is none");
    server.expect_log("a task that was sent will not be run: ");
    for broken in
        [packet(&[]), packet(&["a"]), packet(&["a", "1", "priority", "../x"]), packet(&["spooler", "/", "a", "1"])]
    {
        assert_eq!(server.send(&broken).bytes, refused, "{broken:?}");
    }
    server.stop();
    let mut server = common().set("spool-allow-from", "10.9.9.9").start();
    assert_eq!(server.send(&packet(&["a", "1"])).bytes, b"");
    server.wait_for_expected("a task is sent (modifier1 17) from unix:, which spool-allow-from does not name");
    server.stop();
    let mut server = common().start();
    assert_eq!(server.send(&packet(&["a", "1"])).status(), Some(501));
    server.wait_for_expected("a task is sent (modifier1 17), and spool-allow-from names nobody who may do that");
}

#[test]
fn how_often_spoolers_look_can_be_changed_while_they_run() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let spool = directory.path().join("spool");
    fs::write(directory.path().join("web.py"), format!("{NOTING}{EVALUATES}")).expect("write the application");
    let launch = launch_in(&one(), directory.path()).set("module", "web").set("spooler-frequency", 3_600);
    let instance = launch.set("spooler", spool.display()).set("spooler-sync", true).start();
    instance.log.wait_for("spawned the uWSGI spooler on dir ");
    assert_eq!(call(&instance, "uwsgi.set_spooler_frequency(1)"), "True");
    // Nobody is told of one that another program writes.
    fs::write(spool.join("uwsgi_spoolfile_on_elsewhere_1"), packet(&["a", "1"])).expect("a task");
    instance.log.wait_for("ran [(\"b'a'\", b'1')]");
    assert_eq!(call(&instance, "uwsgi.set_spooler_frequency(0), uwsgi.spool({b'a': b'2'}) is None"), "(True, False)");
    instance.log.wait_for("ran [(\"b'a'\", b'2')]");
    instance.stop();
}

const HANGING: &str = r#"
import os, threading
import uwsgi, uwsgidecorators

def say(text):
    os.write(1, (text + '\n').encode())

@uwsgidecorators.spool
def work(task):
    say('begun ' + task['name'])
    if task['name'] == 'hangs':
        threading.Event().wait()

def hang_at_a_signal(number):
    say('a mule hangs')
    threading.Event().wait()

uwsgi.register_signal(7, 'mule', hang_at_a_signal)
"#;

#[test]
fn spoolers_and_mules_that_hang_are_killed_and_spoolers_are_replaced_when_they_are_to_be() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (spool, touched) = (directory.path().join("spool"), directory.path().join("touched"));
    fs::write(directory.path().join("web.py"), format!("{HANGING}{EVALUATES}")).expect("write the application");
    let imported = "import os, uwsgi\nos.write(1, b'imported in a spooler %r\\n' % uwsgi.i_am_the_spooler())\n";
    fs::write(directory.path().join("imported.py"), imported).expect("write a module");
    fs::write(&touched, "").expect("a file");
    let launch = launch_in(&one(), directory.path()).set("module", "web").set("spooler", spool.display());
    let launch = launch.set("spooler-harakiri", 1).set("spooler-max-crashes", 1).set("spooler-import", "imported");
    let launch = launch.set("spooler-max-tasks", 2).set("touch-spoolers-reload", touched.display());
    let mut instance = launch.line("mule =").set("mule-harakiri", 1).start();
    instance.log.wait_for("imported in a spooler True");
    for said in ["*** HARAKIRI ON ", "OOOPS ", "is set aside in ", "respawning too fast !!!"] {
        instance.expect_log(said);
    }
    assert_eq!(call(&instance, "work(name='hangs') is not None"), "True");
    instance.log.wait_for("*** HARAKIRI ON THE SPOOLER (pid: ");
    instance.log.wait_for("it has taken 1 processes with it");
    assert_eq!(call(&instance, "[work(name=name) is None for name in 'ab']"), "[False, False]");
    instance.log.wait_for("maximum number of tasks reached (2) recycling ...");
    instance.log.wait_for_count(3, "imported in a spooler True");
    fs::write(&touched, "again").expect("the file");
    instance.log.wait_for_count(4, "imported in a spooler True");
    assert_eq!(call(&instance, "work(name='c') is not None"), "True");
    instance.log.wait_for("begun c");
    assert_eq!(call(&instance, "uwsgi.signal(7)"), "None");
    instance.log.wait_for("a mule hangs");
    instance.log.wait_for("*** HARAKIRI ON MULE 1 (pid: ");
    instance.stop();
}
