//! The client against servers of this process that behave, and misbehave, in known ways.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::*;

const HELLO: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world\n";

/// Serves one connection after the other with a function, until dropped.
struct Scripted {
    dir: tempfile::TempDir,
    connections: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Scripted {
    fn start(serve: impl Fn(&mut UnixStream) + Send + 'static) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(dir.path().join("s")).expect("a socket");
        let (connections, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, end) = (connections.clone(), over.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                count.fetch_add(1, Ordering::Relaxed);
                serve(&mut stream.expect("a connection"));
            }
        });
        Self { dir, connections, over, thread: Some(thread) }
    }

    fn target(&self) -> Target {
        Target::Unix(self.dir.path().join("s"))
    }

    fn load(&self, requests: u64) -> Load {
        load(self.target(), requests)
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _woken = UnixStream::connect(self.dir.path().join("s"));
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the server of the test panicked");
        }
    }
}

fn load(target: Target, requests: u64) -> Load {
    Load::new(target, Wire::Uwsgi, &Request::get("/"), 2, Until::Requests(requests)).expect("it fits")
}

fn run(load: &Load) -> Report {
    load.run(&AtomicBool::new(false)).expect("a run")
}

/// Takes one uwsgi packet off the stream and returns its body's length as announced.
fn read_packet(stream: &mut UnixStream) -> usize {
    let mut header = [0; 4];
    stream.read_exact(&mut header).expect("a header");
    let mut block = vec![0; usize::from(u16::from_le_bytes([header[1], header[2]]))];
    stream.read_exact(&mut block).expect("a block");
    let key = b"CONTENT_LENGTH";
    let at = block.windows(key.len()).position(|window| window == key).expect("always sent") + key.len();
    let digits = usize::from(u16::from_le_bytes([block[at], block[at + 1]]));
    String::from_utf8_lossy(&block[at + 2..at + 2 + digits]).parse().unwrap_or(0)
}

fn answer(bytes: &'static [u8]) -> impl Fn(&mut UnixStream) + Send {
    move |stream| {
        read_packet(stream);
        stream.write_all(bytes).expect("room in the socket");
    }
}

#[test]
fn good_replies_are_counted_with_their_bytes() {
    let server = Scripted::start(answer(HELLO));
    let report = run(&server.load(100));
    assert_eq!((report.counts.ok, report.counts.failed()), (100, 0));
    assert_eq!(report.received_bytes, 100 * HELLO.len() as u64);
    assert_eq!(server.connections.load(Ordering::Relaxed), 100);
    assert!(report.latency.p50_us > 0.0 && report.latency.max_us >= report.latency.p50_us);
}

#[test]
fn a_reply_that_arrives_byte_by_byte_is_whole() {
    let server = Scripted::start(|stream| {
        read_packet(stream);
        for byte in HELLO {
            stream.write_all(&[*byte]).expect("room in the socket");
        }
    });
    assert_eq!(run(&server.load(10)).counts.ok, 10);
}

#[test]
fn each_way_to_fail_has_its_own_count() {
    type Case = (&'static [u8], fn(&Counts) -> u64);
    let cases: [Case; 5] = [
        (b"", |counts| counts.empty),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\nHello, world\n", |counts| counts.short),
        (b"HTTP/1.1 200 OK\r\nContent-", |counts| counts.short),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", |counts| counts.bad_status),
        (b"Status: 200\r\n\r\n", |counts| counts.malformed),
    ];
    for (bytes, count) in cases {
        let server = Scripted::start(answer(bytes));
        let counts = run(&server.load(7)).counts;
        assert_eq!((count(&counts), counts.failed(), counts.ok), (7, 7, 0), "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn a_close_with_the_request_unread_is_a_reset() {
    let server = Scripted::start(|stream| {
        stream.read_exact(&mut [0]).expect("a byte");
    });
    let counts = run(&server.load(5)).counts;
    assert_eq!((counts.reset, counts.failed()), (5, 5));
}

#[test]
fn silence_is_cut_off_by_patience() {
    let server = Scripted::start(|stream| {
        // Ends when the client gives up.
        stream.read_to_end(&mut Vec::new()).expect("the rest");
    });
    let mut load = server.load(2);
    load.patience = Duration::from_millis(20);
    let counts = run(&load).counts;
    assert_eq!((counts.timed_out, counts.failed()), (2, 2));
}

#[test]
fn nobody_there_is_refused_until_somebody_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("late");
    let load = load(Target::Unix(path.clone()), 3);
    let client = std::thread::spawn(move || run(&load));
    let listener = UnixListener::bind(&path).expect("a socket");
    for _ in 0..3 {
        answer(HELLO)(&mut listener.accept().expect("a client").0);
    }
    let counts = client.join().expect("no panic").counts;
    assert_eq!(counts.ok, 3);
    assert_eq!(counts.failed(), counts.refused);
}

#[test]
fn a_run_by_time_against_nobody_ends_with_its_time_and_says_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut load = load(Target::Unix(dir.path().join("none")), 1);
    load.until = Until::Elapsed(Duration::from_millis(30));
    let counts = run(&load).counts;
    assert!(counts.refused > 2, "{counts:?}");
    assert_eq!((counts.abandoned, counts.ok), (2, 0));
}

#[test]
fn a_refused_tcp_connection_is_refused_too() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let target = Target::Tcp(listener.local_addr().expect("an address"));
    drop(listener);
    let mut load = load(target, 1);
    load.until = Until::Elapsed(Duration::from_millis(20));
    let counts = run(&load).counts;
    assert!(counts.refused > 0 && counts.ok == 0 && counts.reset == 0, "{counts:?}");
}

