//! HTTP sockets: connections that go on after an answer, and those whose clients take their time. Whoever waits for a
//! client occupies nobody; one worker with one thread shows it.

use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::dialogue::{Dialogue, tcp_address, with_http_socket};
use crate::harness::{Instance, Launch, wait_until};

fn hello() -> Launch {
    with_http_socket(Launch::hello().set("workers", 1).set("disable-logging", true))
}

/// Waits until the worker with this pid has ended.
fn wait_for_end_of(server: &Instance, worker: i32) {
    let ended = wait_until(|| !server.processes().iter().any(|process| process.pid == worker));
    assert!(ended, "worker {worker} does not end:\n{}", server.log.tail());
}

#[test]
fn a_connection_brings_one_request_after_the_other() {
    let server = hello().start();
    let mut client = Dialogue::with(&server);
    for number in 0..500 {
        let reply = client.get(if number % 3 == 0 { "/stream?n=2" } else { "/" });
        assert!(reply.status == 200 && !reply.is_last(), "request {number}: {reply:?}");
    }
    client.finish_sending();
    client.assert_ends();
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = hello().start();
    let mut client = Dialogue::with(&server);
    let requests: Vec<String> = (0..300)
        .map(|number| match number % 3 {
            0 => format!("GET /env?number={number} HTTP/1.1\r\nHost: a\r\n\r\n"),
            1 => format!("POST /echo?number={number} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n{number:03}"),
            _ => format!(
                "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{number:03}\r\n0\r\n\r\n"
            ),
        })
        .collect();
    client.send(requests.concat());
    for number in 0..300 {
        let text = client.reply("GET").text();
        let expected = if number % 3 == 0 { format!("QUERY_STRING=number={number}\n") } else { format!("{number:03}") };
        assert!(text.contains(&expected), "request {number}: {text}");
    }
}

/// Whoever sends many requests at once takes turns with others.
#[test]
fn a_client_with_many_requests_at_once_keeps_nobody_waiting() {
    let server = hello().start();
    let mut greedy = Dialogue::with(&server);
    greedy.send("GET /sleep?ms=20 HTTP/1.1\r\nHost: a\r\n\r\n".repeat(100));
    greedy.reply("GET");
    let began = Instant::now();
    let mut modest = Dialogue::with(&server);
    assert_eq!(modest.get("/").status, 200);
    assert!(began.elapsed() < Duration::from_millis(1_000), "{:?} behind 99 requests of 20 ms", began.elapsed());
}

/// Who has sent in time what it owes is answered, however late the worker gets to see it.
#[test]
fn a_worker_that_was_busy_for_longer_does_not_give_up_who_was_in_time() {
    // Time enough for a busy machine to come to the long request below.
    let server = hello().set("http-keepalive", 6).set("socket-timeout", 6).start();
    let mut clients = [(); 3].map(|()| Dialogue::with(&server));
    clients.iter_mut().for_each(|client| assert_eq!(client.get("/").status, 200));
    // Half of its next request, which the worker has seen when the next one is answered.
    clients[1].send("GET / HTTP/1.1\r\nHo");
    let mut other = Dialogue::with(&server);
    assert_eq!(other.get("/").status, 200);
    other.send("GET /sleep?ms=7000 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(wait_until(|| server.workers()[0].sleeps()));
    clients[0].send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    clients[1].send("st: a\r\n\r\n");
    clients[2].send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    for client in clients.iter_mut().chain([&mut other]) {
        assert_eq!(client.reply("GET").status, 200);
    }
}

#[test]
fn clients_that_say_nothing_or_half_a_request_keep_nobody_waiting() {
    let mut server = hello().start();
    server.expect_log("request refused with status 408");
    let silent: Vec<_> = (0..50).map(|_| Dialogue::with(&server)).collect();
    let mut halves: Vec<_> = (0..50).map(|_| Dialogue::with(&server)).collect();
    halves.iter_mut().for_each(|client| client.send("GET / HTTP/1.1\r\nHo"));
    let mut kept: Vec<_> = (0..50).map(|_| Dialogue::with(&server)).collect();
    kept.iter_mut().for_each(|client| assert_eq!(client.get("/").status, 200));
    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(Dialogue::with(&server).get("/").status, 200);
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}: somebody was waited for", began.elapsed());
    // Half a request becomes a whole one, byte by byte, while others are answered.
    for byte in b"st: a\r\n\r\n" {
        halves[0].send([*byte]);
        assert_eq!(kept[0].get("/").status, 200);
    }
    assert_eq!(halves[0].reply("GET").status, 200);
    drop(silent);
}

#[test]
fn who_does_not_end_a_head_in_time_is_told_and_who_never_spoke_is_not() {
    let mut server = hello().set("socket-timeout", 1).start();
    server.expect_log("request refused with status 408");
    let mut silent = Dialogue::with(&server);
    let mut slow = Dialogue::with(&server);
    slow.send("GET / HTTP/1.1\r\nHost: a\r\n");
    let reply = slow.reply("GET");
    assert_eq!((reply.status, reply.is_last()), (408, true));
    slow.assert_ends();
    silent.assert_ends();
    // The second request has its own time, which begins with its first byte.
    let mut client = Dialogue::with(&server);
    assert_eq!(client.get("/").status, 200);
    client.send("GE");
    assert_eq!(client.reply("GET").status, 408);
    client.assert_ends();
}

#[test]
fn an_idle_connection_ends_after_http_keepalive() {
    let server = hello().set("http-keepalive", 2).set("socket-timeout", 1).start();
    let mut client = Dialogue::with(&server);
    assert_eq!(client.get("/").status, 200);
    let began = Instant::now();
    client.assert_ends();
    let waited = began.elapsed();
    assert!(waited >= Duration::from_millis(1_900), "after {waited:?}, although 2 s are allowed");
}

