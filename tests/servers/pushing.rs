//! What is sent to statsd and carbon: read line by line as their public forms have it, and that nobody waits for them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::harness::{Launch, PATIENCE, free_address, wait_for_text, wait_until};
use crate::rivals;

/// A socket for datagrams, and where it is.
fn receiver() -> (UdpSocket, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let address = socket.local_addr().expect("its address").to_string();
    (socket, address)
}

/// Reads lines of datagrams until one is found.
fn wait_for<T>(socket: &UdpSocket, mut look: impl FnMut(&str) -> Option<T>) -> T {
    let mut bytes = [0; 65_536];
    loop {
        let count = socket.recv(&mut bytes).expect("a datagram");
        let text = std::str::from_utf8(&bytes[..count]).expect("text").to_owned();
        if let Some(found) = text.lines().find_map(&mut look) {
            return found;
        }
    }
}

/// Name, value and kind of a line for statsd.
fn statsd(line: &str) -> (&str, i64, &str) {
    let (name, rest) = line.split_once(':').unwrap_or_else(|| panic!("no name in {line}"));
    let (value, kind) = rest.split_once('|').unwrap_or_else(|| panic!("no kind in {line}"));
    assert!(
        ["c", "g"].contains(&kind)
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter)),
        "{line}"
    );
    (name, value.parse().unwrap_or_else(|_| panic!("no value in {line}")), kind)
}

#[test]
fn statsd_is_told_what_counters_have_grown_by_and_gauges_as_they_are() {
    let (socket, address) = receiver();
    let (other, other_address) = receiver();
    let server = Launch::hello()
        .set("workers", 2)
        .line("metric = name=shop.stock,type=gauge,initial_value=-5")
        .line(format!("stats-push = statsd:{address},shop.web"))
        .line(format!("stats-push = socket:{other_address}"))
        .set("stats-pusher-default-freq", 1)
        .start();
    // It has been looked at once when the first gauge comes.
    wait_for(&socket, |line| (statsd(line) == ("shop.web.core.idle_workers", 2, "g")).then_some(()));
    wait_for(&socket, |line| (statsd(line) == ("shop.web.shop.stock", -5, "g")).then_some(()));
    for _ in 0..30 {
        server.get("/");
    }
    let mut sum = 0;
    wait_for(&socket, |line| match statsd(line) {
        ("shop.web.worker.0.requests", grown, "c") => {
            sum += grown;
            (sum == 30).then_some(())
        }
        ("shop.web.worker.0.requests", ..) => panic!("{line}"),
        _ => None,
    });
    // Nothing is added a second time: of what has not grown nothing is said.
    let mut looks = 0;
    wait_for(&socket, |line| {
        assert_ne!(statsd(line).0, "shop.web.worker.0.requests", "{line}");
        looks += usize::from(statsd(line).0 == "shop.web.core.idle_workers");
        (looks == 2).then_some(())
    });
    wait_for(&other, |line| (line == "uwsgi.worker.0.requests 0 30").then_some(()));
    server.stop();
}

#[test]
fn carbon_is_told_lines_of_a_name_a_value_and_a_moment_and_may_be_away() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let launch =
        Launch::hello().set("workers", 2).set("carbon-freq", 1).set("carbon-id", "shop").set("carbon-root", "web");
    let mut server = launch.line(format!("carbon = {address}")).set("carbon-hostname-dots", "_").start();
    let read = || {
        let (stream, _) = listener.accept().expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        BufReader::new(stream).lines().map(|line| line.expect("a line")).collect::<Vec<String>>()
    };
    for _ in 0..10 {
        server.get("/");
    }
    let value = |lines: &[String], name: &str| {
        let line =
            lines.iter().find(|line| line.split(' ').next().is_some_and(|own| own.ends_with(&format!(".shop.{name}"))));
        line.unwrap_or_else(|| panic!("no {name} in {lines:#?}"))
            .split(' ')
            .nth(1)
            .expect("a value")
            .parse::<i64>()
            .expect("a number")
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let lines = loop {
        let lines = read();
        if value(&lines, "requests") == 10 {
            break lines;
        }
    };
    for line in &lines {
        let words: Vec<&str> = line.split(' ').collect();
        let moment: u64 = words[2].parse().expect("a moment");
        assert!(words.len() == 3 && words[0].starts_with("web.") && words[0].split('.').count() >= 4, "{line}");
        assert!((now - 60..now + 60).contains(&moment) && words[1].parse::<i64>().is_ok(), "{line}");
    }
    assert_eq!((value(&lines, "active_workers"), value(&lines, "cheaped_workers")), (2, 0));
    assert_eq!(value(&lines, "worker1.requests") + value(&lines, "worker2.requests"), 10);
    assert!(value(&lines, "tx") > 0 && (0..=100).contains(&value(&lines, "busyness")));
    // Away: it is said once, and requests go on.
    server.expect_log("figures are not taken");
    drop(listener);
    server.log.wait_for(&format!("carbon at {address}: figures are not taken"));
    assert_eq!(server.get("/").status(), Some(200));
    let listener = TcpListener::bind(address).expect("the same port");
    server.log.wait_for("figures are taken again");
    drop(listener);
    assert!(wait_until(|| server.processes().iter().any(|process| process.name == "rhinod pushing")));
    server.stop();
}

/// A running carbon-cache.
struct Carbon(Child);

