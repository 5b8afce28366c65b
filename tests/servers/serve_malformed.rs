//! What a peer can do wrong on the uwsgi socket: every malformed packet of uWSGI's manual, "The uwsgi Protocol",
//! 100,000 mutated ones, slow ones, and variables that uWSGI would act on. The worker must stay as it was.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::harness::{Instance, Launch, PATIENCE, Process};
use fastrand::Rng;
use loadgen::client::Reply;
use loadgen::packet::Request;

/// Two workers whose log may tell of refused requests.
fn hello() -> Launch {
    Launch::hello().set("disable-logging", true)
}

fn start(launch: Launch) -> Instance {
    let mut server = launch.start();
    server.expect_log("request refused with status");
    server
}

fn connect(server: &Instance) -> UnixStream {
    let stream = UnixStream::connect(server.socket()).expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// Sends `bytes` and the end, and reads until the server closes. A reset after the reply would lose the reply, so it
/// is a failure.
fn send_and_end(server: &Instance, bytes: &[u8]) -> Reply {
    let mut stream = connect(server);
    stream.write_all(bytes).expect("the server takes the packet");
    stream.shutdown(Shutdown::Write).expect("the end");
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).expect("a reply and an orderly close");
    Reply { bytes: reply }
}

/// A packet with these variables, lengths written as they are.
fn packet(modifier1: u8, pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    worker_protocol::uwsgi::encode(&mut bytes, modifier1, 0, pairs.iter().copied()).expect("pairs that fit");
    bytes
}

fn get_packet() -> Vec<u8> {
    Request::get("/").to_uwsgi().expect("a small request")
}

/// The workers that were there are there, and serve.
fn assert_as_before(server: &Instance, workers: &[Process]) {
    assert_eq!(server.get("/").body(), b"Hello, world\n");
    assert_eq!(server.workers(), workers);
}

#[test]
fn a_packet_that_ends_early_is_closed_without_an_answer() {
    let server = start(hello());
    let workers = server.workers();
    let whole = get_packet();
    for length in [0, 1, 2, 3, 4, 5, 100, whole.len() - 1] {
        let reply = send_and_end(&server, &whole[..length]);
        assert!(reply.bytes.is_empty(), "{length} bytes: {reply:?}");
    }
    assert_eq!(server.log.lines_with("refused"), Vec::<String>::new(), "a client that goes away is nobody's fault");
    assert_as_before(&server, &workers);
}

#[test]
fn every_malformed_packet_gets_its_status_and_a_line_in_the_log() {
    let server = start(hello());
    let workers = server.workers();
    let v1 = Request::get("/hello?x=1").to_uwsgi().expect("a small request");
    let desynchronised = [&[0, 0x85, 0x01, 0, 0xff, 0xff][..], &v1[4..]].concat();
    let conflict: &[(&[u8], &[u8])] =
        &[(b"REQUEST_METHOD", b"GET"), (b"CONTENT_LENGTH", b"1"), (b"CONTENT_LENGTH", b"2")];
    let cases: &[(&str, u16, Vec<u8>)] = &[
        ("request block is empty", 400, vec![0, 0, 0, 0]),
        ("empty key at offset 0", 400, vec![0, 4, 0, 0, 0, 0, 0, 0]),
        ("key at offset 0 runs past", 400, vec![0, 4, 0, 0, 5, 0, 0x41, 0x42]),
        ("value of the key at offset 0", 400, vec![0, 8, 0, 0, 2, 0, 0x41, 0x42, 5, 0, 0x78, 0x78]),
        ("stray byte", 400, vec![0, 8, 0, 0, 2, 0, 0x41, 0x42, 1, 0, 0x78, 1]),
        ("empty key at offset 7", 400, vec![0, 9, 0, 0, 2, 0, 0x41, 0x42, 1, 0, 0x78, 0, 0]),
        ("key at offset 7 runs past", 400, vec![0, 9, 0, 0, 2, 0, 0x41, 0x42, 1, 0, 0x78, 1, 0]),
        ("has no value", 400, vec![0, 4, 0, 0, 2, 0, 0x41, 0x42]),
        ("has no value", 400, vec![0, 5, 0, 0, 2, 0, 0x41, 0x42, 1]),
        ("key at offset 0 runs past", 400, vec![0, 6, 0, 0, 0xff, 0, 0x41, 0x42, 0, 0]),
        ("key at offset 0 runs past", 400, desynchronised),
        ("the peer speaks HTTP", 400, b"GET / HTTP/1.1\r\nHost: app.example\r\n\r\n".to_vec()),
        ("REQUEST_METHOD is not a token", 400, packet(0, &[(b"REQUEST_METHOD", b"GET /\r\nX: ")])),
        ("CONTENT_LENGTH is not a number", 400, packet(0, &[(b"REQUEST_METHOD", b"GET"), (b"CONTENT_LENGTH", b"-1")])),
        ("CONTENT_LENGTH is given as 1 and as 2", 400, packet(0, conflict)),
    ];
    for (reason, status, bytes) in cases {
        let position = server.log.position();
        let reply = send_and_end(&server, bytes);
        assert_eq!(reply.status(), Some(*status), "{reason}: {reply:?}");
        let line = server.log.wait_for_after(position, "request refused with status");
        assert!(line.text.contains(&format!("status {status}: ")) && line.text.contains(reason), "{}", line.text);
        assert_as_before(&server, &workers);
    }
}

