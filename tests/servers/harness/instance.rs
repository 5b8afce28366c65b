//! An instance of the server under test: its ini file, its start, its end, and what it must not leave behind.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use loadgen::client::{Reply, Target, exchange};
use loadgen::packet::Request;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::log::{Line, Log};
use super::process::{Exit, Process, await_exit, look_up, processes_with, shell_code};
use super::{PATIENCE, wait_until};

/// The environment variable that marks every process of an instance.
const MARK: &str = "RHINOD_TEST_INSTANCE";

/// An instance that is about to be started.
#[derive(Debug)]
pub(crate) struct Launch {
    program: PathBuf,
    /// `key = value` lines of the section `[uwsgi]`.
    lines: Vec<String>,
    arguments: Option<Vec<OsString>>,
    environment: Vec<(String, String)>,
    dir: TempDir,
    stdin: Option<Stdio>,
    /// Program and first arguments that execute the instance instead of us.
    wrapper: Vec<OsString>,
}

impl Launch {
    /// The hello example with two workers on the unix socket `app.sock` in a directory of its own.
    pub(crate) fn hello() -> Self {
        Self::example("hello")
    }

    /// An example by name, as [`Launch::hello`].
    pub(crate) fn example(name: &str) -> Self {
        Self::program(example_path(name))
    }

    /// The `rhinod` command, as [`Launch::hello`].
    pub(crate) fn rhinod() -> Self {
        Self::program(program_path("rhinod"))
    }

    /// A program by its path, as [`Launch::hello`].
    pub(crate) fn program(program: PathBuf) -> Self {
        assert!(program.exists(), "{} is not built: run cargo build --bins --examples", program.display());
        let dir = tempfile::Builder::new().prefix("rhinod-test-").tempdir().expect("a temporary directory");
        let launch = Self {
            program,
            lines: Vec::new(),
            arguments: None,
            environment: Vec::new(),
            dir,
            stdin: None,
            wrapper: Vec::new(),
        };
        let socket = launch.socket_path();
        launch.set("socket", socket.display()).set("workers", 2)
    }

    /// The directory of the instance: its working directory, where the ini file and the socket are.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The ini file that [`Launch::start`] writes.
    pub(crate) fn ini_path(&self) -> PathBuf {
        self.dir().join("app.ini")
    }

    /// The unix socket of [`Launch::hello`].
    pub(crate) fn socket_path(&self) -> PathBuf {
        self.dir().join("app.sock")
    }

    /// Sets a key of the ini file: in the place of the first line with it, or at the end.
    pub(crate) fn set(mut self, key: &str, value: impl ToString) -> Self {
        let line = format!("{key} = {}", value.to_string());
        let place = self.lines.iter().position(|line| is_line_of(line, key)).unwrap_or(self.lines.len());
        self.lines.retain(|line| !is_line_of(line, key));
        self.lines.insert(place, line);
        self
    }

    /// Removes all lines with a key.
    pub(crate) fn without(mut self, key: &str) -> Self {
        self.lines.retain(|line| !is_line_of(line, key));
        self
    }

    /// Appends a line to the ini file, as it is.
    pub(crate) fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// Sets an environment variable of the master.
    pub(crate) fn env(mut self, name: &str, value: impl ToString) -> Self {
        self.environment.push((name.to_owned(), value.to_string()));
        self
    }

