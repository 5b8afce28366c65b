//! Python workers in their processes: the `uwsgi` module, forks and threads, clients that vanish, bodies that are large.
//! Issue 5, deliver 3 to 5 and "It must reach".

mod harness;
mod pythons;

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use harness::{Instance, Nginx, PATIENCE, Process};
use nix::sys::signal::Signal;
use pythons::{launch, launch_in, one, supported};
use rhinod_bench::packet::Request;

/// What the log says of several threads.
const THREADS: &str = "several requests run at once in one worker";

/// The value of an expression in `tests/python/calls.py`.
fn call(instance: &Instance, expression: &str) -> String {
    let escaped: String = expression.bytes().map(|byte| format!("%{byte:02x}")).collect();
    String::from_utf8_lossy(instance.get(&format!("/?{escaped}")).body()).into_owned()
}

fn body(instance: &Instance, target: &str) -> String {
    String::from_utf8_lossy(instance.get(target).body()).into_owned()
}

#[test]
fn the_uwsgi_module_tells_of_instance_and_worker() {
    for python in supported() {
        let launch =
            launch(python, "calls").set("threads", 2).set("locks", 3).line("env = TWICE=1").line("env = AGAIN=2");
        let mut instance = launch.start();
        instance.expect_log(THREADS);
        let master = instance.pid().to_string();
        let calls = [
            ("uwsgi.version", "b'2.0.31'"),
            ("uwsgi.version_info[:3]", "(2, 0, 31)"),
            ("uwsgi.worker_id()", "1"),
            ("uwsgi.masterpid()", &master),
            ("uwsgi.mypid() == os.getpid()", "True"),
            ("uwsgi.numproc, uwsgi.cores", "(1, 2)"),
            ("uwsgi.opt['module'], uwsgi.opt['env']", "(b'calls', [b'TWICE=1', b'AGAIN=2'])"),
            ("uwsgi.env is environ", "True"),
            (
                "type(uwsgi.workers()).__name__, uwsgi.workers()[0]['id'], uwsgi.workers()[0]['status']",
                "('tuple', 1, b'busy')",
            ),
            ("uwsgi.total_requests() > 0, uwsgi.request_id() > 0", "(True, True)"),
            ("uwsgi.mem()[0] > 1 << 20", "True"),
            ("uwsgi.set_logvar('a', 'b'), uwsgi.get_logvar('a'), uwsgi.get_logvar('c')", "(None, b'b', None)"),
            ("os.fstat(uwsgi.connection_fd()).st_mode >> 12 == 0o14, uwsgi.is_connected()", "(True, True)"),
            ("uwsgi.log('a line of the application')", "True"),
            ("uwsgi.accepting()", "None"),
            ("uwsgi.async_sleep(0)", "None"),
            ("threaded()", "[True]"),
            ("HOOKS", "['every']"),
            ("uwsgi.lock(2), uwsgi.is_locked(2), uwsgi.unlock(2), uwsgi.is_locked(2)", "(None, True, None, False)"),
            ("uwsgi.lock(3)", "ValueError: there is no user lock 3: there are 3"),
            ("uwsgi.cache_get('k')", "NotImplementedError: uwsgi.cache_get: rhinod has no caching framework yet"),
            (
                "uwsgi.add_timer(1, 2)",
                "NotImplementedError: uwsgi.add_timer: rhinod has no signals, timers and crons yet",
            ),
            ("uwsgidecorators.spool(print)", "NotImplementedError: uwsgidecorators.spool: rhinod has no spooler yet"),
            ("hasattr(uwsgi, 'spool')", "False"),
        ];
        for (expression, value) in calls {
            assert_eq!(call(&instance, expression), value, "{expression} under {python:?}");
        }
        instance.log.wait_for("a line of the application");
    }
}

#[test]
fn an_application_adds_to_its_line_in_the_log_and_forces_it() {
    let launch = launch(&one(), "calls").set("disable-logging", true);
    let instance = launch.set("log-format", "%(method) %(status) tenant=%(tenant) end").start();
    assert_eq!(call(&instance, "uwsgi.set_logvar('tenant', 'quiet')"), "None");
    let noted = "uwsgi.set_logvar('tenant', b'a\\nb'), uwsgi.log_this_request(), uwsgi.get_logvar('tenant')";
    assert_eq!(call(&instance, noted), "(None, None, b'a\\nb')");
    assert_eq!(instance.log.wait_for(" end").text, "GET 200 tenant=a\\x0ab end");
    let many = "[uwsgi.set_logvar(str(number), b'') for number in range(65)]";
    assert_eq!(call(&instance, many), "ValueError: a request has at most 64 log variables");
}

