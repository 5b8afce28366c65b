//! A router that hears instances announce themselves (`http-subscription-server`): real uWSGIs and our own, with weights, signatures
//! and owners; killed and drained under load; over reloads, deaths and upgrades of the router; and what anybody may send there.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use loadgen::client::{Target, Wire};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use worker_protocol::subscription::{Announcement, Command};

use crate::balancer;
use crate::dialogue::{Dialogue, tcp_address};
use crate::harness::{Instance, Launch, PATIENCE, converse, free_address, wait_until};
use crate::monitoring::{bytes_after, parsed, places, stats_path};
use crate::reloading::replacing::upgrade;
use crate::reloading::{Traffic, edit, unsteady};
use crate::rivals::{self, Uwsgi};

/// The host that clients of these tests ask for.
const HOST: &str = "app.example";

/// A router and nothing else: no application, no worker.
fn alone() -> Launch {
    let launch = Launch::rhinod().without("socket").without("workers").set("http", "127.0.0.1:0");
    let (stats, fifo) = (stats_path(launch.dir()), launch.dir().join("fifo"));
    launch.set("http-stats", stats.display()).set("master-fifo", fifo.display())
}

fn hearing() -> Launch {
    alone().set("http-subscription-server", "127.0.0.1:0")
}

/// Starts it; where it takes requests, and where it hears.
fn start(launch: Launch) -> (Instance, SocketAddr, SocketAddr) {
    let server = launch.spawn();
    let line = server.log.wait_for("routers hear announcements on 127.0.0.1:").text;
    let heard_at = line.rsplit(' ').next().and_then(|text| text.parse().ok()).expect("an address");
    let address = tcp_address(&server);
    assert!(wait_until(|| UnixStream::connect(stats_path(server.dir())).is_ok()), "{}", server.log.tail());
    (server, address, heard_at)
}

/// An instance that announces itself, and says which one it is.
fn node(to: SocketAddr) -> Launch {
    unsteady().set("workers", 2).set("subscribe-to", format!("{to}:{HOST}"))
}

fn status(address: SocketAddr, host: &str) -> u16 {
    let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    converse(address, &head, &[]).expect("a reply").status
}

fn wait_for_status(server: &Instance, address: SocketAddr, host: &str, expected: u16) {
    let come = wait_until(|| status(address, host) == expected);
    assert!(come, "no {expected} for {host}:\n{}", server.log.tail());
}

fn told(server: &Instance) -> Value {
    parsed(&bytes_after(&stats_path(server.dir()), b""))
}

/// What the router tells of the nodes of the host.
fn nodes(server: &Instance) -> Vec<Value> {
    let pools = told(server)["subscriptions"].as_array().cloned().unwrap_or_default();
    let pool = pools.into_iter().find(|pool| pool["key"] == HOST);
    pool.and_then(|pool| pool["nodes"].as_array().cloned()).unwrap_or_default()
}

fn wait_for_nodes(server: &Instance, count: usize) {
    assert!(wait_until(|| nodes(server).len() == count), "not {count}: {:#}\n{}", told(server), server.log.tail());
}

fn announce(to: SocketAddr, command: Command, announcement: Announcement<'_>) {
    let packet = announcement.pairs(None).and_then(|pairs| command.packet(pairs, None)).expect("a packet");
    send(to, &packet);
}

fn send(to: SocketAddr, bytes: &[u8]) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.send_to(bytes, to).expect("it is sent");
}

