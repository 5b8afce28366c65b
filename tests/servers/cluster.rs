//! Instances behind a real HAProxy, as in `examples/cluster`: who asks notices nothing of one that is killed, stopped or
//! paused.

use std::fs;
use std::io::Read as _;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use nix::sys::signal::Signal;

use crate::balancer::{Haproxy, Ports, free_ports, kill, node};
use crate::harness::converse;
use crate::reloading::{Held, operator};

#[test]
fn who_asks_a_balancer_notices_nothing_of_instances_that_are_killed_stopped_and_paused() {
    let ports: [Ports; 3] = free_ports();
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
