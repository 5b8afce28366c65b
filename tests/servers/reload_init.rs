//! What an init system sees: notifications, activated sockets, hooks, stops under load, and a life as process 1.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;

use crate::harness::{Instance, Launch, PATIENCE, Process, children_of, wait_for_text, wait_until};
use crate::reloading::{Traffic, complaint, misdeed, operator, reload, unsteady, wait_for_generation, who};
use loadgen::packet::Request;
use nix::sys::signal::Signal;

/// What systemd would hear: one entry for each datagram.
struct Notifications(UnixDatagram);

impl Notifications {
    fn listen(directory: &Path) -> Self {
        let socket = UnixDatagram::bind(directory.join("notify")).expect("bind the socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self(socket)
    }

    fn next(&self) -> String {
        let mut buffer = [0; 4_096];
        let length = self.0.recv(&mut buffer).expect("a notification");
        String::from_utf8_lossy(&buffer[..length]).trim_end().to_owned()
    }

    /// The next one that has a line that begins so; those before it, too.
    fn until(&self, start: &str) -> Vec<String> {
        let mut heard = vec![self.next()];
        while !heard.last().is_some_and(|last| last.lines().any(|line| line.starts_with(start))) {
            heard.push(self.next());
        }
        heard
    }
}

fn notifying(launch: Launch) -> (Launch, Notifications) {
    let notifications = Notifications::listen(launch.dir());
    let path = launch.dir().join("notify");
    (launch.env("NOTIFY_SOCKET", path.display()), notifications)
}

fn has(notifications: &[String], start: &str) -> bool {
    notifications.iter().any(|one| one.lines().any(|line| line.starts_with(start)))
}

#[test]
fn systemd_hears_of_ready_reloading_and_stopping_at_the_right_moments() {
    let launch = unsteady();
    misdeed(launch.dir(), "start slow 200");
    let (launch, heard) = notifying(launch);
    let server = launch.spawn();
    heard.until("READY=1");
    // Whoever waited for READY is served at once: a worker listens, and was ready before.
    assert!(server.log.position() > 0 && who(&server).ends_with("of generation 1"));
    server.signal(Signal::SIGHUP);
    let reloading = heard.until("RELOADING=1").pop().unwrap_or_default();
    assert!(reloading.lines().any(|line| line.starts_with("MONOTONIC_USEC=")), "{reloading}");
    let before = heard.until("READY=1");
    assert!(!has(&before[..before.len() - 1], "READY=1"), "{before:?}");
    wait_for_generation(&server, 2);
    server.signal(Signal::SIGTERM);
    heard.until("STOPPING=1");
    server.ends_with(0);
}

#[test]
fn systemd_hears_that_a_reload_failed_and_that_the_instance_is_ready_all_the_same() {
    let (launch, heard) = notifying(unsteady());
    let mut server = launch.start();
    heard.until("READY=1");
    misdeed(server.dir(), "load fail");
    server.expect_log("told to fail");
    server.signal(Signal::SIGHUP);
    heard.until("RELOADING=1");
    let last = heard.until("READY=1").pop().unwrap_or_default();
    assert!(last.contains("STATUS=reload failed:") && last.contains("told to fail"), "{last}");
}

#[test]
fn systemd_hears_of_a_trial_and_why_its_generation_was_refused() {
    let canary = unsteady().set("reload-canary", 1).set("reload-canary-time", 60).set("reload-canary-requests", 100);
    let (launch, heard) = notifying(canary);
    let mut server = launch.start();
    heard.until("READY=1");
    server.expect_log("failed");
    misdeed(server.dir(), "answer fail 2");
    let traffic = Traffic::start(&server, 4, "/sleep?ms=1");
    server.signal(Signal::SIGHUP);
    heard.until("RELOADING=1");
    heard.until("STATUS=generation 2 on trial, ");
    let last = heard.until("READY=1").pop().unwrap_or_default();
    assert!(last.contains("STATUS=reload failed: ") && last.contains(" requests failed, of the old"), "{last}");
    traffic.stop();
}

#[test]
fn the_status_line_counts_the_workers() {
    let (launch, heard) = notifying(unsteady());
    let _server = launch.start();
    let status = heard.until("STATUS=").pop().unwrap_or_default();
    assert!(status.contains("workers"), "{status}");
    wait_for_status(&heard, "4 of 4 workers ready");
}

fn wait_for_status(heard: &Notifications, text: &str) {
    while !heard.next().contains(text) {}
}

#[test]
fn the_watchdog_is_kept_quiet() {
    let (launch, heard) = notifying(unsteady());
    let _server = launch.env("WATCHDOG_USEC", 200_000).start();
    for _ in 0..5 {
        heard.until("WATCHDOG=1");
    }
}

#[test]
fn the_application_is_not_told_of_systemd() {
    let (launch, heard) = notifying(unsteady());
    let server = launch.start();
    heard.until("READY=1");
    for process in server.zygotes() {
        let environment = fs::read(format!("/proc/{}/environ", process.pid)).expect("the environment");
        let variables: Vec<&[u8]> = environment.split(|byte| *byte == 0).collect();
        assert!(!variables.iter().any(|variable| variable.starts_with(b"NOTIFY_SOCKET=")));
    }
}

/// An instance that is given its socket as systemd gives it: by the shell, since that keeps the pid.
fn activated(launch: Launch) -> (Launch, UnixListener) {
    let path = launch.socket_path();
    let listener = UnixListener::bind(path).expect("bind");
    let copy = listener.try_clone().expect("a copy");
    let words = ["sh", "-c", "exec env LISTEN_FDS=1 LISTEN_PID=$$ \"$@\" 3<&0 0</dev/null", "sh"];
    (launch.stdin(std::os::fd::OwnedFd::from(copy)).through(words), listener)
}

#[test]
fn an_activated_socket_survives_reload_and_stop() {
    let (launch, listener) = activated(unsteady().without("socket"));
    let server = launch.start();
    let path = server.socket().to_owned();
    let traffic = Traffic::start(&server, 4, "/sleep?ms=1");
    reload(&server);
    reload(&server);
    traffic.end();
    let fifo = server.dir().join("fifo");
    crate::reloading::tell_fifo(&fifo, "u");
    server.log.wait_for("the master (pid");
    reload(&server);
    wait_for_generation(&server, 4);
    let kept = tempfile::tempdir().expect("a directory");
    let alias = kept.path().join("alias.sock");
    fs::hard_link(&path, &alias).expect("another name for the socket");
    server.stop();
    // The socket goes on taking connections although nobody serves: the next instance will.
    let mut queued = UnixStream::connect(&alias).expect("the socket is gone");
    queued.write_all(&Request::get("/").to_uwsgi().expect("a small request")).expect("send");
    let (mut accepted, _) = listener.accept().expect("the queue keeps it");
    let mut head = [0; 4];
    accepted.read_exact(&mut head).expect("what was sent");
}

#[test]
fn who_waits_in_the_queue_of_an_activated_socket_is_served_by_the_next_instance() {
    let (launch, listener) = activated(unsteady().without("socket"));
    let server = launch.start();
    let kept = tempfile::tempdir().expect("a directory");
    let alias = kept.path().join("alias.sock");
    fs::hard_link(server.socket(), &alias).expect("another name for the socket");
    server.stop();
    let mut queued = UnixStream::connect(&alias).expect("connect");
    queued.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    queued.write_all(&Request::get("/").to_uwsgi().expect("a small request")).expect("send");
    let words = ["sh", "-c", "exec env LISTEN_FDS=1 LISTEN_PID=$$ \"$@\" 3<&0 0</dev/null", "sh"];
    let next = unsteady().without("socket").stdin(std::os::fd::OwnedFd::from(listener)).through(words).start();
    let mut answer = String::new();
    queued.read_to_string(&mut answer).expect("an answer");
    assert!(answer.contains("of generation 1"), "{answer}");
    next.stop();
}

#[test]
fn a_stop_finishes_what_every_worker_has_accepted() {
    let server = unsteady().start();
    let packet = Request::get("/sleep?ms=300").to_uwsgi().expect("a small request");
    let mut clients: Vec<UnixStream> = (0..4)
        .map(|_| {
            let mut client = UnixStream::connect(server.socket()).expect("connect");
            client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            client.write_all(&packet).expect("send");
            client
        })
        .collect();
    // All four workers are busy once a fifth request is not taken up any more.
    assert!(wait_until(|| busy(&server) == 4), "not all workers took a request");
    server.signal(Signal::SIGTERM);
    for client in &mut clients {
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("an answer");
        assert!(answer.ends_with("slept\n"), "{answer:?}");
    }
    server.ends_with(0);
}

/// How many workers sleep in a request.
fn busy(server: &Instance) -> usize {
    server.workers().iter().filter(|process| process.sleeps()).count()
}

#[test]
fn hooks_run_in_the_order_of_a_life() {
    let launch = unsteady().set("workers", 1);
    let journal = launch.dir().join("journal");
    let phases = [
        "hook-asap",
        "hook-as-root",
        "hook-as-user",
        "hook-master-start",
        "hook-pre-app",
        "hook-post-app",
        "hook-post-fork",
        "hook-accepting",
        "hook-as-user-atexit",
    ];
    let mut launch = launch;
    for phase in phases {
        launch = launch.set(phase, format!("appendn:{} {phase}", journal.display()));
    }
    let server = launch.start();
    who(&server);
    server.signal(Signal::SIGTERM);
    let text = wait_for_text(&journal, "hook-as-user-atexit");
    server.ends_with(0);
    assert_eq!(text.lines().collect::<Vec<_>>(), phases);
}

#[test]
fn hooks_of_accepting_run_in_each_worker_or_once() {
    let launch = unsteady().set("workers", 2);
    let journal = launch.dir().join("journal");
    let phases = ["accepting", "accepting-once", "accepting1", "accepting1-once"];
    let launch = phases.iter().fold(launch, |launch, phase| {
        launch.set(&format!("hook-{phase}"), format!("appendn:{} {phase}", journal.display()))
    });
    let server = launch.start();
    // How often each has run, by its name.
    let counts = || {
        let text = fs::read_to_string(&journal).unwrap_or_default();
        phases.map(|phase| text.lines().filter(|line| *line == phase).count())
    };
    assert_eq!(counts(), [2, 2, 1, 1]);
    crate::reloading::tell(&server, "w");
    server.log.wait_for("workers' reload done");
    assert_eq!(counts(), [4, 2, 2, 1]);
    // A new generation is no new life of the worker's number.
    reload(&server);
    assert_eq!(counts(), [6, 2, 3, 1]);
}

#[test]
fn a_hook_that_fails_keeps_the_instance_from_starting() {
    for hook in ["exec-asap", "exec-as-root", "exec-as-user"] {
        let failed = unsteady().set(hook, "exit 3").fails();
        assert_eq!(failed.code, 78, "{hook}: {:?}", failed.lines);
        assert!(failed.lines.iter().any(|line| line.contains("exit 3")), "{hook}: {:?}", failed.lines);
    }
}

#[test]
fn a_hook_that_fails_in_the_new_generation_fails_the_reload() {
    let launch = unsteady();
    let witness = launch.dir().join("witness");
    fs::write(&witness, "").expect("a file");
    let mut server = launch.set("exec-pre-app", format!("test -e {}", witness.display())).start();
    fs::remove_file(&witness).expect("remove it");
    server.expect_log("test -e");
    let output = operator(&server, "--reload");
    assert_eq!(output.status.code(), Some(crate::reloading::RELOAD_FAILED), "{output:?}");
    assert!(complaint(&output).contains("test -e"), "{output:?}");
    assert!(who(&server).ends_with("of generation 1"));
}

/// The dance of two instances: the new one tells the old one's fifo to stop once it serves.
#[test]
fn a_new_instance_can_end_the_old_one_by_its_fifo() {
    let old = unsteady().start();
    let hook = format!("writefifo:{} q", old.dir().join("fifo").display());
    let new = unsteady().set("hook-accepting1-once", hook).start();
    old.ends_with(0);
    assert!(who(&new).ends_with("of generation 1"));
}

#[test]
fn in_the_background_it_logs_into_its_file_and_serves() {
    let launch = unsteady();
    let log = launch.dir().join("log");
    let mut server = launch.set("daemonize", log.display()).set("chmod-socket", "700").spawn();
    assert_eq!(server.wait_exit(), 0);
    // What was said of the configuration on the terminal stands there as well.
    wait_for_text(&log, "only its owner may connect (mode 700)");
    wait_for_text(&log, "ready to serve");
    assert!(who(&server).ends_with("of generation 1"));
    reload(&server);
    wait_for_generation(&server, 2);
    let output = operator(&server, "--stop");
    assert!(output.status.success(), "{output:?}");
    wait_for_text(&log, "goodbye to uWSGI");
    assert!(wait_until(|| server.processes().is_empty()), "{:?}", server.processes());
    server.ends_with(0);
}

/// Whether this machine lets us make a pid namespace.
fn can_unshare() -> bool {
    let tried = std::process::Command::new("unshare").args(["-p", "-f", "--mount-proc", "true"]).output();
    tried.is_ok_and(|output| output.status.success())
}

#[test]
fn as_process_1_it_reaps_strangers_and_term_stops_it() {
    if !can_unshare() {
        // Namespaces are root's here; nothing to see without them.
        println!("skipped: no right to make a pid namespace");
        return;
    }
    let launch = unsteady().set("exec-as-user", "(sleep 0.05 & ) ; (sleep 0.1 & )");
    let server = launch.through(["unshare", "-p", "-f", "--mount-proc", "--kill-child=SIGKILL"]).start();
    let master = wait_for_named(&server, "rhinod master");
    // The strangers are its children now, and do not stay as zombies.
    let zombies = || {
        let is_zombie =
            |pid: &i32| fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "));
        children_of(master.pid).iter().filter(|pid| is_zombie(pid)).count()
    };
    let strangers = || server.processes().iter().filter(|process| process.name == "sleep").count();
    assert!(wait_until(|| strangers() == 0 && zombies() == 0), "{:?}", server.processes());
    assert!(who(&server).ends_with("of generation 1"));
    master.signal(Signal::SIGTERM);
    server.ends_with(0);
}

/// Containers that share the network of their host are each process 1.
#[test]
fn two_masters_may_have_the_same_pid() {
    if !can_unshare() {
        println!("skipped: no right to make a pid namespace");
        return;
    }
    let contained = || unsteady().through(["unshare", "-p", "-f", "--mount-proc", "--kill-child=SIGKILL"]).start();
    let both = [contained(), contained()];
    for server in both {
        assert!(who(&server).ends_with("of generation 1"));
        wait_for_named(&server, "rhinod master").signal(Signal::SIGTERM);
        server.ends_with(0);
    }
}

fn wait_for_named(server: &Instance, name: &str) -> Process {
    let find = || server.processes().into_iter().find(|process| process.name == name);
    assert!(wait_until(|| find().is_some()), "{:?}", server.processes());
    find().expect("it was there")
}
