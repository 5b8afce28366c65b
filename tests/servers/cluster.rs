//! Instances behind a real HAProxy, as in `examples/cluster`: who asks notices nothing of one that is killed, stopped or
//! paused.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::harness::{Instance, Log, Process, converse, wait_until};
use crate::reloading::{Held, operator, unsteady};

/// The port of a node, of its health, and of its agent.
type Ports = [u16; 3];

/// A running HAProxy with the example's configuration.
struct Haproxy {
    address: SocketAddr,
    child: Child,
    log: Log,
    dir: TempDir,
}

impl Haproxy {
    fn before(nodes: &[Ports]) -> Self {
        (0..10).find_map(|_| Self::try_start(nodes)).expect("HAProxy found ten ports in use in a row")
    }

    fn try_start(nodes: &[Ports]) -> Option<Self> {
        let dir = tempfile::Builder::new().prefix("rhinod-haproxy-").tempdir().expect("a temporary directory");
        let template = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/cluster/haproxy.cfg.template");
        let lines = (1..).zip(nodes).map(|(number, [port, health, agent])| {
            let agent = format!("agent-addr 127.0.0.1 agent-port {agent}");
            format!("    server node{number} 127.0.0.1:{port} port {health} {agent}\n")
        });
        let port = free_port();
        let text = fs::read_to_string(template).expect("the example's configuration");
        let text = text
            .replace("{{ run }}", &dir.path().display().to_string())
            .replace("{{ port }}", &port.to_string())
            .replace("{{ nodes }}", &lines.collect::<String>())
            .replace("500ms", "50ms")
            .replace("slowstart 5s", "slowstart 1s");
        assert!(!text.contains("{{"), "{text}");
        fs::write(dir.path().join("haproxy.cfg"), text).expect("write HAProxy's configuration");
        let (reader, writer) = io::pipe().expect("a pipe for the log");
        let mut command = Command::new(program());
        command.arg("-db").arg("-f").arg(dir.path().join("haproxy.cfg")).stdin(Stdio::null());
        let other = writer.try_clone().expect("the pipe again");
        let mut child = command.stdout(writer).stderr(other).spawn().expect("execute HAProxy");
        drop(command);
        let socket = dir.path().join("haproxy.sock");
        let answers = wait_until(|| UnixStream::connect(&socket).is_ok() || matches!(child.try_wait(), Ok(Some(_))));
        let has_ended = matches!(child.try_wait(), Ok(Some(_)));
        assert!(answers, "HAProxy does not start");
        let log = Log::of(reader);
        (!has_ended).then(|| Self { address: SocketAddr::from(([127, 0, 0, 1], port)), child, log, dir })
    }

    /// What it says of a node: its state, and its weight.
    fn node(&self, number: usize) -> (String, u32) {
        let mut stream = UnixStream::connect(self.dir.path().join("haproxy.sock")).expect("HAProxy's socket");
        stream.write_all(b"show stat\n").expect("ask HAProxy");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("HAProxy's answer");
        let names: Vec<&str> = text.lines().next().unwrap_or_default().trim_start_matches("# ").split(',').collect();
        let line = text.lines().find(|line| line.starts_with(&format!("nodes,node{number},")));
        let values: Vec<&str> = line.expect("a line of the node").split(',').collect();
        let value = |name| names.iter().position(|other| *other == name).and_then(|place| values.get(place));
        let weight = value("weight").and_then(|weight| weight.parse().ok()).unwrap_or(0);
        (value("status").map(|status| (*status).to_owned()).unwrap_or_default(), weight)
    }

