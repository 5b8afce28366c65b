//! A zygote and its worker under a master that is not of their version, or not in its right mind: the test is that
//! master. What it sends is real, and so are they.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};

use loadgen::client::{Target, exchange};
use loadgen::packet::Request;
use rhinod::config::model::{Address, Config, Listener};
use rhinod::sys::control::{ControlSocket, Received};
use rhinod::sys::shared_memory::{SharedWords, memory_file};
use rhinod::sys::wait::{Doorbell, Interest, wait_ready};
use rhinod::travel::SETTINGS;
use serde_json::{Value, json};
use worker_protocol::control::{self, FromWorker, FromZygote, Message, RECORD_BYTES, ToWorker, ToZygote};
use worker_protocol::ids::{Generation, Life, Seat};
use worker_protocol::post::Post;
use worker_protocol::scoreboard::{Layout, Scoreboard, SeatOrder};

use crate::harness::{Log, PATIENCE, children_of, example_path};

const SEATS: u32 = 4;
const UNKNOWN_KIND: u16 = 99;

/// A record of a version to come.
#[derive(Debug)]
struct Later;

impl Message for Later {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&UNKNOWN_KIND.to_le_bytes());
        out.extend_from_slice(&control::VERSION.to_le_bytes());
        out.resize(out.len() + RECORD_BYTES - 4, 7);
    }

    fn decode(_: &[u8]) -> Result<Later, control::Error> {
        unreachable!("it is only sent")
    }

    fn descriptors(&self) -> usize {
        1
    }
}

/// The hello example as a zygote, and what its master holds.
struct Zygote {
    child: Child,
    control: ControlSocket,
    log: Log,
    words: SharedWords,
    bell: Doorbell,
}

impl Zygote {
    fn execute() -> Self {
        let (control, theirs) = ControlSocket::pair().expect("a control socket");
        let stdin: OwnedFd = theirs.as_fd().try_clone_to_owned().expect("a descriptor");
        let (reader, writer) = std::io::pipe().expect("a pipe for the log");
        // The shell moves it away from standard input, where no zygote looks for it.
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" __zygote 3 3<&0 </dev/null"]).arg(example_path("hello"));
        let child = command.stdin(Stdio::from(stdin)).stderr(writer).spawn().expect("execute the zygote");
        let layout = Layout::new(SEATS, 1).expect("a small scoreboard");
        let words = SharedWords::new(layout.words()).expect("shared memory");
        Scoreboard::create(words.words(), layout).expect("big enough");
        let bell = Doorbell::new().expect("an eventfd");
        // What is left of the command holds the writing end of the log.
        drop(command);
        Self { child, control, log: Log::of(reader), words, bell }
    }

    /// Sends the set-up record for so many sockets with these beside it, and settings that name `named` of them.
    fn set_up(&self, listeners: u32, beside: &[&UnixListener], named: usize) {
        self.set_up_with(&SETTINGS.pack(&naming(named)).expect("settings"), listeners, beside);
    }

    /// The same with these settings.
    fn set_up_with(&self, settings: &[u8], listeners: u32, beside: &[&UnixListener]) {
        let settings = memory_file(settings).expect("a memory file");
        let mut descriptors = vec![self.words.as_fd(), self.bell.as_fd(), settings.as_fd()];
        descriptors.extend(beside.iter().map(AsFd::as_fd));
        let setup = ToZygote::Setup { generation: Generation(1), seats: SEATS, threads: 1, listeners };
        self.control.send_record(&setup, &descriptors).expect("send the set-up");
    }

    fn hear(&self) -> (FromZygote, Vec<OwnedFd>) {
        hear(&self.control).unwrap_or_else(|| panic!("the zygote has ended: {}", self.log.tail()))
    }

    /// Waits for the end; the exit code and what it said.
    fn end(mut self) -> (Option<i32>, Vec<String>) {
        assert!(hear::<FromZygote>(&self.control).is_none(), "it says something instead of leaving");
        let status = self.child.wait().expect("it is our child");
        assert!(self.log.wait_for_end(PATIENCE), "something of it is left");
        (status.code(), self.log.lines())
    }
}

/// Settings with so many sockets.
fn naming(sockets: usize) -> Config {
    let sockets = vec![Listener::on(Address::Unix("/nowhere".into())); sockets];
    Config { sockets, ..Config::default() }
}

