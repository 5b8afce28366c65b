//! The router where it reads requests (`http-processes`): workers are asked when a request is whole and let go when they have
//! answered, whatever the client does; others can be asked in their place; reloads go unnoticed. One worker shows it.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use socket2::{Domain, Socket, Type};

use crate::dialogue::websocket::Client;
use crate::dialogue::{Dialogue, tcp_address};
use crate::harness::{Instance, Launch, PATIENCE, wait_for_text, wait_until};
use crate::reloading::{ask_through_changes, ask_through_reloads, edit, number_from};

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

/// The clients that came before know of no reload, although every worker that answered them has gone. As many of them as
/// CLIENTS says.
#[test]
fn clients_that_keep_their_connections_notice_no_reload() {
    let server = routed().start();
    let address: SocketAddr = tcp_address(&server);
    let mut clients: Vec<Dialogue> = (0..number_from("CLIENTS", 8)).map(|_| Dialogue::over_tcp(address)).collect();
    clients.iter_mut().for_each(|client| assert_eq!(client.get("/").status, 200));
    let before = router(&server);
    ask_through_reloads(
        &server,
        clients.into_iter().map(|mut client| {
            move || {
                let reply = client.get("/");
                assert!(reply.text() == "Hello, world\n" && !reply.is_last(), "{reply:?}");
            }
        }),
    );
    assert_eq!(server.routers(), [before]);
    server.stop();
}

/// Who has sent in time what it owes is answered, however late the router gets to see it, and however many they are.
#[test]
fn a_router_that_was_kept_from_running_does_not_give_up_who_was_in_time() {
    // Time enough for a busy machine to come to the stop below.
    let server = routed().set("http-headers-timeout", 6).set("http-keepalive", 6).start();
    let connect = |_| Dialogue::over_tcp(tcp_address(&server));
    let mut halves: Vec<Dialogue> = (0..300).map(connect).collect();
    halves.iter_mut().for_each(|client| client.send("GET / HTTP/1.1\r\nHo"));
    // It has read the others when it answers this one.
    let mut kept = connect(0);
    assert_eq!(kept.get("/").status, 200);
    let router = Pid::from_raw(router(&server));
    kill(router, Signal::SIGSTOP).expect("the router is there");
    halves.iter_mut().for_each(|client| client.send("st: a\r\n\r\n"));
    kept.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    // Longer than any of them may take.
    std::thread::sleep(Duration::from_millis(6_500));
    kill(router, Signal::SIGCONT).expect("the router is there");
    for client in halves.iter_mut().chain([&mut kept]) {
        assert_eq!(client.reply("GET").status, 200);
    }
}

/// The pid of the only one, as soon as there is one.
fn router(server: &Instance) -> i32 {
    assert!(wait_until(|| server.routers().len() == 1), "{:?}", server.routers());
    server.routers()[0]
}

/// Each reload changes what routers are told: another one takes its place beside it, and ends its connections with their next
/// answers. No request of theirs fails. As many clients as CLIENTS says.
#[test]
fn a_router_that_is_replaced_lets_go_of_its_clients_one_by_one() {
    let server = routed().set("http-var", "TURN=0").start();
    let address: SocketAddr = tcp_address(&server);
    let clients = (0..number_from("CLIENTS", 8)).map(|_| {
        let mut client = Dialogue::over_tcp(address);
        move || {
            let reply = client.get("/env");
            assert!(reply.status == 200 && reply.text().contains("TURN="), "{reply:?}");
            if reply.is_last() {
                client.assert_ends();
                client = Dialogue::over_tcp(address);
            }
        }
    });
    ask_through_changes(&server, clients, |turn, reload| {
        let before = router(&server);
        edit(&server, |text| text.replace(&format!("TURN={}", turn - 1), &format!("TURN={turn}")));
        reload();
        assert!(wait_until(|| matches!(server.routers()[..], [one] if one != before)), "{before}");
        let variables = Dialogue::over_tcp(address).get("/env").text();
        assert!(variables.contains(&format!("TURN={turn}\n")), "{variables}");
    });
    server.stop();
}

/// Somebody has removed the file of its socket: a reload makes another one, and a router that listens there.
#[test]
fn a_socket_that_is_made_anew_has_a_router() {
    let launch = Launch::hello().set("workers", 1).set("disable-logging", true).set("http-processes", 1);
    let path = launch.dir().join("http.sock");
    let server = launch.set("http", path.display()).start();
    let mut old = Dialogue::with(&server);
    assert_eq!(old.get("/").status, 200);
    fs::remove_file(&path).expect("remove the socket");
    server.signal(Signal::SIGHUP);
    server.log.wait_for("reload done: generation 2 serves");
    assert_eq!(Dialogue::with(&server).get("/").status, 200);
    server.stop();
}

