//! The log: request lines in uWSGI's form to the letter (uWSGI's manual, "Formatting uWSGI requests logs"), which of
//! them there are, and that nothing from outside can forge or break one.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::harness::{Instance, Launch, PATIENCE, wait_for_text};
use loadgen::packet::Request;
use nix::sys::signal::Signal;

/// The request line that comes after line number `position`.
fn request_line(server: &Instance, position: usize) -> String {
    server.log.wait_for_after(position, "[pid: ").text
}

/// Takes `line` apart along `pattern`, in which `*` stands for anything; returns what the stars stood for.
fn matched<'l>(line: &'l str, pattern: &str) -> Vec<&'l str> {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let mut rest = line.strip_prefix(first).unwrap_or_else(|| panic!("{line:?} does not begin with {first:?}"));
    let mut found = Vec::new();
    for part in parts {
        let at = if part.is_empty() { Some(rest.len()) } else { rest.find(part) };
        let at = at.unwrap_or_else(|| panic!("no {part:?} in {rest:?} of {line:?}"));
        found.push(&rest[..at]);
        rest = &rest[at + part.len()..];
    }
    assert!(rest.is_empty(), "{rest:?} is left of {line:?}");
    found
}

#[test]
fn a_request_has_uwsgis_line() {
    let server = Launch::hello().set("workers", 1).start();
    let pid = server.workers()[0].pid.to_string();
    let request = Request::get("/echo?x=1").method("POST").body("text/plain", b"12345".to_vec());
    let request = request.var("REMOTE_ADDR", b"10.0.0.9").var("REMOTE_USER", b"ann");
    let packet = request.to_uwsgi().expect("a small request");
    let block = (packet.len() - 4 - 5).to_string();
    let reply = server.send(&packet);
    let head = (reply.bytes.len() - 5).to_string();
    let line = request_line(&server, 0);
    let pattern = "[pid: *|app: 0|req: */*] * (*) {* vars in * bytes} [*] * * => generated * bytes in * msecs \
                   (HTTP/1.1 *) * headers in * bytes (* switches on core *)";
    let found = matched(&line, pattern);
    let [
        own,
        first,
        all,
        address,
        user,
        vars,
        bytes,
        time,
        method,
        uri,
        body,
        msecs,
        status,
        headers,
        sent,
        switches,
        core,
    ] = found[..]
    else {
        panic!("{found:?}")
    };
    assert_eq!((own, first, all), (pid.as_str(), "1", "1"));
    assert_eq!((address, user, vars, bytes), ("10.0.0.9", "ann", "36", block.as_str()), "18 keys, 18 values");
    assert_eq!((method, uri, body, status), ("POST", "/echo?x=1", "5", "200"));
    assert_eq!((headers, sent, switches, core), ("2", head.as_str(), "1", "0"));
    assert!(msecs.parse::<u64>().is_ok_and(|ms| ms < 60_000), "{msecs}");
    // Mon Nov 23 07:58:15 2026
    let words: Vec<&str> = time.split_ascii_whitespace().collect();
    assert!(time.len() == 24 && words.len() == 5 && words[3].len() == 8, "{time:?}");
}

#[test]
fn requests_are_counted_for_the_worker_and_for_the_instance() {
    let server = Launch::hello().start();
    for _ in 0..20 {
        server.get("/");
    }
    let lines = server.log.wait_for_count(20, "[pid: ");
    let mut counts = std::collections::BTreeMap::new();
    for line in &lines {
        let found = matched(&line.text, "[pid: *|app: 0|req: */*] *");
        let own: u32 = found[1].parse().expect("a number");
        let before = counts.insert(found[0].to_owned(), own).unwrap_or(0);
        assert_eq!(own, before + 1, "{}", line.text);
    }
    assert_eq!(counts.values().sum::<u32>(), 20);
    assert!(lines.iter().any(|line| line.text.contains("/20] ")), "the instance's own count reaches 20");
}

#[test]
fn a_stream_a_file_and_a_head_say_what_was_sent() {
    let mut server = Launch::hello().start();
    server.expect_log("the application panicked at");
    let cases = [
        (
            "/stream?n=3",
            "GET",
            " => generated 24 bytes in ",
            " msecs (HTTP/1.1 200) 1 headers in ",
            "(3 switches on core 0)",
        ),
        (
            "/file",
            "GET",
            " => generated ",
            " msecs via sendfile() (HTTP/1.1 200) 2 headers in ",
            "(0 switches on core 0)",
        ),
        ("/", "HEAD", " => generated 0 bytes in ", " msecs (HTTP/1.1 200) 2 headers in ", " on core 0)"),
        ("/panic", "GET", " => generated 22 bytes in ", " msecs (HTTP/1.1 500) 2 headers in ", " on core 0)"),
    ];
    for (target, method, generated, status, end) in cases {
        let position = server.log.position();
        server.ask(&Request::get(target).method(method));
        let line = request_line(&server, position);
        for part in [generated, status, end] {
            assert!(line.contains(part), "no {part:?} in {line:?}");
        }
    }
}

