//! uWSGI's document: field by field beside a real uWSGI's, true over deaths, reloads and upgrades, whole whatever clients
//! send, and told so that nobody who does not listen costs anything. uwsgitop itself reads it.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use loadgen::packet::Request;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{Instance, PATIENCE};
use crate::monitoring::{
    bytes_after, document, figure, page, parsed, places, stats_path, sum, telling, told_by_uwsgi, wait_for,
};
use crate::reloading::{edit, operator, reload, tell, unsteady};
use crate::rivals::{self, Uwsgi};
use crate::terminal::Terminal;

/// A request that is under way until its body comes, with these variables.
fn held(server: &Instance, variables: &[(&str, &[u8])]) -> UnixStream {
    let plain = Request::get("/echo?token=secret").method("POST").var("CONTENT_LENGTH", b"1");
    let request = variables.iter().fold(plain, |request, (name, value)| request.var(name, value));
    let mut stream = UnixStream::connect(server.socket()).expect("connect");
    stream.write_all(&request.to_uwsgi().expect("a packet")).expect("send the head");
    stream
}

/// Ends it.
fn let_go(mut stream: UnixStream) {
    stream.write_all(b"x").expect("send the body");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
}

fn variables(document: &Value) -> Vec<String> {
    let workers = document["workers"].as_array().expect("workers");
    let cores = workers.iter().flat_map(|worker| worker["cores"].as_array().expect("cores"));
    let all = cores.flat_map(|core| core["vars"].as_array().expect("variables"));
    all.map(|variable| variable.as_str().expect("text").to_owned()).collect()
}

#[test]
fn every_field_of_a_real_uwsgis_document_is_there_and_of_the_same_kind() {
    let Some(binary) = rivals::uwsgi() else { return };
    let rivals = tempfile::tempdir().expect("a directory");
    let theirs = rivals.path().join("stats.sock");
    let uwsgi = Uwsgi::start_with(binary, "rows", "/hello", |command| {
        command.arg("--stats").arg(&theirs);
    });
    let theirs = told_by_uwsgi(&theirs);
    drop(uwsgi);
    let server = telling().set("workers", 1).start();
    // uWSGI may not be done with its request, so that ours has one under way as well.
    let request = held(&server, &[]);
    let ours = wait_for(&server, |document| !variables(document).is_empty());
    let_go(request);
    let (mut expected, mut found) = (BTreeSet::new(), BTreeSet::new());
    places(&theirs, "", &mut expected);
    places(&ours, "", &mut found);
    // uWSGI lists locks of its own as well, each under its name.
    let of_uwsgis_locks = |place: &&String| place.starts_with(".locks[].");
    let missing: Vec<_> = expected.difference(&found).filter(|place| !of_uwsgis_locks(place)).collect();
    assert!(missing.is_empty(), "{missing:#?}\nuWSGI: {theirs:#}\nours: {ours:#}");
}

#[test]
fn figures_are_those_of_the_requests_and_of_all_who_had_the_number() {
    let mut server = telling().set("workers", 1).set("threads", 2).set("memory-report", true).start();
    for _ in 0..5 {
        server.get("/");
    }
    server.expect_log("panicked at");
    server.expect_log("[error]");
    assert_eq!(server.get("/panic").status(), Some(500));
    let first = wait_for(&server, |document| sum(document, "requests") == 6);
    assert_eq!((figure(&first, 1, "exceptions"), figure(&first, 1, "respawn_count")), (1, 1));
    assert!(figure(&first, 1, "rss") > 0 && figure(&first, 1, "tx") > 0 && figure(&first, 1, "last_spawn") > 0);
    assert_eq!(first["workers"][0]["cores"].as_array().map(Vec::len), Some(2));
    let worker = server.workers().pop().expect("a worker");
    assert_eq!(first["workers"][0]["pid"], worker.pid);
    server.expect_log("DAMN");
    worker.signal(Signal::SIGKILL);
    let second = wait_for(&server, |document| figure(document, 1, "respawn_count") == 2);
    assert_eq!((figure(&second, 1, "requests"), figure(&second, 1, "exceptions")), (6, 1));
    assert!(figure(&second, 1, "tx") == figure(&first, 1, "tx"), "{second:#}");
    server.log.wait_for("Respawned uWSGI worker 1");
    server.get("/");
    let third = wait_for(&server, |document| figure(document, 1, "requests") == 7);
    assert_eq!(figure(&third, 1, "delta_requests"), 1);
    let cores = third["workers"][0]["cores"].as_array().expect("cores");
    assert_eq!(cores.iter().filter_map(|core| core["requests"].as_u64()).sum::<u64>(), 7);
}