    /// Replaces the command line, which is the path of the ini file otherwise.
    pub(crate) fn arguments<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments = Some(arguments.into_iter().map(Into::into).collect());
        self
    }

    /// Gives the master a standard input.
    pub(crate) fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.stdin = Some(stdin.into());
        self
    }

    /// Has another program execute the instance; program and arguments of the instance follow these words.
    pub(crate) fn through<A: Into<OsString>>(mut self, words: impl IntoIterator<Item = A>) -> Self {
        self.wrapper = words.into_iter().map(Into::into).collect();
        self
    }

    /// The text of the ini file.
    pub(crate) fn ini_text(&self) -> String {
        format!("[uwsgi]\n{}\n", self.lines.join("\n"))
    }

    /// Starts it and waits until it says that its workers serve.
    pub(crate) fn start(self) -> Instance {
        let instance = self.spawn();
        if instance.log.wait_for_or_end("ready to serve").is_none() {
            panic!("the instance ended instead of starting:\n{}", instance.log.tail());
        }
        instance
    }

    /// Starts it and waits for nothing.
    pub(crate) fn spawn(self) -> Instance {
        fs::write(self.ini_path(), self.ini_text()).expect("write the ini file");
        self.spawn_as_is()
    }

    /// Starts it with whatever ini file there is.
    pub(crate) fn spawn_as_is(self) -> Instance {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let value = format!("{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let (reader, writer) = io::pipe().expect("a pipe for the log");
        let mut words = self.wrapper.clone();
        words.push(self.program.clone().into());
        words.extend(self.arguments.clone().unwrap_or_else(|| vec![self.ini_path().into()]));
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env_remove("RUST_LOG").envs(self.environment).env(MARK, &value);
        // A group of its own, so that a Ctrl-C at the tests' terminal is ours to handle.
        command.current_dir(self.dir.path()).process_group(0);
        command.stdin(self.stdin.unwrap_or_else(Stdio::null));
        command.stdout(writer.try_clone().expect("a second end of the pipe")).stderr(writer);
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot execute {words:?}: {error}"));
        // Our copies of the writing end go with the command, so that the log ends with the last process.
        drop(command);
        let pid = i32::try_from(child.id()).expect("a pid is positive");
        Instance {
            exit: await_exit(pid),
            pid,
            child,
            log: Log::of(reader),
            mark: format!("{MARK}={value}"),
            socket: self.dir.path().join("app.sock"),
            dir: self.dir,
            expected: Vec::new(),
            settled: false,
        }
    }

    /// Starts it, expecting that it refuses to, and waits for its end. Nothing of it may be left.
    pub(crate) fn fails(self) -> Failed {
        fs::write(self.ini_path(), self.ini_text()).expect("write the ini file");
        self.fails_as_is()
    }

    /// [`Launch::fails`] with whatever ini file there is.
    pub(crate) fn fails_as_is(self) -> Failed {
        let mut instance = self.spawn_as_is();
        let code = instance.wait_exit();
        instance.assert_nothing_left();
        instance.settled = true;
        let lines = instance.log.lines();
        let dir = std::mem::replace(&mut instance.dir, tempfile::tempdir().expect("a temporary directory"));
        Failed { code, lines, dir }
    }
}

fn is_line_of(line: &str, key: &str) -> bool {
    line.split_once('=').is_some_and(|(known, _)| known.trim() == key)
}

/// What an instance that refused to start leaves.
#[derive(Debug)]
pub(crate) struct Failed {
    /// Its exit code.
    pub code: i32,
    /// What it said.
    pub lines: Vec<String>,
    /// Its directory.
    pub dir: TempDir,
}

impl Failed {
    /// The one line that it said.
    pub(crate) fn line(&self) -> &str {
        assert_eq!(self.lines.len(), 1, "not one line: {:#?}", self.lines);
        &self.lines[0]
    }

    /// The names of the files in its directory, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).expect("the directory");
        let mut names: Vec<String> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// A running instance. Dropped, it is stopped and judged as by [`Instance::stop`].
#[derive(Debug)]
pub(crate) struct Instance {
    /// Its log.
    pub log: Log,
    child: Child,
    pid: i32,
    exit: Exit,
    mark: String,
    socket: PathBuf,
    dir: TempDir,
    expected: Vec<String>,
    settled: bool,
}

impl Instance {
    /// The master's pid.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// Its directory.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The unix socket `app.sock` in its directory.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// The same for clients.
    pub(crate) fn target(&self) -> Target {
        Target::Unix(self.socket.clone())
    }

    /// Every living process of it.
    pub(crate) fn processes(&self) -> Vec<Process> {
        processes_with(&self.mark)
    }

    /// Its zygotes.
    pub(crate) fn zygotes(&self) -> Vec<Process> {
        self.named("rhinod zygote")
    }

    /// Its living workers in the order in which the log named them. Their own names come too late to be asked for.
    pub(crate) fn workers(&self) -> Vec<Process> {
        let pids = self.log.lines().into_iter().filter_map(|line| spawned_pid(&line));
        pids.filter_map(look_up).collect()
    }

    /// The pids of its routers of the moment.
    pub(crate) fn routers(&self) -> Vec<i32> {
        self.named("rhinod router").into_iter().map(|process| process.pid).collect()
    }

    fn named(&self, start: &str) -> Vec<Process> {
        self.processes().into_iter().filter(|process| process.name.starts_with(start)).collect()
    }

    /// Sends the master a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        // Not reaped before the end, so that the pid is its own.
        Process { pid: self.pid, name: String::new() }.signal(signal);
    }

    /// How many connections wait on its unix socket: `/proc/net/unix` has them in state 2 (uWSGI's manual, "The uWSGI
    /// Stats Server").
    pub(crate) fn queued(&self) -> usize {
        let path = self.socket.display().to_string();
        let waits = |line: &&str| line.ends_with(&path) && line.split_whitespace().nth(5) == Some("02");
        fs::read_to_string("/proc/net/unix").map_or(0, |text| text.lines().filter(waits).count())
    }