#[test]
fn a_large_body_is_sent_whole_and_the_reply_read() {
    let server = Scripted::start(|stream| {
        let length = read_packet(stream);
        let mut body = vec![0; length];
        stream.read_exact(&mut body).expect("the body");
        assert!(body.iter().all(|byte| *byte == b'x') && length == 3_000_000);
        stream.write_all(HELLO).expect("room in the socket");
    });
    let request = Request::get("/").method("POST").body("text/plain", vec![b'x'; 3_000_000]);
    let load = Load::new(server.target(), Wire::Uwsgi, &request, 2, Until::Requests(4)).expect("it fits");
    assert_eq!(run(&load).counts.ok, 4);
}

#[test]
fn kept_connections_serve_many_requests_until_the_server_closes_them() {
    let server = Scripted::start(|stream| {
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        for left in (0..5).rev() {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                match stream.read(&mut byte) {
                    Ok(1) => request.push(byte[0]),
                    _ => return,
                }
            }
            let connection = if left == 0 { "close" } else { "keep-alive" };
            let reply = format!("HTTP/1.1 200 OK\r\nConnection: {connection}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(reply.as_bytes()).expect("room in the socket");
        }
        stream.shutdown(Shutdown::Both).expect("a connection");
    });
    let wire = Wire::Http { keep_alive: true };
    let load = Load::new(server.target(), wire, &Request::get("/"), 1, Until::Requests(20)).expect("it fits");
    let counts = run(&load).counts;
    assert_eq!((counts.ok, counts.failed()), (20, 0));
    assert_eq!(server.connections.load(Ordering::Relaxed), 4);
}

#[test]
fn an_open_loop_counts_from_when_a_request_was_due() {
    let server = Scripted::start(|stream| {
        read_packet(stream);
        std::thread::sleep(Duration::from_millis(10));
        stream.write_all(HELLO).expect("room in the socket");
    });
    let mut load = server.load(20);
    load.clients = 1;
    load.pace = Pace::Poisson { per_s: 10_000.0, seed: 1 };
    let latency = run(&load).latency;
    // All fall due at about the same time and are served one after the other, 10 ms each.
    assert!(latency.max_us >= 190_000.0 && latency.p50_us >= 90_000.0, "{latency:?}");
}

#[test]
fn stop_ends_a_run_that_waits() {
    let server = Scripted::start(|stream| {
        stream.read_to_end(&mut Vec::new()).expect("the rest");
    });
    let load = server.load(2);
    let began = Instant::now();
    let report = load.run(&AtomicBool::new(true)).expect("a run");
    assert_eq!(report.counts.abandoned, 2);
    assert!(began.elapsed() < load.patience);
}

#[test]
fn waiting_for_an_answer_ends_with_patience_or_with_the_answer() {
    let server = Scripted::start(answer(HELLO));
    let pause = Duration::from_micros(200);
    let packet = Request::get("/").to_uwsgi().expect("it fits");
    let waited = wait_for_answer(&server.target(), &packet, pause, Duration::from_secs(10), || Ok(()));
    assert!(waited.is_ok_and(|time| !time.is_zero()));
    let nobody = Target::Unix(PathBuf::from("/nonexistent/socket"));
    let late = wait_for_answer(&nobody, &packet, pause, Duration::from_millis(5), || Ok(()));
    assert_eq!(late.expect_err("nobody is there").kind(), io::ErrorKind::TimedOut);
    let given_up =
        wait_for_answer(&nobody, &packet, pause, Duration::from_secs(10), || Err(io::ErrorKind::Interrupted.into()));
    assert_eq!(given_up.expect_err("given up").kind(), io::ErrorKind::Interrupted);
}

#[test]
fn targets_are_told_apart() {
    let parse = |text: &str| text.parse::<Target>().expect("a target");
    assert_eq!(parse("/tmp/a:80"), Target::Unix(PathBuf::from("/tmp/a:80")));
    assert_eq!(parse("app.sock"), Target::Unix(PathBuf::from("app.sock")));
    assert_eq!(parse("127.0.0.1:80").to_string(), "127.0.0.1:80");
    assert_eq!(parse("[::1]:80").to_string(), "[::1]:80");
}
