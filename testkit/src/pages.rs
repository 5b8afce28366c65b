//! Runs the commands that a page of documents shows, as a reader would type them: line by line, in one directory, servers
//! in the background until the next one starts or the page ends. In the test's process.
//!
//! Of a page every `console` block counts (lines that begin with `$ `) and every `sh` block (one script). What a test cannot
//! run is left out by name and with a reason; what is swapped for the test (a directory, a slow build) is said as well.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// Longest time for a server to be ready (it may have to be compiled first) and to end.
const PATIENCE: Duration = Duration::from_secs(500);

/// What a server logs when it takes requests.
const READY: &str = "ready to serve";

/// The words after `rhinod` that begin a command and no server.
const COMMANDS: [&str; 11] =
    ["check", "show", "simulate", "status", "stop", "reload", "pause", "resume", "man", "completions", "version"];

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What stands behind the fence: `console`, `ini`, or nothing.
    pub language: String,
    /// The lines between the fences.
    pub text: String,
}

/// The fenced blocks of a document in Markdown, in order.
pub fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in markdown.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, Some(language)) => open = Some(Block { language: language.to_owned(), text: String::new() }),
            (None, None) => {}
        }
    }
    blocks
}

/// What is done in the directory of the moment once a command has ended.
type Edit<'a> = Box<dyn Fn(&Path) + 'a>;

/// A page, and how it is run.
pub struct Page<'a> {
    blocks: Vec<Block>,
    place: PathBuf,
    swaps: Vec<(String, String)>,
    left_out: Vec<&'a str>,
    edits: HashMap<&'a str, Edit<'a>>,
    environment: Vec<(&'a str, OsString)>,
    ports: HashMap<String, u16>,
}

impl<'a> Page<'a> {
    /// The page `markdown`, to be run in the empty directory `place`.
    pub fn new(markdown: &str, place: &Path) -> Self {
        Self {
            blocks: blocks(markdown),
            place: place.to_owned(),
            swaps: Vec::new(),
            left_out: Vec::new(),
            edits: HashMap::new(),
            environment: Vec::new(),
            ports: HashMap::new(),
        }
    }

    /// Has `shown` mean `meant` in every command and every file of this run.
    #[must_use]
    pub fn swap(mut self, shown: &str, meant: impl Into<String>) -> Self {
        self.swaps.push((shown.to_owned(), meant.into()));
        self
    }

    /// Leaves out the commands that begin with this, for a reason that stands beside the call.
    #[must_use]
    pub fn leave_out(mut self, command: &'a str) -> Self {
        self.left_out.push(command);
        self
    }

    /// Does something in the directory of the moment after a command: what the page asks an editor for.
    #[must_use]
    pub fn after(mut self, command: &'a str, edit: impl Fn(&Path) + 'a) -> Self {
        self.edits.insert(command, Box::new(edit));
        self
    }

    /// Sets a variable of the environment.
    #[must_use]
    pub fn environment(mut self, name: &'a str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// The first block of a language, as it stands in this run.
    ///
    /// # Panics
    /// When there is none.
    pub fn block(&mut self, language: &str) -> String {
        let found = self.blocks.iter().find(|block| block.language == language);
        let text = found.unwrap_or_else(|| panic!("no block of {language}")).text.clone();
        self.meant(&text)
    }

    /// Runs every command; returns how many.
    ///
    /// # Panics
    /// When one fails, a server does not get ready, or one does not end with 0.
    pub fn run(mut self) -> usize {
        let mut directory = self.place.clone();
        let mut servers: Vec<Server> = Vec::new();
        let mut count = 0;
        for command in commands(&self.blocks) {
            if self.left_out.iter().any(|left_out| command.starts_with(left_out)) {
                continue;
            }
            count += 1;
            let meant = self.meant(&command);
            if let Some(to) = meant.strip_prefix("cd ") {
                directory.push(to);
            } else if serves(&meant) {
                servers.drain(..).for_each(Server::end);
                servers.push(Server::start(self.shell(&format!("exec {meant}"), &directory), &meant));
            } else {
                succeed(&mut self.shell(&meant, &directory), &meant);
            }
            if let Some(edit) = self.edits.get(command.as_str()) {
                edit(&directory);
            }
        }
        servers.drain(..).for_each(Server::end);
        count
    }

    fn shell(&self, command: &str, directory: &Path) -> Command {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(command).current_dir(directory).stdin(Stdio::null());
        // Of the test's own cargo nothing must reach a cargo that is called; of an active virtualenv neither.
        for name in ["VIRTUAL_ENV", "RUST_LOG", "CARGO_MANIFEST_DIR"] {
            shell.env_remove(name);
        }
        shell.envs(self.environment.iter().map(|(name, value)| (name, value)));
        shell
    }

    /// With what is swapped, and with a free port in the place of each port of the loopback address.
    fn meant(&mut self, text: &str) -> String {
        let swapped = self.swaps.iter().fold(text.to_owned(), |text, (shown, meant)| text.replace(shown, meant));
        let mut parts = swapped.split("127.0.0.1:");
        let mut meant = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let digits = part.len() - part.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
            let port = *self.ports.entry(part[..digits].to_owned()).or_insert_with(free_port);
            meant.push_str(&format!("127.0.0.1:{port}{}", &part[digits..]));
        }
        meant
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port()
}

/// Every command of the blocks that hold commands, in order. A `sh` block is one.
pub fn commands(blocks: &[Block]) -> Vec<String> {
    let of = |block: &Block| match block.language.as_str() {
        "console" => block.text.lines().filter_map(|line| line.strip_prefix("$ ").map(str::to_owned)).collect(),
        "sh" => vec![block.text.clone()],
        _ => Vec::new(),
    };
    blocks.iter().flat_map(of).collect()
}

/// Whether a command is a server, which goes on until it is told to end.
fn serves(command: &str) -> bool {
    let mut words = command.split(' ');
    let program = words.next().unwrap_or_default();
    let next = words.next().unwrap_or_default();
    match program.rsplit('/').next() {
        Some("rhinod") => !COMMANDS.contains(&next),
        Some("cargo") => next == "run",
        _ => false,
    }
}

fn succeed(command: &mut Command, text: &str) {
    let output = command.output().expect("execute a shell");
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "`{text}` ended with {}:\n{out}{err}", output.status);
}

