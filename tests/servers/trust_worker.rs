//! An application that turns against its server (`tests/python/evil.py`): the master lives and answers, the log stays
//! small, and the other workers serve.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};

use loadgen::packet::Request;
use nix::sys::signal::Signal;
use testkit::seeds::seconds_of_this_run;

use crate::harness::{Instance, Launch, program_path, wait_until};
use crate::pythons::{applications, launch, one};
use crate::reloading::{descriptors, operator, resident_kb};

fn evil() -> Launch {
    let launch = launch(&one(), "evil").set("workers", 3).set("disable-logging", true).set("enable-threads", true);
    let pid_file = launch.dir().join("pid").display().to_string();
    launch.set("pidfile", pid_file)
}

#[track_caller]
fn assert_all_is_well(server: &Instance) {
    let began = Instant::now();
    let status = operator(server, "status");
    assert!(status.status.success(), "{status:?}; the log:\n{}", server.log.tail());
    // An operator's patience: a loaded machine is slower than a second, a locked-out operator waits for ever.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    for _ in 0..6 {
        assert_eq!(server.get("/").status(), Some(200));
    }
}

#[test]
fn a_worker_that_floods_its_master_is_told_of_once_and_replaced() {
    let mut server = evil().start();
    server.expect_log("DAMN");
    server.expect_log("worker in seat");
    // A debug build has pages of its own still to read in.
    let before_kb = resident_kb(server.pid());
    let seen = server.log.position();
    server.get("/flood");
    server.log.wait_for_after(seen, "that is too much, and it is killed and replaced");
    server.log.wait_for_after(seen, "Respawned uWSGI worker");
    assert_all_is_well(&server);
    let told = server.log.lines().iter().filter(|line| line.contains("worker in seat")).count();
    assert_eq!(told, 2, "what came, and that it was too much:\n{}", server.log.tail());
    let grown_kb = resident_kb(server.pid()).saturating_sub(before_kb);
    assert!(grown_kb < 32_768, "the master has grown by {grown_kb} kB");
}

#[test]
fn descriptors_beside_what_is_no_record_are_closed() {
    let mut server = evil().start();
    server.expect_log("worker in seat");
    assert_all_is_well(&server);
    let before = descriptors(server.pid());
    for _ in 0..2 {
        server.get("/surplus");
    }
    server.log.wait_for("worker in seat");
    assert_all_is_well(&server);
    let closed = wait_until(|| descriptors(server.pid()) <= before + 2);
    assert!(closed, "{before} descriptors, and now {}", descriptors(server.pid()));
}

/// How often an instance is looked at whose worker is at it.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What a request may leave in the log: an exception with its traceback, and the death of its worker.
const LOG_BYTES_EACH: usize = 80 * 1_024;
/// What a deed may leave there besides, however long it goes on.
const LOG_BYTES: usize = 256 * 1_024;

/// An instance whose worker does a deed, request after request, until the time is over.
struct Attack {
    server: Instance,
    deed: &'static str,
    until: Instant,
    requests: usize,
    statuses: usize,
    slow: usize,
}

impl Attack {
    fn on(mut server: Instance, deed: &'static str, time: Duration) -> Self {
        // What becomes of the evil one is its own affair.
        for told in ["worker in seat", "DAMN", "exception in", "RuntimeError", "[warn]", "[error]"] {
            server.expect_log(told);
        }
        Self { server, deed, until: Instant::now() + time, requests: 0, statuses: 0, slow: 0 }
    }

    /// Until the time is over. The worker may be replaced before it has answered; then the next one is asked.
    fn goes_on(&mut self) {
        loop {
            let left = self.until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let mut request = self.begin(left);
            self.requests += 1;
            while is_under_way(&mut request) {
                self.look();
            }
            self.look();
        }
    }

    fn begin(&self, time: Duration) -> UnixStream {
        let request = Request::get(&format!("{}?{}", self.deed, time.as_secs_f32()));
        let mut stream = UnixStream::connect(self.server.socket()).expect("connect");
        stream.set_read_timeout(Some(LOOK_EVERY)).expect("a timeout");
        stream.write_all(&request.to_uwsgi().expect("a packet")).expect("send");
        stream
    }

