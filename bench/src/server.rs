//! A contender as a running process tree: started, waited for, signalled, ended.
//!
//! Each server has a directory of its own for socket, configuration and log, removed with it, and a process group of
//! its own, so that a Ctrl-C reaches the measuring process alone and it ends its servers in order. Ending is by pid:
//! the master first, then whatever of its tree outlived it. Runs in the measuring process.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use tempfile::TempDir;

use crate::lab::{Error, Lab, io_error};
use crate::proc::{self, Pid, Process};
use loadgen::client::{Load, Target, Until, Wire, wait_for_answer};
use loadgen::packet::Request;

/// What to start.
#[derive(Debug)]
pub struct Launch {
    /// Who it is, in tables and errors.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Added to the environment.
    pub environment: Vec<(String, String)>,
    /// Where it will listen.
    pub target: Target,
    /// What it speaks.
    pub wire: Wire,
    /// The page that it is asked for.
    pub page: &'static str,
    /// Its directory: working directory, socket, log.
    pub dir: TempDir,
}

/// A started server. Ended when dropped.
#[derive(Debug)]
pub struct Server {
    name: String,
    child: Child,
    target: Target,
    wire: Wire,
    page: &'static str,
    dir: TempDir,
    started: Instant,
    front: Option<Box<Server>>,
}

/// Longest time for a server to answer first.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// Pause between attempts to get the first answer: the resolution of start-up times.
const POLL_EVERY: Duration = Duration::from_micros(200);
/// Longest time to end when asked to.
const END_WITHIN: Duration = Duration::from_secs(10);
/// Lines of the log that an error shows.
const LOG_LINES: usize = 15;
const LOG_FILE: &str = "log";

impl Server {
    /// Starts it; it does not answer yet.
    ///
    /// # Errors
    /// When the program cannot be executed.
    pub fn start(launch: Launch) -> Result<Self, Error> {
        let what = format!("{}: start", launch.name);
        let log = File::create(launch.dir.path().join(LOG_FILE)).map_err(io_error(&what))?;
        let mut command = Command::new(&launch.program);
        command.args(&launch.arguments).envs(launch.environment).current_dir(launch.dir.path()).process_group(0);
        command.stdin(Stdio::null()).stdout(log.try_clone().map_err(io_error(&what))?).stderr(log);
        let started = Instant::now();
        let child = command.spawn().map_err(io_error(what))?;
        let Launch { name, target, wire, page, dir, .. } = launch;
        Ok(Self { name, child, target, wire, page, dir, started, front: None })
    }

    /// Starts a web server before it, through which [`load`](Self::load) then goes.
    ///
    /// # Errors
    /// As [`start`](Self::start) and [`wait_ready`](Self::wait_ready).
    pub fn put_behind(&mut self, front: Launch, lab: &Lab) -> Result<(), Error> {
        let mut front = Self::start(front)?;
        front.wait_ready(lab)?;
        self.front = Some(Box::new(front));
        Ok(())
    }

    /// A closed loop of clients that ask for its page.
    ///
    /// # Errors
    /// When the request does not fit into a packet.
    pub fn load(&self, clients: usize, until: Until) -> Result<Load, Error> {
        self.load_of(self.page, clients, until)
    }

    /// The same for another page.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_of(&self, page: &str, clients: usize, until: Until) -> Result<Load, Error> {
        let door = self.front.as_deref().unwrap_or(self);
        Ok(Load::new(door.target(), door.wire, &Request::get(page), clients, until)?)
    }

    /// Waits for the first good answer with its page; the time from before exec until then.
    ///
    /// # Errors
    /// When the server ends or says nothing in half a minute: with the end of its log.
    pub fn wait_ready(&mut self, lab: &Lab) -> Result<Duration, Error> {
        self.wait_answering(lab)?;
        Ok(self.started.elapsed())
    }

    /// Waits for a good answer with its page; the time until then.
    ///
    /// # Errors
    /// As [`wait_ready`](Self::wait_ready).
    pub fn wait_answering(&mut self, lab: &Lab) -> Result<Duration, Error> {
        let request = Request::get(self.page);
        let packet = match self.wire {
            Wire::Uwsgi => request.to_uwsgi()?,
            Wire::Http { .. } => request.to_http(false),
        };
        let child = &mut self.child;
        let answered = wait_for_answer(&self.target, &packet, POLL_EVERY, READY_WITHIN, || {
            if lab.check_stop().is_err() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            child.try_wait()?.map_or(Ok(()), |status| Err(io::Error::other(format!("it ended: {status}"))))
        });
        answered.map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => Error::Interrupted,
            _ => self.error(error.to_string()),
        })
    }

    /// Where it listens.
    pub fn target(&self) -> Target {
        self.target.clone()
    }

    /// Where the web server before it listens, if there is one.
    pub fn front_target(&self) -> Option<Target> {
        self.front.as_deref().map(Server::target)
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The process that was started: the master.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// All its processes, the master first.
    pub fn tree(&self) -> Vec<Process> {
        proc::tree(self.pid())
    }

    /// User and system time of all its processes so far, dead ones included.
    pub fn cpu_time(&self) -> Duration {
        proc::cpu_time(&self.tree())
    }

    /// Its workers.
    pub fn workers(&self) -> Vec<Pid> {
        proc::leaves(self.pid())
    }

    /// Sends the master a signal.
    ///
    /// # Errors
    /// When it is gone.
    pub fn signal(&self, signal: Signal) -> Result<(), Error> {
        kill_process(self.pid(), signal).map_err(|errno| self.error(format!("signal {signal:?}: {errno}")))
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.path().join(LOG_FILE)).unwrap_or_default()).into_owned()
    }

    /// An error of this server, with the end of its log.
    pub fn error(&self, reason: impl Into<String>) -> Error {
        let text = self.log();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
        Error::Server { server: self.name.clone(), reason: reason.into(), log: tail }
    }

    /// The front first; then SIGTERM to the master, ten seconds for it to end, SIGKILL for whatever is left of the tree.
    fn end(&mut self) {
        drop(self.front.take());
        let mut tree = self.tree();
        // The child is not waited for yet, so its pid is still its own.
        let _gone = kill_process(self.pid(), Signal::TERM);
        let deadline = Instant::now() + END_WITHIN;
        let mut ended = self.has_ended();
        while !ended && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
            ended = self.has_ended();
        }
        if !ended {
            tree.extend(self.tree());
        }
        for process in tree.iter().filter(|process| proc::is_alive(process)) {
            let _gone = kill_process(process.pid, Signal::KILL);
        }
        let _reaped = self.child.wait();
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