#[test]
fn what_workers_did_is_kept_over_reloads_and_another_binary_of_the_master() {
    let launch = unsteady();
    let stats = stats_path(launch.dir());
    let server = launch.set("stats", stats.display()).start();
    for round in 1..=3 {
        for _ in 0..10 {
            server.get("/");
        }
        wait_for(&server, |document| sum(document, "requests") == 10 * round);
        match round {
            1 => reload(&server),
            _ => {
                let seen = server.log.position();
                tell(&server, "u");
                server.log.wait_for_after(seen, "the master (pid");
            }
        }
        assert_eq!(sum(&document(&server), "requests"), 10 * round);
    }
}

#[test]
fn a_number_that_nobody_has_is_cheap() {
    let server = telling().set("workers", 3).set("cheaper", 1).start();
    let document = document(&server);
    let workers = document["workers"].as_array().expect("workers");
    assert_eq!(workers.len(), 3);
    let told: Vec<_> = workers.iter().map(|worker| (worker["id"].as_u64(), worker["status"].as_str())).collect();
    assert_eq!(told, [(Some(1), Some("idle")), (Some(2), Some("cheap")), (Some(3), Some("cheap"))]);
    for name in ["pid", "accepting", "last_spawn", "respawn_count", "rss"] {
        assert_eq!(figure(&document, 3, name), 0, "{name}");
    }
    assert_eq!(figure(&document, 1, "accepting"), 1);
    assert!(operator(&server, "--pause").status.success());
    wait_for(&server, |document| document["workers"][0]["status"] == "pause");
}

#[test]
fn a_request_under_way_is_told_without_its_secrets() {
    let server = telling().set("workers", 1).start();
    let secrets: [(&str, &[u8]); 2] = [("HTTP_COOKIE", b"session=s3cret"), ("HTTP_AUTHORIZATION", b"Basic s3cret")];
    let request = held(&server, &secrets);
    let document = wait_for(&server, |document| !variables(document).is_empty());
    let told = variables(&document);
    assert!(told.contains(&"REQUEST_URI=/echo".to_owned()) && told.contains(&"REQUEST_METHOD=POST".to_owned()));
    assert_eq!(told.last().map(String::as_str), Some(""), "as uWSGI's list ends");
    assert!(!document.to_string().contains("s3cret") && !document.to_string().contains("token"), "{document:#}");
    assert_eq!(document["workers"][0]["status"], "busy");
    assert!(document["workers"][0]["cores"][0]["req_info"]["request_start"].as_u64().is_some_and(|start| start > 0));
    let_go(request);
    wait_for(&server, |document| variables(document).is_empty() && document["workers"][0]["status"] == "idle");
}

#[test]
fn whatever_a_request_holds_the_document_is_json_and_all_of_it_can_be_asked_for() {
    let server = telling().set("workers", 1).set("stats-variables", true).start();
    let odd: Vec<u8> = (0..=255).collect();
    let values: [(&str, &[u8]); 4] =
        [("HTTP_COOKIE", b"session=s3cret"), ("HTTP_X_ODD", &odd), ("HTTP_X_CUT", b"\xe2\x82"), ("A\"\\\x01", b"\"")];
    let request = held(&server, &values);
    let told = variables(&wait_for(&server, |document| !variables(document).is_empty()));
    let has = |variable: &str| told.iter().any(|told| told == variable);
    assert!(has("REQUEST_URI=/echo?token=secret") && has("HTTP_COOKIE=session=s3cret"), "{told:?}");
    assert!(has("HTTP_X_CUT=\u{fffd}") && has("A\"\\\u{1}=\""), "{told:?}");
    let_go(request);
    for number in 0..60 {
        // More than there is room for, and cut anywhere.
        let long: Vec<u8> = (0..2_000 + 7 * number).map(|byte: usize| (byte * 31 % 256) as u8).collect();
        let request = held(&server, &[("HTTP_X_LONG", &long), ("HTTP_X_ODD", &odd)]);
        wait_for(&server, |document| !variables(document).is_empty());
        let_go(request);
    }
}

#[test]
fn readers_who_never_read_keep_nobody_waiting() {
    // So large that it does not fit into the buffer of a socket.
    let server = telling().set("workers", 300).set("cheaper", 1).set("threads", 4).start();
    let workers = || parsed(&bytes_after(&stats_path(server.dir()), b""))["workers"].as_array().map(Vec::len);
    let length = bytes_after(&stats_path(server.dir()), b"").len();
    assert!(length > 400_000, "{length} bytes");
    let connect = |_| UnixStream::connect(stats_path(server.dir())).expect("connect");
    let stalled: Vec<UnixStream> = (0..200).map(connect).collect();
    for _ in 0..20 {
        server.get("/");
        assert_eq!(workers(), Some(300));
    }
    assert!(operator(&server, "--reload").status.success());
    drop(stalled);
}