#[test]
fn processes_of_python_have_titles_and_an_application_can_set_its_own() {
    for python in supported() {
        let instance = launch(python, "calls").set("procname-append", "@shop").start();
        let titles = || {
            let mut titles: Vec<String> = instance.processes().iter().map(Process::title).collect();
            titles.sort();
            titles
        };
        assert_eq!(titles(), ["rhinod master@shop", "rhinod worker 1@shop", "rhinod zygote 1@shop"]);
        assert_eq!(call(&instance, "uwsgi.setprocname('rhinod of Ann')"), "None");
        assert_eq!(titles(), ["rhinod master@shop", "rhinod of Ann@shop", "rhinod zygote 1@shop"]);
    }
}

#[test]
fn an_application_reloads_and_stops_the_instance() {
    let instance = launch(&one(), "calls").start();
    assert_eq!(call(&instance, "uwsgi.reload()"), "True");
    instance.log.wait_for("reload done: generation 2 serves");
    assert_eq!(call(&instance, "uwsgi.stop()"), "True");
    instance.ends_with(0);
}

#[test]
fn a_connection_can_be_ended_before_the_answer() {
    let mut instance = launch(&one(), "calls").start();
    instance.expect_log("[error]");
    assert_eq!(call(&instance, "uwsgi.disconnect()"), "");
    assert_eq!(call(&instance, "1 + 1"), "2");
}

#[test]
fn the_end_of_a_worker_is_the_end_of_an_interpreter() {
    for python in supported() {
        let instance = launch(python, "calls").start();
        assert_eq!(call(&instance, "1"), "1");
        instance.signal(Signal::SIGTERM);
        instance.log.wait_for("uwsgi.atexit ran in worker 1");
        instance.log.wait_for("Python's atexit ran in worker 1");
        instance.ends_with(0);
    }
}

#[test]
fn locks_hold_over_workers_threads_and_the_death_of_their_owner() {
    let mut instance = launch(&one(), "calls").set("workers", 2).set("threads", 2).start();
    instance.expect_log(THREADS);
    let path = instance.dir().join("number");
    fs::write(&path, "0").expect("write the number");
    let expression = format!("add_often('{}', 20)", path.display());
    std::thread::scope(|scope| {
        let adding: Vec<_> = (0..8).map(|_| scope.spawn(|| call(&instance, &expression))).collect();
        adding.into_iter().for_each(|one| assert_eq!(one.join().expect("a client"), "'added'"));
    });
    assert_eq!(fs::read_to_string(&path).expect("the number"), "160");
    // Who holds a lock and dies gives it back.
    instance.expect_log("DAMN");
    assert_eq!(call(&instance, "hold(0)"), "");
    instance.log.wait_for("Respawned uWSGI worker");
    assert_eq!(call(&instance, "uwsgi.lock(0), uwsgi.unlock(0)"), "(None, None)");
}

#[test]
fn threads_of_a_worker_serve_at_once_and_have_names() {
    for python in supported() {
        let mut instance = launch(python, "rows").set("threads", 2).start();
        instance.expect_log(THREADS);
        std::thread::scope(|scope| {
            let meeting: Vec<_> = (0..2).map(|_| scope.spawn(|| body(&instance, "/barrier"))).collect();
            meeting.into_iter().for_each(|one| assert_eq!(one.join().expect("a client"), "met"));
        });
        let name = body(&instance, "/thread");
        assert!(["uWSGIWorker1Core0 0", "uWSGIWorker1Core1 1"].contains(&&*name), "{name} under {python:?}");
        let environ: serde_json::Value = serde_json::from_slice(instance.get("/environ").body()).expect("JSON");
        assert_eq!(environ["wsgi.multithread"][1], true);
    }
}

