//! Deadlines of requests: who is struck and who is not, what the client gets and what the log says. How exactly in time is
//! for `make bench`.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Instance, Launch, PATIENCE, wait_until};
use crate::pythons::{Python, launch, one, supported};
use crate::reloading::{Held, Traffic};
use loadgen::packet::Request;
use nix::sys::signal::Signal;

/// The shortest there is.
const LIMIT: Duration = Duration::from_secs(1);

fn unsteady() -> Launch {
    Launch::example("unsteady").set("harakiri", LIMIT.as_secs())
}

/// What the log may say of requests that are struck.
fn expecting(mut server: Instance) -> Instance {
    for said in ["HARAKIRI", "cannot be interrupted", "of its threads stuck", "several requests run at once"] {
        server.expect_log(said);
    }
    server
}

fn pid_of(server: &Instance) -> i32 {
    server.workers().first().expect("a worker").pid
}

#[test]
fn only_the_request_that_is_over_its_time_is_answered_with_504() {
    let server = expecting(unsteady().set("workers", 2).set("threads", 4).set("disable-logging", true).start());
    let traffic = Traffic::start(&server, 4, "/sleep?ms=20");
    let began = Instant::now();
    let reply = server.get("/sleep?ms=60000");
    assert_eq!(reply.status(), Some(504), "{reply:?}");
    assert_eq!(reply.body(), b"The application did not answer in time.\n");
    assert!(began.elapsed() >= LIMIT, "before its time");
    let line = server.log.wait_for("was answered with 504").text;
    assert!(line.contains("GET /sleep?ms=60000") && line.contains(" is S (sleeping)"), "{line}");
    server.log.wait_for("leaves: a thread is stuck (harakiri)");
    server.log.wait_for("ends with 1 of its threads stuck");
    server.log.wait_for("Respawned uWSGI worker");
    traffic.end();
}

/// Whoever has only one thread, which never lets go.
#[test]
fn a_handler_in_an_endless_loop_costs_one_worker_and_its_client_is_answered() {
    let server = expecting(unsteady().set("workers", 1).start());
    let stuck = pid_of(&server);
    assert_eq!(server.get("/spin").status(), Some(504));
    assert_eq!(server.get("/").body(), b"worker 1 of generation 1\n");
    server.log.wait_for("worker 1 killed successfully");
    assert!(wait_until(|| server.workers().iter().all(|worker| worker.pid != stuck)), "the stuck worker stays");
}

/// A client that reads `Content-Length` knows that five bytes are not all.
#[test]
fn an_answer_that_has_begun_is_cut_off() {
    let server = expecting(unsteady().set("workers", 1).start());
    let reply = server.get("/half");
    assert_eq!((reply.status(), reply.body()), (Some(200), &b"begun"[..]), "{reply:?}");
    server.log.wait_for("was cut off in its answer");
    assert_eq!(server.get("/").status(), Some(200));
}

/// Where only the end of the connection tells the end of the answer, TCP can say that there is more; its client sees a
/// reset.
#[test]
fn a_client_that_waits_for_the_end_of_the_connection_sees_no_end() {
    let server = expecting(unsteady().set("workers", 1).set("socket", "127.0.0.1:0").start());
    let address = bound_to(&server);
    let mut stream = std::net::TcpStream::connect(address).expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let packet = Request::get("/hold?until=/nowhere").to_uwsgi().expect("a small request");
    stream.write_all(&packet).expect("send");
    let mut bytes = Vec::new();
    let ended = stream.read_to_end(&mut bytes);
    assert!(bytes.ends_with(b"held\n"), "{:?}", String::from_utf8_lossy(&bytes));
    assert_eq!(ended.map_err(|error| error.kind()), Err(std::io::ErrorKind::ConnectionReset));
    server.log.wait_for("was cut off in its answer");
}

fn bound_to(server: &Instance) -> SocketAddr {
    let line = server.log.wait_for("socket 0 bound to ").text;
    let address = line.rsplit(' ').next().and_then(|address| address.parse().ok());
    address.unwrap_or_else(|| panic!("no address in {line}"))
}