    fn wait_for(&self, number: usize, what: &str, is_it: impl Fn(&str, u32) -> bool) {
        let reached = wait_until(|| {
            let (status, weight) = self.node(number);
            is_it(&status, weight)
        });
        assert!(reached, "node{number} is {:?} and not {what}; HAProxy says:\n{}", self.node(number), self.log.tail());
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).expect("a pid is positive");
        Process { pid, name: String::new() }.signal(Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

/// Debian has HAProxy outside the path of ordinary users.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    let found = places.map(|place| place.join("haproxy")).find(|candidate| candidate.exists());
    found.expect("haproxy is not installed; make test installs it")
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port()
}

fn node([port, health, agent]: Ports) -> Instance {
    let at = |port: u16| format!("127.0.0.1:{port}");
    let launch = unsteady().set("workers", 2).set("stop-delay", 1).set("disable-logging", true);
    launch.set("http-socket", at(port)).set("metrics", at(health)).set("agent-check", at(agent)).start()
}

/// Kills an instance, and waits until all of it has gone.
fn kill(mut server: Instance) {
    server.expect_log("");
    server.signal(Signal::SIGKILL);
    server.processes().iter().for_each(|process| process.signal(Signal::SIGKILL));
    server.ends_with(137);
}

#[test]
fn who_asks_a_balancer_notices_nothing_of_instances_that_are_killed_stopped_and_paused() {
    let ports: [Ports; 3] = std::array::from_fn(|_| std::array::from_fn(|_| free_port()));
    let mut nodes = ports.map(|ports| Some(node(ports)));
    let haproxy = Haproxy::before(&ports);
    let is_up = |status: &str, _| status == "UP";
    (1..=3).for_each(|number| haproxy.wait_for(number, "UP", is_up));
    let (answered, stop) = (AtomicU32::new(0), AtomicBool::new(false));
    let ask = || -> Vec<String> {
        let mut failed = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let head = "GET / HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n";
            match converse(haproxy.address, head, &[]) {
                Ok(reply) if reply.status == 200 => drop(answered.fetch_add(1, Ordering::Relaxed)),
                other => failed.push(format!("{other:?}")),
            }
        }
        failed
    };
    let failed = thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        // Killed, and started again.
        kill(nodes[0].take().expect("the first node"));
        haproxy.wait_for(1, "DOWN", |status, _| status.starts_with("DOWN"));
        nodes[0] = Some(node(ports[0]));
        haproxy.wait_for(1, "UP", |status, _| status == "UP");
        // Stopped: it drains before it goes.
        let second = nodes[1].take().expect("the second node");
        second.signal(Signal::SIGTERM);
        haproxy.wait_for(2, "draining", |status, _| status.starts_with("DRAIN"));
        second.ends_with(0);
        haproxy.wait_for(2, "DOWN", |status, _| status.starts_with("DOWN") || status.starts_with("MAINT"));
        nodes[1] = Some(node(ports[1]));
        haproxy.wait_for(2, "UP", |status, _| status == "UP");
        // Paused, and resumed.
        let third = nodes[2].as_ref().expect("the third node");
        assert!(operator(third, "--pause").status.success());
        haproxy.wait_for(3, "draining", |status, _| status.starts_with("DRAIN"));
        assert!(operator(third, "--resume").status.success());
        haproxy.wait_for(3, "UP", |status, _| status == "UP");
        stop.store(true, Ordering::Relaxed);
        clients.into_iter().flat_map(|client| client.join().expect("a client")).collect::<Vec<_>>()
    });
    assert_eq!(
        failed,
        Vec::<String>::new(),
        "of {}; HAProxy says:\n{}",
        answered.load(Ordering::Relaxed),
        haproxy.log.tail()
    );
    // Who has something in hand has less to spare.
    let third = nodes[2].as_ref().expect("the third node");
    let held = Held::begin(third);
    haproxy.wait_for(3, "half as heavy", |_, weight| weight == 50);
    let mut line = String::new();
    let mut agent = TcpStream::connect(("127.0.0.1", ports[2][2])).expect("the agent's address");
    agent.read_to_string(&mut line).expect("a line");
    assert_eq!(line, "ready up 50%\n");
    held.finish();
}

#[test]
fn the_manifests_for_kubernetes_fit_its_schemas() {
    let Some(validate) = crate::rivals::kubernetes() else { return };
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/kubernetes");
    let files = ["configuration", "deployment", "service", "disruption-budget", "autoscaler"];
    let files = files.map(|name| directory.join(name).with_extension("yaml"));
    // The oldest that is meant, and the newest that the program knows.
    for version in [&["-k", "1.27.0"][..], &[]] {
        let output = Command::new(validate).args(version).arg("--strict").args(&files).output();
        let output = output.expect("execute kubernetes-validate");
        assert!(output.status.success(), "{version:?}: {output:?}");
    }
    let text = fs::read_to_string(&files[0]).expect("the configuration");
    let ini = text.split_once("app.ini: |\n").expect("an ini file in it").1.replace("    ", "");
    let file = tempfile::Builder::new().suffix(".ini").tempfile().expect("a temporary file");
    fs::write(file.path(), ini).expect("write it");
    let output = Command::new(crate::harness::program_path("rhinod")).args(["show", "--ini"]).arg(file.path()).output();
    let output = output.expect("execute rhinod");
    assert!(output.status.success(), "{output:?}");
}
