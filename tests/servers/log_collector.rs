//! Places for all lines of the log: by route, in their forms, up to the last one; a collector that dies or stands still; and
//! a reload that moves the log.

use std::fs;
use std::net::UdpSocket;
use std::path::Path;

use loadgen::packet::Request;
use nix::sys::signal::Signal;

use crate::harness::{Instance, Launch, PATIENCE, Process, wait_for_text, wait_until};
use crate::pythons::{applications, launch_in, one};
use crate::reloading::tell_fifo;

const FAILING: &str = "\
import logging, traceback
def application(environ, start_response):
    path = environ['PATH_INFO']
    try:
        {}['cart']
    except KeyError:
        if path == '/printed':
            traceback.print_exc()
        if path == '/logged':
            logging.getLogger('shop').exception('the shop failed')
        if path == '/raised':
            raise
    start_response('200 OK', [])
    return [b'']
";

/// The text of a file; none yet is an empty one.
fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn collector(server: &Instance) -> Option<Process> {
    server.processes().into_iter().find(|process| process.name == "rhinod logger")
}

#[test]
fn every_line_goes_to_the_places_that_want_it_up_to_the_last_one() {
    let receiver = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    receiver.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let launch = Launch::hello();
    let place = |name: &str| launch.dir().join(name);
    let (all, json, piped) = (place("all.log"), place("log.json"), place("piped"));
    let mut server = launch
        .line(format!("logger = file:{}", all.display()))
        .line(format!("logger = structured file:{}", json.display()))
        .line(format!("logger = structured pipe:cat >> {}", piped.display()))
        .line(format!("logger = far rsyslog5424:{},shop", receiver.local_addr().expect("its address")))
        .line("log-route = structured HTTP/1.1 404")
        .line("log-route = structured goodbye")
        .line("log-route = far GET /.far")
        .line("log-drain = GET /health")
        .line(r#"log-encoder = json:structured {"m":"${msg}"}"#)
        .spawn();
    wait_for_text(&all, "ready to serve");
    for target in ["/?first", "/health", "/nothing", "/?far", "/?last"] {
        server.ask(&Request::get(target).var("REMOTE_USER", b"\"x"));
    }
    let mut bytes = [0; 2_048];
    let count = receiver.recv(&mut bytes).expect("a line");
    let far = String::from_utf8_lossy(&bytes[..count]).into_owned();
    assert!(far.starts_with("<29>1 ") && far.contains(" shop ") && far.contains("GET /?far"), "{far}");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait_exit(), 0);
    // The master has waited for this.
    let (all, json) = (text(&all), text(&json));
    assert!(all.contains("GET /?first") && all.contains("GET /?last"), "{all}");
    assert!(!["GET /health", "GET /nothing", "GET /?far", "goodbye"].iter().any(|other| all.contains(other)), "{all}");
    let messages: Vec<String> = json
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .map(|value| value["m"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert!(messages.len() == 2 && messages[0].contains("GET /nothing"), "{messages:?}");
    assert!(messages[1].starts_with("goodbye"), "{messages:?}");
    assert!(wait_until(|| text(&piped) == json), "the command has what the file has: {}", text(&piped));
    let log = server.log.lines();
    assert!(!log.iter().any(|line| line.contains("ready to serve")), "{log:?}");
    server.ends_with(0);
}

#[test]
fn with_json_each_line_of_the_server_and_each_traceback_is_one_object() {
    let launch = launch_in(&one(), &applications()).set("module", "failing").set("workers", 1);
    fs::write(launch.dir().join("failing.py"), FAILING).expect("write the application");
    let (directory, log) = (launch.dir().display().to_string(), launch.dir().join("log.json"));
    let mut server = launch
        .set("chdir", directory)
        .line(format!("logger = file:{}", log.display()))
        .line(r#"log-encoder = json {"m":"${msg}"}"#)
        .line(format!("req-logger = file:{}", log.display()))
        .line(r#"log-format = {"uri":"%(uri)"}"#)
        .line("log-format-json = true")
        .spawn();
    wait_for_text(&log, "ready to serve");
    for target in ["/printed", "/logged", "/raised"] {
        server.get(target);
    }
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait_exit(), 0);
    let read =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let objects: Vec<_> = text(&log).lines().map(read).collect();
    let of = |key: &str| -> Vec<String> {
        objects.iter().filter_map(|object| object[key].as_str()).map(str::to_owned).collect()
    };
    let (messages, uris) = (of("m"), of("uri"));
    assert_eq!(uris, ["/printed", "/logged", "/raised"]);
    let tracebacks: Vec<_> = messages.iter().filter(|message| message.contains("Traceback")).collect();
    assert!(tracebacks.len() == 3 && tracebacks.iter().all(|one| one.ends_with("KeyError: 'cart'")), "{messages:#?}");
    assert!(!messages.iter().any(|message| message.starts_with(' ')), "{messages:#?}");
    server.ends_with(0);
}

#[test]
fn a_collector_that_dies_or_stands_still_holds_no_request_up() {
    let launch = Launch::hello().set("workers", 1);
    let lines = launch.dir().join("lines.log");
    let server = launch.line(format!("logger = named file:{}", lines.display())).line("log-route = named .").spawn();
    wait_for_text(&lines, "ready to serve");
    let first = collector(&server).expect("a collector");
    first.signal(Signal::SIGKILL);
    wait_for_text(&lines, &format!("the collector of the log (pid {}) killed by signal 9", first.pid));
    server.get("/after");
    wait_for_text(&lines, "GET /after");
    let second = collector(&server).expect("another collector");
    second.signal(Signal::SIGSTOP);
    // More than the pipe holds.
    let long = format!("/?{}", "x".repeat(2_000));
    for _ in 0..700 {
        assert_eq!(server.get(&long).status(), Some(200));
    }
    second.signal(Signal::SIGCONT);
    let told = wait_until(|| {
        server.get("/again");
        text(&lines).contains("lines of the log are missing here")
    });
    assert!(told);
    assert!(text(&lines).lines().all(|line| !line.contains("GET") || line.starts_with("[pid: ")), "whole lines only");
    server.stop();
}

#[test]
fn a_reload_moves_the_log_to_other_places_and_back() {
    let launch = Launch::hello().set("workers", 1);
    let (lines, fifo) = (launch.dir().join("lines.log"), launch.dir().join("fifo"));
    let mut server = launch.set("master-fifo", fifo.display()).start();
    assert!(collector(&server).is_none());
    let ini = server.dir().join("app.ini");
    let plain = text(&ini);
    fs::write(&ini, format!("{plain}logger = file:{}\nlog-encoder = prefix >\n", lines.display())).expect("write");
    tell_fifo(&fifo, "r");
    wait_for_text(&lines, ">reload done");
    assert!(wait_until(|| {
        server.get("/elsewhere");
        text(&lines).contains(" GET /elsewhere")
    }));
    fs::write(&ini, plain).expect("write");
    let seen = server.log.position();
    tell_fifo(&fifo, "r");
    assert!(wait_until(|| {
        server.get("/back");
        server.log.has_after(seen, " GET /back")
    }));
    assert!(wait_until(|| collector(&server).is_none()), "the collector ends when nobody writes to it any more");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait_exit(), 0);
    server.ends_with(0);
}