/// The request line, and with the others the one on the wire: what is not the application's is not logged as its own.
#[test]
fn disable_logging_turns_request_lines_off_and_nothing_else() {
    let server = Launch::hello().set("disable-logging", true).start();
    for _ in 0..5 {
        server.get("/");
    }
    let reply = server.get("/nowhere");
    assert_eq!(reply.status(), Some(404));
    server.signal(Signal::SIGTERM);
    server.log.wait_for("goodbye to uWSGI.");
    assert_eq!(server.log.lines_with("[pid: "), Vec::<String>::new());
    assert_eq!(server.log.lines_with("spawned uWSGI worker").len(), 2);
    server.ends_with(0);
}

#[test]
fn some_requests_can_be_logged_all_the_same() {
    let server = Launch::hello().set("disable-logging", true).set("log-4xx", true).set("log-slow", 50).start();
    server.get("/");
    server.get("/nowhere");
    server.get("/sleep?ms=60");
    let lines = server.log.wait_for_count(2, "[pid: ");
    assert!(lines[0].text.contains("GET /nowhere => "), "{}", lines[0].text);
    assert!(lines[1].text.contains("GET /sleep?ms=60 => "), "{}", lines[1].text);
    let slow = server.log.wait_for("slow request: GET /sleep?ms=60 took ").text;
    assert!(slow.contains(" ms in the application (worker ") && slow.ends_with(", core 0)"), "{slow}");
}

#[test]
fn empty_big_and_sent_files_can_be_logged_too() {
    let conditions = [
        ("log-zero", "true", "/nowhere", "/stream?n=0"),
        ("log-big", "64", "/", "/stream?n=9"),
        ("log-sendfile", "true", "/stream?n=9", "/file"),
    ];
    for (option, value, quiet, logged) in conditions {
        let server = Launch::hello().set("disable-logging", true).set(option, value).start();
        server.get(quiet);
        server.get(logged);
        let line = request_line(&server, 0);
        assert!(line.contains(&format!("GET {logged} => ")), "{option}: {line}");
    }
}

#[test]
fn requests_whose_client_went_away_can_be_logged() {
    let server = Launch::hello().set("disable-logging", true).set("log-ioerror", true).start();
    server.get("/");
    let packet = Request::get("/echo").method("POST").var("CONTENT_LENGTH", b"5").to_uwsgi().expect("a small request");
    UnixStream::connect(server.socket()).and_then(|mut stream| stream.write_all(&packet)).expect("half a request");
    let line = request_line(&server, 0);
    assert!(line.contains("POST /echo => "), "{line}");
}

#[test]
fn a_handler_can_force_its_line_and_put_something_into_it() {
    let format = "%(method) %(uri) %(status) note=%(note) end";
    let server = Launch::hello().set("workers", 1).set("disable-logging", true).set("log-format", format).start();
    server.get("/");
    server.get("/note?text=a%0Ab");
    server.get("/note");
    let lines = server.log.wait_for_count(2, " end");
    assert_eq!(lines[0].text, "GET /note?text=a%0Ab 200 note=a\\x0ab end");
    assert_eq!(lines[1].text, "GET /note 200 note=- end");
    assert_eq!(server.log.lines_with(" end").len(), 2);
}