/// The thread waits for the client then, so that it comes back and nobody is replaced.
#[test]
fn a_slow_upload_is_over_when_its_time_is_and_the_worker_goes_on() {
    let server = expecting(unsteady().set("workers", 1).set("socket-timeout", 60).start());
    let worker = pid_of(&server);
    let upload = Request::get("/read").method("POST").body("text/plain", vec![b'x'; 100]);
    let packet = upload.to_uwsgi().expect("a small request");
    let (begin, rest) = packet.split_at(packet.len() - 90);
    let mut stream = UnixStream::connect(server.socket()).expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(begin).expect("send");
    let mut writing = stream.try_clone().expect("a second descriptor");
    let drops = rest.to_vec();
    let dripping = thread::spawn(move || {
        for byte in drops {
            if writing.write_all(&[byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
    });
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    assert!(answer.starts_with(b"HTTP/1.1 504 "), "{:?}", String::from_utf8_lossy(&answer));
    dripping.join().expect("the client");
    // The next one is answered by the same process.
    assert_eq!(server.get("/").status(), Some(200));
    assert_eq!(pid_of(&server), worker);
    assert!(server.log.lines_with("leaves:").is_empty(), "{}", server.log.tail());
    server.log.wait_for("POST /read => generated 40 bytes");
}

#[test]
fn a_handler_sets_a_deadline_of_its_own() {
    let server = expecting(Launch::example("unsteady").set("workers", 1).start());
    assert_eq!(server.get("/own?ms=300").status(), Some(504));
    server.log.wait_for("HARAKIRI (user) triggered by worker 1 core 0 !!!");
    assert_eq!(server.get("/").status(), Some(200));
}

#[test]
fn a_worker_is_warned_by_a_signal_before_its_request_is_struck() {
    let launch = unsteady().set("workers", 1).set("harakiri-graceful-timeout", 1).set("harakiri-graceful-signal", 12);
    let server = expecting(launch.set("harakiri-verbose", true).start());
    let began = Instant::now();
    assert_eq!(server.get("/sleep?ms=60000").status(), Some(504));
    assert!(began.elapsed() >= 2 * LIMIT, "the grace was not given");
    server.log.wait_for(", try: 1, graceful: yes) ***");
    server.log.wait_for(", try: 2, graceful: no) ***");
    server.log.wait_for(", syscall ");
}

/// Whoever answers within the grace has all of it.
#[test]
fn a_request_that_ends_within_its_grace_is_not_struck() {
    let launch = unsteady().set("workers", 1).set("harakiri-graceful-timeout", 60).set("harakiri-graceful-signal", 12);
    let server = expecting(launch.start());
    let worker = pid_of(&server);
    assert_eq!(server.get("/sleep?ms=1500").body(), b"slept\n");
    server.log.wait_for(", try: 1, graceful: yes) ***");
    assert_eq!((server.get("/").status(), pid_of(&server)), (Some(200), worker));
}

#[test]
fn while_nobody_waits_who_is_late_is_spared() {
    let launch = unsteady().set("workers", 1).set("harakiri-queue-threshold", 2);
    let server = expecting(launch.start());
    let held = Held::begin(&server);
    server.log.wait_for("HARAKIRI: skipping worker 1");
    assert!(server.log.lines_with("HARAKIRI ON WORKER").is_empty());
    let queued = [Held::send(&server), Held::send(&server)];
    server.log.wait_for("HARAKIRI ON WORKER 1");
    held.release();
    for held in queued {
        assert!(held.rest().ends_with("held\nreleased\n"), "who waits in the queue is served by the next worker");
    }
}

/// A process that is stopped minds nothing; the master does.
#[test]
fn a_worker_that_is_stopped_in_a_request_is_killed_by_the_master() {
    let mut server = unsteady().set("workers", 1).set("threads", 2).start();
    server.expect_log("does not mind the deadlines of its requests");
    let held = Held::begin(&server);
    let stopped = server.workers().remove(0);
    stopped.signal(Signal::SIGSTOP);
    server.log.wait_for("worker 1 does not mind the deadlines of its requests (harakiri)");
    assert!(wait_until(|| !stopped.is_alive()), "it stays");
    assert_eq!(held.rest(), "");
    assert_eq!(server.get("/").status(), Some(200));
}

#[test]
fn an_http_client_gets_504_and_its_connection_ends() {
    let server = expecting(unsteady().set("workers", 1).without("socket").set("http-socket", "127.0.0.1:0").start());
    let reply = crate::harness::http_get(bound_to(&server), "/sleep?ms=60000");
    assert_eq!((reply.status, reply.header("connection")), (504, Some("close")), "{reply:?}");
}

fn overdue(python: &Python, threads: usize) -> Instance {
    let launch = launch(python, "overdue").set("harakiri", LIMIT.as_secs()).set("threads", threads);
    let mut server = expecting(launch.start());
    server.expect_log("exception in GET /");
    server.expect_log("uwsgi.Harakiri");
    server
}

/// The worker that answers a request without any delay.
fn who(server: &Instance) -> Vec<u8> {
    server.get("/").body().to_vec()
}

/// The main thread raises the exception out of whatever it waits for.
#[test]
fn python_is_interrupted_in_its_only_thread_also_in_a_wait() {
    for python in supported() {
        let server = overdue(python, 1);
        let worker = who(&server);
        for path in ["/sleep", "/loop", "/gil", "/swallowed"] {
            assert_eq!(server.get(path).status(), Some(504), "{path} under {python:?}");
            assert_eq!(who(&server), worker, "another worker after {path} under {python:?}");
        }
        for function in ["stuck_in_sleep", "stuck_in_a_loop", "stuck_with_the_lock"] {
            let frame = format!(" in {function}");
            let told = server.log.lines_with(&frame);
            assert!(
                told.iter().any(|line| line.contains("overdue.py\", line ")),
                "{function} under {python:?}: {told:?}"
            );
        }
    }
}

/// The request's line in the log is written by its own thread, which has come back then.
#[test]
fn python_is_interrupted_in_the_very_thread_that_is_stuck() {
    for python in supported() {
        let server = overdue(python, 4);
        let traffic = Traffic::start(&server, 2, "/quick");
        assert_eq!(server.get("/loop").status(), Some(504), "under {python:?}");
        server.log.wait_for("uwsgi.Harakiri");
        server.log.wait_for(" in stuck_in_a_loop");
        server.log.wait_for("GET /loop => generated 40 bytes");
        traffic.end();
    }
}

/// Nobody can interrupt a wait in another thread than the main one, so the worker is replaced, once the others are done.
#[test]
fn python_in_a_wait_that_cannot_be_interrupted_has_its_worker_replaced() {
    let server = overdue(&one(), 4);
    let worker = who(&server);
    let traffic = Traffic::start(&server, 2, "/quick");
    assert_eq!(server.get("/sleep").status(), Some(504));
    server.log.wait_for(" in stuck_in_sleep");
    server.log.wait_for("ends with 1 of its threads stuck");
    server.log.wait_for("Respawned uWSGI worker 1");
    traffic.end();
    assert_ne!(who(&server), worker);
}

/// The stack comes although nobody else gets into the interpreter.
#[test]
fn python_that_keeps_the_interpreters_lock_is_named_in_the_log() {
    let server = overdue(&one(), 2);
    assert_eq!(server.get("/gil").status(), Some(504));
    server.log.wait_for(" in stuck_with_the_lock");
    // Nobody else of that worker can answer before the lock is free, or the worker replaced.
    let is_over = || server.log.has_after(0, "GET /gil => ") || server.log.has_after(0, "Respawned uWSGI worker 1");
    assert!(wait_until(is_over), "{}", server.log.tail());
    assert!(who(&server).starts_with(b"worker "));
}

#[test]
fn python_sets_a_deadline_of_its_own_and_takes_it_back() {
    for python in supported() {
        for threads in [1, 2] {
            let mut server = expecting(launch(python, "overdue").set("threads", threads).start());
            server.expect_log("uwsgi.Harakiri");
            server.expect_log("exception in GET /own");
            assert_eq!(server.get("/back").status(), Some(200), "{python:?}");
            assert_eq!(server.get("/own").status(), Some(504), "{python:?}");
            server.log.wait_for("HARAKIRI (user) triggered by worker 1");
            server.log.wait_for(" in stuck_in_sleep");
            assert!(who(&server).starts_with(b"worker "));
        }
    }
}
