//! Answers that clients take slowly (`offload-threads`), while the only worker answers others.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use loadgen::packet::Request;
use nix::sys::signal::Signal;

use crate::dialogue::{Dialogue, with_http_socket};
use crate::harness::{Instance, Launch, PATIENCE};
use crate::monitoring::{stats_path, wait_for};
use crate::pythons;

/// More than any socket takes unread.
const BYTES: usize = 8 << 20;

fn content() -> Vec<u8> {
    b"0123456789abcdef".repeat(BYTES / 16)
}

fn launch() -> Launch {
    let launch = with_http_socket(pythons::launch(&pythons::one(), "http_views"));
    let files = launch.dir().join("files");
    fs::create_dir(&files).expect("a directory");
    fs::write(files.join("big"), content()).expect("a file");
    let (fastcgi, stats) = (launch.dir().join("fastcgi.sock"), stats_path(launch.dir()));
    launch
        .set("workers", 1)
        .set("offload-threads", 1)
        .set("honour-range", true)
        .set("static-map", format!("/s={}", files.display()))
        .set("fastcgi-socket", fastcgi.display())
        .set("stats", stats.display())
}

/// Asks for something large and reads nothing of it.
fn ask(server: &Instance, target: &str, headers: &str) -> Dialogue {
    let mut client = Dialogue::with(server);
    client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n{headers}\r\n"));
    client
}

#[test]
fn a_client_that_takes_its_time_keeps_no_worker_and_gets_every_byte() {
    let server = launch().start();
    let by_wrapper = format!("/file?{}", server.dir().join("files/big").display());
    let mut slow = [
        (ask(&server, "/s/big", ""), 200, 0..BYTES),
        (ask(&server, "/s/big", "Range: bytes=100-8000000\r\n"), 206, 100..8_000_001),
        (ask(&server, &by_wrapper, ""), 200, 0..BYTES),
        (ask(&server, "/big?8", ""), 200, 0..BYTES),
    ];
    let mut packet = UnixStream::connect(server.socket()).expect("connect");
    packet.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    packet.write_all(&Request::get("/s/big").to_uwsgi().expect("a head")).expect("the request");
    // The one worker is free while none of them reads.
    assert_eq!(Dialogue::with(&server).get("/").text(), "Hello\n");
    let expected = content();
    for (client, status, range) in &mut slow {
        let reply = client.reply("GET");
        assert_eq!(reply.status, *status);
        assert!(reply.body == expected[range.clone()], "{} bytes of {range:?}", reply.body.len());
        assert_eq!(client.get("/").text(), "Hello\n", "the connection goes on");
    }
    let mut answer = Vec::new();
    packet.read_to_end(&mut answer).expect("the answer, and its end");
    assert!(answer.ends_with(&expected), "{} bytes", answer.len());
    let line = server.log.wait_for("via offload() (HTTP/1.1 206)");
    assert!(line.text.contains("generated 7999901 bytes"), "{}", line.text);
    let stats = wait_for(&server, |stats| stats["workers"][0]["cores"][0]["offloaded_requests"] == 5);
    assert_eq!(stats["sockets"][0]["can_offload"], 1);
}

#[test]
fn a_worker_that_is_to_go_sends_what_it_has_left() {
    let server = launch().start();
    let mut client = ask(&server, "/s/big", "");
    assert_eq!(Dialogue::with(&server).get("/").text(), "Hello\n");
    server.signal(Signal::SIGHUP);
    server.log.wait_for("reload done: generation 2 serves");
    assert!(client.reply("GET").body == content(), "every byte");
}

#[test]
fn a_client_that_takes_nothing_is_cut_off_after_a_time() {
    let server = launch().set("http-timeout", 1).start();
    let mut client = ask(&server, "/s/big", "");
    server.log.wait_for("a client has taken nothing of its answer for too long (http-timeout)");
    assert!(client.try_reply("GET").is_err(), "not all of it");
    assert_eq!(Dialogue::with(&server).get("/").text(), "Hello\n");
}

/// The only worker sends what an application names, and only below the directory.
#[test]
fn a_file_that_an_application_names_is_sent_in_the_place_of_its_body() {
    let launch = launch();
    let files = launch.dir().join("files");
    ["a b", "plain"].iter().for_each(|name| fs::write(files.join(name), "the file").expect("a file"));
    fs::write(launch.dir().join("secret"), "a secret").expect("a file");
    std::os::unix::fs::symlink("../secret", files.join("leak")).expect("a link");
    let mut server = launch.set("x-sendfile", files.display()).start();
    server.expect_log("(x-sendfile)");
    let files = files.display();
    let mut client = Dialogue::with(&server);
    for target in
        ["X-Accel-Redirect&/a%20b".to_owned(), "X-Sendfile&plain".to_owned(), format!("X-Sendfile&{files}/plain")]
    {
        let reply = client.get(&format!("/named?{target}"));
        let (status, kind, own) = (reply.status, reply.header("content-type"), reply.header("x-own"));
        assert_eq!((status, kind, own), (200, Some("video/mp4"), Some("kept")), "{target}");
        assert_eq!((reply.text().as_str(), reply.header("content-length")), ("the file", Some("8")), "{target}");
        assert!(reply.header("x-accel-redirect").or(reply.header("x-sendfile")).is_none(), "{reply:?}");
    }
    client.send("HEAD /named?X-Sendfile&/big HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.reply("HEAD").header("content-length"), Some(BYTES.to_string().as_str()));
    for target in ["X-Sendfile&/../secret", "X-Sendfile&leak", "X-Accel-Redirect&/%2e%2e/secret", "X-Sendfile&/"] {
        assert_eq!((client.get(&format!("/named?{target}")).status, target), (404, target));
    }
    let mut slow = ask(&server, &format!("/named?X-Sendfile&{files}/big"), "");
    assert_eq!(client.get("/").text(), "Hello\n");
    assert!(slow.reply("GET").body == content(), "every byte");
}