#[test]
fn over_http_whatever_is_asked_is_answered_and_other_sites_are_not_let_read_it() {
    let server = telling().set("stats-http", true).set("stats-minified", true).start();
    let stats = stats_path(server.dir());
    for target in ["/", "/anything?x=1", "*"] {
        let page = page(&stats, target);
        assert_eq!((page.status, parsed(&page.body)["workers"].as_array().map(Vec::len)), (200, Some(2)));
        assert!(page.head.contains("Content-Type: application/json\r\n") && !page.head.contains("Access-Control"));
        assert!(!page.body.contains(&b'\n'));
    }
    let garbage = bytes_after(&stats, b"\0\xff\n\n");
    assert!(garbage.starts_with(b"HTTP/1.0 200 OK\r\n"), "{}", String::from_utf8_lossy(&garbage));
    let head = bytes_after(&stats, b"HEAD / HTTP/1.1\r\n\r\n");
    assert!(head.starts_with(b"HTTP/1.0 200 OK\r\n") && head.ends_with(b"\r\n\r\n"));
    // Byte by byte, and then nothing at all.
    let mut slow = UnixStream::connect(&stats).expect("connect");
    slow.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    b"GET /livez HTTP/1.0\r\n\r\n".iter().for_each(|byte| slow.write_all(&[*byte]).expect("ask"));
    let mut answer = String::new();
    slow.read_to_string(&mut answer).expect("an answer");
    assert!(answer.ends_with("\r\n\r\nalive\n"), "{answer}");
}

#[test]
fn a_reload_moves_it_and_leaves_no_file_behind() {
    let launch = unsteady();
    let stats = stats_path(launch.dir());
    let server = launch.set("stats", stats.display()).set("vacuum", true).start();
    let moved = server.dir().join("moved.sock");
    edit(&server, |text| text.replace("stats.sock", "moved.sock"));
    reload(&server);
    assert!(!stats.exists());
    assert!(parsed(&bytes_after(&moved, b"")).is_object());
    // What cannot be opened makes the reload fail, and everything stays as it was.
    std::fs::write(server.dir().join("taken"), b"").expect("write a file");
    edit(&server, |text| text.replace("moved.sock", "taken"));
    assert!(!operator(&server, "--reload").status.success());
    assert!(parsed(&bytes_after(&moved, b"")).is_object());
    edit(&server, |text| text.replace("taken", "moved.sock"));
    reload(&server);
    let directory = server.dir().to_owned();
    let mut server = server;
    server.expect_log("taken");
    server.expect_log("failed");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait_exit(), 0);
    assert!(!directory.join("moved.sock").exists());
    server.ends_with(0);
}

#[test]
fn uwsgitop_shows_an_instance() {
    let Some(python) = rivals::monitoring() else { return };
    let server = telling().set("workers", 2).start();
    for _ in 0..7 {
        server.get("/");
    }
    wait_for(&server, |document| sum(document, "requests") == 7);
    let pids: Vec<String> = server.workers().iter().map(|worker| worker.pid.to_string()).collect();
    let mut command = Command::new(python.with_file_name("uwsgitop"));
    let mut terminal = Terminal::running(command.arg(stats_path(server.dir())));
    let header = format!("uwsgi-{}", env!("CARGO_PKG_VERSION"));
    terminal.wait_for(&[&header, "req: 7", &pids[0], &pids[1], "idle"]);
    terminal.press("q");
    terminal.ends_well();
}

#[test]
fn its_socket_is_for_nobody_but_owner_and_group_unless_that_was_asked_for() {
    use std::os::unix::fs::PermissionsExt as _;
    let modes = |more: &[(&str, &str)]| {
        let launch = more.iter().fold(telling(), |launch, (key, value)| launch.set(key, value));
        let server = launch.start();
        let mode = |path: &Path| std::fs::metadata(path).expect("a socket").permissions().mode() & 0o777;
        let modes = (mode(server.socket()), mode(&stats_path(server.dir())));
        server.stop();
        modes
    };
    assert_eq!(modes(&[("chmod-socket", "666")]), (0o666, 0o660));
    assert_eq!(modes(&[("umask", "000")]), (0o777, 0o660));
    assert_eq!(modes(&[("chmod-socket", "600"), ("chmod-stats", "666")]), (0o600, 0o666));
}