/// The next record; `None` at the end.
fn hear<M: Message + std::fmt::Debug>(control: &ControlSocket) -> Option<(M, Vec<OwnedFd>)> {
    loop {
        match control.receive().expect("receive") {
            Received::Message(record, beside) => return Some((record, beside)),
            Received::Unfit(unfit) => panic!("{unfit}"),
            Received::EndOfFile => return None,
            Received::Nothing => {
                let patience_us = PATIENCE.as_micros() as u64;
                assert!(wait_ready(control, Interest::Readable, patience_us).expect("wait"), "it says nothing");
            }
        }
    }
}

/// Lets a process have one descriptor more and no further one.
fn leave_one_descriptor(process: u32) {
    let is_free = |number: &u32| std::fs::symlink_metadata(format!("/proc/{process}/fd/{number}")).is_err();
    // All numbers are below the limit.
    let second_free = (0..).filter(is_free).nth(1).expect("there are more than enough");
    let limit = format!("--nofile={second_free}:{second_free}");
    let set = Command::new("prlimit").args(["--pid", &process.to_string(), &limit]).status().expect("execute prlimit");
    assert!(set.success(), "{set}");
}

#[test]
fn a_zygote_without_a_descriptor_for_a_worker_forks_none() {
    let zygote = Zygote::execute();
    zygote.set_up(0, &[], 0);
    assert!(matches!(zygote.hear(), (FromZygote::Loaded { .. }, _)));
    let process = zygote.child.id();
    // Which the control socket of the worker takes.
    leave_one_descriptor(process);
    let (_ours, theirs) = ControlSocket::pair().expect("a control socket");
    let fork = ToZygote::Fork { seat: Seat(2), post: Post::worker(1), life: Life(9), nth: 1 };
    zygote.control.send_record(&fork, &[theirs.as_fd()]).expect("send the order");
    let (answer, _) = zygote.hear();
    assert_eq!(answer, FromZygote::ForkFailed { seat: Seat(2), errno: nix::libc::EMFILE });
    assert_eq!(children_of(process.cast_signed()), [0; 0], "it was forked all the same");
    zygote.control.send_record(&ToZygote::Stop, &[]).expect("send the order");
    assert_eq!(zygote.end(), (Some(0), Vec::new()));
}

#[test]
fn what_only_a_later_master_knows_is_left_undone_and_told_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("app.sock");
    let listener = UnixListener::bind(&path).expect("bind");
    listener.set_nonblocking(true).expect("a flag");
    let zygote = Zygote::execute();
    let send_later = |control: &ControlSocket| control.send_record(&Later, &[zygote.bell.as_fd()]).expect("send");
    send_later(&zygote.control);
    zygote.set_up(1, &[&listener], 1);
    send_later(&zygote.control);
    let (loaded, _) = zygote.hear();
    assert!(matches!(loaded, FromZygote::Loaded { .. }), "{loaded:?}");

    let (ours, theirs) = ControlSocket::pair().expect("a control socket");
    let (seat, life) = (Seat(2), Life(9));
    send_later(&zygote.control);
    let fork = ToZygote::Fork { seat, post: Post::worker(1), life, nth: 1 };
    zygote.control.send_record(&fork, &[theirs.as_fd()]).expect("send the order");
    drop(theirs);
    send_later(&ours);
    send_later(&ours);
    assert!(matches!(zygote.hear(), (FromZygote::Forked { seat: Seat(2), .. }, _)));
    assert!(matches!(hear(&ours), Some((FromWorker::Ready { .. }, _))));
    let packet = Request::get("/").to_uwsgi().expect("a small request");
    let reply = exchange(&Target::Unix(path), &packet, PATIENCE).expect("a reply");
    assert_eq!(reply.body(), b"Hello, world\n");

    let board = Scoreboard::attach(zygote.words.words()).expect("a scoreboard");
    board.master(seat).expect("a seat").set_order(SeatOrder::Retire, life);
    ours.send_record(&ToWorker::Retire, &[]).expect("send the order");
    let (exited, _) = zygote.hear();
    assert!(matches!(exited, FromZygote::Exited { wait_status, .. } if wait_status == 30 << 8), "{exited:?}");
    zygote.control.send_record(&ToZygote::Stop, &[]).expect("send the order");
    let (code, lines) = zygote.end();
    assert_eq!(code, Some(0), "{lines:#?}");
    let told = lines.iter().filter(|line| line.contains("control record of kind 99 is unknown")).count();
    assert_eq!(told, 2, "once by the zygote, once by the worker: {lines:#?}");
}