/// uWSGI's manual, "Formatting uWSGI requests logs": the form that most people use.
#[test]
fn log_format_can_be_apaches_combined_form() {
    let format = r#"%(addr) - %(user) [%(ltime)] "%(method) %(uri) %(proto)" %(status) %(size) "%(referer)" "%(uagent)" %(micros)us"#;
    let server = Launch::hello().set("log-format", format).start();
    let forged = b"x\" 200\n1.2.3.4 - - \x1b[0m\xff";
    let request = Request::get("/?q=1").var("REMOTE_ADDR", b"10.0.0.9").var("HTTP_USER_AGENT", forged);
    let bytes = server.ask(&request).bytes.len().to_string();
    let line = server.log.wait_for("10.0.0.9").text;
    let found = matched(&line, r#"10.0.0.9 - - [*] "GET /?q=1 HTTP/1.1" 200 * "-" "*" *us"#);
    let [time, size, agent, micros] = found[..] else { panic!("{found:?}") };
    assert_eq!(size, bytes);
    assert_eq!(agent, "x\\x22 200\\x0a1.2.3.4 - - \\x1b[0m\\xff");
    // 23/Nov/2026:08:22:57 +0000
    assert!(time.len() == 26 && time.as_bytes()[11] == b':' && matches!(time.as_bytes()[21], b'+' | b'-'), "{time}");
    assert!(micros.parse::<u64>().is_ok(), "{micros}");
}

#[test]
fn log_format_can_be_json_whatever_a_client_sends() {
    let format =
        r#"{"agent":"%(uagent)","trace":"%(var.HTTP_X_TRACE)","worker":%(wid),"all":%(metric.worker.0.requests)}"#;
    let server = Launch::hello().set("workers", 1).set("log-format", format).set("log-format-json", true).start();
    server.ask(&Request::get("/").var("HTTP_USER_AGENT", b"\"a\\\n\xff").var("HTTP_X_TRACE", b"t-1"));
    let line = server.log.wait_for("\"agent\"").text;
    let read: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
    assert_eq!(read, serde_json::json!({"agent": "\"a\\\n\u{fffd}", "trace": "t-1", "worker": 1, "all": 1}));
}

#[test]
fn times_can_be_in_microseconds() {
    let server = Launch::hello().set("log-micros", true).start();
    server.get("/sleep?ms=20");
    let line = request_line(&server, 0);
    let micros = matched(&line, "* bytes in * micros (HTTP*")[1];
    assert!(micros.parse::<u64>().is_ok_and(|micros| micros >= 20_000), "{line}");
}

#[test]
fn memory_can_be_reported() {
    let server = Launch::hello().set("memory-report", true).start();
    server.get("/");
    let line = request_line(&server, 0);
    let pattern = "{address space usage: * bytes/*MB} {rss usage: * bytes/*MB} [pid: *";
    let found = matched(&line, pattern);
    assert!(found[..4].iter().all(|number| number.parse::<u64>().is_ok()), "{line}");
}

/// Two faults of uWSGI's: forged lines, and memory that leaks into the
/// log.
#[test]
fn nothing_from_outside_forges_a_line() {
    let server = Launch::hello().start();
    let forged = b"/x\n[pid: 1|app: 0|req: 1/1] forged\x1b[31m\"\\\xff";
    let user = b"eve) {\r\n";
    server.ask(&Request::get("/").var("REQUEST_URI", forged).var("REMOTE_USER", user));
    let line = request_line(&server, 0);
    assert!(line.contains("/x\\x0a[pid: 1|app: 0|req: 1/1] forged\\x1b[31m\\x22\\x5c\\xff => "), "{line}");
    assert!(line.contains("(eve) {\\x0d\\x0a) {"), "{line}");
    server.get("/");
    assert_eq!(server.log.wait_for_count(2, "[pid: ").len(), 2, "one line a request");
}

#[test]
fn a_long_uri_is_cut_and_leaks_nothing_when_the_client_hangs_up() {
    let server = Launch::hello().start();
    let long = [b"/".as_slice(), &[b'u'; 30_000]].concat();
    let packet = Request::get("/stream?n=100000").var("REQUEST_URI", &long).to_uwsgi().expect("it fits");
    for _ in 0..3 {
        let mut stream = UnixStream::connect(server.socket()).expect("connect");
        stream.write_all(&packet).expect("send");
    }
    for line in server.log.wait_for_count(3, "[pid: ") {
        assert!(line.text.contains("uuu... => generated "), "{}", line.text);
        assert!(line.text.len() < 4_096, "{} bytes", line.text.len());
    }
    assert!(server.log.lines().iter().all(|line| !line.contains('\0') && line.len() < 4_096));
}

/// Each line is one write, also when many processes and threads write at once.
#[test]
fn lines_of_many_workers_never_mix() {
    let server = Launch::hello().set("workers", 4).set("threads", 4).start();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| (0..50).for_each(|_| drop(server.get("/stream?n=2"))));
        }
    });
    let lines = server.log.wait_for_count(800, "[pid: ");
    assert_eq!(lines.len(), 800);
    for line in lines {
        matched(&line.text, "[pid: *|app: 0|req: */*] 127.0.0.1 () {* vars in * bytes} [*] GET /stream?n=2 => *");
        assert!(line.text.ends_with(')'), "{}", line.text);
    }
}