#[test]
fn real_uwsgis_announce_themselves_and_are_asked_until_they_go() {
    let Some(binary) = rivals::uwsgi() else { return };
    let (mut server, address, to) = start(hearing());
    server.expect_log("request refused with status 404");
    server.expect_log("nobody could be asked");
    assert_eq!(status(address, HOST), 404);
    let join = |key: &str, more: &[&str]| {
        let subscribe = format!("--subscribe-to={to}:{key}");
        Uwsgi::start_with(binary, "calls", "/?1", |command| {
            command.arg(subscribe).args(more);
        })
    };
    let first = join(HOST, &[]);
    wait_for_status(&server, address, HOST, 200);
    let second = join(HOST, &["--weight=3"]);
    wait_for_nodes(&server, 2);
    let other = join("other.example:8080", &[]);
    wait_for_status(&server, address, "OTHER.example:8080", 200);
    assert_eq!(status(address, "other.example"), 404, "another port is another key, as in uWSGI");
    let before: Vec<u64> = nodes(&server).iter().filter_map(|node| node["requests"].as_u64()).collect();
    (0..8).for_each(|_| assert_eq!(status(address, HOST), 200));
    let after = nodes(&server);
    let more: Vec<u64> =
        after.iter().zip(before).filter_map(|(node, was)| Some(node["requests"].as_u64()? - was)).collect();
    assert_eq!(more, [2, 6], "{after:#?}");
    drop(second);
    wait_for_nodes(&server, 1);
    assert_eq!(status(address, HOST), 200);
    drop((first, other));
    wait_for_status(&server, address, HOST, 502);
    server.stop();
}

#[test]
fn nodes_are_killed_drained_and_reloaded_under_load_and_no_request_is_lost() {
    let (mut server, address, to) = start(hearing().set("http-processes", 2));
    server.expect_log("the router cannot connect to");
    server.expect_log("the router: ");
    let by_tcp = || node(to).set("socket", "127.0.0.1:0");
    let (killed, drained, stays) = (by_tcp().start(), node(to).start(), by_tcp().start());
    wait_for_nodes(&server, 3);
    let traffic = |keep_alive| Traffic::to(Target::Tcp(address), Wire::Http { keep_alive }, 4, "/sleep?ms=2");
    let (kept, single) = (traffic(true), traffic(false));
    let served = |server: &Instance| nodes(server).iter().filter_map(|node| node["requests"].as_u64()).sum::<u64>();
    assert!(wait_until(|| served(&server) > 100), "{:#}", told(&server));
    balancer::kill(killed);
    let again = by_tcp().start();
    drained.stop();
    stays.signal(Signal::SIGHUP);
    stays.log.wait_for("reload done: generation 2 serves");
    server.signal(Signal::SIGHUP);
    let back = node(to).start();
    balancer::kill(again);
    kept.end();
    single.end();
    stays.stop();
    back.stop();
    server.stop();
}

#[test]
fn a_router_that_is_replaced_or_dies_or_whose_master_is_replaced_knows_the_nodes_at_once() {
    let launch = hearing().set("http-processes", 2).set("http-var", "TURN=0");
    let (mut server, address, to) = start(launch);
    server.expect_log("DAMN");
    server.expect_log("[warn]");
    // It is announced once.
    let site = node(to).set("subscribe-freq", 1_000).start();
    wait_for_nodes(&server, 1);
    let ask = |count: usize| (0..count).for_each(|_| assert_eq!(status(address, HOST), 200, "{}", server.log.tail()));
    ask(8);
    let before = server.routers();
    edit(&server, |text| text.replace("TURN=0", "TURN=1"));
    server.signal(Signal::SIGHUP);
    let is_replaced = |before: &[i32]| {
        let now = server.routers();
        now.len() == 2 && now.iter().all(|pid| !before.contains(pid))
    };
    assert!(wait_until(|| is_replaced(&before)), "{before:?} {:?}", server.routers());
    ask(8);
    let kill_routers = || {
        let before = server.routers();
        before.iter().for_each(|pid| kill(Pid::from_raw(*pid), Signal::SIGKILL).expect("it lives"));
        assert!(wait_until(|| is_replaced(&before)), "{before:?} {:?}", server.routers());
    };
    kill_routers();
    ask(8);
    upgrade(&server);
    ask(4);
    kill_routers();
    ask(8);
    site.stop();
    assert!(wait_until(|| nodes(&server).is_empty()), "{:#}", told(&server));
    server.stop();
}

