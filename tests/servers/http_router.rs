//! The router where it reads requests (`http-processes`): workers are asked when a request is whole and let go when they have
//! answered, whatever the client does; others can be asked in their place; reloads go unnoticed. One worker shows it.

use std::fs;
use std::net::SocketAddr;

use nix::sys::signal::Signal;

use crate::dialogue::{Dialogue, tcp_address};
use crate::harness::{Launch, wait_for_text, wait_until};

/// More than a router keeps in memory, and than any socket takes at once.
const BYTES: usize = 200_000;

fn routed() -> Launch {
    let launch = Launch::hello().set("workers", 1).set("disable-logging", true);
    launch.set("http", "127.0.0.1:0").set("http-processes", 1)
}

fn content() -> Vec<u8> {
    (0..BYTES).map(|at| b'a' + (at % 23) as u8).collect()
}

fn post(path: &str, header: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n")
}

#[test]
fn a_client_that_takes_its_time_with_its_request_or_its_answer_keeps_no_worker() {
    let server = routed().start();
    let address = tcp_address(&server);
    let connect = || Dialogue::over_tcp(address);
    let (content, length) = (content(), format!("Content-Length: {BYTES}"));
    let mut sending = connect();
    sending.send(post("/echo", &length));
    sending.send(&content[..BYTES / 2]);
    let mut chunks = connect();
    chunks.send(post("/echo", "Transfer-Encoding: chunked"));
    chunks.send("3\r\nabc\r\n");
    let mut reading = connect();
    reading.send([post("/echo", &length).as_bytes(), &content].concat());
    assert_eq!(connect().get("/").text(), "Hello, world\n");
    // They all are answered when it is their turn.
    sending.send(&content[BYTES / 2..]);
    assert!(sending.reply("POST").body == content);
    assert_eq!(sending.get("/stream?n=2").text(), "chunk 1\nchunk 2\n");
    chunks.send("4\r\ndefg\r\n0\r\n\r\n");
    assert_eq!(chunks.reply("POST").text(), "abcdefg");
    assert!(reading.reply("POST").body == content);
    let variables = reading.get("/env").text();
    let port = format!("SERVER_PORT={}\n", address.port());
    for expected in ["REMOTE_ADDR=127.0.0.1\n", &port, "HTTP_HOST=app.example\n", "REQUEST_MSEC="] {
        assert!(variables.contains(expected), "{expected}: {variables}");
    }
    server.stop();
}

#[test]
fn what_the_router_does_not_pass_on_it_answers() {
    let mut server = routed().set("limit-post", 1_000).set("http-headers-timeout", 1).start();
    server.expect_log("request refused with status");
    let address = tcp_address(&server);
    let mut slow = Dialogue::over_tcp(address);
    slow.send("GET / HTTP/1.1\r\nHo");
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        (post("/echo", "Content-Length: 1\r\nTransfer-Encoding: chunked"), 400),
        (post("/echo", "Content-Length: 1001"), 413),
        (post("/echo", "Transfer-Encoding: gzip, chunked"), 501),
    ] {
        let mut client = Dialogue::over_tcp(address);
        client.send(&request);
        let reply = client.reply("POST");
        assert!(reply.status == status && reply.is_last(), "{request}: {reply:?}");
        client.assert_ends();
    }
    assert_eq!(slow.reply("GET").status, 408);
    server.stop();
}

#[test]
fn another_server_is_asked_in_the_place_of_the_workers() {
    let other = Launch::hello().set("workers", 1).start();
    let mut server = routed().set("http-to", other.socket().display()).set("http-var", "SITE=shop").start();
    let mut client = Dialogue::over_tcp(tcp_address(&server));
    let variables = client.get("/env?through").text();
    assert!(variables.contains("SITE=shop\n"), "{variables}");
    other.log.wait_for("/env?through");
    other.stop();
    server.expect_log("the router cannot connect to");
    server.expect_log("the router: nobody could be asked for an answer");
    let reply = client.get("/");
    assert!(reply.status == 502 && reply.is_last(), "{reply:?}");
    server.stop();
}

/// The clients that came before know of no reload, although every worker that answered them has gone.
#[test]
fn clients_that_keep_their_connections_notice_no_reload() {
    let server = routed().start();
    let address: SocketAddr = tcp_address(&server);
    let mut clients: Vec<Dialogue> = (0..8).map(|_| Dialogue::over_tcp(address)).collect();
    let routers = || {
        let processes = server.processes().into_iter();
        processes.filter(|process| process.name.contains("router")).map(|process| process.pid).collect::<Vec<_>>()
    };
    clients.iter_mut().for_each(|client| assert_eq!(client.get("/").status, 200));
    let before = routers();
    for generation in 2..5 {
        server.signal(Signal::SIGHUP);
        let done = format!("reload done: generation {generation} serves");
        assert!(wait_until(|| {
            for client in &mut clients {
                let reply = client.get("/");
                assert!(reply.text() == "Hello, world\n" && !reply.is_last(), "{reply:?}");
            }
            server.log.lines().iter().any(|line| line.contains(&done))
        }));
    }
    assert!(before.len() == 1 && routers() == before, "{before:?} and {:?}", routers());
    server.stop();
}

/// A router that goes on over a reload goes on in the log that has been opened anew.
#[test]
fn a_router_follows_the_log() {
    let launch = routed();
    let (log, old) = (launch.dir().join("log"), launch.dir().join("log.1"));
    let server = launch.set("log-reopen", true).set("logto", log.display()).spawn();
    let started = wait_for_text(&log, "ready to serve");
    let address = started.split_once("bound to 127.0.0.1:").and_then(|(_, rest)| rest.lines().next());
    let address = address.map(|port| format!("127.0.0.1:{port}")).expect("a port").parse().expect("an address");
    assert_eq!(Dialogue::over_tcp(address).get("/").status, 200);
    fs::rename(&log, &old).expect("rename the log");
    server.signal(Signal::SIGHUP);
    wait_for_text(&log, "reload done: generation 2 serves");
    let mut client = Dialogue::over_tcp(address);
    client.send("nothing that HTTP has\r\n\r\n");
    assert_eq!(client.reply("GET").status, 400);
    wait_for_text(&log, "request refused with status 400");
    server.stop();
}
