//! What the tests of reloads and of deaths share: traffic without end, requests that are held, and the words of an operator.
//!
//! Runs in the test's process; stands on `harness`, which every test program of these has as well.

pub(crate) mod replacing;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use loadgen::client::{Load, Report, Target, Until, Wire};
use loadgen::packet::Request;
use nix::sys::signal::Signal;

use crate::harness::{Instance, Launch, PATIENCE, Process, output_of, program_path};

/// Exit code of `rhinod --reload` when the old generation goes on.
pub(crate) const RELOAD_FAILED: i32 = 75;

/// The unsteady example with four workers, a pid file, a fifo, and a file that says how it misbehaves.
pub(crate) fn unsteady() -> Launch {
    let launch = Launch::example("unsteady");
    let place = |name: &str| launch.dir().join(name).display().to_string();
    let (misdeed, pid_file, fifo) = (place("misdeed"), place("pid"), place("fifo"));
    let launch = launch.env("UNSTEADY_FILE", misdeed).set("workers", 4).set("disable-logging", true);
    launch.set("pidfile", pid_file).set("master-fifo", fifo)
}

/// Has clients ask, each by itself and again and again, while the instance is reloaded: 3 times, or as often as RELOADS says.
pub(crate) fn ask_through_reloads<C: FnMut() + Send>(server: &Instance, clients: impl IntoIterator<Item = C>) {
    ask_through_changes(server, clients, |_, reload| reload());
}

/// The same; `change` has something done around each reload, by its number, which it has carried out.
pub(crate) fn ask_through_changes<C: FnMut() + Send>(
    server: &Instance,
    clients: impl IntoIterator<Item = C>,
    change: impl Fn(usize, &dyn Fn()),
) {
    struct Over<'o>(&'o AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let over = &AtomicBool::new(false);
    let reloads = number_from("RELOADS", 3);
    std::thread::scope(|scope| {
        let _over = Over(over);
        for mut ask in clients {
            scope.spawn(move || {
                // A client that fails ends the test for all of them.
                let _over = Over(over);
                while !over.load(Ordering::Relaxed) {
                    ask();
                }
                ask();
            });
        }
        for generation in (2..).take(reloads) {
            if over.load(Ordering::Relaxed) {
                return;
            }
            change(generation - 1, &|| {
                server.signal(Signal::SIGHUP);
                server.log.wait_for(&format!("reload done: generation {generation} serves"));
            });
        }
    });
}