/// A server that a page has started, with the group of its processes. Killed if a test ends before it.
struct Server {
    child: Child,
    name: String,
    log: Receiver<String>,
    said: String,
}

impl Server {
    fn start(mut shell: Command, name: &str) -> Self {
        use std::os::unix::process::CommandExt;
        let (reader, writer) = std::io::pipe().expect("a pipe for the log");
        shell.process_group(0).stdout(writer.try_clone().expect("a second end")).stderr(writer);
        let child = shell.spawn().expect("execute a shell");
        drop(shell);
        let (sender, log) = channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(reader).lines().map_while(Result::ok);
            lines.take_while(|line| sender.send(line.clone()).is_ok()).for_each(drop);
        });
        let mut server = Self { child, name: name.to_owned(), log, said: String::new() };
        assert!(server.reads(READY), "`{name}` does not serve:\n{}", server.said);
        server
    }

    /// Reads the log until a line has this, or to its end.
    fn reads(&mut self, needle: &str) -> bool {
        loop {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.said.push_str(&line);
                    self.said.push('\n');
                    if line.contains(needle) {
                        return true;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("`{}` says nothing any more:\n{}", self.name, self.said),
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    /// Ends it as Ctrl-C does, unless a command of the page has done so.
    fn end(mut self) {
        if self.child.try_wait().expect("look at the server").is_none() {
            self.signal(Signal::SIGINT);
        }
        // The log ends with the last process that writes to it.
        self.reads("\0");
        let status = self.child.wait().expect("wait for the server");
        assert!(status.success(), "`{}` ended with {status}:\n{}", self.name, self.said);
    }

    fn signal(&self, signal: Signal) {
        // The child is not yet reaped, so the number of its group is still its own.
        let _ = killpg(Pid::from_raw(self.child.id().cast_signed()), signal);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.signal(Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

/// Writes a file that a page speaks of.
///
/// # Panics
/// When that is not possible.
pub fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_what_a_reader_would_type() {
        let page = "# T\n```console\n$ a b\noutput\n$ cd x\n```\ntext\n```ini\n$ no\n```\n```sh\nc\nd\n```\n";
        assert_eq!(commands(&blocks(page)), ["a b", "cd x", "c\nd\n"]);
    }

    #[test]
    fn servers_are_told_from_commands() {
        for server in ["rhinod app:app", "venv/bin/rhinod app.ini", "cargo run -- --workers 2"] {
            assert!(serves(server), "{server}");
        }
        for command in ["rhinod check app.ini", "venv/bin/rhinod stop app.ini", "cargo new hello", "curl x"] {
            assert!(!serves(command), "{command}");
        }
    }

    #[test]
    fn every_port_of_the_page_is_a_free_one_and_the_same_throughout() {
        let place = std::env::temp_dir();
        let mut page = Page::new("```ini\nhttp-socket = 127.0.0.1:8000\n```\n", &place).swap("/run/app", "/tmp/x");
        let asked = page.meant("curl http://127.0.0.1:8000/ 127.0.0.1:8001 /run/app/s");
        let address = page.block("ini").trim().rsplit(' ').next().expect("a word").to_owned();
        assert!(asked.contains(&format!("http://{address}/")) && asked.ends_with(" /tmp/x/s"), "{asked}");
        assert!(!asked.contains(":8000") && !asked.contains(":8001"));
    }

    #[test]
    fn a_command_that_fails_is_told_with_what_it_said() {
        let place = std::env::temp_dir();
        let ran = |text: &str| {
            let page = Page::new(text, &place);
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| page.run()))
        };
        assert_eq!(ran("```console\n$ true\n$ cd /\n```\n").expect("fine"), 2);
        assert!(ran("```console\n$ ls /nowhere\n```\n").is_err());
        assert!(
            ran("```console\n$ rhinod-that-is-not-there/rhinod x.ini\n```\n").is_err(),
            "a server that never serves"
        );
    }
}
