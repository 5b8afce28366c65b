//! Websockets: a client of PyPI's through every door, frames to the byte, how they end, and who is asked whether it is there.
//!
//! `tests/rivals/websockets.sh` installs the client, once. Where that cannot be done (no network) its test says that nothing
//! was compared.

use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::dialogue::tcp_address;
use crate::dialogue::websocket::Client;
use crate::harness::{Instance, Launch, NginxSetup};
use crate::pythons::{launch, one};
use crate::rivals::{autobahn, websockets};

fn with_tcp() -> Launch {
    reachable(launch(&one(), "web_sockets"))
}

/// With a port, and a pid file by which it can be told to reload.
fn reachable(launch: Launch) -> Launch {
    let pid_file = launch.dir().join("pid");
    launch.set("http-socket", "127.0.0.1:0").set("pidfile", pid_file.display())
}

#[test]
fn a_client_of_pypi_talks_to_it_through_every_door() {
    let Some(python) = websockets() else { return };
    let launch = with_tcp().set("workers", 3);
    for end in ["crt", "key"] {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/tls/server.{end}"));
        std::fs::copy(data, launch.dir().join(format!("site.{end}"))).expect("copy a file");
    }
    let launch = launch.line("https-socket = 127.0.0.1:0,site.crt,site.key");
    let mut server = launch.set("http", "127.0.0.1:0").set("http-processes", 1).start();
    // A message that is too large, through each.
    server.expect_log("invalid packet size received: 1048577, max allowed: 1048576");
    let nginx = NginxSetup::default().before(&server);
    let addresses: Vec<String> = server
        .log
        .lines()
        .iter()
        .filter_map(|line| line.split_once("bound to 127.0.0.1:").map(|(_, port)| format!("127.0.0.1:{port}")))
        .collect();
    let [plain, secure, routed] = &addresses[..] else { panic!("three sockets: {addresses:?}") };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python_examples/websocket_client.py");
    let urls = [
        format!("ws://{plain}/"),
        format!("ws://{plain}/polling"),
        format!("wss://{secure}/"),
        format!("ws://{routed}/"),
        format!("ws://{}/", nginx.address),
    ];
    let output = Command::new(python).arg(script).args(urls).output().expect("execute Python");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.starts_with("well"), "{said}");
}

#[test]
fn every_case_of_autobahns_suite_passes_for_python() {
    let mut server = roomy(launch(&one(), "web_sockets")).start();
    server.expect_log("the application must be thread-safe");
    passes_autobahns_cases(&mut server, "/");
}

#[test]
fn every_case_of_autobahns_suite_passes_for_rust() {
    passes_autobahns_cases(&mut roomy(Launch::hello().set("workers", 1)).start(), "/websocket");
}

/// With room for what the suite's largest messages and its many connections need.
fn roomy(launch: Launch) -> Launch {
    reachable(launch).set("threads", 10).set("websockets-max-size", 32 << 10)
}

fn passes_autobahns_cases(server: &mut Instance, path: &str) {
    let Some(python) = autobahn() else { return };
    server.expect_log("[uwsgi-websocket] \"GET /");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rivals/autobahn_cases.py");
    let url = format!("ws://{}{path}", tcp_address(server));
    let output = Command::new(python).arg(script).arg("run").arg(url).output().expect("execute Python");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains(": 301 cases, 0 not as they should be"), "{said}");
}

#[test]
fn the_handshake_names_one_subprotocol_and_refuses_what_is_none() {
    let server = with_tcp().start();
    let address = tcp_address(&server);
    let mut client = Client::opens(address, "/", "Sec-WebSocket-Protocol: chat, superchat\r\nOrigin: http://a\r\n");
    for line in [
        "Upgrade: WebSocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Origin: http://a",
        "Sec-WebSocket-Protocol: chat",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    ] {
        assert!(client.head.lines().any(|own| own == line), "{line} in {}", client.head);
    }
    client.send(0x88, b"");
    assert_eq!(client.frame(), (0x88, vec![]));
    let client = Client::opens(address, "/protocol", "");
    assert!(
        client.head.contains("Sec-WebSocket-Protocol: v2.of.ours\r\n") && client.head.contains(": http://here\r\n")
    );
    drop(client);
    // No websocket, and what the application gets to read of it.
    let mut other = crate::dialogue::Dialogue::over_tcp(address);
    assert_eq!(
        other.get("/none").text(),
        "unable to complete websocket handshake: the request has no Sec-WebSocket-Key"
    );
    other.send("GET /none HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n");
    let refused = other.reply("GET");
    assert_eq!((refused.status, refused.header("sec-websocket-version")), (426, Some("13")));
}

