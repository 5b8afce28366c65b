//! An Emperor and the files of its vassals, all of them the small Rust application that says what its configuration has it say.

use std::fs;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::contender::directory;
use crate::lab::{Error, Lab, io_error};
use crate::server::{Launch, Server};
use loadgen::client::{Target, Wire, exchange};
use loadgen::packet::Request;

/// How often is looked whether something has come to pass.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Longest time to wait for one answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// An Emperor that runs.
pub(super) struct Realm {
    pub(super) server: Server,
    dir: PathBuf,
    started: Instant,
}

/// A vassal, as the Emperor tells of it.
pub(super) struct Told {
    pub(super) state: String,
    pub(super) failures: bool,
}

impl Realm {
    /// Starts an Emperor over these files: name and text. `options` are its own.
    pub(super) fn start(lab: &Lab, files: &[(String, String)], options: &[&str]) -> Result<Self, Error> {
        let dir = directory()?;
        let place = dir.path().to_owned();
        fs::create_dir(place.join("vassals")).map_err(io_error("the vassals' directory"))?;
        for (name, text) in files {
            fs::write(place.join("vassals").join(name), text.replace("{dir}", &place.to_string_lossy()))
                .map_err(io_error("write a vassal"))?;
        }
        let own = ["--emperor", "vassals", "--emperor-stats", "stats", "--emperor-max-throttle", "180000"];
        let launch = Launch {
            name: "rhinod emperor".to_owned(),
            program: lab.program("examples/unsteady")?,
            arguments: own.iter().chain(options).map(Into::into).collect(),
            environment: Vec::new(),
            target: Target::Unix(place.join("stats")),
            wire: Wire::Uwsgi,
            page: "/",
            dir,
        };
        let started = Instant::now();
        Ok(Self { server: Server::start(launch)?, dir: place, started })
    }

    /// Puts a file in the place of another one, in one step.
    pub(super) fn put(&self, name: &str, text: &str) -> Result<(), Error> {
        let fresh = self.dir.join("fresh");
        fs::write(&fresh, text.replace("{dir}", &self.dir.to_string_lossy())).map_err(io_error("write a vassal"))?;
        fs::rename(fresh, self.path(name)).map_err(io_error("put a vassal in place"))
    }

    /// Where the file of one is.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join("vassals").join(name)
    }

    /// What the Emperor tells of all of them. `None`: it does not tell yet.
    pub(super) fn told(&self) -> Option<Vec<Told>> {
        let mut text = String::new();
        UnixStream::connect(self.dir.join("stats")).ok()?.read_to_string(&mut text).ok()?;
        let document: Value = serde_json::from_str(&text).ok()?;
        let told = |vassal: &Value| Told {
            state: vassal["state"].as_str().unwrap_or_default().to_owned(),
            failures: !vassal["last_end"].is_null(),
        };
        Some(document["vassals"].as_array()?.iter().map(told).collect())
    }

    /// How many are in a state.
    pub(super) fn count(&self, state: &str) -> usize {
        self.told().unwrap_or_default().iter().filter(|vassal| vassal.state == state).count()
    }

    /// Waits until something holds, for so long at most; how long after the start of the Emperor that was.
    pub(super) fn wait_until(
        &self,
        lab: &Lab,
        what: &str,
        within: Duration,
        mut holds: impl FnMut() -> bool,
    ) -> Result<Duration, Error> {
        let began = Instant::now();
        while !holds() {
            if began.elapsed() > within {
                return Err(self.server.error(format!("{what}: not within {within:?}")));
            }
            lab.pause(LOOK_EVERY)?;
        }
        Ok(self.started.elapsed())
    }

    /// What the vassal behind a socket says that it was told to say; nothing if nobody answers.
    pub(super) fn greeting(&self, socket: &str) -> Option<String> {
        let packet = Request::get("/greeting").to_uwsgi().ok()?;
        let reply = exchange(&Target::Unix(self.dir.join(socket)), &packet, ANSWER_WITHIN).ok()?;
        Some(String::from_utf8_lossy(reply.body()).into_owned())
    }

    /// All lines of the log so far that have this in them.
    pub(super) fn lines_with(&self, needle: &str) -> Vec<String> {
        let log = fs::read(self.dir.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).lines().filter(|line| line.contains(needle)).map(str::to_owned).collect()
    }

    /// How long after a moment the first line with this in it is in the log, which is followed closely from that moment on.
    pub(super) fn until_line(&self, since: Instant, from: u64, needle: &str) -> Option<Duration> {
        while since.elapsed() < ANSWER_WITHIN {
            if tail(&self.dir.join("log"), from).contains(needle) {
                return Some(since.elapsed());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        None
    }

    /// How long the log is.
    pub(super) fn log_bytes(&self) -> u64 {
        fs::metadata(self.dir.join("log")).map_or(0, |log| log.len())
    }
}

/// A file from some byte on.
fn tail(path: &Path, from: u64) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes[(from as usize).min(bytes.len())..]).into_owned()
}