impl Carbon {
    /// One that keeps what it is told below a directory, and takes lines at this address.
    fn start(program: &Path, directory: &Path, lines: std::net::SocketAddr) -> Self {
        let port = |address: std::net::SocketAddr| address.port();
        let (pickles, queries, root) = (port(free_address()), port(free_address()), directory.display());
        let configuration = format!(
            "[cache]\nSTORAGE_DIR = {root}/\nLOCAL_DATA_DIR = {root}/whisper/\nCONF_DIR = {root}/\nLOG_DIR = {root}/log/\n\
             PID_DIR = {root}/\nLINE_RECEIVER_INTERFACE = 127.0.0.1\nLINE_RECEIVER_PORT = {}\n\
             PICKLE_RECEIVER_INTERFACE = 127.0.0.1\nPICKLE_RECEIVER_PORT = {pickles}\n\
             CACHE_QUERY_INTERFACE = 127.0.0.1\nCACHE_QUERY_PORT = {queries}\nENABLE_UDP_LISTENER = False\n\
             MAX_CREATES_PER_MINUTE = inf\nMAX_UPDATES_PER_SECOND = inf\n",
            port(lines)
        );
        fs::write(directory.join("carbon.conf"), configuration).expect("its configuration");
        fs::write(directory.join("storage-schemas.conf"), "[all]\npattern = .*\nretentions = 1s:1h\n")
            .expect("the same");
        let mut command = Command::new(program);
        command.args(["--nodaemon", "--config"]).arg(directory.join("carbon.conf")).arg("start");
        let quiet =
            command.env("GRAPHITE_ROOT", directory).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(quiet.spawn().expect("execute carbon-cache"))
    }
}

impl Drop for Carbon {
    fn drop(&mut self) {
        // One that has gone is what we want.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The newest value that a file of whisper's has.
fn newest(python: &Path, file: &Path) -> Option<f64> {
    const READ: &str = "import sys, time, whisper\n\
                        values = whisper.fetch(sys.argv[1], 0, time.time() + 1)[1]\n\
                        print([value for value in values if value is not None][-1])";
    let output =
        Command::new(python).args(["-c", READ]).arg(file).stderr(Stdio::null()).output().expect("execute python");
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

#[test]
fn a_real_carbon_keeps_what_it_is_told() {
    let Some(program) = rivals::carbon() else { return };
    let python = program.with_file_name("python");
    let directory = tempfile::tempdir().expect("a directory");
    let address = free_address();
    let launch = Launch::hello().set("workers", 2).set("carbon-freq", 1).set("carbon-retry-delay", 1);
    let launch = launch.set("carbon-id", "shop").set("carbon-root", "web").set("carbon-hostname-dots", "_");
    let mut server = launch.line(format!("carbon = {address}")).start();
    // Until it listens.
    server.expect_log("figures are not taken");
    let _carbon = Carbon::start(program, directory.path(), address);
    for _ in 0..25 {
        server.get("/");
    }
    let below = directory.path().join("whisper/web");
    let file = |name: &str| {
        let host = fs::read_dir(&below).ok()?.flatten().next()?.path();
        Some(host.join("shop").join(name)).filter(|file| file.is_file())
    };
    let is_kept = |name: &str, value: f64| file(name).and_then(|file| newest(&python, &file)) == Some(value);
    assert!(wait_until(|| is_kept("requests.wsp", 25.0)), "{}", server.log.tail());
    assert!(wait_until(|| is_kept("active_workers.wsp", 2.0)), "{}", server.log.tail());
    let of_workers = || {
        ["worker1", "worker2"]
            .map(|worker| file(&format!("{worker}/requests.wsp")).and_then(|file| newest(&python, &file)))
    };
    assert!(wait_until(|| of_workers().into_iter().flatten().sum::<f64>() == 25.0), "{:?}", of_workers());
    server.stop();
}

/// What counters had grown by since the last datagram is told behind the move as well.
#[test]
fn a_log_that_moves_costs_statsd_no_counts() {
    let (socket, address) = receiver();
    let launch = Launch::hello().set("workers", 2).line(format!("stats-push = statsd:{address},shop"));
    let (log, fifo) = (launch.dir().join("log"), launch.dir().join("fifo"));
    let launch = launch.set("logto", log.display()).set("master-fifo", fifo.display());
    let server = launch.set("stats-pusher-default-freq", 1).spawn();
    wait_for_text(&log, "ready to serve");
    let pusher = || server.processes().into_iter().find(|process| process.name == "rhinod pushing").map(|one| one.pid);
    wait_for(&socket, |line| (statsd(line).0 == "shop.core.idle_workers").then_some(()));
    let (before, mut sum) = (pusher(), 0);
    for round in 1..=3 {
        (0..7).for_each(|_| drop(server.get("/")));
        fs::rename(&log, log.with_extension(round.to_string())).expect("the log");
        fs::write(&fifo, "l").expect("the fifo");
        wait_for_text(&log, "reopened.");
        wait_for(&socket, |line| match statsd(line) {
            ("shop.worker.0.requests", grown, "c") => {
                sum += grown;
                (sum == 7 * round).then_some(())
            }
            _ => None,
        });
    }
    assert_eq!(pusher(), before, "the same process goes on");
    let descriptor = fs::read_link(format!("/proc/{}/fd/2", before.expect("a process"))).expect("its log");
    assert_eq!(descriptor, log, "and writes where the log is now");
    server.stop();
}