fn key(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name)
}

/// Between a node and the router: everything that goes by is remembered.
struct Wiretap {
    socket: UdpSocket,
    to: SocketAddr,
}

impl Wiretap {
    fn before(to: SocketAddr) -> Wiretap {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a patience");
        Wiretap { socket, to }
    }

    fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("its address")
    }

    /// Passes one on.
    fn pass(&self) -> Vec<u8> {
        let mut packet = vec![0; 8_192];
        let length = self.socket.recv(&mut packet).expect("an announcement");
        packet.truncate(length);
        send(self.to, &packet);
        packet
    }
}

#[test]
fn who_signs_with_the_right_key_is_asked_and_nobody_repeats_or_changes_what_was_signed() {
    let launch = hearing();
    let keys = launch.dir().join("keys");
    fs::create_dir(&keys).expect("a directory");
    fs::copy(key("announcer.pub"), keys.join("app.example.pem")).expect("copy the key");
    let (mut server, address, to) = start(launch.set("subscriptions-sign-check", format!("SHA256:{}", keys.display())));
    server.expect_log("request refused with status 404");
    server.expect_log("is not believed");
    server.expect_log("nobody could be asked");
    let signed = |to: SocketAddr, name: &str| {
        unsteady().set("workers", 1).set("subscribe-to", format!("{to}:{HOST},0,SHA256:{}", key(name).display()))
    };
    announce(to, Command::Subscribe, Announcement { key: HOST, address: "127.0.0.1:9", ..Announcement::default() });
    server.log.wait_for("is not believed: it is not signed");
    let wrong = signed(to, "server.key").start();
    server.log.wait_for("the signature is not of that key");
    assert_eq!(status(address, HOST), 404);
    wrong.stop();
    let wire = Wiretap::before(to);
    let right = signed(wire.address(), "announcer.key").set("subscribe-freq", 1).start();
    let packet = wire.pass();
    wait_for_status(&server, address, HOST, 200);
    for changed in [3, packet.len() / 2, packet.len() - 1] {
        let mut forged = packet.clone();
        forged[changed] ^= 1;
        let (position, said) =
            (server.log.position(), if changed == 3 { "it was said before" } else { "is not believed" });
        send(to, &forged);
        server.log.wait_for_after(position, said);
    }
    assert_eq!(status(address, HOST), 200);
    let later = wire.pass();
    right.signal(Signal::SIGINT);
    while wire.pass()[3] != 1 {}
    wait_for_status(&server, address, HOST, 502);
    right.ends_with(0);
    // The site has gone; who replays its word does not bring it back.
    for old in [&packet, &later] {
        let position = server.log.position();
        send(to, old);
        server.log.wait_for_after(position, "it was said before");
    }
    assert!(nodes(&server).is_empty(), "{:#}", told(&server));
    server.stop();
}

#[test]
fn a_real_uwsgi_that_signs_is_believed() {
    let Some(binary) = rivals::uwsgi() else { return };
    let flags = std::process::Command::new(binary).arg("--cflags").output().expect("execute uWSGI");
    // One that was built without OpenSSL signs nothing.
    if !String::from_utf8_lossy(&flags.stdout).contains("UWSGI_SSL") {
        return;
    }
    let launch = hearing();
    let keys = launch.dir().join("keys");
    fs::create_dir(&keys).expect("a directory");
    fs::copy(key("announcer.pub"), keys.join("app.example.pem")).expect("copy the key");
    let (server, address, to) = start(launch.set("subscriptions-sign-check", format!("sha256:{}", keys.display())));
    let _site = Uwsgi::start_with(binary, "calls", "/?1", |command| {
        command.arg(format!("--subscribe-to={to}:{HOST},0,SHA256:{}", key("announcer.key").display()));
    });
    wait_for_nodes(&server, 1);
    assert_eq!(status(address, HOST), 200);
    server.stop();
}

