//! A real HAProxy before instances, as in `examples/cluster`, for the tests of clusters.
//!
//! Runs in the test's process; stands on `harness` and `reloading`.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::harness::{Instance, Log, daemon_program, end, free_address, wait_until};
use crate::reloading::unsteady;

/// The port of a node, of its health, and of its agent.
pub(crate) type Ports = [u16; 3];

/// A running HAProxy with the example's configuration.
pub(crate) struct Haproxy {
    pub(crate) address: SocketAddr,
    child: Child,
    pub(crate) log: Log,
    dir: TempDir,
}

impl Haproxy {
    /// Before these nodes.
    pub(crate) fn before(nodes: &[Ports]) -> Self {
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
        let mut command = Command::new(daemon_program("haproxy"));
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

    /// Gives it an order, and what it says to that.
    pub(crate) fn tell(&self, order: &str) -> String {
        let mut stream = UnixStream::connect(self.dir.path().join("haproxy.sock")).expect("HAProxy's socket");
        stream.write_all(format!("{order}\n").as_bytes()).expect("ask HAProxy");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("HAProxy's answer");
        text
    }

    /// What it says of a node: its state, and its weight.
    pub(crate) fn node(&self, number: usize) -> (String, u32) {
        let text = self.tell("show stat");
        let names: Vec<&str> = text.lines().next().unwrap_or_default().trim_start_matches("# ").split(',').collect();
        let line = text.lines().find(|line| line.starts_with(&format!("nodes,node{number},")));
        let values: Vec<&str> = line.expect("a line of the node").split(',').collect();
        let value = |name| names.iter().position(|other| *other == name).and_then(|place| values.get(place));
        let weight = value("weight").and_then(|weight| weight.parse().ok()).unwrap_or(0);
        (value("status").map(|status| (*status).to_owned()).unwrap_or_default(), weight)
    }

    /// Waits until a node is what it should be.
    pub(crate) fn wait_for(&self, number: usize, what: &str, is_it: impl Fn(&str, u32) -> bool) {
        let reached = wait_until(|| {
            let (status, weight) = self.node(number);
            is_it(&status, weight)
        });
        assert!(reached, "node{number} is {:?} and not {what}; HAProxy says:\n{}", self.node(number), self.log.tail());
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        end(&mut self.child, Signal::SIGTERM);
    }
}

/// Ports for so many nodes.
pub(crate) fn free_ports<const N: usize>() -> [Ports; N] {
    std::array::from_fn(|_| std::array::from_fn(|_| free_port()))
}

fn free_port() -> u16 {
    free_address().port()
}

/// An instance with two workers at these ports.
pub(crate) fn node([port, health, agent]: Ports) -> Instance {
    let at = |port: u16| format!("127.0.0.1:{port}");
    let launch = unsteady().set("workers", 2).set("stop-delay", 1).set("disable-logging", true);
    launch.set("http-socket", at(port)).set("metrics", at(health)).set("agent-check", at(agent)).start()
}

/// Kills an instance, and waits until all of it has gone.
pub(crate) fn kill(mut server: Instance) {
    server.expect_log("");
    server.signal(Signal::SIGKILL);
    server.processes().iter().for_each(|process| process.signal(Signal::SIGKILL));
    server.ends_with(137);
}