#[test]
fn every_end_has_its_code_and_is_no_error_of_the_application() {
    let mut server = with_tcp().set("workers", 2).start();
    server.expect_log("[uwsgi-websocket] \"GET /\" (127.0.0.1): the next part of a message that was not begun");
    server.expect_log("[uwsgi-websocket] \"GET /\" (127.0.0.1): text that is not UTF-8");
    server.expect_log("exception in GET /failing");
    // Their close frame comes back.
    let mut client = Client::to(&server, "/");
    client.send(0x81, b"hello");
    assert_eq!(client.frame(), (0x81, b"hello".to_vec()));
    client.send(0x89, b"ping");
    assert_eq!(client.frame(), (0x8a, b"ping".to_vec()));
    client.send(0x88, b"\x0f\xa0bye");
    client.ends_with(4000);
    // What is no protocol, and no text.
    let mut client = Client::to(&server, "/");
    client.send(0x80, b"");
    client.ends_with(1002);
    let mut client = Client::to(&server, "/");
    client.send(0x81, b"\xff");
    client.ends_with(1007);
    // The application returns, or fails.
    let mut client = Client::to(&server, "/returning");
    client.send(0x82, b"\xfe");
    assert_eq!(client.frame(), (0x82, b"\xfe".to_vec()));
    client.ends_with(1000);
    let mut client = Client::to(&server, "/failing");
    client.send(0x81, b"");
    client.ends_with(1011);
    // Who goes without a word; and whatever is called after that.
    drop(Client::to(&server, "/telling"));
    let told = server.log.wait_for("told [").text;
    let receive = "'unable to receive websocket message'";
    let wanted = format!(
        "told [{receive}, {receive}, 'unable to send websocket message', 'unable to send websocket binary message']"
    );
    assert_eq!(told, wanted);
}

#[test]
fn handlers_in_rust_have_the_same() {
    let mut server = reachable(Launch::hello().set("workers", 1)).start();
    server.expect_log("GET /websocket failed: as it was told");
    let mut client = Client::to(&server, "/websocket");
    for (first, payload) in [(0x81, "hellö".as_bytes()), (0x82, b"\xff"), (0x81, b"")] {
        client.send(first, payload);
        assert_eq!(client.frame(), (first, payload.to_vec()));
    }
    client.send(0x01, b"e");
    client.send(0x80, b"nd");
    assert_eq!(client.frame(), (0x81, b"the end".to_vec()));
    client.ends_with(1000);
    let mut client = Client::to(&server, "/websocket");
    client.send(0x81, b"fail");
    client.ends_with(1011);
    let mut other = crate::dialogue::Dialogue::over_tcp(tcp_address(&server));
    let refused = other.get("/websocket");
    assert_eq!((refused.status, refused.text().as_str()), (400, "There is a websocket here, and nothing else.\n"));
    let client = Client::to(&server, "/websocket");
    crate::reloading::reload(&server);
    client.ends_with(1001);
}

#[test]
fn a_reload_and_a_stop_end_websockets_with_the_code_for_going_away() {
    for threads in [1, 3] {
        let mut server = with_tcp().set("threads", threads).set("worker-reload-mercy", 60).start();
        server.expect_log("the application must be thread-safe");
        let mut client = Client::to(&server, "/");
        client.send(0x81, b"x");
        assert_eq!(client.frame(), (0x81, b"x".to_vec()));
        crate::reloading::reload(&server);
        client.ends_with(1001);
        let client = Client::to(&server, "/");
        server.signal(Signal::SIGTERM);
        client.ends_with(1001);
        server.stop();
    }
}

#[test]
fn who_is_silent_is_asked_and_given_up() {
    let mut server = with_tcp().set("websockets-ping-freq", 1).set("websockets-pong-tolerance", 1).start();
    server.expect_log("no PONG received in 1 seconds !!!");
    let mut client = Client::to(&server, "/");
    assert_eq!(client.frame(), (0x89, vec![]));
    client.send(0x8a, b"");
    assert_eq!(client.frame(), (0x89, vec![]));
    client.ends();
}