    /// `GET target` in the uwsgi protocol.
    pub(crate) fn get(&self, target: &str) -> Reply {
        self.ask(&Request::get(target))
    }

    /// One request in the uwsgi protocol.
    pub(crate) fn ask(&self, request: &Request) -> Reply {
        let packet = request.to_uwsgi().expect("a request that fits a packet");
        self.send(&packet)
    }

    /// One packet as bytes, and everything that comes back.
    pub(crate) fn send(&self, packet: &[u8]) -> Reply {
        exchange(&self.target(), packet, PATIENCE)
            .unwrap_or_else(|error| panic!("no reply: {error}; the log:\n{}", self.log.tail()))
    }

    /// Says that the log may have lines with this text that would be faults otherwise.
    pub(crate) fn expect_log(&mut self, needle: impl Into<String>) {
        self.expected.push(needle.into());
    }

    /// Waits for a line of the log, and says that it may be there.
    pub(crate) fn wait_for_expected(&mut self, needle: &str) -> Line {
        self.expect_log(needle);
        self.log.wait_for(needle)
    }

    /// Waits for the end of the master; returns its exit code as a shell has it.
    pub(crate) fn wait_exit(&mut self) -> i32 {
        assert!(self.exit.within(PATIENCE), "the master does not end; its log:\n{}", self.log.tail());
        shell_code(self.child.wait().expect("the master is our child"))
    }

    /// Waits until every process of it has closed the log. False: the time is over.
    pub(crate) fn wait_gone(&self, within: Duration) -> bool {
        self.log.wait_for_end(within)
    }

    /// Stops it with SIGTERM. It must exit with 0, leave no process, and have said nothing unexpected.
    pub(crate) fn stop(mut self) {
        self.stop_and_judge();
    }

    /// Judges an instance that ends or has ended by other means: the exit code, what is left, and the log.
    pub(crate) fn ends_with(mut self, code: i32) {
        self.judge(code);
    }

    fn stop_and_judge(&mut self) {
        self.signal(Signal::SIGTERM);
        self.judge(0);
    }

    fn judge(&mut self, code: i32) {
        self.settled = true;
        let ended = self.wait_exit();
        self.assert_nothing_left();
        self.log.assert_clean(is_remarkable, &self.expected);
        assert_eq!(ended, code, "the exit code");
    }

    /// No process of it lives, nor will: the log has ended, which all of them held open (but those whose log is a file of
    /// their own, who may follow a killed master a little later).
    fn assert_nothing_left(&self) {
        let gone = self.log.wait_for_end(PATIENCE) && wait_until(|| self.processes().is_empty());
        assert!(gone, "left behind: {:?}; the log:\n{}", self.processes(), self.log.tail());
    }

    /// Ends what is left by force, by pid.
    fn kill_everything(&mut self) {
        self.signal(Signal::SIGKILL);
        let _ = self.child.wait();
        // Twice, since a zygote may fork while it is looked for.
        for _ in 0..2 {
            self.processes().iter().for_each(|process| process.signal(Signal::SIGKILL));
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the log of {}:\n{}", self.mark, self.log.tail());
            if !self.processes().is_empty() || !self.exit.within(Duration::ZERO) {
                self.kill_everything();
            }
        } else if !self.settled {
            self.stop_and_judge();
        }
    }
}

/// The pid in `spawned uWSGI worker 1 (pid: 7, cores: 1)` or `Respawned uWSGI worker 1 (new pid: 7)`.
fn spawned_pid(line: &str) -> Option<i32> {
    let (_, rest) = line.split_once("spawned uWSGI worker ")?;
    let (_, number) = rest.split_once("pid: ")?;
    number.split([',', ')']).next()?.parse().ok()
}

/// Lines that tell of something wrong, or of something that only a test can want. That tests run as root in a container
/// is none of these.
fn is_remarkable(line: &str) -> bool {
    // What is said of most instances of these tests, whose clients have their user.
    let usual = ["the application runs as root", "only its owner"];
    if line.contains("[warn]") && usual.iter().any(|text| line.contains(text)) {
        return false;
    }
    ["[warn]", "[error]", "panicked at", "DAMN", "rhinod: ", "rhinod zygote: "].iter().any(|mark| line.contains(mark))
}

/// Where cargo puts what it builds: the directory above that of the test program itself.
pub(crate) fn target_directory() -> PathBuf {
    let own = std::env::current_exe().expect("the test's own path");
    own.ancestors().nth(2).expect("a test lies in target/PROFILE/deps").to_owned()
}

/// Where an example lies once it is built.
pub(crate) fn example_path(name: &str) -> PathBuf {
    target_directory().join("examples").join(name)
}

/// Where a program of the package lies once it is built.
pub(crate) fn program_path(name: &str) -> PathBuf {
    target_directory().join(name)
}
