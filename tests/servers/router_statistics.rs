//! What routers tell of themselves (`http-stats`): field by field beside a real uWSGI's, to real clients, and so that nobody who
//! does not listen costs a client anything.

use std::collections::BTreeSet;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::dialogue::{Dialogue, tcp_address};
use crate::harness::{Instance, Launch, wait_until};
use crate::monitoring::{bytes_after, parsed, places, stats_path};
use crate::reloading::edit;
use crate::rivals::{self, Uwsgi};

fn routed() -> Launch {
    let launch = Launch::hello().set("workers", 1).set("disable-logging", true).set("http", "127.0.0.1:0");
    let stats = stats_path(launch.dir());
    launch.set("http-stats", stats.display())
}

fn told(server: &Instance) -> Value {
    parsed(&bytes_after(&stats_path(server.dir()), b""))
}

#[test]
fn a_router_tells_of_its_connections_and_of_whom_it_asks() {
    let mut server = routed().start();
    server.expect_log("request refused with status 400");
    let address = tcp_address(&server);
    let mut clients = [Dialogue::over_tcp(address), Dialogue::over_tcp(address)];
    for client in &mut clients {
        assert_eq!(client.get("/").status, 200);
    }
    let mut refused = Dialogue::over_tcp(address);
    refused.send("GET / HTTP/1.1\r\n\r\n");
    assert_eq!(refused.reply("GET").status, 400);
    drop(refused);
    assert!(wait_until(|| told(&server)["active_sessions"] == 2), "{:#}", told(&server));
    let now = told(&server);
    assert_eq!(vec![now["pid"].clone()], server.routers());
    assert_eq!(now["http"], Value::from(vec![address.to_string()]));
    let node = &now["static_nodes"][0];
    assert!(node["hits"] == 2 && node["grace"] == 0, "{now:#}");
    for (key, value) in [("accepted", 3), ("refused", 1), ("failed", 0), ("asking", 0), ("router", 1), ("cheap", 0)] {
        assert_eq!(now[key], value, "{key}: {now:#}");
    }
    let mut sleeping = Dialogue::over_tcp(address);
    sleeping.send("GET /sleep?ms=300 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(wait_until(|| told(&server)["asking"] == 1), "{:#}", told(&server));
    assert_eq!(sleeping.reply("GET").status, 200);
    server.stop();
}

#[test]
fn what_uwsgis_router_tells_ours_tells_as_well() {
    let Some(binary) = rivals::uwsgi() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let stats = directory.path().join("http.sock");
    let rival = Uwsgi::start_with(binary, "calls", "/?1", |command| {
        command.args(["--http", "127.0.0.1:0", "--http-to"]).arg(directory.path().join("nobody.sock"));
        command.arg("--http-stats").arg(&stats);
    });
    assert!(wait_until(|| UnixStream::connect(&stats).is_ok()), "uWSGI tells nothing");
    let kinds = |document: &Value| {
        let mut kinds = BTreeSet::new();
        places(document, "", &mut kinds);
        kinds
    };
    let theirs = kinds(&parsed(&bytes_after(&stats, b"")));
    drop(rival);
    let server = routed().start();
    let ours = kinds(&told(&server));
    server.stop();
    let missing: Vec<_> = theirs.difference(&ours).collect();
    assert!(missing.is_empty() && theirs.len() > 10, "{missing:?} of {theirs:?}");
}

/// So many servers that their list does not fit into the buffer of a socket; it is one server by many names.
#[test]
fn readers_who_never_read_keep_no_client_waiting() {
    let other = Launch::hello().set("workers", 1).start();
    let place = other.socket().parent().expect("a directory").display().to_string();
    let mut launch = routed();
    for number in 0..4_000 {
        let way = "./".repeat(number % 20);
        launch = launch.line(format!("http-to = {place}/{way}app.sock"));
    }
    let server = launch.start();
    let stats = stats_path(server.dir());
    let length = bytes_after(&stats, b"").len();
    assert!(length > 300_000, "{length} bytes");
    let stalled: Vec<UnixStream> = (0..100).map(|_| UnixStream::connect(&stats).expect("connect")).collect();
    let mut client = Dialogue::over_tcp(tcp_address(&server));
    for _ in 0..20 {
        assert_eq!(client.get("/").status, 200);
        assert_eq!(told(&server)["static_nodes"].as_array().map(Vec::len), Some(4_000));
    }
    drop(stalled);
    server.stop();
    other.stop();
}

fn curl(stats: &Path, more: &[&str]) -> Vec<u8> {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail", "--unix-socket"]).arg(stats).args(more).arg("http://router/");
    let output = curl.output().expect("execute curl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn over_http_a_client_of_http_is_told_and_one_that_says_nothing_holds_nobody_up() {
    let server = routed().set("stats-http", true).set("stats-minified", true).start();
    let stats = stats_path(server.dir());
    let silent = UnixStream::connect(&stats).expect("connect");
    assert_eq!(Dialogue::over_tcp(tcp_address(&server)).get("/").status, 200);
    let document = curl(&stats, &[]);
    assert_eq!(parsed(&document)["static_nodes"][0]["hits"], 1);
    assert_eq!(document.iter().filter(|byte| **byte == b'\n').count(), 1, "on one line");
    let head = String::from_utf8_lossy(&curl(&stats, &["--head"])).into_owned();
    assert!(head.contains("Content-Type: application/json\r\n") && !head.contains("Access-Control"), "{head}");
    drop(silent);
    server.stop();
}

/// The place changes with a reload: another router tells of itself there, and nobody at the old one.
#[test]
fn where_a_router_tells_of_itself_can_change_with_a_reload() {
    let server = routed().start();
    let (old, new) = (stats_path(server.dir()), server.dir().join("other.sock"));
    let first = told(&server)["pid"].as_i64();
    edit(&server, |text| text.replace("stats.sock", "other.sock"));
    server.signal(Signal::SIGHUP);
    server.log.wait_for("reload done: generation 2 serves");
    assert!(wait_until(|| new.exists() && !old.exists()));
    let second = parsed(&bytes_after(&new, b""))["pid"].as_i64();
    assert!(second.is_some() && second != first, "{second:?} after {first:?}");
    server.stop();
}

#[test]
fn it_is_refused_where_the_instance_tells_of_itself() {
    let launch = routed();
    let stats = stats_path(launch.dir());
    let failed = launch.set("stats", stats.display()).fails();
    let said = failed.lines.last().expect("a line");
    assert!(said.contains("app.ini:") && said.contains("http-stats") && said.contains("its own statistics"), "{said}");
}