#[test]
fn on_a_unix_socket_who_owns_the_file_of_a_key_may_announce_it() {
    let launch = alone();
    let (ears, owners) = (launch.dir().join("ears.sock"), launch.dir().join("owners"));
    fs::create_dir(&owners).expect("a directory");
    fs::write(owners.join(HOST), "").expect("a file");
    let (uid, gid) = fs::metadata(&owners).map(|it| (it.uid(), it.gid())).expect("its owner");
    let launch = launch.set("http-subscription-server", ears.display());
    let launch = launch.set("subscriptions-credentials-check", owners.display());
    let mut server = launch.spawn();
    server.log.wait_for("routers hear announcements on");
    let address = tcp_address(&server);
    server.expect_log("is not believed: no file");
    let to = |host: &str| unsteady().set("workers", 1).set("subscribe-to", format!("{}:{host}", ears.display()));
    let (stranger, site) = (to("other.example").start(), to(HOST).start());
    wait_for_nodes(&server, 1);
    assert_eq!(status(address, HOST), 200);
    server.log.wait_for("is not believed: no file");
    let told = nodes(&server).remove(0);
    assert_eq!((&told["uid"], &told["gid"], &told["pid"]), (&uid.into(), &gid.into(), &site.pid().into()));
    stranger.stop();
    site.stop();
    server.stop();
}

#[test]
fn whatever_is_sent_there_the_router_goes_on_and_says_a_few_lines() {
    let (mut server, address, to) = start(hearing());
    server.expect_log("is not believed");
    let site = node(to).start();
    wait_for_nodes(&server, 1);
    let before = server.routers();
    let long = "x".repeat(255);
    let good = Announcement { key: HOST, address: "127.0.0.1:9", ..Announcement::default() };
    let packet = good.pairs(None).and_then(|pairs| Command::Subscribe.packet(pairs, None)).expect("a packet");
    let mut random = fastrand::Rng::with_seed(7);
    for length in [0, 1, 3, 4, 300, 5_000, 9_000] {
        let bytes: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
        send(to, &bytes);
    }
    for _ in 0..300 {
        let mut mutant = packet.clone();
        testkit::mutation::mutate(&mut random, &mut mutant);
        // What is believed of them must not be about the host that is asked for.
        let text = mutant.to_ascii_lowercase();
        if !text.windows(HOST.len()).any(|window| window == HOST.as_bytes()) {
            send(to, &mutant);
        }
    }
    announce(to, Command::Subscribe, Announcement { key: &long, address: "/nobody", ..Announcement::default() });
    assert!(wait_until(|| told(&server)["subscriptions"].as_array().is_some_and(|all| all.len() > 1)));
    assert_eq!(status(address, HOST), 200);
    assert_eq!(server.routers(), before);
    let said = server.log.lines_with("is not believed").len();
    assert!((1..=40).contains(&said), "{said} lines");
    site.stop();
    server.stop();
}

#[test]
fn who_falls_silent_is_asked_no_more_and_is_when_it_is_heard_again() {
    let (mut server, address, to) = start(hearing().set("subscription-tolerance", 2));
    server.expect_log("marking");
    server.expect_log("nobody could be asked");
    let site = unsteady().set("workers", 1).start();
    let place = site.socket().display().to_string();
    let word = Announcement { key: HOST, address: &place, modifier1: 0, weight: 1, ..Announcement::default() };
    for _ in 0..2 {
        let position = server.log.position();
        announce(to, Command::Subscribe, word);
        wait_for_status(&server, address, HOST, 200);
        server.log.wait_for_after(position, &format!("marking {place} as failed (no announce received in 2 seconds)"));
        assert_eq!(status(address, HOST), 502, "{:#}", told(&server));
    }
    announce(to, Command::Subscribe, word);
    wait_for_status(&server, address, HOST, 200);
    announce(to, Command::Unsubscribe, word);
    wait_for_status(&server, address, HOST, 502);
    site.stop();
    server.stop();
}