#[test]
fn threads_of_the_application_run_between_requests() {
    // Without enable-threads uWSGI let them run only during requests (reference/wire.md 5.8).
    let instance = launch(&one(), "rows").start();
    assert_eq!(body(&instance, "/tick"), "started");
    assert_eq!(body(&instance, "/tick"), "ticked");
}

#[test]
fn threads_that_were_started_too_early_are_named() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let text = "import threading\n\
                threading.Thread(target=threading.Event().wait, name='background refresh', daemon=True).start()\n\
                def application(environ, start_response):\n\
                \x20   start_response('200 OK', [])\n\
                \x20   return [str(threading.active_count()).encode()]\n";
    fs::write(directory.path().join("early.py"), text).expect("write the application");
    for python in supported() {
        let mut instance = launch_in(python, directory.path()).set("module", "early").start();
        let line = instance.wait_for_expected("threads while it was loaded");
        assert!(line.text.contains("background refresh") && line.text.contains("lazy-apps"), "{}", line.text);
        assert_eq!(body(&instance, "/"), "1", "CPython's fork hooks have run");
    }
}

#[test]
fn a_client_that_vanishes_is_no_error() {
    let instance = launch(&one(), "rows").start();
    for (target, told) in [("/stream?1000", "generator"), ("/write_until_gone", "OSError: write error")] {
        vanish(&instance, &Request::get(target), 1000);
        assert_eq!(body(&instance, "/closed"), told, "{target}");
    }
    // In the middle of its own body.
    let upload = Request::get("/input_sum").method("POST").body("text/plain", vec![7; 1_000_000]);
    let packet = upload.to_uwsgi().expect("a packet");
    let mut stream = UnixStream::connect(instance.socket()).expect("connect");
    stream.write_all(&packet[..packet.len() / 2]).expect("half of the request");
    drop(stream);
    instance.log.wait_for("the client of POST /input_sum went away before the end");
    // `stop` finds any error-level line.
    instance.stop();
    let quiet = launch(&one(), "rows").set("disable-write-exception", true).set("ignore-write-errors", true).start();
    vanish(&quiet, &Request::get("/write_until_gone"), 1000);
    assert_eq!(body(&quiet, "/closed"), "no exception");
    assert!(quiet.log.lines_with("went away").is_empty());
}

/// Sends a request, reads `bytes` of the reply, and leaves.
fn vanish(instance: &Instance, request: &Request, bytes: usize) {
    let mut stream = UnixStream::connect(instance.socket()).expect("connect");
    stream.write_all(&request.to_uwsgi().expect("a packet")).expect("send the request");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.read_exact(&mut vec![0; bytes]).expect("the beginning of the reply");
}

#[test]
fn nginx_gets_whole_answers_whatever_the_application_does() {
    let mut instance = launch(&one(), "rows").start();
    instance.expect_log("[error] exception in GET /");
    let mut nginx = Nginx::before(&instance);
    nginx.expect_log("a client request body is buffered to a temporary file");
    nginx.expect_log("an upstream response is buffered to a temporary file");
    assert_eq!(nginx.get("/hello").text(), "Hello\n");
    assert_eq!(nginx.get("/generator").text(), "piece 0\npiece 1\npiece 2\n");
    assert_eq!(nginx.get("/file_large?8").body.len(), 8 << 20);
    assert_eq!(nginx.get("/variable?PATH_INFO").text(), "'/variable'");
    let upload = nginx.post("/input_sum", &vec![1; 3 << 20]).text();
    assert!(upload.starts_with("3145728 "), "{upload}");
    for target in ["/raise", "/raise_after_start", "/never", "/exit?31", "/str_piece"] {
        assert_eq!(nginx.get(target).status, 500, "{target}");
    }
    // An unread body does not cost the answer (reference/wire.md 1.8.4).
    assert_eq!(nginx.post("/hello", &vec![1; 3 << 20]).text(), "Hello\n");
}

