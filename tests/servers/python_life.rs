//! Python workers in their processes: the `uwsgi` module, forks and threads, clients that vanish, bodies that are
//! large. `VANISHING_SECONDS=60 cargo test --test servers vanishing` has 500 clients vanish for a minute.

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::{Instance, Nginx, PATIENCE, Process, wait_until};
use crate::pythons::{call, launch, launch_in, one, supported};
use fastrand::Rng;
use loadgen::packet::Request;
use nix::sys::signal::Signal;

/// What the log says of several threads.
const THREADS: &str = "several requests run at once in one worker";

fn body(instance: &Instance, target: &str) -> String {
    String::from_utf8_lossy(instance.get(target).body()).into_owned()
}

#[test]
fn the_uwsgi_module_tells_of_instance_and_worker() {
    for python in supported() {
        let launch = launch(python, "calls")
            .set("threads", 2)
            .set("locks", 3)
            .line("mode = dev")
            .line("enable-threads = true")
            .line("env = TWICE=1")
            .line("env = AGAIN=2");
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
            // What always holds, as it is written where it is.
            (
                "uwsgi.opt['master'], uwsgi.opt['enable-threads'], uwsgi.opt['single-interpreter']",
                "(True, b'true', True)",
            ),
            ("uwsgi.opt['py-call-uwsgi-fork-hooks'], uwsgi.opt['py-call-osafterfork']", "(True, True)"),
            ("uwsgi.env is environ", "True"),
            (
                "type(uwsgi.workers()).__name__, uwsgi.workers()[0]['id'], uwsgi.workers()[0]['status']",
                "('tuple', 1, b'busy')",
            ),
            ("sorted({'last_spawn', 'delta_requests', 'signals', 'apps'} - set(uwsgi.workers()[0]))", "[]"),
            ("0 <= time.time() - uwsgi.workers()[0]['last_spawn'] < 600", "True"),
            ("[one['apps'][0]['requests'] == one['delta_requests'] > 0 for one in uwsgi.workers()]", "[True]"),
            ("[os.fstat(number).st_mode >> 12 for number in uwsgi.sockets] == [0o14]", "True"),
            ("uwsgi.magic_table[b'h'] == uwsgi.hostname, uwsgi.mode", "(True, b'dev')"),
            ("uwsgi.total_requests() > 0, uwsgi.request_id() > 0", "(True, True)"),
            ("1 << 20 < uwsgi.workers()[0]['rss'] < uwsgi.workers()[0]['vsz'] < 1 << 40", "True"),
            ("uwsgi.workers()[0]['pid'] == os.getpid(), uwsgi.opt['workers']", "(True, b'1')"),
            ("uwsgi.mem()[0] > 1 << 20", "True"),
            ("uwsgi.set_logvar('a', 1)", "TypeError: memoryview: a bytes-like object is required, not 'int'"),
            ("uwsgi.set_logvar('a', 'b'), uwsgi.get_logvar('a'), uwsgi.get_logvar('c')", "(None, b'b', None)"),
            ("os.fstat(uwsgi.connection_fd()).st_mode >> 12 == 0o14, uwsgi.is_connected()", "(True, True)"),
            ("uwsgi.log('a line of the application')", "True"),
            ("uwsgi.accepting()", "None"),
            ("uwsgi.async_sleep(0)", "b''"),
            ("threaded()", "[True]"),
            ("HOOKS", "['every']"),
            ("len(SERVED) > 0", "True"),
            ("uwsgi.is_a_reload, uwsgi.i_am_the_spooler()", "(False, None)"),
            ("uwsgi.lock(2), uwsgi.is_locked(2), uwsgi.unlock(2), uwsgi.is_locked(2)", "(None, True, None, False)"),
            ("uwsgi.lock(3), uwsgi.unlock(3)", "(None, None)"),
            ("uwsgi.lock(4)", "ValueError: there is no user lock 4: the last one is 3"),
            ("uwsgi.cache_get('k'), uwsgi.cache_set('k', 'v'), uwsgi.cache_num('k')", "(None, None, 0)"),
            ("uwsgi.cache_keys()", "ValueError: no local uWSGI cache available"),
            ("uwsgidecorators.spool(print)", "Exception: you have to enable the uWSGI spooler to use @spool decorator"),
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
fn the_uwsgi_module_lists_workers_by_their_numbers() {
    let scaling = ["cheaper-algo = manual", "cheaper = 2", "workers = 3"];
    let mut launch = launch(&one(), "calls");
    for line in scaling {
        launch = launch.line(line);
    }
    let mut instance = launch.start();
    instance.expect_log("DAMN ! worker 2");
    let listed = "[(w['id'], w['status'], w['respawn_count'], w['pid'] > 0) for w in uwsgi.workers()]";
    let of_two = |busy: usize, respawns: [u32; 2]| {
        let worker = |id: usize| {
            let status = if id == busy { "busy" } else { "idle" };
            format!("({id}, b'{status}', {}, True)", respawns[id - 1])
        };
        format!("[{}, {}, (3, b'cheap', 0, False)]", worker(1), worker(2))
    };
    let answers = |respawns| {
        let answer = call(&instance, listed);
        [1, 2].iter().any(|busy| answer == of_two(*busy, respawns)).then_some(()).ok_or(answer)
    };
    assert!(wait_until(|| answers([0, 0]).is_ok()), "{:?}", answers([0, 0]));
    assert_eq!(call(&instance, "sorted(map(len, uwsgi.workers()))[0] == max(map(len, uwsgi.workers()))"), "True");
    let pid = |id: usize| call(&instance, &format!("[w['pid'] for w in uwsgi.workers() if w['id'] == {id}][0]"));
    let killed = pid(2);
    let victim = instance.workers().into_iter().find(|worker| worker.pid.to_string() == killed);
    victim.expect("one of its workers").signal(Signal::SIGKILL);
    assert!(wait_until(|| answers([0, 1]).is_ok()), "{:?}", answers([0, 1]));
    assert_ne!(pid(2), killed);
}

/// It asks from within a request, so that it is busy by nature; and scaling's bounds hold for it as for everybody.
#[test]
fn the_worker_that_calls_cheap_is_the_one_that_goes() {
    let mut launch = launch(&one(), "calls");
    for line in ["cheaper-algo = manual", "cheaper = 1", "cheaper-initial = 3", "workers = 3"] {
        launch = launch.line(line);
    }
    let instance = launch.start();
    let ask = || call(&instance, "(uwsgi.worker_id(), uwsgi.cheap())");
    for left in [2, 1] {
        let position = instance.log.position();
        let answer = ask();
        let number = answer.trim_start_matches('(').trim_end_matches(", True)");
        let line = instance.log.wait_for_after(position, " cheaped.");
        assert_eq!(line.text, format!("uWSGI worker {number} cheaped."), "{answer}");
        instance.log.wait_for_after(position, &format!("scaling: shrink by 1 to {left} workers: a worker asked to go"));
    }
    assert!(ask().ends_with("True)"));
    instance.log.wait_for("a worker asked to go and stays: at least 1 must run");
    assert_eq!(instance.workers().len(), 1);
}

#[test]
fn an_application_reloads_and_stops_the_instance() {
    let instance = launch(&one(), "calls").start();
    assert_eq!(call(&instance, "uwsgi.reload()"), "True");
    instance.log.wait_for("reload done: generation 2 serves");
    instance.log.wait_for("worker 1 buried");
    assert_eq!(call(&instance, "uwsgi.is_a_reload"), "True");
    assert_eq!(call(&instance, "[worker['pid'] == os.getpid() for worker in uwsgi.workers()]"), "[True]");
    assert_eq!(call(&instance, "uwsgi.stop()"), "True");
    instance.ends_with(0);
}

/// Whether the worker is another one after a request for `target`, which must be answered with this status.
fn replaces_the_worker(instance: &Instance, target: &str, status: u16) -> bool {
    let (before, seen) = (body(instance, "/pid"), instance.log.position());
    assert_eq!(instance.get(target).status(), Some(status), "{target}");
    let after = body(instance, "/pid");
    if after != before {
        instance.log.wait_for_after(seen, "leaves: monitored exception");
        instance.log.wait_for_after(seen, "Respawned uWSGI worker 1");
    }
    after != before
}

#[test]
fn monitored_exceptions_replace_the_worker_after_the_answer() {
    let targets = [("/raise", 500), ("/raise_in_generator", 200), ("/exit?31", 500), ("/pid", 200)];
    let cases = [
        ("reload-on-exception = true", [true, true, true, false]),
        ("reload-on-exception-type = ValueError", [true, true, false, false]),
        ("reload-on-exception-type = before start_response", [false, false, false, false]),
        ("reload-on-exception-value = in the middle", [false, true, false, false]),
        ("reload-on-exception-repr = ValueError:before start_response", [true, false, false, false]),
        ("reload-on-exception-repr = SystemExit(31)", [false, false, true, false]),
        ("reload-on-exception = false", [false, false, false, false]),
    ];
    for (line, expected) in cases {
        let mut instance = launch(&one(), "rows").line(line).start();
        for word in ["exception in GET", "ended before its announced length"] {
            instance.expect_log(word);
        }
        for ((target, status), expected) in targets.iter().zip(expected) {
            assert_eq!(replaces_the_worker(&instance, target, *status), expected, "{line}: {target}");
        }
    }
}

#[test]
fn an_exception_that_cannot_be_described_is_survived() {
    let mut instance = launch(&one(), "rows").line("reload-on-exception-value = anything").start();
    instance.expect_log("exception in GET");
    assert!(!replaces_the_worker(&instance, "/raise_unprintable", 500));
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
        let log = instance.log.clone();
        instance.ends_with(0);
        // As under uWSGI: where the application was only loaded there is nothing to bring to an end.
        assert_eq!(log.lines_with("atexit ran in worker").len(), 2, "{:?}", log.lines_with("atexit"));
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
    // Without enable-threads uWSGI let them run only during requests (uWSGI's manual, "Python support").
    let instance = launch(&one(), "rows").start();
    assert_eq!(body(&instance, "/tick"), "started");
    assert_eq!(body(&instance, "/tick"), "ticked");
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
    // An unread body does not cost the answer (uWSGI's manual, "Nginx support").
    assert_eq!(nginx.post("/hello", &vec![1; 3 << 20]).text(), "Hello\n");
}

#[test]
fn five_hundred_vanishing_clients_leave_nothing_behind() {
    let mut instance = launch(&one(), "rows").set("threads", 4).start();
    instance.expect_log(THREADS);
    // The first crowd sees to it that every thread has what it keeps for good; a leak would grow with the second.
    crowd(&instance, 1, |connections, _| connections < 4);
    let (idle, resident) = (idle_descriptors(&instance), resident_kib(&instance));
    let served = match vanishing_for() {
        Some(time) => crowd(&instance, 2, |_, began| began.elapsed() < time),
        None => crowd(&instance, 2, |connections, _| connections < 10),
    };
    let (left, grown) = (idle_descriptors(&instance), resident_kib(&instance));
    println!("{served} connections; descriptors {idle} -> {left}, resident {resident} -> {grown} KiB");
    assert!(left <= idle, "{left} descriptors, {idle} before");
    assert!(grown < resident + 4096, "resident memory grew from {resident} to {grown} KiB");
}

/// How long the clients of the second crowd go on. Not with our prefix: the server takes `RHINOD_*` for options.
fn vanishing_for() -> Option<Duration> {
    let seconds = std::env::var("VANISHING_SECONDS").ok()?;
    Some(Duration::from_secs(seconds.parse().expect("VANISHING_SECONDS is a number")))
}

/// 500 clients at once; each comes again as long as `more`, given the number of its connections and when all began.
/// Returns how many connections there were.
fn crowd(instance: &Instance, seed: u64, more: impl Fn(usize, Instant) -> bool + Sync) -> usize {
    let began = Instant::now();
    let client = |number: u64| {
        let mut random = Rng::with_seed(seed << 32 | number);
        let mut connections = 0;
        while more(connections, began) {
            come_and_vanish(instance, &mut random);
            connections += 1;
        }
        connections
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (1..=500).map(|number| scope.spawn(move || client(number))).collect();
        clients.into_iter().map(|client| client.join().expect("a client")).sum()
    })
}

/// One connection that ends anywhere; one in six stays to the end and gets its answer.
fn come_and_vanish(instance: &Instance, random: &mut Rng) {
    let upload = |bytes| Request::get("/input_sum").method("POST").body("text/plain", vec![7; bytes]);
    match random.usize(..6) {
        0 => vanish(instance, &Request::get("/stream?100"), random.usize(..20_000)),
        1 => vanish(instance, &Request::get("/file_large?8"), random.usize(..1_000_000)),
        2 => part_of_a_request(instance, &upload(1_000), random.usize(..300)),
        3 => part_of_a_request(instance, &upload(100_000), random.usize(..100_000)),
        4 => drop(UnixStream::connect(instance.socket())),
        _ => assert_eq!(body(instance, "/hello"), "Hello\n"),
    }
}

fn part_of_a_request(instance: &Instance, request: &Request, bytes: usize) {
    let packet = request.to_uwsgi().expect("a packet");
    let mut stream = UnixStream::connect(instance.socket()).expect("connect");
    stream.write_all(&packet[..bytes.min(packet.len() - 1)]).expect("a part of the request");
    let _ = stream.shutdown(Shutdown::Both);
}

/// The fewest descriptors of many looks: a thread may still be finding out that its client has gone.
fn idle_descriptors(instance: &Instance) -> usize {
    let look = |_| {
        assert_eq!(body(instance, "/hello"), "Hello\n");
        descriptors(instance)
    };
    (0..100).map(look).min().unwrap_or(0)
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

/// Writes a wheel of the package `packaged`; arguments are the directory and the version.
const WHEEL: &str = "import sys, zipfile
directory, version = sys.argv[1:]
with zipfile.ZipFile('%s/packaged-%s-py3-none-any.whl' % (directory, version), 'w') as wheel:
    about = 'packaged-%s.dist-info/' % version
    wheel.writestr('packaged.py', 'VERSION = %r\\n' % version)
    wheel.writestr(about + 'METADATA', 'Metadata-Version: 2.1\\nName: packaged\\nVersion: %s\\n' % version)
    wheel.writestr(about + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr(about + 'RECORD', 'packaged.py,,\\n%sMETADATA,,\\n%sWHEEL,,\\n' % (about, about))
";

#[test]
fn a_reload_picks_up_a_newer_package() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let venv = directory.path().join("venv");
    let run = |program: &Path, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(directory.path()).output().expect("execute it");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    run(&one().path, &["-m", "venv", "venv"]);
    let install = |version: &str| {
        run(&venv.join("bin/python"), &["-c", WHEEL, ".", version]);
        let pip = ["-m", "pip", "install", "--no-index", "--find-links", ".", "--upgrade", "packaged"];
        run(&venv.join("bin/python"), &pip);
    };
    let text = "import packaged\n\
                def application(environ, start_response):\n\
                \x20   start_response('200 OK', [])\n\
                \x20   return [packaged.VERSION.encode()]\n";
    fs::write(directory.path().join("web.py"), text).expect("write the application");
    install("1.0");
    let launch = launch_in(&one(), directory.path()).without("python-executable").set("home", venv.display());
    let instance = launch.set("module", "web").start();
    assert_eq!(body(&instance, "/"), "1.0");
    install("2.0");
    assert_eq!(body(&instance, "/"), "1.0");
    instance.signal(Signal::SIGHUP);
    instance.log.wait_for("worker 1 buried");
    assert_eq!(body(&instance, "/"), "2.0");
}
