//! The master waits for nobody: while a source of its configuration hangs, while nobody reads its log, while an action of a
//! touched file waits, it answers its operators, replaces who dies, and stops.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Instance, output_of, program_path, wait_until};
use crate::monitoring::{metrics_path, telling};
use crate::reloading::{RELOAD_FAILED, edit, operator, reload, tell, unsteady, wait_for_generation, who};
use crate::trust_operators::name_of;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

/// Within what an answer has to come, on whatever machine: it is one of milliseconds, and what hangs hangs for longer.
const AT_ONCE: Duration = Duration::from_secs(9);

/// Asks how the instance is doing, and how long that took.
fn assert_answers(server: &Instance) {
    let begun = Instant::now();
    let output = operator(server, "status");
    let took = begun.elapsed();
    assert!(output.status.success() && took < AT_ONCE, "after {took:?}: {output:?}");
}

/// A reload by the command line, which waits for the outcome.
fn begin_reload(server: &Instance) -> Child {
    let mut command = Command::new(program_path("rhinod"));
    command.arg("--reload").arg(server.dir().join("pid")).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("execute rhinod")
}

/// Adds a line whose value comes from a command that says that it runs and then sleeps.
fn hang(server: &Instance) {
    let begun = server.dir().join("begun");
    let _ = fs::remove_file(&begun);
    let line = format!("env = A=@(exec://echo > {}; exec sleep 600)\n", begun.display());
    edit(server, |text| text + &line);
}

fn wait_for_hanging(server: &Instance) {
    assert!(wait_until(|| server.dir().join("begun").exists()), "{}", server.log.tail());
}

#[test]
fn a_configuration_whose_source_hangs_holds_up_nothing_and_fails_in_time() {
    let mut server = unsteady().start();
    let original = fs::read_to_string(server.dir().join("app.ini")).expect("the ini file");
    hang(&server);
    let reloading = begin_reload(&server);
    wait_for_hanging(&server);
    assert_answers(&server);
    server.expect_log("DAMN");
    server.workers()[0].signal(Signal::SIGKILL);
    server.log.wait_for("Respawned uWSGI worker");
    assert_answers(&server);
    server.expect_log("the configuration was not read within 20 s");
    let output = output_of(reloading);
    assert_eq!(output.status.code(), Some(RELOAD_FAILED), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("not read within 20 s"), "{output:?}");
    edit(&server, |_| original);
    reload(&server);
    wait_for_generation(&server, 2);
}

#[test]
fn a_newer_reload_ends_a_reading_that_hangs_and_so_does_a_stop() {
    let server = unsteady().start();
    let original = fs::read_to_string(server.dir().join("app.ini")).expect("the ini file");
    hang(&server);
    let superseded = begin_reload(&server);
    wait_for_hanging(&server);
    edit(&server, |_| original);
    reload(&server);
    let output = output_of(superseded);
    assert!(output.status.success(), "who waited for the older waits for the newer: {output:?}");
    wait_for_generation(&server, 2);
    hang(&server);
    let refused = begin_reload(&server);
    wait_for_hanging(&server);
    server.stop();
    let output = output_of(refused);
    assert!(!output.status.success(), "{output:?}");
}

#[test]
fn who_came_before_a_reload_hears_the_end_of_an_answer_while_a_source_hangs() {
    let mut server = telling().set("pidfile", "pid").start();
    let mut operators = UnixStream::connect_addr(&name_of(server.pid())).expect("it listens");
    let mut visitor = UnixStream::connect(metrics_path(server.dir())).expect("connect");
    // Let in after these two, so that what is forked now has both open.
    assert_answers(&server);
    hang(&server);
    let reloading = begin_reload(&server);
    wait_for_hanging(&server);
    let begun = Instant::now();
    for (stream, question, answer) in
        [(&mut operators, "status\n", "serving"), (&mut visitor, "GET /livez HTTP/1.0\r\n\r\n", "alive")]
    {
        stream.write_all(question.as_bytes()).expect("ask");
        let mut told = String::new();
        stream.read_to_string(&mut told).expect("an answer and its end");
        assert!(told.contains(answer), "{told}");
    }
    assert!(begun.elapsed() < AT_ONCE, "after {:?}", begun.elapsed());
    server.expect_log("the configuration was not read within 20 s");
    server.signal(Signal::SIGTERM);
    drop(output_of(reloading));
    server.ends_with(0);
}