#[test]
fn many_vanishing_clients_leave_nothing_behind() {
    let mut instance = launch(&one(), "rows").set("threads", 4).start();
    instance.expect_log(THREADS);
    let round = |seed: usize| {
        std::thread::scope(|scope| {
            for client in 0..50 {
                let instance = &instance;
                scope.spawn(move || match (client + seed) % 5 {
                    0 => vanish(instance, &Request::get("/stream?100"), 1 + client * 997),
                    1 => drop(UnixStream::connect(instance.socket())),
                    2 => half_a_request(instance, client * 3),
                    3 => vanish(instance, &Request::get("/file_large?8"), client * 1000 + 1),
                    _ => drop(body(instance, "/hello")),
                });
            }
        });
    };
    // The first round sees to it that every thread has what it keeps for good; a leak would grow with each of the others.
    round(0);
    assert_eq!(body(&instance, "/hello"), "Hello\n");
    let idle = descriptors(&instance);
    (1..10).for_each(round);
    assert_eq!(body(&instance, "/hello"), "Hello\n");
    // A thread may still be finding out that its client has gone.
    let deadline = Instant::now() + PATIENCE;
    while descriptors(&instance) > idle {
        assert!(Instant::now() < deadline, "{} descriptors, {idle} before", descriptors(&instance));
        std::thread::yield_now();
    }
}

fn half_a_request(instance: &Instance, bytes: usize) {
    let upload = Request::get("/input_sum").method("POST").body("text/plain", vec![7; 1000]);
    let packet = upload.to_uwsgi().expect("a packet");
    let mut stream = UnixStream::connect(instance.socket()).expect("connect");
    stream.write_all(&packet[..bytes.min(packet.len() - 1)]).expect("a part of the request");
    let _ = stream.shutdown(Shutdown::Both);
}

/// Descriptors that the worker holds open.
fn descriptors(instance: &Instance) -> usize {
    let worker = instance.workers().pop().expect("a worker");
    fs::read_dir(format!("/proc/{}/fd", worker.pid)).expect("its descriptors").count()
}

#[test]
fn large_bodies_take_constant_memory() {
    let instance = launch(&one(), "rows").start();
    let upload = |mib: usize| {
        let bytes = vec![0x5a; mib << 20];
        let request = Request::get("/input_sum").method("POST").body("text/plain", bytes);
        let reply = String::from_utf8_lossy(instance.ask(&request).body()).into_owned();
        let numbers: Vec<u64> = reply.split(' ').map(|number| number.parse().expect("a number")).collect();
        assert_eq!(numbers[0], (mib as u64) << 20);
        numbers[2]
    };
    let small = upload(1);
    let large = upload(100);
    assert!(large < small + 4096, "the peak grew from {small} to {large} KiB");
}

#[test]
fn a_large_file_is_sent_in_constant_memory_to_a_slow_reader() {
    let instance = launch(&one(), "rows").start();
    drop(body(&instance, "/file_large?1"));
    let before = resident_kib(&instance);
    let mut stream = UnixStream::connect(instance.socket()).expect("connect");
    stream.write_all(&Request::get("/file_large?1024").to_uwsgi().expect("a packet")).expect("send the request");
    let mut buffer = vec![0; 1 << 20];
    let mut received = 0;
    let mut peak = 0;
    loop {
        let count = stream.read(&mut buffer).expect("read the reply");
        if count == 0 {
            break;
        }
        received += count;
        peak = peak.max(resident_kib(&instance));
    }
    assert!(received > 1 << 30, "{received} bytes");
    assert!(peak < before + 4096, "resident memory grew from {before} to {peak} KiB");
}

fn resident_kib(instance: &Instance) -> u64 {
    let worker = instance.workers().pop().expect("a worker");
    let status = fs::read_to_string(format!("/proc/{}/status", worker.pid)).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

#[test]
fn a_reload_picks_up_a_newer_package() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let package = |version: &str| fs::write(directory.path().join("package.py"), format!("VERSION = '{version}'\n"));
    let text = "import package\n\
                def application(environ, start_response):\n\
                \x20   start_response('200 OK', [])\n\
                \x20   return [package.VERSION.encode()]\n";
    fs::write(directory.path().join("web.py"), text).expect("write the application");
    package("1").expect("write the package");
    let instance = launch_in(&one(), directory.path()).set("module", "web").start();
    assert_eq!(body(&instance, "/"), "1");
    package("2.0").expect("write the package");
    instance.signal(Signal::SIGHUP);
    instance.log.wait_for("worker 1 buried");
    assert_eq!(body(&instance, "/"), "2.0");
}
