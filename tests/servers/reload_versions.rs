//! The master replaced by a binary of another version (fifo `u`): what one leaves to the other is either taken, whatever
//! more or less is in it, or refused before anything is given up, with the reason in the log. The binary is the real one;
//! a shell script in front of it hands it what a master of another version would have left.
//!
//! `tests/data/travel/handover-N.json` is what versions have left, once and for all: an instance with everything that a
//! handover can hold. Processes, descriptors and places in it are those of that day; everything else counts.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::{Value, json};

use crate::harness::{Instance, example_path, wait_until};
use crate::reloading::replacing::{install, replaceable, replaceable_after, upgrade};
use crate::reloading::{Traffic, goes, operator, reload, tell, wait_for_generation, who};

const STAYS: &str = "the master was not replaced and goes on";

/// An instance of a binary that can be replaced, and that binary's place.
struct Replaceable {
    server: Instance,
    binary: PathBuf,
}

impl Replaceable {
    fn start() -> Self {
        let (launch, binary) = replaceable();
        Self { server: launch.start(), binary }
    }

    /// An instance with everything that a handover can hold.
    fn start_with_everything() -> Self {
        let (launch, binary) = replaceable_after("exec 7<>knock;");
        let place = |name: &str| launch.dir().join(name);
        let (second, touched, decisions) = (place("second.sock"), place("touched"), place("decisions"));
        fs::write(&touched, "").expect("a file to touch");
        mkfifo(&place("knock"), Mode::S_IRUSR | Mode::S_IWUSR).expect("a fifo");
        let launch = launch.line(format!("socket = {}", second.display())).set("reload-on-fd", 7);
        let launch = launch.set("touch-chain-reload", touched.display()).set("attach-daemon", "sleep 1000");
        let launch = launch.set("workers", 5).set("cheaper", 4).set("cheaper-log", decisions.display());
        Self { server: launch.start(), binary }
    }

    /// Puts a script in the binary's place that has every handover changed, `rounds` times, before the real binary reads
    /// it. The first round is the question whether it could go on.
    fn edit_handovers(&self, rounds: usize, edit: impl Fn(Value) -> Value + Send + 'static) -> JoinHandle<()> {
        let directory = self.server.dir();
        let [given, taken] = ["given", "taken"].map(|name| directory.join(name));
        for pipe in [&given, &taken] {
            mkfifo(pipe, Mode::S_IRUSR | Mode::S_IWUSR).expect("a fifo");
        }
        let [from, to] = [&given, &taken].map(|pipe| pipe.display().to_string());
        let real = example_path("unsteady");
        let real = real.display();
        let script = format!(
            "#!/bin/sh\ncat /proc/self/fd/$2 > '{from}'\ncat '{to}' > /proc/self/fd/$2\nexec '{real}' \"$@\"\n"
        );
        install(&self.binary, script.as_bytes());
        std::thread::spawn(move || {
            for _ in 0..rounds {
                let handover = serde_json::from_slice(&fs::read(&given).expect("a handover")).expect("JSON");
                fs::write(&taken, edit(handover).to_string()).expect("hand it on");
            }
        })
    }

    /// Has the master replaced by a binary that will not do it, and sees that nothing has changed by that.
    fn stays(&mut self, reason: &str) {
        let (workers, zygotes) = (self.server.workers(), self.server.zygotes());
        self.server.expect_log(STAYS);
        tell(&self.server, "u");
        let line = self.server.log.wait_for(STAYS);
        assert!(line.text.contains(reason), "no {reason:?} in {line:?}");
        assert_eq!((self.server.workers(), self.server.zygotes()), (workers, zygotes), "somebody was replaced");
        assert!(who(&self.server).ends_with("of generation 1"));
    }

    fn end(self) {
        self.server.stop();
        let _ = fs::remove_dir_all(self.binary.parent().expect("a directory"));
    }
}

/// What the next image has been given works: who waits for it, who is watched, and what it is told by.
fn works_in_every_part(server: &mut Instance) {
    server.expect_log("killed by signal 9");
    let seen = server.log.position();
    tell(server, "w");
    server.log.wait_for_after(seen, "workers' reload done");
    fs::write(server.dir().join("touched"), "again").expect("touch it");
    server.log.wait_for_after(seen, "chain reloading complete");
    assert!(operator(server, "--pause").status.success());
    assert!(operator(server, "--resume").status.success());
    let killed = server.workers().remove(0);
    killed.signal(Signal::SIGKILL);
    assert!(goes(&killed));
    server.log.wait_for_after(seen, "Respawned uWSGI worker");
    reload(server);
    wait_for_generation(server, 2);
}

fn recorded_at(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/travel/handover-{version}.json"))
}