#[test]
fn a_request_without_a_method_is_served_and_told_of_once() {
    let mut server = start(hello());
    let workers = server.workers();
    let sent: [&[(&[u8], &[u8])]; 3] = [
        &[(b"SERVER_PROTOCOL", b"HTTP/1.1"), (b"PATH_INFO", b"/")],
        &[(b"PATH_INFO", b"/"), (b"REQUEST_METHOD", b"")],
        &[(b"AB", b"")],
    ];
    for pairs in sent {
        let reply = send_and_end(&server, &packet(0, pairs));
        assert_eq!(reply.status(), Some(200), "{reply:?}");
    }
    server.get("/");
    server.log.wait_for("no REQUEST_METHOD");
    let told = server.log.lines_with("no REQUEST_METHOD");
    assert!(told.len() == 1 && told[0].contains("include uwsgi_params;"), "{told:?}");
    server.expect_log("no REQUEST_METHOD");
    assert_as_before(&server, &workers);
}

#[test]
fn every_modifier_but_those_for_requests_and_pings_is_refused() {
    let server = start(hello());
    let workers = server.workers();
    let pairs: &[(&[u8], &[u8])] = &[(b"REQUEST_METHOD", b"GET"), (b"PATH_INFO", b"/")];
    for modifier1 in 0..=u8::MAX {
        let reply = send_and_end(&server, &packet(modifier1, pairs));
        match modifier1 {
            0 | 30 => assert_eq!(reply.status(), Some(200), "modifier1 {modifier1}"),
            100 => assert_eq!(reply.bytes, [100, 0, 0, 1]),
            _ => assert_eq!(reply.status(), Some(501), "modifier1 {modifier1}"),
        }
    }
    assert_as_before(&server, &workers);
}

#[test]
fn a_ping_is_answered_and_not_logged() {
    let server = Launch::hello().start();
    assert_eq!(send_and_end(&server, &[100, 0, 0, 0]).bytes, [100, 0, 0, 1]);
    server.get("/");
    server.log.wait_for("[pid: ");
    assert_eq!(server.log.lines_with("[pid: ").len(), 1);
}

/// V6 of the reference, with the one variable that we require added.
#[test]
fn the_limits_of_block_and_variables_are_exact() {
    let server = start(hello().set("buffer-size", 4096).set("max-vars", 3));
    let of_block = |bytes: usize| {
        let padding = vec![b'a'; bytes - (2 + 14 + 2 + 3) - (2 + 1 + 2)];
        packet(0, &[(b"REQUEST_METHOD", b"GET"), (b"K", &padding)])
    };
    assert_eq!(send_and_end(&server, &of_block(4096)).status(), Some(200));
    assert_eq!(send_and_end(&server, &of_block(4097)).status(), Some(431));
    let of_variables = |count: usize| {
        let mut pairs: Vec<(&[u8], &[u8])> = vec![(b"REQUEST_METHOD", b"GET"), (b"PATH_INFO", b"/")];
        pairs.resize(count, (b"X", b"y"));
        packet(0, &pairs)
    };
    // max-vars counts keys and values, as uWSGI's default of 64 lets 128 variables pass.
    assert_eq!(send_and_end(&server, &of_variables(6)).status(), Some(200));
    assert_eq!(send_and_end(&server, &of_variables(7)).status(), Some(431));
}

#[test]
fn a_block_of_65535_bytes_is_accepted_by_default() {
    let server = start(hello());
    let head: &[(&[u8], &[u8])] = &[(b"REQUEST_METHOD", b"GET"), (b"PATH_INFO", b"/")];
    let taken = packet(0, head).len() - 4;
    let padding = vec![b'a'; 65_535 - taken - 5];
    let whole = packet(0, &[head, &[(b"K", &padding)]].concat());
    assert_eq!(whole.len(), 65_539);
    assert_eq!(send_and_end(&server, &whole).status(), Some(200));
}

