//! Instances that share their listening sockets: the dance of docs/RELOADING.md under load, reloads, what becomes of sockets
//! and files when one of them ends, who may take sockets, and a real uWSGI on either side.

use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use loadgen::client::{Target, Wire, exchange, wait_for_answer};
use loadgen::packet::Request;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::harness::{Instance, Launch, PATIENCE, wait_until};
use crate::pythons::{applications, launch_in, one};
use crate::reloading::{Traffic, reload, tell_fifo, unsteady, wait_for_generation};
use crate::rivals;

/// A pool with one unix socket, both in a directory that outlives it.
fn pool(dir: &Path) -> Instance {
    let pool = format!("{}:{}", dir.join("pool.sock").display(), dir.join("app.sock").display());
    let pool = Launch::rhinod().without("socket").without("workers").set("zerg-pool", pool).spawn();
    pool.log.wait_for("zerg pool enabled");
    pool
}

fn place() -> TempDir {
    tempfile::Builder::new().prefix("rhinod-test-").tempdir().expect("a temporary directory")
}

/// The instance without a socket of its own that takes those of a door.
fn zerg_of(door: &Path) -> Launch {
    unsteady().without("socket").set("workers", 2).set("zerg", door.display())
}

fn answers(socket: &Path) -> String {
    let packet = Request::get("/").to_uwsgi().expect("a packet");
    let reply = exchange(&Target::Unix(socket.to_owned()), &packet, PATIENCE).expect("a reply");
    String::from_utf8_lossy(reply.body()).trim_end().to_owned()
}

/// Has an instance take nothing more.
fn pause(server: &Instance) {
    tell_fifo(&server.dir().join("fifo"), "p");
    server.log.wait_for("PAUSE");
}

const APPLICATION: &str = "import time
def application(environ, start_response):
    time.sleep(0.001)
    start_response('200 OK', [('Content-Length', '3')])
    return [b'ok\\n']
";

/// The lines of the dance as the manual has them, for the places of a directory.
fn dancing_lines(dir: &Path) -> Vec<String> {
    let text = include_str!("../../docs/RELOADING.md");
    let start = text.find("master = true\nprocesses = 2\nwsgi-file").expect("the dance");
    let lines = text[start..].lines().take_while(|line| *line != "```");
    lines.map(|line| line.replace("/run/app", &dir.display().to_string())).collect()
}

#[test]
fn the_zerg_dance_of_the_manual_loses_no_request_and_leads_back() {
    let place = place();
    std::fs::write(place.path().join("app.py"), APPLICATION).expect("write the application");
    let pool = pool(place.path());
    let dance = || {
        let launch = launch_in(&one(), place.path()).without("socket").set("disable-logging", true);
        dancing_lines(place.path()).into_iter().fold(launch, Launch::line).start()
    };
    let fifo = |name: &str| place.path().join(name);
    let mut first = dance();
    first.log.wait_for("running.fifo");
    let traffic = Traffic::to(Target::Unix(place.path().join("app.sock")), Wire::Uwsgi, 4, "/");
    let second = dance();
    first.log.wait_for("PAUSE");
    let third = dance();
    // The one that slept ends, the one that ran sleeps.
    assert_eq!(first.wait_exit(), 0);
    second.log.wait_for("PAUSE");
    second.log.wait_for("sleeping.fifo");
    third.log.wait_for("running.fifo");
    // The way back, without a request that is cut.
    tell_fifo(&fifo("sleeping.fifo"), "p1");
    second.log.wait_for("resuming workers");
    tell_fifo(&fifo("running.fifo"), "q");
    let report = traffic.end();
    println!("{} requests, longest {} ms", report.counts.ok, report.latency.max_us / 1_000.0);
    pool.stop();
}

#[test]
fn a_zerg_survives_reloads_an_upgrade_and_the_end_of_its_pool() {
    let place = place();
    let pool = pool(place.path());
    let zerg = zerg_of(&place.path().join("pool.sock")).start();
    let socket = place.path().join("app.sock");
    reload(&zerg);
    assert!(answers(&socket).ends_with("of generation 2"));
    tell_fifo(&zerg.dir().join("fifo"), "u");
    zerg.log.wait_for("runs version");
    pool.stop();
    reload(&zerg);
    assert!(answers(&socket).ends_with("of generation 3"));
}