#[test]
fn a_pipe_in_the_configuration_is_read_when_somebody_writes_it() {
    let server = unsteady().start();
    let fifo = server.dir().join("secret");
    mkfifo(&fifo, Mode::S_IRWXU).expect("a fifo");
    edit(&server, |text| format!("{text}procname-prefix-spaced = @({})\n", fifo.display()));
    let reloading = begin_reload(&server);
    assert_answers(&server);
    let opened = || fs::File::options().write(true).custom_flags(libc::O_NONBLOCK).open(&fifo);
    assert!(wait_until(|| opened().is_ok_and(|mut fifo| fifo.write_all(b"told").is_ok())));
    let output = output_of(reloading);
    assert!(output.status.success(), "{output:?}");
    let named = || server.processes().iter().any(|process| process.title().starts_with("told "));
    assert!(wait_until(named), "{:?}", server.processes());
}

/// Fills a pipe until there is no room, as when nobody has read it for long.
fn fill(fifo: &Path) {
    let mut pipe = fs::File::options().write(true).custom_flags(libc::O_NONBLOCK).open(fifo).expect("open it");
    for piece in [&[b'\n'; 4096][..], b"\n"] {
        while pipe.write(piece).is_ok() {}
    }
    assert_eq!(pipe.write(b"\n").expect_err("it is full").kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_log_that_nobody_reads_holds_up_no_master() {
    let launch = unsteady().set("worker-reload-mercy", 1);
    let pipe = launch.dir().join("log");
    mkfifo(&pipe, Mode::S_IRWXU).expect("a fifo");
    // The instance holds both ends itself, so that nobody has to read.
    let script = format!("exec 3<>{} && exec \"$@\" >&3 2>&3", pipe.display());
    let server = launch.through(["sh", "-c", &script, "sh"]).spawn();
    assert!(wait_until(|| server.socket().exists()));
    assert!(wait_until(|| operator(&server, "status").status.success()));
    fill(&pipe);
    for _ in 0..3 {
        tell(&server, "s");
        assert_answers(&server);
    }
    assert!(who(&server).ends_with("of generation 1"));
    let mut reader = fs::File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&pipe).expect("open it");
    let mut read = String::new();
    let take = |needle: &str| {
        let mut piece = [0; 65_536];
        while let Ok(count @ 1..) = reader.read(&mut piece) {
            read.push_str(&String::from_utf8_lossy(&piece[..count]));
        }
        read.contains(needle)
    };
    let take = std::cell::RefCell::new(take);
    let is_told = || {
        tell(&server, "s");
        (take.borrow_mut())("lines of the log are missing here: nobody read them in time")
    };
    assert!(wait_until(is_told));
    fill(&pipe);
    server.stop();
}

#[test]
fn an_action_of_a_touched_file_that_waits_holds_up_nothing() {
    let launch = unsteady();
    let [touched, awaited] = ["touched", "awaited"].map(|name| launch.dir().join(name));
    fs::write(&touched, "").expect("a file");
    let action = format!("{} wait_for_file:{}", touched.display(), awaited.display());
    let server = launch.set("hook-touch", action).start();
    fs::remove_file(&touched).expect("remove it");
    fs::write(&touched, "").expect("make it again");
    assert!(wait_until(|| server.processes().iter().any(|process| process.name == "rhinod helper")));
    assert_answers(&server);
    reload(&server);
    fs::write(&awaited, "").expect("what it waits for");
    server.log.wait_for("has been touched... wait_for_file:");
}