#[test]
fn a_router_that_is_replaced_stays_until_the_last_of_its_connections_has_ended() {
    let server = routed().set("http-var", "TURN=0").start();
    let (mut slow, mut idle) = (Dialogue::over_tcp(tcp_address(&server)), Dialogue::over_tcp(tcp_address(&server)));
    slow.send(post("/echo", "Content-Length: 6") + "abc");
    assert_eq!(idle.get("/").status, 200);
    let before = router(&server);
    edit(&server, |text| text.replace("TURN=0", "TURN=1"));
    server.signal(Signal::SIGHUP);
    server.log.wait_for("reload done: generation 2 serves");
    assert!(wait_until(|| server.routers().len() == 2), "{:?}", server.routers());
    // Who says nothing is let go; who has begun is answered.
    idle.assert_ends();
    assert!(server.routers().contains(&before));
    slow.send("def");
    let reply = slow.reply("POST");
    assert!(reply.text() == "abcdef" && reply.is_last(), "{reply:?}");
    slow.assert_ends();
    assert!(wait_until(|| matches!(server.routers()[..], [one] if one != before)), "{:?}", server.routers());
    server.stop();
}

#[test]
fn an_answer_that_breaks_off_is_cut_off_at_once() {
    let launch = Launch::example("unsteady").set("http", "127.0.0.1:0").set("http-processes", 1);
    let mut server = launch.start();
    server.expect_log("broke off after 6 bytes: told to break");
    server.expect_log("the router: a worker broke its answer off");
    for version in ["1.1", "1.0"] {
        let mut client = TcpStream::connect(tcp_address(&server)).expect("connect");
        client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        write!(client, "GET /break?how=error HTTP/{version}\r\nHost: a\r\n\r\n").expect("the request");
        let mut came = Vec::new();
        let end = client.read_to_end(&mut came).map_err(|error| error.kind());
        let came = String::from_utf8_lossy(&came).into_owned();
        assert!(end == Err(ErrorKind::ConnectionReset) && !came.ends_with("0\r\n\r\n"), "{came:?} {end:?}");
    }
    server.stop();
}

/// One whose queue is full, so that nobody can connect.
fn full() -> (Socket, Vec<TcpStream>) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("an address");
    socket.listen(0).expect("listen");
    let address = socket.local_addr().ok().and_then(|address| address.as_socket()).expect("an address");
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        waiting.push(stream);
    }
    (socket, waiting)
}

#[test]
fn another_server_is_asked_when_one_does_not_accept_in_time() {
    let other = Launch::hello().set("workers", 1).start();
    let (full, _waiting) = full();
    let full = full.local_addr().ok().and_then(|address| address.as_socket()).expect("an address");
    let launch = routed().line(format!("http-to = {full}")).line(format!("http-to = {}", other.socket().display()));
    let mut server = launch.set("http-connect-timeout", 1).start();
    server.expect_log(format!("the router cannot connect to {full}: timed out"));
    let mut client = Dialogue::over_tcp(tcp_address(&server));
    for _ in 0..3 {
        assert_eq!(client.get("/").text(), "Hello, world\n");
    }
    other.stop();
    server.stop();
}

#[test]
fn everybody_is_sent_on_to_https() {
    let launch = Launch::hello().set("workers", 1).line("http-to-https = 127.0.0.1:0,8443");
    let server = launch.line("add-header = X-Own: 1").start();
    let mut client = Dialogue::over_tcp(tcp_address(&server));
    client.send(post("/a?b", "Content-Length: 3") + "abc");
    let reply = client.reply("POST");
    assert!(reply.status == 301 && reply.is_last(), "{reply:?}");
    assert_eq!((reply.header("location"), reply.header("x-own")), (Some("https://a:8443/a?b"), Some("1")));
    client.assert_ends();
    server.stop();
}

/// As many MiB each way as UPGRADE_MIB says.
#[test]
fn what_a_websocket_carries_arrives_whole_both_ways() {
    const FRAME_BYTES: usize = 32 * 1024;
    let server = routed().start();
    let frames = number_from("UPGRADE_MIB", 4) as u64 * (1024 * 1024 / FRAME_BYTES as u64);
    let payload = |number: u64| {
        let mut bytes = vec![0; FRAME_BYTES];
        fastrand::Rng::with_seed(number).fill(&mut bytes);
        bytes
    };
    let mut reads = Client::to(&server, "/websocket");
    let mut sends = reads.twin();
    std::thread::scope(|scope| {
        scope.spawn(move || (0..frames).for_each(|number| sends.send(0x82, &payload(number))));
        for number in 0..frames {
            assert!(reads.frame() == (0x82, payload(number)), "frame {number} of {frames}");
        }
    });
    reads.send(0x88, b"");
    assert_eq!(reads.frame(), (0x88, Vec::new()));
    reads.ends();
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