#[test]
fn without_http_keepalive_each_connection_ends_with_its_answer() {
    for off in ["0", "false"] {
        let server = hello().set("http-keepalive", off).start();
        let mut client = Dialogue::with(&server);
        assert!(client.get("/").is_last());
        client.assert_ends();
    }
}

/// The old generation's worker answers what still comes, says that it is the last answer, and goes; who says nothing
/// does not hold it.
#[test]
fn a_reload_is_not_held_up_and_cuts_nobody_off() {
    let server = hello().start();
    let old = server.workers()[0].pid;
    let mut idle: Vec<_> = (0..20).map(|_| Dialogue::with(&server)).collect();
    idle.iter_mut().for_each(|client| assert_eq!(client.get("/").status, 200));
    let mut half = Dialogue::with(&server);
    half.send("GET /env HTTP/1.1\r\nHost: a\r\n");
    let began = Instant::now();
    server.signal(Signal::SIGHUP);
    server.log.wait_for("reload done: generation 2 serves");
    // In the middle of a dialogue: the answer comes, and is the last.
    let mut active = idle.pop().expect("twenty");
    active.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    match active.try_reply("GET") {
        Ok(reply) => assert!(reply.status == 200 && reply.is_last(), "{reply:?}"),
        Err(error) => panic!("cut off {:?} after the reload: {error}", began.elapsed()),
    }
    half.send("\r\n");
    let reply = half.reply("GET");
    assert!(reply.status == 200 && reply.is_last(), "{reply:?}");
    idle.iter_mut().for_each(Dialogue::assert_ends);
    wait_for_end_of(&server, old);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(Dialogue::with(&server).get("/").status, 200);
}

#[test]
fn a_stop_is_not_held_up_by_idle_clients() {
    let server = hello().set("threads", 2).start();
    let mut idle: Vec<_> = (0..20).map(|_| Dialogue::with(&server)).collect();
    idle.iter_mut().for_each(|client| assert_eq!(client.get("/").status, 200));
    let began = Instant::now();
    server.stop();
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    idle.iter_mut().for_each(Dialogue::assert_ends);
}

/// Descriptors run out: whoever waits for nobody's answer stands back.
#[test]
fn idle_connections_give_way_when_descriptors_are_short() {
    let server = hello().through(["sh", "-c", "ulimit -n 60; exec \"$@\"", "sh"]).start();
    let mut clients: Vec<_> = (0..100)
        .map(|number| {
            let mut client = Dialogue::with(&server);
            assert_eq!(client.get("/").status, 200, "client {number}");
            client
        })
        .collect();
    // Those that came last have been kept.
    assert_eq!(clients.last_mut().expect("a hundred").get("/").status, 200);
    // The first ones have ended.
    clients[0].assert_ends();
}

/// The answer to a refused upload reaches a client that sends on, and the worker serves others meanwhile.
#[test]
fn a_refused_upload_gets_its_answer_and_keeps_nobody_waiting() {
    let mut server = hello().start();
    server.expect_log("request refused with status 400");
    let mut client = Dialogue::with(&server);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(vec![b'x'; 100_000]);
    let began = Instant::now();
    assert_eq!(Dialogue::with(&server).get("/").status, 200);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    client.send(vec![b'x'; 100_000]);
    let reply = client.reply("POST");
    assert!(reply.status == 400 && reply.text().contains("exclude each other"), "{reply:?}");
    client.assert_ends();
}

/// An upload that the application does not want: the answer is not lost, although the body is more than is skipped.
#[test]
fn an_ignored_upload_gets_its_answer() {
    let server = hello().set("http-socket", "127.0.0.1:0").start();
    for bytes in [10_000, 90_000, 3_000_000] {
        let mut client = Dialogue::over_tcp(tcp_address(&server));
        client.send(format!("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: {bytes}\r\n\r\n"));
        client.send(vec![b'x'; bytes]);
        let reply = client.reply("POST");
        assert_eq!((reply.status, reply.text().as_str()), (200, "ignored\n"), "{bytes} bytes");
    }
}

/// curl keeps its connection, and does what it does with uploads and ranges of its own.
#[test]
fn curl_gets_along_with_it() {
    let server = hello().set("http-socket", "127.0.0.1:0").start();
    let url = |path: &str| format!("http://{}{path}", tcp_address(&server));
    let upload = server.dir().join("upload");
    std::fs::write(&upload, vec![b'x'; 2_000_000]).expect("a file to upload");
    let run = |arguments: &[&str]| {
        let output = Command::new("curl").args(["-sS", "--max-time", "20"]).args(arguments).output().expect("curl");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let counts = "%{http_code} %{num_connects} %{size_download}\n";
    let (root, stream) = (url("/"), url("/stream?n=2"));
    let text = run(&["-o", "/dev/null", "-w", counts, &root, "-o", "/dev/null", &stream, "-o", "/dev/null", &root]);
    assert_eq!(text, "200 1 13\n200 0 16\n200 0 13\n", "one connection for three requests");
    let file = format!("@{}", upload.display());
    for extra in [&["-H", "Expect: 100-continue"][..], &["-H", "Transfer-Encoding: chunked"], &["--http1.0"]] {
        let arguments =
            [extra, &["-o", "/dev/null", "-w", "%{http_code} %{size_download}", "--data-binary", &file]].concat();
        let echo = url("/echo");
        assert_eq!(run(&[&arguments[..], &[&echo]].concat()), "200 2000000", "{extra:?}");
    }
    assert!(run(&["-I", &root]).contains("Content-Length: 13"));
}
