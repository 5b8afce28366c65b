//! Instances that announce themselves to a router: a real uWSGI's, before which requests come in. What it is told at the start,
//! over reloads, pauses and the end, and what it refuses.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;
use worker_protocol::pairs::Block;

use crate::harness::{Instance, Launch, PATIENCE, converse, free_address, wait_until};
use crate::reloading::{edit, tell, unsteady};
use crate::rivals;

/// An http router of uWSGI's that hears announcements.
struct Router {
    child: Child,
    directory: TempDir,
    http: SocketAddr,
    announcements: SocketAddr,
}

impl Router {
    /// `None` where no uWSGI can be had.
    fn start(arguments: &[&str]) -> Option<Self> {
        let binary = rivals::uwsgi()?;
        let (http, announcements) = (free_address(), free_address());
        let directory = tempfile::Builder::new().prefix("rhinod-test-").tempdir().expect("a directory");
        let mut command = Command::new(binary);
        let log = fs::File::create(directory.path().join("log")).expect("a log");
        command.args([
            "--master",
            "--http",
            &http.to_string(),
            "--http-subscription-server",
            &announcements.to_string(),
        ]);
        command.args(arguments).process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let router = Self { child: command.spawn().expect("execute uWSGI"), directory, http, announcements };
        let listens = || std::net::TcpStream::connect(router.http).is_ok();
        assert!(wait_until(listens), "the router does not listen:\n{}", router.log());
        Some(router)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// What somebody gets who asks for a site.
    fn ask(&self, site: &str) -> Option<(u16, String)> {
        let head = format!("GET / HTTP/1.1\r\nHost: {site}\r\nConnection: close\r\n\r\n");
        let reply = converse(self.http, &head, &[]).ok()?;
        Some((reply.status, reply.text().trim_end().to_owned()))
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        // Not reaped yet, so that the group is its own.
        let group = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid is positive"));
        let _ = killpg(group, Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

/// An instance that announces itself to it, and hears what it says of that.
fn announced(router: &Router, rest: &str) -> Launch {
    let launch = unsteady();
    let door = launch.dir().join("said").display().to_string();
    launch.set("subscribe-to", format!("{}:{rest}", router.announcements)).set("subscription-notify-socket", door)
}

fn wait_for_acknowledgement(server: &Instance) {
    server.log.wait_for("[subscription ack] a.example => new node");
}

#[test]
fn a_real_router_sends_requests_while_the_instance_serves_and_none_when_it_has_ended() {
    let Some(router) = Router::start(&[]) else { return };
    assert_eq!(router.ask("a.example"), None, "nobody serves it");
    let server = announced(&router, "a.example").start();
    wait_for_acknowledgement(&server);
    for generation in 1..=4 {
        for _ in 0..25 {
            let (status, text) = router.ask("a.example").unwrap_or_else(|| panic!("lost:\n{}", server.log.tail()));
            assert_eq!(status, 200, "{text}");
        }
        server.signal(Signal::SIGHUP);
        // Over the reload as well.
        let next = format!("of generation {}", generation + 1);
        let come = wait_until(|| match router.ask("a.example") {
            Some((200, text)) => text.ends_with(&next),
            other => panic!("{other:?}:\n{}", server.log.tail()),
        });
        assert!(come, "{}", server.log.tail());
    }
    assert_eq!(router.ask("b.example"), None, "another site is not its");
    server.signal(Signal::SIGINT);
    server.log.wait_for("unsubscribing from");
    assert!(server.wait_gone(PATIENCE));
    assert!(wait_until(|| router.log().contains("marking") || router.ask("a.example").is_none()));
    assert_eq!(router.ask("a.example"), None, "it is sent to who has ended:\n{}", router.log());
}

#[test]
fn what_is_paused_or_blocked_gets_no_requests_until_it_goes_on() {
    let Some(router) = Router::start(&[]) else { return };
    let server = announced(&router, "a.example").start();
    wait_for_acknowledgement(&server);
    for (letter, back) in [("p", "p"), ("S", "S")] {
        tell(&server, letter);
        assert!(wait_until(|| router.ask("a.example").is_none()), "{letter}: {}", router.log());
        tell(&server, back);
        assert!(wait_until(|| router.ask("a.example").is_some()), "{back}: {}", router.log());
    }
}

fn key(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name)
}

/// A router that lets in only who signs with the key whose public half it has.
fn strict_router() -> Option<(Router, TempDir)> {
    let flags = Command::new(rivals::uwsgi()?).arg("--cflags").output().expect("execute uWSGI");
    // One that was built without OpenSSL knows no signatures.
    String::from_utf8_lossy(&flags.stdout).contains("UWSGI_SSL").then_some(())?;
    let keys = tempfile::tempdir().expect("a directory");
    fs::copy(key("announcer.pub"), keys.path().join("a.example.pem")).expect("copy the key");
    let check = format!("SHA256:{}", keys.path().display());
    Some((Router::start(&["--subscriptions-sign-check", &check])?, keys))
}

#[test]
fn a_router_that_wants_signatures_takes_the_right_key_and_a_wrong_one_is_one_line() {
    let Some((router, _keys)) = strict_router() else { return };
    let rest = |name: &str| format!("a.example,0,SHA256:{}", key(name).display());
    let mut wrong = announced(&router, &rest("server.key")).start();
    wrong.wait_for_expected("has not acknowledged a.example");
    assert_eq!(router.ask("a.example"), None);
    assert_eq!(wrong.log.lines_with("has not acknowledged").len(), 1);
    wrong.stop();
    let right = announced(&router, &rest("announcer.key")).set("subscribe-freq", 1).start();
    wait_for_acknowledgement(&right);
    assert!(wait_until(|| router.ask("a.example").is_some()));
}

#[test]
fn a_key_that_is_none_is_one_line_and_the_instance_serves() {
    let directory = tempfile::tempdir().expect("a directory");
    let (missing, none) = (directory.path().join("missing.pem"), directory.path().join("none.pem"));
    fs::write(&none, "no key\n").expect("write");
    let router = UdpSocket::bind("127.0.0.1:0").expect("a router");
    let server = router.local_addr().expect("its address");
    let to = |key: &str, file: &Path| format!("subscribe-to = {server}:{key},0,sha256:{}", file.display());
    let mut server = unsteady().line(to("a", &missing)).line(to("b", &none)).start();
    server.wait_for_expected(&format!("{}: No such file", missing.display()));
    server.wait_for_expected(&format!("{}: it holds no private key", none.display()));
    assert_eq!(server.get("/").status(), Some(200));
}

/// What a datagram says: its command, and its pairs.
fn heard(router: &UdpSocket) -> (u8, Vec<(String, String)>) {
    let mut packet = [0; 4096];
    let length = router.recv(&mut packet).expect("an announcement");
    assert_eq!(packet[0], 224);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let pairs = Block::parse(&packet[4..length], 64).expect("pairs").pairs();
    (packet[3], pairs.map(|(key, value)| (text(key), text(value))).collect())
}

#[test]
fn what_is_announced_follows_the_configuration_over_reloads_and_is_taken_back_when_a_line_goes() {
    let router = UdpSocket::bind("127.0.0.1:0").expect("a router");
    router.set_read_timeout(Some(PATIENCE)).expect("a patience");
    let server = router.local_addr().expect("its address");
    let line = format!("subscribe2 = server={server},key=one,weight=3,addr=192.0.2.1:80,modifier1=5");
    let instance = unsteady().line(&line).set("threads", 2).start();
    let (command, pairs) = heard(&router);
    let has = |name: &str, value: &str| pairs.contains(&(name.to_owned(), value.to_owned()));
    assert_eq!(command, 0);
    assert!(has("key", "one") && has("address", "192.0.2.1:80") && has("weight", "3"), "{pairs:?}");
    assert!(has("cores", "8") && has("modifier1", "5"), "{pairs:?}");
    edit(&instance, |text| text.replace("key=one", "key=two"));
    instance.signal(Signal::SIGHUP);
    let mut said = Vec::new();
    while !(said.contains(&(1, "one".to_owned())) && said.contains(&(0, "two".to_owned()))) {
        let (command, pairs) = heard(&router);
        said.push((command, pairs[0].1.clone()));
    }
    instance.signal(Signal::SIGINT);
    while heard(&router).0 != 1 {}
}

#[test]
fn one_that_starts_unsubscribed_is_announced_when_the_fifo_says_so() {
    let router = UdpSocket::bind("127.0.0.1:0").expect("a router");
    router.set_read_timeout(Some(PATIENCE)).expect("a patience");
    let to = format!("{}:a", router.local_addr().expect("its address"));
    let server = unsteady().set("subscribe-to", to).set("start-unsubscribed", true).start();
    assert_eq!(server.get("/").status(), Some(200));
    router.set_nonblocking(true).expect("no patience");
    assert!(router.recv(&mut [0; 64]).is_err(), "it is announced");
    router.set_nonblocking(false).expect("patience");
    tell(&server, "S");
    assert_eq!(heard(&router).0, 0);
}

#[test]
fn during_a_reload_no_requests_are_to_come_where_that_is_asked_for() {
    let router = UdpSocket::bind("127.0.0.1:0").expect("a router");
    router.set_read_timeout(Some(PATIENCE)).expect("a patience");
    let to = format!("{}:a", router.local_addr().expect("its address"));
    let launch = unsteady().set("subscribe-to", to).set("unsubscribe-on-graceful-reload", true);
    let server = launch.set("subscribe-freq", 1_000).start();
    assert_eq!(heard(&router).0, 0);
    for generation in 2..4 {
        server.signal(Signal::SIGHUP);
        assert_eq!(heard(&router).0, 1, "it is taken back when the reload begins");
        assert_eq!(heard(&router).0, 0, "and announced when the new generation serves");
        server.log.wait_for(&format!("reload done: generation {generation} serves"));
    }
    server.stop();
    assert_eq!(heard(&router).0, 1);
}
