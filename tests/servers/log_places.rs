//! Where lines go besides the log: files, sockets and syslog for request lines, with their routes and forms; places that are
//! slow, full or gone; and logs that are moved away.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use loadgen::packet::Request;
use serde_json::Value;

use crate::harness::{Launch, PATIENCE, wait_for_text, wait_until};
use crate::reloading::tell_fifo;

/// The whole lines of a file; of one that is just being written a reader may see the beginning.
fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(str::to_owned).collect()
}

#[test]
fn request_lines_go_to_their_places_by_route_and_the_rest_to_the_log() {
    let launch = Launch::hello();
    let place = |name: &str| launch.dir().join(name);
    let (all, errors) = (place("all.log"), place("errors.log"));
    let server = launch
        .line(format!("req-logger = file:{}", all.display()))
        .line(format!("req-logger = missing file:{}", errors.display()))
        .line("log-req-route = missing HTTP/1.1 404")
        .start();
    server.get("/");
    server.get("/nothing");
    server.get("/?last");
    assert!(wait_until(|| (lines(&all).len(), lines(&errors).len()) == (2, 1)));
    let (all, errors) = (lines(&all), lines(&errors));
    assert!(
        errors[0].contains("GET /nothing") && !all.iter().any(|line| line.contains("/nothing")),
        "{all:?} {errors:?}"
    );
    assert!(all[0].starts_with("[pid: ") && all[0].ends_with("on core 0)"), "{all:?}");
    let log = server.log.lines();
    assert!(!log.iter().any(|line| line.starts_with("[pid: ")), "{log:?}");
}

#[test]
fn every_line_is_json_whatever_clients_send() {
    let launch = Launch::hello();
    let requests = launch.dir().join("requests.json");
    let server = launch
        .line(format!("req-logger = file:{}", requests.display()))
        .line(r#"log-req-encoder = json {"t":"${strftime:%%Y-%%m-%%dT%%H:%%M:%%S}","unix":${unix},"m":"${msg}"}"#)
        .line("log-req-encoder = nl")
        .start();
    let odd: Vec<u8> = (0..=255).collect();
    let uris: [&[u8]; 5] = [&odd, b"/\"\\\"},{\"", b"/\xe2\x82", b"/\r\n[pid: 1]", &[b'"'; 30_000]];
    for uri in uris {
        server.ask(&Request::get("/").var("REQUEST_URI", uri).var("REMOTE_USER", uri));
    }
    assert!(wait_until(|| lines(&requests).len() == uris.len()), "{:?}", lines(&requests));
    for line in lines(&requests) {
        let value: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(value["unix"].is_u64() && value["m"].as_str().is_some_and(|line| line.starts_with("[pid: ")), "{line}");
    }
}

#[test]
fn a_place_that_takes_nothing_holds_no_request_up_and_is_told_of() {
    let launch = Launch::hello().set("workers", 1);
    let path = launch.dir().join("logger.sock");
    let mut server = launch.line(format!("req-logger = socket:{}", path.display())).start();
    server.expect_log("req-logger socket:");
    // Nobody is there.
    assert_eq!(server.get("/").status(), Some(200));
    server.log.wait_for("does not take lines");
    let receiver = UnixDatagram::bind(&path).expect("a socket");
    receiver.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut bytes = [0; 2_048];
    let told = wait_until(|| {
        server.get("/back");
        let count = receiver.recv(&mut bytes).expect("a line");
        assert!(bytes[..count].starts_with(b"[pid: ") && bytes[..count].ends_with(b")\n"));
        server.log.lines().iter().any(|line| line.contains("takes lines again; 1 were lost here"))
    });
    assert!(told, "{}", server.log.tail());
    // It is there and does not read: more than the kernel keeps for it.
    let seen = server.log.position();
    let full = wait_until(|| {
        (0..50).for_each(|_| assert_eq!(server.get("/?full").status(), Some(200)));
        server.log.lines()[seen..].iter().any(|line| line.contains("does not take lines"))
    });
    assert!(full, "{}", server.log.tail());
    assert_eq!(server.get("/").status(), Some(200));
}

#[test]
fn syslog_of_another_machine_gets_a_line_for_each_request() {
    let receiver = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    receiver.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let address = receiver.local_addr().expect("its address");
    let server = Launch::hello().line(format!("req-logger = rsyslog:{address},shop")).start();
    server.get("/first");
    let mut bytes = [0; 2_048];
    let count = receiver.recv(&mut bytes).expect("a line");
    let line = String::from_utf8_lossy(&bytes[..count]).into_owned();
    assert!(line.starts_with("<29>") && line.contains(" shop: [pid: ") && line.contains("GET /first"), "{line}");
}

#[test]
fn a_file_that_cannot_be_opened_keeps_the_instance_from_starting() {
    let launch = Launch::hello();
    let nowhere = launch.dir().join("no/such/directory/log");
    let failed = launch.line(format!("req-logger = file:{}", nowhere.display())).fails();
    assert_eq!(failed.code, 73, "{:?}", failed.lines);
    assert!(failed.lines.iter().any(|line| line.contains("req-logger")), "{:?}", failed.lines);
}

#[test]
fn a_log_is_moved_away_when_asked_and_never_over_another() {
    let launch = Launch::hello();
    let place = |name: &str| launch.dir().join(name);
    let (log, touched, fifo, old) = (place("app.log"), place("touched"), place("fifo"), place("old.log"));
    fs::write(&touched, "").expect("write a file");
    let mut server = launch
        .set("logger", format!("file:{}", log.display()))
        .set("log-backupname", old.display())
        .set("touch-logrotate", touched.display())
        .set("master-fifo", fifo.display())
        .spawn();
    wait_for_text(&log, "ready to serve");
    tell_fifo(&fifo, "L");
    wait_for_text(&log, "reopened.");
    let first = fs::read_to_string(&old).expect("the log of before");
    assert!(first.contains("ready to serve") && first.contains(&format!("triggering rotation to {}", old.display())));
    server.get("/after");
    wait_for_text(&log, "GET /after");
    assert!(!fs::read_to_string(&old).expect("the log of before").contains("GET /after"));
    fs::write(&touched, "again").expect("touch");
    let second = old.with_file_name("old.log.1");
    wait_for_text(&second, "GET /after");
    assert_eq!(fs::read_to_string(&old).expect("the first one").lines().next(), first.lines().next());
    wait_for_text(&log, "reopened.");
    server.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(server.wait_exit(), 0);
    server.ends_with(0);
}

#[test]
fn a_log_that_is_too_large_is_moved_away() {
    let launch = Launch::hello();
    let log = launch.dir().join("app.log");
    let mut server = launch.set("logto", log.display()).set("log-maxsize", 20_000).spawn();
    wait_for_text(&log, "ready to serve");
    let moved = |server: &crate::harness::Instance| {
        let names = fs::read_dir(server.dir()).expect("the directory").flatten().map(|entry| entry.file_name());
        names.filter(|name| name.to_string_lossy().starts_with("app.log.")).count()
    };
    let is_moved = wait_until(|| {
        (0..20).for_each(|_| drop(server.get("/")));
        moved(&server) > 0
    });
    assert!(is_moved, "{} bytes", fs::metadata(&log).map_or(0, |found| found.len()));
    server.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(server.wait_exit(), 0);
    server.ends_with(0);
}
