//! `rhinod stacks` and `rhinod profile`: threads that hang, run and wait, under every CPython that there is, and Rust.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::harness::{Gate, Instance, Launch, program_path, wait_until};
use crate::pythons::{Python, launch_in, one, supported};

/// A request waits for ever with the interpreter's lock in its hands, so that no Python code runs any more; another thread waits
/// beside it. Line 12 opens the gate, line 5 waits.
const STUCK: &str = "\
import ctypes, os, threading

def beside():
    name = 'a name of this line, which is the fourth'
    threading.Event().wait()

class Door:
    def __init__(self, path):
        self.path = path.encode()

    def open(self):
        ctypes.PyDLL(None).open(self.path, 0)

def application(environ, start_response):
    threading.Thread(target=beside, daemon=True).start()
    Door(os.environ['GATE']).open()
    start_response('200 OK', [])
    return [b'out']
";

const BURNING: &str = "\
def burn():
    return sum(number * number for number in range(200_000))

def application(environ, start_response):
    burn()
    start_response('200 OK', [])
    return [b'burnt']
";

fn serving(python: &Python, application: &str) -> (TempDir, Launch) {
    let files = tempfile::tempdir().expect("a temporary directory");
    fs::write(files.path().join("web.py"), application).expect("write the application");
    let launch = launch_in(python, files.path()).set("module", "web");
    (files, launch)
}

/// What `rhinod WORD…` says of an instance.
fn asked(words: &[&str]) -> Output {
    Command::new(program_path("rhinod")).args(words).output().expect("run rhinod")
}

fn stacks(instance: &Instance) -> String {
    let output = asked(&["stacks", &instance.pid().to_string()]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The lines of the thread in which a function is called, without where the kernel has it.
fn calls<'t>(told: &'t str, function: &str) -> Vec<&'t str> {
    let threads = told.split("\n  thread ");
    let with = |thread: &&str| thread.lines().any(|line| line.ends_with(function));
    threads.filter(with).flat_map(|thread| thread.lines().skip(1)).map(str::trim).collect()
}

fn tells_of_a_worker_that_hangs(python: &Python) {
    let (files, launch) = serving(python, STUCK);
    let gate = Gate::at(files.path().join("gate"));
    let instance = launch.env("GATE", gate.path().display()).start();
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| instance.get("/"));
        let is_told = || {
            let told = stacks(&instance);
            calls(&told, "open").len() > 2 && !calls(&told, "beside").is_empty()
        };
        let found = wait_until(is_told);
        let told = stacks(&instance);
        // Before anything may fail: lets it go.
        gate.open(b"");
        assert!(found, "{python:?}: {told}");
        let open = if python.version >= (3, 11) { "Door.open" } else { "open" };
        let at_the_door = ["web.py\", line 16, in application".to_owned(), format!("web.py\", line 12, in {open}")];
        let follow = |two: &[&str]| two.iter().zip(&at_the_door).all(|(line, end)| line.ends_with(end));
        assert!(calls(&told, open).windows(2).any(follow), "{python:?}: {told}");
        let waits = calls(&told, "beside").iter().any(|line| line.ends_with("web.py\", line 5, in beside"));
        assert!(waits, "{python:?}: {told}");
        let (major, minor) = python.version;
        let pid = instance.workers()[0].pid;
        assert!(told.starts_with(&format!("worker 1, process {pid}, ")), "{told}");
        assert!(told.contains(&format!(", Python {major}.{minor}\n  thread {pid} (")), "{told}");
        assert!(!told.contains("with the identifier"), "every thread has its number: {told}");
        assert_eq!(answer.join().expect("an answer").body(), b"out");
    });
    instance.stop();
}

#[test]
fn stacks_tell_where_each_thread_of_a_worker_is_that_runs_no_code_any_more() {
    std::thread::scope(|scope| {
        for python in supported() {
            scope.spawn(|| tells_of_a_worker_that_hangs(python));
        }
    });
}

#[test]
fn a_profile_draws_where_the_time_goes_and_says_what_it_took() {
    let (files, launch) = serving(&one(), BURNING);
    let instance = launch.start();
    let picture = files.path().join("flames.svg");
    let pid = instance.pid().to_string();
    let profiled = std::thread::scope(|scope| {
        let profile = scope.spawn(|| asked(&["profile", "-o", &picture.display().to_string(), &pid, "1"]));
        while !profile.is_finished() {
            assert_eq!(instance.get("/").body(), b"burnt");
        }
        profile.join().expect("a profile")
    });
    let said = String::from_utf8_lossy(&profiled.stderr).into_owned();
    assert!(profiled.status.success() && said.contains("% of one; no worker was stopped"), "{profiled:?}");
    let drawn = fs::read_to_string(&picture).expect("a picture");
    for function in ["application", "burn"] {
        let has_it =
            drawn.lines().any(|line| line.contains(&format!("<title>{function} (")) && line.contains("web.py): "));
        assert!(has_it, "{function} is not in {drawn}");
    }
    let printed = asked(&["profile", &pid, "1"]);
    assert!(printed.status.success() && printed.stdout.is_empty(), "nothing runs: {printed:?}");
    instance.stop();
}

#[test]
fn threads_of_a_rust_application_are_told_by_name_and_a_profile_of_it_is_refused() {
    let instance = Launch::hello().set("workers", 2).start();
    let told = stacks(&instance);
    for worker in instance.workers() {
        assert!(
            told.contains(&format!(", process {}, idle, no Python\n  thread {} (", worker.pid, worker.pid)),
            "{told}"
        );
    }
    assert!(told.ends_with("Not shown: calls of code that is not Python.\n"), "{told}");
    let refused = asked(&["profile", &instance.pid().to_string(), "1"]);
    assert_eq!(refused.status.code(), Some(68));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("its workers run no Python"), "{refused:?}");
    instance.stop();
}

#[test]
fn who_may_not_look_into_workers_is_refused_and_told_who_may() {
    const STRANGER: u32 = 65_534;
    const SERVES: u32 = 12_345;
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let ask = |instance: &Instance, word: &str, user: u32| {
        let mut command = Command::new(program_path("rhinod"));
        command.arg(word).arg(instance.pid().to_string()).args((word == "profile").then_some("1"));
        command.uid(user).gid(user).output().expect("run rhinod")
    };
    let of_root = Launch::hello().start();
    for word in ["stacks", "profile"] {
        let output = ask(&of_root, word, STRANGER);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(77) && told.ends_with("belongs to root: run this as root\n"),
            "{output:?}"
        );
    }
    of_root.stop();
    // Its own user may, where the system lets users look into their own processes.
    let launch = Launch::hello().set("uid", SERVES).set("gid", SERVES);
    fs::set_permissions(launch.dir(), fs::Permissions::from_mode(0o777)).expect("permissions");
    let dropped = launch.start();
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    let output = ask(&dropped, "stacks", SERVES);
    match scope.trim() {
        "" | "0" => assert!(output.status.success(), "{output:?}"),
        _ => {
            assert!(String::from_utf8_lossy(&output.stderr).contains("may not be read: run this as root"), "{output:?}")
        }
    }
    dropped.stop();
}