/// A number from the environment, for a run that is longer than that of every day.
pub(crate) fn number_from(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Tells the application how to misbehave from the next load on; empty is not at all.
pub(crate) fn misdeed(directory: &Path, text: &str) {
    // In one step: a load that is under way must see the old or the new.
    let fresh = directory.join("misdeed.new");
    fs::write(&fresh, text).expect("write the misdeed");
    fs::rename(fresh, directory.join("misdeed")).expect("put the misdeed in place");
}

/// Writes letters into the fifo of an instance.
pub(crate) fn tell(server: &Instance, letters: &str) {
    tell_fifo(&server.dir().join("fifo"), letters);
}

/// Writes letters into a fifo.
pub(crate) fn tell_fifo(fifo: &Path, letters: &str) {
    let opened = fs::OpenOptions::new().write(true).open(fifo);
    opened.and_then(|mut fifo| fifo.write_all(letters.as_bytes())).expect("write into the fifo");
}

/// What an operator says to an instance by its pid file (`--reload`), and what comes back.
pub(crate) fn operator(server: &Instance, command: &str) -> Output {
    let mut rhinod = Command::new(program_path("rhinod"));
    rhinod
        .arg(command)
        .arg(server.dir().join("pid"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    output_of(rhinod.spawn().expect("execute rhinod"))
}

/// Reloads by the command line, which waits until the new generation serves.
pub(crate) fn reload(server: &Instance) {
    let output = operator(server, "--reload");
    assert!(output.status.success(), "{output:?}; the log:\n{}", server.log.tail());
}

/// The text of an output's standard error.
pub(crate) fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Changes the ini file of a running instance.
pub(crate) fn edit(server: &Instance, change: impl FnOnce(String) -> String) {
    let path = server.dir().join("app.ini");
    let text = fs::read_to_string(&path).expect("read the ini file");
    fs::write(&path, change(text)).expect("write the ini file");
}

/// Who answers: `worker 1 of generation 2`.
pub(crate) fn who(server: &Instance) -> String {
    String::from_utf8_lossy(server.get("/").body()).trim_end().to_owned()
}

/// Waits until answers come from no other generation than this one.
pub(crate) fn wait_for_generation(server: &Instance, generation: u32) {
    let end = format!(" of generation {generation}");
    let come = crate::harness::wait_until(|| (0..8).all(|_| who(server).ends_with(&end)));
    assert!(come, "answers do not come from generation {generation}:\n{}", server.log.tail());
}

/// How many descriptors a process has open.
pub(crate) fn descriptors(process: i32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count)
}

/// The resident memory of a process in kilobytes.
pub(crate) fn resident_kb(process: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// Whether a process has gone, or goes in time.
pub(crate) fn goes(process: &Process) -> bool {
    crate::harness::wait_until(|| !process.is_alive())
}

/// So many requests from so many clients, each of which must be answered.
pub(crate) fn send(target: Target, request: &Request, clients: usize, requests: u64) {
    let load = Load::new(target, Wire::Uwsgi, request, clients, Until::Requests(requests)).expect("a small request");
    let counts = load.run(&AtomicBool::new(false)).expect("sockets and epoll").counts;
    assert_eq!(counts.ok, requests, "{counts:?}");
}

/// A closed loop of clients in a thread, until it is told to stop.
pub(crate) struct Traffic {
    stop: Arc<AtomicBool>,
    running: JoinHandle<Report>,
}

impl Traffic {
    /// Clients of the instance's own socket that ask for `path`.
    pub(crate) fn start(server: &Instance, clients: usize, path: &str) -> Self {
        Self::to(server.target(), Wire::Uwsgi, clients, path)
    }

    /// Clients of any socket.
    pub(crate) fn to(target: Target, wire: Wire, clients: usize, path: &str) -> Self {
        let until = Until::Elapsed(Duration::from_secs(3_600));
        let load = Load::new(target, wire, &Request::get(path), clients, until).expect("a small request");
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let running = std::thread::spawn(move || load.run(&flag).expect("sockets and epoll"));
        Self { stop, running }
    }

    /// Ends it, whatever came of it.
    pub(crate) fn stop(self) -> Report {
        self.stop.store(true, Ordering::Relaxed);
        self.running.join().expect("the clients")
    }

    /// Ends it. Nothing may have failed, and something must have been answered.
    pub(crate) fn end(self) -> Report {
        let report = self.stop();
        assert_eq!(report.counts.failed(), 0, "{:?}", report.counts);
        assert!(report.counts.ok > 0, "{:?}", report.counts);
        report
    }
}

/// A request that a worker keeps until it is released.
pub(crate) struct Held {
    stream: UnixStream,
    release: PathBuf,
}

impl Held {
    /// Sends `/hold` and waits until a worker has begun to answer.
    pub(crate) fn begin(server: &Instance) -> Self {
        Self::begin_at(server.socket(), server.dir())
    }

    /// The same for whoever listens on a socket; what releases it will be in a directory.
    pub(crate) fn begin_at(socket: &Path, dir: &Path) -> Self {
        let mut held = Self::send_to(socket, dir);
        let mut seen = Vec::new();
        while !seen.ends_with(b"held\n") {
            let mut byte = [0];
            assert_eq!(held.stream.read(&mut byte).expect("the first line"), 1, "closed after {seen:?}");
            seen.push(byte[0]);
        }
        held
    }

    /// Sends `/hold`; nobody may have accepted it yet.
    pub(crate) fn send(server: &Instance) -> Self {
        Self::send_to(server.socket(), server.dir())
    }

    fn send_to(socket: &Path, dir: &Path) -> Self {
        let release = dir.join("release");
        let packet = Request::get(&format!("/hold?until={}", release.display())).to_uwsgi().expect("a small request");
        let mut stream = UnixStream::connect(socket).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(&packet).expect("send");
        Self { stream, release }
    }

    /// Lets all held requests of the instance go.
    pub(crate) fn release(&self) {
        fs::write(&self.release, "").expect("write the release");
    }

    /// Whether nothing more comes within `time`.
    pub(crate) fn is_silent_for(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).expect("a timeout");
        let silent = self.stream.read(&mut [0]).is_err();
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        silent
    }

    /// What comes until the end; a connection that is cut ends as well.
    pub(crate) fn rest(mut self) -> String {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("no end after {rest:?}"),
            Ok(_) | Err(_) => String::from_utf8_lossy(&rest).into_owned(),
        }
    }

    /// Lets it go; it must be answered to the end.
    pub(crate) fn finish(self) {
        self.release();
        assert_eq!(self.rest(), "released\n");
    }
}