#[test]
fn life_cycle_lines_are_uwsgis() {
    let server = Launch::hello().start();
    let socket = format!("socket 0 bound to {}", server.socket().display());
    server.log.wait_for(&socket);
    let workers = server.workers();
    for (number, worker) in (1..).zip(&workers) {
        let line = format!("spawned uWSGI worker {number} (pid: {}, cores: 1)", worker.pid);
        assert_eq!(server.log.lines_with(&line), [line]);
    }
    server.signal(Signal::SIGTERM);
    assert!(server.log.wait_for_end(PATIENCE));
    for number in 1..=2 {
        assert_eq!(server.log.lines_with(&format!("worker {number} buried after ")).len(), 1);
    }
    assert_eq!(server.log.lines().last().map(String::as_str), Some("goodbye to uWSGI."));
    server.ends_with(0);
}

#[test]
fn lines_can_have_a_date() {
    let server = Launch::hello().set("log-date", "%%Y-%%m-%%d").start();
    let line = server.log.wait_for("spawned uWSGI worker 1").text;
    let (date, rest) = line.split_once(" - ").unwrap_or_else(|| panic!("no date in {line:?}"));
    assert!(rest.starts_with("spawned") && date.len() == 10, "{line:?}");
    server.get("/");
    assert!(request_line(&server, 0).starts_with("[pid: "), "request lines have their own date");
}

/// What logrotate does: the file is renamed, then the instance is told. Nobody writes to the old one any more: neither
/// the workers that there are, nor those that are forked afterwards, nor a new generation.
#[test]
fn a_renamed_log_is_opened_anew_by_every_process() {
    let launch = Launch::hello().set("workers", 1).set("logfile-chmod", 604);
    let (log, old) = (launch.dir().join("log"), launch.dir().join("log.1"));
    let (touch, fifo) = (launch.dir().join("touch"), launch.dir().join("fifo"));
    let launch = launch.set("logto", "log").set("touch-logreopen", touch.display()).set("master-fifo", fifo.display());
    let server = launch.set("chdir", "/").spawn();
    wait_for_text(&log, "ready to serve");
    let text = |path: &Path| fs::read_to_string(path).expect("a log");
    let rename_and = |tell: &dyn Fn()| {
        fs::rename(&log, &old).expect("rename the log");
        tell();
        wait_for_text(&log, " reopened.");
        assert!(text(&old).trim_end().ends_with("triggering log-reopen..."), "{}", text(&old));
    };
    let speaks_here_only = |target: &str| {
        let before = text(&old);
        server.get(target);
        wait_for_text(&log, &format!("GET {target} => "));
        assert_eq!(text(&old), before);
    };
    rename_and(&|| fs::write(&touch, "").expect("touch"));
    assert_eq!(fs::metadata(&log).expect("the new log").permissions().mode() & 0o777, 0o604);
    speaks_here_only("/?worker");
    let workers = server.processes().into_iter().filter(|process| process.name == "rhinod worker 1");
    workers.for_each(|worker| worker.signal(Signal::SIGKILL));
    wait_for_text(&log, "Respawned uWSGI worker 1");
    speaks_here_only("/?successor");
    rename_and(&|| fs::write(&fifo, "l").expect("write to the fifo"));
    server.signal(Signal::SIGHUP);
    wait_for_text(&log, "reload done: generation 2 serves");
    speaks_here_only("/?generation");
    server.stop();
}

#[test]
fn a_log_is_emptied_at_start_given_away_and_opened_anew_by_a_reload() {
    let launch = Launch::hello().set("log-truncate", true).set("log-reopen", true);
    let (log, old) = (launch.dir().join("log"), launch.dir().join("log.1"));
    fs::set_permissions(launch.dir(), fs::Permissions::from_mode(0o777)).expect("a directory for everyone");
    fs::write(&log, "of yesterday\n").expect("an old log");
    let is_root = nix::unistd::Uid::effective().is_root();
    let launch = match is_root {
        true => launch.set("uid", 12345).set("gid", 23456).set("chmod-socket", 666).set("logfile-chown", true),
        false => launch,
    };
    let server = launch.set("logto", log.display()).spawn();
    assert!(!wait_for_text(&log, "ready to serve").contains("of yesterday"));
    if is_root {
        let owner = fs::metadata(&log).expect("the log");
        assert_eq!((owner.uid(), owner.gid()), (12345, 23456));
    }
    fs::rename(&log, &old).expect("rename the log");
    server.signal(Signal::SIGHUP);
    wait_for_text(&log, "reload done: generation 2 serves");
    server.get("/?reloaded");
    wait_for_text(&log, "GET /?reloaded => ");
    server.stop();
}
