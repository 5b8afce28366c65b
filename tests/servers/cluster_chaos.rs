//! Random blows against a cluster under load: instances and workers are killed, and the balancer takes what lives for down. Every
//! request that may be sent twice is answered, and the living do what they can. Some blows in `make test`, for two minutes and
//! longer in `make soak`.

use std::time::{Duration, Instant};

use fastrand::Rng;
use loadgen::client::{Target, Wire};
use nix::sys::signal::Signal;
use testkit::seeds::seconds_of_this_run;

use crate::balancer::{Haproxy, Ports, free_ports, kill, node};
use crate::harness::{Instance, wait_until};
use crate::reloading::Traffic;

const NODES: usize = 3;
/// More than all workers together take at once.
const CLIENTS: usize = 12;
const PATH: &str = "/sleep?ms=10";
/// How long what is well is left in peace between two blows to instances, where there is time.
const EVERY: Duration = Duration::from_secs(5);
/// A run of this length is one of which the throughput says something.
const LONG: Duration = Duration::from_secs(60);
const UNHARMED: Duration = Duration::from_secs(5);
/// Of what the living can do.
const SHARE_MIN: f64 = 0.9;

/// Three instances, HAProxy before them, and how long each was there for requests.
struct Cluster {
    ports: [Ports; NODES],
    nodes: [Option<Instance>; NODES],
    haproxy: Haproxy,
    dice: Rng,
    /// Since when each can be asked.
    there: [Option<Instant>; NODES],
    /// Of all together.
    lived: Duration,
}

impl Cluster {
    fn start(seed: u64) -> Self {
        let ports = free_ports();
        let nodes = ports.map(|ports| Some(node(ports)));
        let haproxy = Haproxy::before(&ports);
        let cluster =
            Self { ports, nodes, haproxy, dice: Rng::with_seed(seed), there: [None; NODES], lived: Duration::ZERO };
        (0..NODES).for_each(|number| cluster.wait_up(number));
        cluster
    }

    fn wait_up(&self, number: usize) {
        self.haproxy.wait_for(number + 1, "UP", |status, _| status == "UP");
    }

    fn begins(&mut self, number: usize) {
        self.there[number] = Some(Instant::now());
    }

    fn ends(&mut self, number: usize) {
        self.lived += self.there[number].take().map_or(Duration::ZERO, |since| since.elapsed());
    }

    /// Kills an instance with all its processes, and starts it again when the balancer knows.
    fn kill_instance(&mut self, number: usize) {
        self.ends(number);
        kill(self.nodes[number].take().expect("an instance"));
        self.haproxy.wait_for(number + 1, "DOWN", |status, _| status.starts_with("DOWN"));
        self.nodes[number] = Some(node(self.ports[number]));
        self.begins(number);
        self.wait_up(number);
    }

    /// Kills a worker; what it had in hand is another instance's to answer.
    fn kill_worker(&mut self, number: usize) {
        let server = self.nodes[number].as_mut().expect("an instance");
        server.expect_log("DAMN");
        server.expect_log("[warn]");
        let workers = server.workers();
        let victim = self.dice.choice(&workers).expect("a worker");
        victim.signal(Signal::SIGKILL);
        assert!(wait_until(|| server.workers().len() == 2), "{}", server.log.tail());
    }

    /// Has the balancer believe for a moment that one is not there.
    fn deceive_balancer(&mut self, number: usize) {
        let name = format!("nodes/node{}", number + 1);
        self.ends(number);
        let [lie, truth] = match self.dice.bool() {
            true => ["state maint", "state ready"],
            false => ["agent down", "agent up"],
        };
        self.haproxy.tell(&format!("set server {name} {lie}"));
        // It lasts for a look, or until the agent's next word: that says `ready` and `up`, so that nobody may get to see it.
        self.haproxy.node(number + 1);
        self.haproxy.tell(&format!("set server {name} {truth}"));
        self.wait_up(number);
        self.begins(number);
    }

    /// One instance is killed; others lose workers and are thought to be away, each alone.
    fn strike(&mut self) {
        let order: [usize; NODES] = {
            let mut order = std::array::from_fn(|number| number);
            self.dice.shuffle(&mut order);
            order
        };
        self.kill_instance(order[0]);
        self.kill_worker(order[1]);
        self.deceive_balancer(order[2]);
    }
}

#[test]
fn a_cluster_answers_every_get_while_instances_and_workers_are_killed_and_its_balancer_errs() {
    let time = seconds_of_this_run(3);
    let is_long = time >= LONG;
    let mut cluster = Cluster::start(fastrand::u64(..));
    let seed = cluster.dice.get_seed();
    let target = Target::Tcp(cluster.haproxy.address);
    let traffic = || Traffic::to(target.clone(), Wire::Http { keep_alive: false }, CLIENTS, PATH);
    let unharmed = is_long.then(|| {
        let traffic = traffic();
        std::thread::sleep(UNHARMED);
        traffic.end().throughput_per_s / NODES as f64
    });
    let (began, harmed) = (Instant::now(), traffic());
    (0..NODES).for_each(|number| cluster.begins(number));
    let mut blows = 0;
    while began.elapsed() < time || blows == 0 {
        let struck = Instant::now();
        cluster.strike();
        blows += 1;
        if is_long {
            std::thread::sleep(EVERY.saturating_sub(struck.elapsed()));
        }
    }
    (0..NODES).for_each(|number| cluster.ends(number));
    let lasted = began.elapsed();
    let counts = harmed.stop().counts;
    assert_eq!(counts.failed(), 0, "seed {seed}: {counts:?}; HAProxy says:\n{}", cluster.haproxy.log.tail());
    let (answered, lived) = (counts.ok as f64, cluster.lived.as_secs_f64());
    println!(
        "{blows} rounds of blows in {lasted:?}: {answered} answered, {lived:.1} s of instances, {unharmed:?} /s each"
    );
    if let Some(unharmed) = unharmed {
        let share = answered / (unharmed * lived);
        println!("{share:.3} of what the living can do");
        assert!(share >= SHARE_MIN, "seed {seed}: {share:.3} of what the living can do");
    }
}
