//! Ten thousand requests that were made to break what tells of them: every line of the log and every document stays what it is to be,
//! and each request has one line.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use loadgen::packet::Request;
use serde_json::Value;

use crate::harness::{Launch, wait_until};
use crate::monitoring::{bytes_after, metrics_path, page, parsed, samples, stats_path};

const REQUESTS: usize = 10_000;
const CLIENTS: usize = 4;

/// Of so many requests one has a method that is none, and is refused: that has a line in the log, and none among requests.
const REFUSED_EVERY: usize = 7;

/// Of so many one has a long URI.
const LONG_EVERY: usize = 250;
const LONG_BYTES: usize = 60 * 1024;

/// What they are made of.
const PIECES: [&[u8]; 16] = [
    b"\"",
    b"\\",
    b"\"},{\"",
    b"\r\n",
    b"\n[pid: 1|app: 0|req: 1/1] 1.1.1.1 () {2 vars in 3 bytes} [x] GET / => generated 1 bytes",
    b"\0",
    b"\x1b[2J\x07",
    b"\xff\xfe",
    b"\xe2\x82",
    b"\xed\xa0\x80",
    "\u{2028}\u{85}\u{202e}".as_bytes(),
    b"%(uri)${msg}%s%n",
    b"</script><b>",
    b"# HELP x\nrhinod_requests_total 0",
    b"'; DROP TABLE",
    b"a",
];

/// The how many-th of them: the same in each run.
fn hostile(number: usize) -> Request {
    let mut random = fastrand::Rng::with_seed(number as u64);
    let mut text = |bytes: usize| {
        let mut text = b"/".to_vec();
        while text.len() < bytes {
            text.extend_from_slice(PIECES[random.usize(..PIECES.len())]);
        }
        text.truncate(bytes.max(1));
        text
    };
    let uri = text(if number.is_multiple_of(LONG_EVERY) { LONG_BYTES } else { 1 + number % 300 });
    let few = text(40);
    let method = if number.is_multiple_of(REFUSED_EVERY) { few.as_slice() } else { b"GET" };
    Request::get("/")
        .var("REQUEST_URI", &uri)
        .var("REQUEST_METHOD", method)
        .var("REMOTE_USER", &few)
        .var("REMOTE_ADDR", &few)
        .var("HTTP_HOST", &few)
        .var("HTTP_USER_AGENT", &few)
        .var("HTTP_REFERER", &few)
        .var("HTTP_TRACEPARENT", &few)
}

/// The lines of a file, each of which must be whole and text.
fn lines(path: &Path) -> Vec<String> {
    let text = String::from_utf8(fs::read(path).unwrap_or_default()).expect("text");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn every_line_and_document_of_ten_thousand_hostile_requests_can_be_read() {
    let launch = Launch::hello().set("workers", CLIENTS).set("buffer-size", 65_535).set("stats-variables", true);
    let (plain, json) = (launch.dir().join("plain.log"), launch.dir().join("json.log"));
    let (stats, metrics) = (stats_path(launch.dir()), metrics_path(launch.dir()));
    let mut server = launch
        .set("stats", stats.display())
        .set("metrics", metrics.display())
        .line(format!("req-logger = p file:{}", plain.display()))
        .line(format!("req-logger = j file:{}", json.display()))
        .line("log-req-route = j .")
        .line("log-req-route = p .")
        .line(r#"log-req-encoder = json:j {"m":"${msg}"}"#)
        .line("log-req-encoder = nl:j")
        .start();
    let refused = REQUESTS.div_ceil(REFUSED_EVERY);
    let answered = REQUESTS - refused;
    server.expect_log("request refused with status 400: REQUEST_METHOD is not a token");
    let (over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let looks = std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut looks = 0;
            while !over.load(Ordering::Relaxed) {
                parsed(&bytes_after(&stats, b""));
                String::from_utf8(page(&metrics, "/metrics").body).expect("metrics are text");
                looks += 1;
            }
            looks
        });
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let number = asked.fetch_add(1, Ordering::Relaxed);
                        if number >= REQUESTS {
                            return;
                        }
                        server.ask(&hostile(number));
                    }
                })
            })
            .collect();
        // Whether one panicked is told when all have ended.
        let ended: Vec<_> = clients.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        over.store(true, Ordering::Relaxed);
        assert!(ended.iter().all(Result::is_ok));
        watching.join().expect("every document can be read")
    });
    assert!(looks > 0);
    let all = || lines(&json).len() >= answered && lines(&plain).len() >= answered;
    assert!(wait_until(all), "{} and {} lines", lines(&plain).len(), lines(&json).len());
    let (plain, json) = (lines(&plain), lines(&json));
    assert_eq!((plain.len(), json.len()), (answered, answered), "one line for each request");
    assert!(plain.iter().all(|line| line.starts_with("[pid: ") && line.contains(" => generated ")));
    for line in &json {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let message = line["m"].as_str().expect("a message");
        assert!(message.starts_with("[pid: ") && message.contains(" => generated "), "{message}");
    }
    if let Some(samples) = samples(&page(&metrics, "/metrics").body, false) {
        assert_eq!(samples["rhinod_requests_total"], answered as f64);
    }
    assert_eq!(server.log.lines_with("request refused with status 400").len(), refused);
    server.stop();
}