#[test]
fn a_node_that_refuses_connections_is_left_alone_and_a_backup_is_asked_in_its_place() {
    let (mut server, address, to) = start(hearing());
    server.expect_log("the router cannot connect to");
    let place = free_address().to_string();
    let site = unsteady().set("workers", 1).set("subscribe2", format!("server={to},key={HOST},backup=1")).start();
    wait_for_nodes(&server, 1);
    announce(to, Command::Subscribe, Announcement { key: HOST, address: &place, ..Announcement::default() });
    wait_for_nodes(&server, 2);
    let mut client = Dialogue::over_tcp(address);
    for _ in 0..5 {
        assert_eq!(client.get("/").status, 200);
    }
    assert_eq!(server.log.lines_with("the router cannot connect to").len(), 1, "it is asked once");
    let refused = nodes(&server).into_iter().find(|node| node["name"] == place.as_str()).expect("it is known");
    assert_eq!((&refused["failcnt"], &refused["death_mark"]), (&1.into(), &1.into()));
    site.stop();
    server.stop();
}

#[test]
fn hosts_that_nobody_announces_go_to_others_where_the_configuration_has_some() {
    let other = Launch::hello().set("workers", 1).start();
    let launch = hearing().set("subscription-dotsplit", true).set("http-to", other.socket().display());
    let (server, address, to) = start(launch);
    let site = unsteady().set("workers", 1).set("subscribe-to", format!("{to}:.example")).start();
    assert!(wait_until(|| told(&server)["subscriptions"][0]["key"] == ".example"), "{:#}", told(&server));
    let text = |host: &str| {
        let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        converse(address, &head, &[]).expect("a reply").text()
    };
    let told = text("a.b.example");
    assert!(told.contains("of generation 1"), "{told}");
    assert_eq!(text("elsewhere"), "Hello, world\n");
    site.stop();
    server.stop();
    other.stop();
}

#[test]
fn what_uwsgis_router_tells_of_nodes_ours_tells_as_well() {
    let Some(binary) = rivals::uwsgi() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (stats, to) = (directory.path().join("http.sock"), free_address());
    let rival = Uwsgi::start_with(binary, "calls", "/?1", |command| {
        command.args(["--http=127.0.0.1:0".to_owned(), format!("--http-subscription-server={to}")]);
        command.arg(format!("--subscribe-to={to}:{HOST}")).arg("--http-stats").arg(&stats);
    });
    let kinds = |document: &Value| {
        let mut kinds = std::collections::BTreeSet::new();
        places(document, "", &mut kinds);
        kinds
    };
    let theirs = || parsed(&bytes_after(&stats, b""));
    let has_node =
        || UnixStream::connect(&stats).is_ok() && theirs()["subscriptions"][0]["nodes"][0]["name"].is_string();
    assert!(wait_until(has_node), "uWSGI has no node");
    let theirs = kinds(&theirs());
    drop(rival);
    // Both kinds of nodes, as uWSGI tells of neither where it has none.
    let (server, _, to) = start(hearing().set("http-to", "/nobody"));
    let site = node(to).start();
    wait_for_nodes(&server, 1);
    let ours = kinds(&told(&server));
    site.stop();
    server.stop();
    let missing: Vec<_> = theirs.difference(&ours).collect();
    assert!(missing.is_empty() && theirs.len() > 25, "{missing:?} of {theirs:?}");
}

#[test]
fn an_instance_that_is_only_a_router_starts_without_an_application() {
    let other = Launch::hello().set("workers", 1).start();
    let server = alone().set("http-to", other.socket().display()).spawn();
    server.log.wait_for("routers tell of themselves on");
    let address = tcp_address(&server);
    let mut client = Dialogue::over_tcp(address);
    assert_eq!(client.get("/").text(), "Hello, world\n");
    server.signal(Signal::SIGHUP);
    server.log.wait_for("reload done");
    assert_eq!(client.get("/").text(), "Hello, world\n");
    assert!(server.workers().is_empty(), "{:?}", server.processes());
    server.stop();
    other.stop();
}