#[test]
fn a_server_gives_its_sockets_and_who_has_them_serves_on_when_it_has_ended() {
    let place = place();
    let (door, socket) = (place.path().join("zerg.sock"), place.path().join("app.sock"));
    let launch = unsteady().set("socket", socket.display()).set("zerg-server", door.display()).set("vacuum", true);
    let server = launch.start();
    reload(&server);
    let zerg = zerg_of(&door).start();
    pause(&server);
    // A worker that has looked already takes one more.
    assert!(wait_until(|| answers(&socket).ends_with("of generation 1")), "the zerg answers");
    server.stop();
    assert!(!door.exists() && socket.exists());
    assert!(answers(&socket).ends_with("of generation 1"));
    drop(zerg);
}

#[test]
fn without_its_server_a_zerg_starts_only_with_a_fallback() {
    let launch = unsteady().set("zerg", "nowhere.sock");
    let failed = launch.fails();
    assert!(failed.lines.iter().any(|line| line.contains("no sockets from nowhere.sock")), "{:?}", failed.lines);
    assert!(failed.lines.iter().any(|line| line.contains("zerg = nowhere.sock")), "{:?}", failed.lines);
    let mut server = unsteady().set("zerg", "nowhere.sock").set("zerg-fallback", true).start();
    server.expect_log("zerg-fallback");
    wait_for_generation(&server, 1);
}

#[test]
fn what_is_no_server_is_named_and_an_address_that_was_given_is_not_opened_again() {
    let place = place();
    let pool = pool(place.path());
    // The address of the pool, with another protocol.
    let socket = place.path().join("app.sock");
    let same = zerg_of(&place.path().join("pool.sock")).set("http-socket", socket.display()).start();
    let reply = exchange(&Target::Unix(socket), b"GET / HTTP/1.0\r\n\r\n", PATIENCE).expect("a reply");
    assert!(String::from_utf8_lossy(reply.body()).starts_with("worker "));
    same.stop();
    pool.stop();
    let launch = zerg_of(Path::new("strange.sock"));
    let strange = UnixListener::bind(launch.dir().join("strange.sock")).expect("a socket");
    let talker = std::thread::spawn(move || {
        let (mut connection, _) = strange.accept().expect("the zerg");
        connection.write_all(b"hello, I am no zerg server").expect("write");
    });
    let failed = launch.fails();
    talker.join().expect("the talker");
    assert!(failed.lines.iter().any(|line| line.contains("is no zerg server")), "{:?}", failed.lines);
}

/// A uWSGI with the arguments, at the head of a process group of its own, which is ended with it.
struct Uwsgi(Child);

impl Uwsgi {
    fn start(binary: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(binary);
        command.arg("--master").args(arguments).current_dir(applications()).env("PYTHONDONTWRITEBYTECODE", "1");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        Self(command.spawn().expect("execute uWSGI"))
    }
}

impl Drop for Uwsgi {
    fn drop(&mut self) {
        // Not reaped yet, so that the group is its own.
        let _ = killpg(Pid::from_raw(i32::try_from(self.0.id()).expect("a pid is positive")), Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

fn wait_for(socket: &Path, page: &str) {
    let page = Request::get(page).to_uwsgi().expect("a packet");
    let target = Target::Unix(socket.to_owned());
    wait_for_answer(&target, &page, Duration::from_millis(20), PATIENCE, || Ok(())).expect("an answer");
}

#[test]
fn a_real_uwsgi_takes_our_sockets_and_gives_us_its_own() {
    let Some(binary) = rivals::uwsgi() else { return };
    let place = place();
    let (door, socket) = (place.path().join("pool.sock"), place.path().join("app.sock"));
    let pool = pool(place.path());
    let client = Uwsgi::start(binary, &["--zerg", &door.display().to_string(), "--module", "rows", "--need-app"]);
    wait_for(&socket, "/hello");
    drop(client);
    pool.stop();
    let (door, socket) = (place.path().join("zerg.sock"), place.path().join("their.sock"));
    let pool = format!("{}:{}", door.display(), socket.display());
    let _pool = Uwsgi::start(binary, &["--zerg-pool", &pool]);
    assert!(wait_until(|| UnixStream::connect(&door).is_ok()), "no pool");
    let zerg = zerg_of(&door).start();
    reload(&zerg);
    assert!(answers(&socket).ends_with("of generation 2"));
}