/// Whoever still sends when it is refused must get the answer and no reset.
#[test]
fn a_refusal_reaches_a_peer_that_is_still_sending() {
    let server = start(hello().set("buffer-size", 4096).set("limit-post", 1000));
    let mut cases = vec![
        (400, [b"POST / HTTP/1.1\r\n\r\n".to_vec(), vec![b'x'; 500_000]].concat()),
        (431, [vec![0, 0xff, 0xff, 0], vec![b'x'; 65_535]].concat()),
    ];
    let post = Request::get("/echo").method("POST").body("text/plain", vec![b'x'; 300_000]);
    cases.push((413, post.to_uwsgi().expect("a small head")));
    for (status, bytes) in cases {
        for _ in 0..20 {
            let reply = send_and_end(&server, &bytes);
            assert_eq!(reply.status(), Some(status), "{reply:?}");
        }
    }
    let fits = Request::get("/echo").method("POST").body("text/plain", vec![b'x'; 1_000]);
    assert_eq!(server.ask(&fits).body().len(), 1_000);
}

/// One seed makes the whole run; it is in every message.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const MUTANTS: u64 = 100_000;
const CLIENTS: u64 = 4;

#[test]
fn a_hundred_thousand_mutated_packets_change_nothing() {
    let mut server = start(hello());
    server.expect_log("no REQUEST_METHOD");
    let workers = server.workers();
    let answers: u64 = std::thread::scope(|scope| {
        let server = &server;
        let clients =
            (0..CLIENTS).map(|client| scope.spawn(move || send_mutants(server, SEED ^ client, MUTANTS / CLIENTS)));
        let clients: Vec<_> = clients.collect();
        clients.into_iter().map(|client| client.join().expect("a client")).sum()
    });
    // Far more than half of the mutants are whole packets; a server that says nothing at all would pass otherwise.
    assert!(answers > MUTANTS / 4, "only {answers} answers");
    assert_as_before(&server, &workers);
}

/// Returns how many were answered.
fn send_mutants(server: &Instance, seed: u64, count: u64) -> u64 {
    let mut random = Rng::with_seed(seed);
    let originals = [
        get_packet(),
        Request::get("/env?a=b").method("HEAD").to_uwsgi().expect("a small request"),
        Request::get("/echo")
            .method("POST")
            .body("text/plain", b"a=1&b=2".to_vec())
            .to_uwsgi()
            .expect("a small request"),
    ];
    let mut answers = 0;
    for number in 0..count {
        let mut mutant = originals[random.usize(..originals.len())].clone();
        for _ in 0..=random.usize(..3) {
            mutate(&mut random, &mut mutant);
        }
        let reply = converse(server, &mutant);
        let known = [200, 400, 404, 408, 431, 501];
        let is_right = match reply.status() {
            Some(status) => known.contains(&status),
            None => reply.bytes.is_empty() || reply.bytes == [100, 0, 0, 1],
        };
        assert!(
            is_right,
            "mutant {number} of seed {seed:#x}: {mutant:02x?}\n{}",
            String::from_utf8_lossy(&reply.bytes)
        );
        answers += u64::from(!reply.bytes.is_empty());
    }
    answers
}

/// As `send_and_end`, but the server may have closed before it has seen all of a packet that it refuses.
fn converse(server: &Instance, bytes: &[u8]) -> Reply {
    let mut stream = connect(server);
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut reply = Vec::new();
    match stream.read_to_end(&mut reply) {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            panic!("no end of the connection after {bytes:02x?}; the log:\n{}", server.log.tail())
        }
        _ => Reply { bytes: reply },
    }
}

fn mutate(random: &mut Rng, bytes: &mut Vec<u8>) {
    let at = random.usize(..bytes.len().max(1));
    match random.usize(..6) {
        0 if !bytes.is_empty() => bytes[at] ^= 1 << random.usize(..8),
        1 if !bytes.is_empty() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, b'0'][random.usize(..6)],
        2 if !bytes.is_empty() => bytes.insert(at, random.u8(..)),
        3 if !bytes.is_empty() => drop(bytes.remove(at)),
        4 => bytes.truncate(at),
        5 if !bytes.is_empty() => {
            let end = bytes.len().min(at + random.usize(..40));
            let piece = bytes[at..end].to_vec();
            let _ = bytes.splice(at..at, piece);
        }
        _ => bytes.push(random.u8(..)),
    }
}

