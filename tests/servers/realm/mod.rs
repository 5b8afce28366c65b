//! What the tests of the Emperor share: a directory of vassals, their sockets, and what is told of them.
//!
//! Runs in the test's process; stands on `harness`.

use std::fs;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use loadgen::client::{Target, exchange};
use loadgen::packet::Request;
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Instance, Launch, PATIENCE, wait_until};

/// A directory of vassals, and beside it their sockets.
pub(crate) struct Realm {
    dir: TempDir,
}

impl Realm {
    /// Nobody lives there yet.
    pub(crate) fn new() -> Self {
        let realm = Self { dir: tempfile::Builder::new().prefix("rhinod-test-").tempdir().expect("a directory") };
        fs::create_dir(realm.vassals()).expect("the vassals' directory");
        realm
    }

    /// Where everything is.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Where the vassals' files are.
    pub(crate) fn vassals(&self) -> PathBuf {
        self.dir.path().join("vassals")
    }

    /// The socket of a name.
    pub(crate) fn socket(&self, name: &str) -> PathBuf {
        self.dir.path().join(format!("{name}.sock"))
    }

    /// A vassal with one worker at the socket of its name, and more lines.
    pub(crate) fn write(&self, name: &str, lines: &str) {
        let text = format!("[uwsgi]\nsocket = {}\nworkers = 1\n{lines}\n", self.socket(name).display());
        self.put(name, &text);
    }

    /// In one step, as those do who know what they do.
    pub(crate) fn put(&self, name: &str, text: &str) {
        let fresh = self.dir.path().join("fresh");
        fs::write(&fresh, text).expect("write a vassal");
        fs::rename(fresh, self.vassals().join(format!("{name}.ini"))).expect("put the vassal in place");
    }

    /// Removes a vassal's file.
    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.vassals().join(format!("{name}.ini"))).expect("remove a vassal");
    }

    /// The example that says which generation answers, as an Emperor.
    pub(crate) fn emperor(&self) -> Launch {
        let launch = Launch::example("unsteady").without("socket").without("workers");
        let misdeed = launch.dir().join("misdeed").display().to_string();
        let stats = self.socket("stats").display().to_string();
        launch.env("UNSTEADY_FILE", misdeed).set("emperor", self.vassals().display()).set("emperor-stats", stats)
    }

    /// What a vassal answers; nothing if nobody does.
    pub(crate) fn ask(&self, name: &str) -> Option<String> {
        let packet = Request::get("/").to_uwsgi().expect("a packet");
        let reply = exchange(&Target::Unix(self.socket(name)), &packet, PATIENCE).ok()?;
        Some(String::from_utf8_lossy(reply.body()).trim_end().to_owned())
    }

    /// Waits until a vassal answers so.
    pub(crate) fn wait_for(&self, name: &str, end: &str, emperor: &Instance) {
        let come = wait_until(|| self.ask(name).is_some_and(|answer| answer.ends_with(end)));
        assert!(come, "{name} does not answer {end:?}:\n{}", emperor.log.tail());
    }

    /// What the Emperor tells of all of them.
    pub(crate) fn document(&self) -> Value {
        let mut text = String::new();
        let connected = UnixStream::connect(self.socket("stats"));
        connected.and_then(|mut stream| stream.read_to_string(&mut text)).expect("the Emperor's statistics");
        serde_json::from_str(&text).expect("a document")
    }

    /// What the Emperor tells of a vassal.
    pub(crate) fn told(&self, name: &str) -> Value {
        self.told_of(&format!("{name}.ini"))
    }

    /// The same, by its whole name.
    pub(crate) fn told_of(&self, id: &str) -> Value {
        let vassals = self.document()["vassals"].as_array().cloned().unwrap_or_default();
        vassals.into_iter().find(|vassal| vassal["id"] == id).unwrap_or_default()
    }
}

/// Starts an Emperor.
pub(crate) fn start(launch: Launch) -> Instance {
    let emperor = launch.spawn();
    emperor.log.wait_for("starting uWSGI Emperor");
    emperor
}