    /// The master answers its operator, by its pid, and siblings answer everybody.
    fn look(&mut self) {
        let Self { server, deed, .. } = self;
        let began = Instant::now();
        let status = Command::new(program_path("rhinod")).arg("status").arg(server.pid().to_string()).output();
        let took = began.elapsed();
        let status = status.expect("execute rhinod");
        let told = String::from_utf8_lossy(&status.stdout).contains(&format!(": pid {},", server.pid()));
        assert!(told, "{deed}: {status:?}; the log:\n{}", server.log.tail());
        self.statuses += 1;
        self.slow += usize::from(took > Duration::from_secs(1));
        for _ in 0..3 {
            assert_eq!(server.get("/").status(), Some(200), "{deed}; the log:\n{}", server.log.tail());
        }
    }

    fn judge(&self) {
        let Self { server, deed, requests, statuses, slow, .. } = self;
        // Those that were slow are the machine's, which has others to serve as well.
        assert!(slow * 5 <= *statuses, "{deed}: {slow} of {statuses} took longer than a second");
        let lines = server.log.lines();
        let bytes: usize = lines.iter().map(String::len).sum();
        assert!(bytes < LOG_BYTES + requests * LOG_BYTES_EACH, "{deed}: {bytes} bytes of log, {requests} requests");
        assert!(lines.iter().all(|line| !line.contains('\x1b')), "{deed} moves a cursor");
    }
}

/// Whether no end of an answer comes for the time between two looks.
fn is_under_way(request: &mut UnixStream) -> bool {
    let mut bytes = [0; 1_024];
    loop {
        match request.read(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
            Ok(0) | Err(_) => return false,
            Ok(_) => {}
        }
    }
}

fn time() -> Duration {
    seconds_of_this_run(4)
}

#[test]
fn whatever_a_worker_does_for_seconds_its_master_answers_and_its_siblings_serve() {
    std::thread::scope(|scope| {
        for deed in ["/surplus", "/scribble", "/bell", "/operators", "/shout", "/flood"] {
            scope.spawn(move || {
                let server = evil().start();
                let (memory_kb, open) = (resident_kb(server.pid()), descriptors(server.pid()));
                let mut attack = Attack::on(server, deed, time());
                attack.goes_on();
                attack.judge();
                let grown_kb = resident_kb(attack.server.pid()).saturating_sub(memory_kb);
                assert!(grown_kb < 32_768, "{deed}: the master has grown by {grown_kb} kB");
                let closed = wait_until(|| descriptors(attack.server.pid()) <= open + 4);
                assert!(closed, "{deed}: {open} descriptors, and now {}", descriptors(attack.server.pid()));
            });
        }
    });
}

/// As a user whom the master does not trust, in a directory where both have files.
#[test]
fn whatever_a_worker_puts_in_the_place_of_files_its_master_writes_through_none_of_it() {
    if !nix::unistd::Uid::effective().is_root() {
        println!("skipped: only root can become another user");
        return;
    }
    let launch = Launch::rhinod().env("PYTHONDONTWRITEBYTECODE", 1).set("workers", 3).set("module", "evil");
    let (dir, place) = (launch.dir().to_owned(), |name: &str| launch.dir().join(name).display().to_string());
    let files = [("pidfile", place("pid")), ("cheaper-log", place("log")), ("master-fifo", place("fifo"))];
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).expect("a directory for everyone");
    fs::copy(applications().join("evil.py"), dir.join("evil.py")).expect("the application");
    fs::write(dir.join("victim"), "precious").expect("a file of root's");
    let launch = files.into_iter().fold(launch, |launch, (option, path)| launch.set(option, path));
    let launch = launch.set("uid", 12_345).set("gid", 23_456).set("master-as-root", true).set("chmod-socket", 666);
    let server = launch.set("cheaper", 2).set("cheaper-algo", "adaptive").set("vacuum", true).start();
    let mut attack = Attack::on(server, "/links", time().min(Duration::from_secs(2)));
    attack.goes_on();
    // What opens its files anew, and what writes them anew.
    attack.server.signal(Signal::SIGHUP);
    attack.server.log.wait_for("reload");
    attack.look();
    attack.judge();
    assert_eq!(fs::read_to_string(dir.join("victim")).expect("the file"), "precious");
}