/// One end is enough to listen on; what comes is never accepted.
fn some_listener() -> (tempfile::TempDir, UnixListener) {
    let directory = tempfile::tempdir().expect("a directory");
    let listener = UnixListener::bind(directory.path().join("s")).expect("bind");
    (directory, listener)
}

#[track_caller]
fn refused(zygote: Zygote, reason: &str) {
    let (told, _) = zygote.hear();
    let FromZygote::LoadFailed { exit_code: 1, text } = &told else { panic!("{told:?}") };
    assert!(text.contains(reason), "no {reason:?} in {text:?}");
    let (code, lines) = zygote.end();
    assert_eq!(code, Some(1));
    assert!(lines.iter().any(|line| line.contains(reason)), "no {reason:?} in {lines:#?}");
}

#[test]
fn a_set_up_with_more_or_fewer_sockets_than_it_says_is_refused_with_the_numbers() {
    let (_directory, listener) = some_listener();
    for (announced, beside) in [(2, 1), (1, 3), (1, 0)] {
        let zygote = Zygote::execute();
        zygote.set_up(announced, &vec![&listener; beside], announced as usize);
        refused(zygote, &format!("came with {} descriptors, {} belong beside it", 3 + beside, 3 + announced));
    }
}

#[test]
fn sockets_that_do_not_all_follow_the_set_up_are_an_error_with_the_numbers() {
    let (_directory, listener) = some_listener();
    let records = [
        (ToZygote::Stop, vec![], "and then Stop"),
        (ToZygote::Listeners { first: 124, count: 1 }, vec![listener.as_fd()], "and then Listeners { first: 124"),
    ];
    for (record, beside, then) in records {
        let zygote = Zygote::execute();
        zygote.set_up(126, &[&listener; 125], 126);
        zygote.control.send_record(&record, &beside).expect("send");
        refused(zygote, &format!("of 126 listening sockets 125 have come, {then}"));
    }
}

#[test]
fn settings_that_name_other_sockets_than_come_are_refused_with_the_numbers() {
    let (_directory, listener) = some_listener();
    let zygote = Zygote::execute();
    zygote.set_up(1, &[&listener], 2);
    refused(zygote, "the settings name 2 listening sockets, and 1 have come");
}

/// A `rust-app` may be built with another version than the one whose master executes it.
#[test]
fn settings_of_a_version_that_means_more_are_refused_with_both_versions() {
    let (_directory, listener) = some_listener();
    let mut settings: Value = serde_json::from_slice(&SETTINGS.pack(&naming(1)).expect("settings")).expect("JSON");
    let known = settings["version"].as_u64().expect("a version");
    settings["version"] = json!(known + 1);
    let zygote = Zygote::execute();
    zygote.set_up_with(settings.to_string().as_bytes(), 1, &[&listener]);
    let versions = format!("rhinod settings of version {}; this program", known + 1);
    refused(zygote, &versions);
}

#[test]
fn settings_that_do_not_say_their_version_are_refused() {
    let (_directory, listener) = some_listener();
    let zygote = Zygote::execute();
    zygote.set_up_with(&serde_json::to_vec(&naming(1)).expect("settings"), 1, &[&listener]);
    refused(zygote, "no rhinod settings with a version: missing field `format`");
}

#[test]
fn a_zygote_serves_by_settings_of_which_a_part_is_of_a_later_version() {
    let directory = tempfile::tempdir().expect("a directory");
    let listener = UnixListener::bind(directory.path().join("app.sock")).expect("bind");
    let mut settings: Value = serde_json::from_slice(&SETTINGS.pack(&naming(1)).expect("settings")).expect("JSON");
    settings["signed by"] = json!("a later master");
    settings["body"]["of a later version"] = json!({ "any": ["thing"] });
    let zygote = Zygote::execute();
    zygote.set_up_with(settings.to_string().as_bytes(), 1, &[&listener]);
    assert!(matches!(zygote.hear(), (FromZygote::Loaded { .. }, _)));
    zygote.control.send_record(&ToZygote::Stop, &[]).expect("send the order");
    let (code, lines) = zygote.end();
    assert_eq!(code, Some(0), "{lines:#?}");
}
