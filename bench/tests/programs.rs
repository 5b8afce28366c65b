//! The floor and `bench` as they are run: what they print, how they exit, what they leave behind.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use loadgen::client::{Load, Target, Until, Wire, wait_for_answer};
use loadgen::packet::Request;
use rhinod_bench::proc::{self, Pid, Process};
use rustix::process::{Signal, kill_process};

/// Longest time for anything here; nothing takes a tenth of it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The floor on a socket of its own.
struct Floor {
    child: Child,
    dir: tempfile::TempDir,
}

impl Floor {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut command = Command::new(env!("CARGO_BIN_EXE_floor"));
        command.arg("--socket").arg(dir.path().join("s")).args(["--processes", "2"]).stdin(Stdio::null());
        let floor = Self { child: command.spawn().expect("the floor"), dir };
        let packet = Request::get("/").to_uwsgi().expect("it fits");
        let ready = wait_for_answer(&floor.target(), &packet, Duration::from_millis(1), PATIENCE, || Ok(()));
        ready.expect("an answer");
        floor
    }

    fn target(&self) -> Target {
        Target::Unix(self.dir.path().join("s"))
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        // Fails only when it has ended already, and is then waited for all the same.
        let _ended = self.child.kill();
        self.child.wait().expect("a child of ours");
    }
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what}: not in {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn all_gone(tree: &[Process]) -> bool {
    !tree.iter().any(proc::is_alive)
}

#[test]
fn the_floor_answers_as_the_hello_example_does_and_ends_with_its_parent() {
    let floor = Floor::start();
    let load = Load::new(floor.target(), Wire::Uwsgi, &Request::get("/"), 4, Until::Requests(2_000)).expect("it fits");
    let report = load.run(&AtomicBool::new(false)).expect("a run");
    assert_eq!((report.counts.ok, report.counts.failed()), (2_000, 0));
    let whole = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world\n";
    assert_eq!(report.received_bytes, 2_000 * whole.len() as u64);

    let tree = proc::tree(floor.pid());
    assert_eq!(tree.len(), 3, "{tree:?}");
    assert!(proc::cpu_time(&tree) > Duration::ZERO);
    drop(floor);
    wait_until("the floor's children are gone", || all_gone(&tree));
}

#[test]
fn a_wrong_command_line_names_the_scenarios_there_are() {
    let bench = Command::new(env!("CARGO_BIN_EXE_bench")).arg("nonsense").output().expect("bench");
    assert_eq!(bench.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&bench.stderr).contains("no scenario nonsense; there are: noise, cpu"));
}

/// Starts `bench` with its JSON going to `out`.
fn bench(out: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    command.args(arguments).args(["--no-rivals", "--out"]).arg(out).env("TMPDIR", out);
    command.stdout(Stdio::piped()).spawn().expect("bench")
}

#[test]
fn bench_writes_what_it_prints() {
    let out = tempfile::tempdir().expect("a directory");
    let mut child = bench(out.path(), &["noise", "--rounds", "1", "--requests", "400", "--clients", "2"]);
    let mut text = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut text).expect("text");
    assert_eq!(child.wait().expect("a child of ours").code(), Some(0), "{text}");
    assert!(text.contains("floor A") && text.contains("floor B"), "{text}");
    let json = std::fs::read(out.path().join("noise.json")).expect("a file");
    let value: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    assert_eq!(value["tables"][0]["rows"][1]["contender"], "floor B");
    assert!(value["tables"][0]["rows"][0]["us median"].as_f64().is_some_and(|cpu_us| cpu_us > 0.0));
}

#[test]
fn an_interrupted_bench_ends_its_servers_and_removes_their_directories() {
    let out = tempfile::tempdir().expect("a directory");
    let mut child = bench(out.path(), &["noise", "--requests", "100000000"]);
    let pid = Pid::from_child(&child);
    let mut tree = Vec::new();
    wait_until("both floors run", || {
        tree = proc::tree(pid);
        tree.len() == 7
    });
    kill_process(pid, Signal::TERM).expect("it runs");
    assert_eq!(child.wait().expect("a child of ours").code(), Some(130));
    wait_until("the servers are gone", || all_gone(&tree));
    let left: Vec<_> =
        std::fs::read_dir(out.path()).expect("the directory").flatten().map(|entry| entry.path()).collect();
    assert!(left.is_empty(), "{left:?}");
    let lines: Vec<String> =
        BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok).collect();
    assert!(lines.iter().any(|line| line.starts_with("== noise")), "{lines:?}");
}