/// What a version has left, with the processes, descriptors, times and places of an instance of today.
fn of_today(recorded: &Value, live: &Value) -> Value {
    match (recorded, live) {
        (Value::Object(recorded), Value::Object(live)) => {
            let of_today = |(name, then): (&String, &Value)| {
                (name.clone(), live.get(name).map_or_else(|| then.clone(), |now| of_today(then, now)))
            };
            recorded.iter().map(of_today).collect()
        }
        (Value::Array(recorded), Value::Array(live)) if recorded.len() == live.len() => {
            recorded.iter().zip(live).map(|(then, now)| of_today(then, now)).collect()
        }
        (Value::Object(_) | Value::Array(_), _) | (_, Value::Object(_) | Value::Array(_)) => recorded.clone(),
        _ => live.clone(),
    }
}

/// Such a file is never written anew: it stands for masters that run. When this fails, the reading of handovers must
/// learn what was meant then; `make bless` records only a number that there is none of.
#[test]
fn a_handover_of_every_version_so_far_is_taken() {
    let mut instance = Replaceable::start_with_everything();
    let place = recorded_at(1);
    let directory = instance.server.dir().display().to_string();
    let editor = instance.edit_handovers(2, move |live| {
        if testkit::recorded::is_blessing() && !place.exists() {
            let text = serde_json::to_string_pretty(&live).expect("a handover as JSON");
            fs::write(&place, text.replace(&directory, "/srv/app") + "\n").expect("room for it");
        }
        let recorded = fs::read_to_string(&place).expect("a recorded handover");
        of_today(&serde_json::from_str(&recorded).expect("JSON"), &live)
    });
    let server = &instance.server;
    let (workers, zygotes) = (server.workers(), server.zygotes());
    let traffic = Traffic::start(server, 2, "/sleep?ms=1");
    upgrade(server);
    editor.join().expect("two handovers");
    assert_eq!((server.workers(), server.zygotes()), (workers, zygotes), "somebody was replaced");
    traffic.end();
    works_in_every_part(&mut instance.server);
    instance.end();
}

/// Where a master of a later version tells more, in places that are no choice between several forms.
fn with_more(mut handover: Value) -> Value {
    handover["signed"] = json!(true);
    for place in ["/body", "/body/snapshot", "/body/snapshot/plan", "/body/config", "/body/children", "/body/fifo"] {
        let object = handover.pointer_mut(place).unwrap_or_else(|| panic!("no {place}"));
        object["of a later version"] = json!({ "any": ["thing"] });
    }
    for list in ["/body/children/zygotes", "/body/children/members", "/body/sockets", "/body/watches"] {
        let items = handover.pointer_mut(list).and_then(Value::as_array_mut);
        for item in items.unwrap_or_else(|| panic!("no {list}")) {
            item["of a later version"] = json!(1);
        }
    }
    handover
}

#[test]
fn what_a_later_master_tells_beside_is_ignored() {
    let mut instance = Replaceable::start_with_everything();
    let editor = instance.edit_handovers(2, with_more);
    let (workers, zygotes) = (instance.server.workers(), instance.server.zygotes());
    upgrade(&instance.server);
    editor.join().expect("two handovers");
    assert_eq!((instance.server.workers(), instance.server.zygotes()), (workers, zygotes), "somebody was replaced");
    works_in_every_part(&mut instance.server);
    instance.end();
}

#[test]
fn a_binary_of_an_older_version_is_refused_with_both_versions_before_anything_is_given_up() {
    let mut instance = Replaceable::start();
    let traffic = Traffic::start(&instance.server, 2, "/sleep?ms=1");
    let editor = instance.edit_handovers(1, |mut handover| {
        let known = handover["version"].as_u64().expect("a version");
        handover["version"] = json!(known + 1);
        handover
    });
    instance.stays("rhinod handover of version 2; this program (");
    editor.join().expect("one handover");
    install(&instance.binary, &fs::read(example_path("unsteady")).expect("the example"));
    upgrade(&instance.server);
    traffic.end();
    instance.end();
}

#[test]
fn a_binary_that_does_not_know_a_word_of_the_handover_is_refused_with_the_word() {
    let mut instance = Replaceable::start();
    let editor = instance.edit_handovers(1, |mut handover| {
        handover["body"]["sockets"][0]["listener"]["protocol"] = json!("gopher");
        handover
    });
    instance.stays("rhinod handover of version 1 cannot be used: this version knows no protocol");
    editor.join().expect("one handover");
    instance.end();
}

#[test]
fn what_was_written_into_the_fifo_meanwhile_is_obeyed_by_the_next_image() {
    let instance = Replaceable::start();
    let fifo = instance.server.dir().join("fifo");
    let real = example_path("unsteady");
    let (fifo, real) = (fifo.display(), real.display());
    // When it is executed for good, nobody else reads the fifo.
    let script = format!("#!/bin/sh\n[ \"$1\" = __understand ] || printf w > '{fifo}'\nexec '{real}' \"$@\"\n");
    install(&instance.binary, script.as_bytes());
    let old = instance.server.workers();
    upgrade(&instance.server);
    instance.server.log.wait_for("workers' reload done");
    assert!(old.iter().all(goes), "an old worker stays");
    assert!(wait_until(|| instance.server.workers().len() == 4));
    instance.end();
}