/// uWSGI's manual, "The uwsgi Protocol": uWSGI's timeout is for each read, so that one byte at a time holds a worker
/// for ever.
#[test]
fn a_head_that_drips_is_cut_off_when_the_time_for_all_of_it_is_over() {
    let server = start(hello().set("socket-timeout", 1));
    let whole = get_packet();
    let mut stream = connect(&server);
    stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
    let began = Instant::now();
    let mut reply = Vec::new();
    for byte in whole.iter().cycle() {
        if stream.write_all(&[*byte]).is_err() || began.elapsed() > PATIENCE {
            break;
        }
        match stream.read_to_end(&mut reply) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            _ => break,
        }
        if !reply.is_empty() {
            break;
        }
    }
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(1), "cut off after {took:?}");
    assert_eq!(Reply { bytes: reply }.status(), Some(408));
    assert_eq!(server.get("/").status(), Some(200));
}

#[test]
fn a_silent_connection_is_closed_when_its_time_is_over() {
    let server = start(hello().set("socket-timeout", 1));
    let began = Instant::now();
    let mut reply = Vec::new();
    connect(&server).read_to_end(&mut reply).expect("an orderly close");
    assert!(reply.is_empty() && began.elapsed() >= Duration::from_secs(1), "{reply:?} after {:?}", began.elapsed());
    let mut half = connect(&server);
    half.write_all(&get_packet()[..50]).expect("half a packet");
    half.read_to_end(&mut reply).expect("an orderly close");
    assert_eq!(Reply { bytes: reply }.status(), Some(408));
}

#[test]
fn a_body_may_take_its_time_but_not_fall_silent() {
    let server = start(hello().set("socket-timeout", 1));
    let post = Request::get("/echo").method("POST").body("text/plain", b"abcde".to_vec());
    let whole = post.to_uwsgi().expect("a small request");
    let (head, body) = whole.split_at(whole.len() - 5);
    let mut steady = connect(&server);
    steady.write_all(head).expect("the head");
    for byte in body {
        // Time is what this is about: each pause is shorter than the timeout, all together are longer.
        std::thread::sleep(Duration::from_millis(300));
        steady.write_all(&[*byte]).expect("a byte of the body");
    }
    let mut reply = Vec::new();
    steady.read_to_end(&mut reply).expect("a reply");
    assert_eq!(Reply { bytes: reply }.body(), b"abcde", "1.5 seconds in steps of 0.3");

    let mut silent = connect(&server);
    silent.write_all(head).expect("the head");
    let mut reply = Vec::new();
    silent.read_to_end(&mut reply).expect("a reply");
    let reply = Reply { bytes: reply };
    assert!(reply.status() == Some(400) && reply.body().starts_with(b"the request body broke off"), "{reply:?}");
}

/// uWSGI's manual, "uWSGI protocol magic variables": with uWSGI, whoever reaches the socket runs code in the worker.
#[test]
fn variables_that_steer_uwsgi_do_nothing() {
    let server = start(hello().set("disable-logging", true));
    let workers = server.workers();
    let directories: Vec<_> = workers.iter().map(directory_of).collect();
    let trap = server.dir().join("trap.py");
    let sprung = server.dir().join("sprung");
    fs::write(&trap, format!("open({sprung:?}, 'w')\ndef application(environ, start): raise SystemExit\n"))
        .expect("a trap");
    // A reader of this one would never come back.
    let pipe = server.dir().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a fifo");
    let touched = server.dir().join("touched");
    fs::write(&touched, "").expect("a file");
    for path in [&trap, &pipe, &touched] {
        let path = path.to_str().expect("a plain path").as_bytes();
        let request = ["FILE", "SCRIPT", "POSTFILE", "TOUCH_RELOAD", "HOME", "PYHOME", "CACHE_GET", "APPID", "MODULE"]
            .iter()
            .fold(Request::get("/env"), |request, name| request.var(&format!("UWSGI_{name}"), path))
            .var("UWSGI_CHDIR", b"/")
            .var("UWSGI_CALLABLE", b"application")
            .var("UWSGI_SETENV", b"PATH=/nowhere")
            .var("UWSGI_SCHEME", b"https")
            .var("UWSGI_ROUTER", b"http")
            .var("DOCUMENT_ROOT", b"/");
        for _ in 0..10 {
            let reply = server.ask(&request);
            assert_eq!(reply.status(), Some(200));
            let text = String::from_utf8_lossy(reply.body()).into_owned();
            assert!(!text.contains("UWSGI_"), "the application sees them: {text}");
        }
        fs::write(&touched, "again").expect("a touch");
    }
    assert!(!sprung.exists(), "the trap was run");
    assert_eq!(workers.iter().map(directory_of).collect::<Vec<_>>(), directories);
    assert_as_before(&server, &workers);
    assert_eq!(server.log.lines_with("reload"), Vec::<String>::new());
}

fn directory_of(process: &Process) -> std::path::PathBuf {
    fs::read_link(Path::new("/proc").join(process.pid.to_string()).join("cwd")).expect("its directory")
}
