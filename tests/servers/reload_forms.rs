//! The other forms of reloading and what sets them off: workers', chain, brutal, touched files, fifos, signals, pauses.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use crate::harness::{Instance, Launch, PATIENCE, Process, wait_until};
use crate::reloading::{
    Held, Traffic, edit, goes, misdeed, operator, tell, tell_fifo, unsteady, wait_for_generation, who,
};
use loadgen::client::{Target, Wire, exchange};
use loadgen::packet::Request;
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::Signal;

/// Does something under load that must replace all workers of generation 1 by others of the same.
fn replaces_workers_within_the_generation(launch: Launch, done: &str, cause: impl FnOnce(&Instance)) {
    misdeed(launch.dir(), "start slow 50");
    let server = launch.start();
    let old = server.workers();
    let traffic = Traffic::start(&server, 8, "/sleep?ms=5");
    cause(&server);
    server.log.wait_for(done);
    traffic.end();
    assert!(old.iter().all(goes), "an old worker stays");
    assert!(who(&server).ends_with("of generation 1"));
    assert!(wait_until(|| server.workers().len() == old.len()), "{:?}", server.workers());
}

#[test]
fn a_reload_warns_of_what_is_new() {
    let mut server = unsteady().set("die-on-term", "false").start();
    server.expect_log("SIGTERM stops gracefully");
    server.expect_log("cheaper-step = 2: has no effect");
    let ini = server.dir().join("app.ini");
    let text = fs::read_to_string(&ini).expect("its configuration");
    fs::write(&ini, format!("{text}cheaper-step = 2\n")).expect("another one");
    server.signal(Signal::SIGHUP);
    wait_for_generation(&server, 2);
    let lines = server.log.lines();
    let warnings = |words: &str| lines.iter().filter(|line| line.contains("[warn]") && line.contains(words)).count();
    assert_eq!((warnings("SIGTERM stops gracefully"), warnings("cheaper-step")), (1, 1), "{lines:?}");
}

#[test]
fn the_fifo_replaces_the_workers() {
    replaces_workers_within_the_generation(unsteady(), "workers' reload done: generation 1", |server| {
        tell(server, "w")
    });
}

#[test]
fn the_fifo_replaces_the_workers_in_a_chain() {
    replaces_workers_within_the_generation(unsteady(), "chain reloading complete", |server| tell(server, "c"));
}

#[test]
fn a_touched_file_replaces_the_workers() {
    let launch = unsteady();
    let file = launch.dir().join("touched");
    let launch = launch.set("touch-workers-reload", file.display());
    replaces_workers_within_the_generation(launch, "workers' reload done: generation 1", |_| {
        fs::write(&file, "").expect("touch");
    });
}

#[test]
fn a_touched_file_replaces_the_workers_in_a_chain() {
    let launch = unsteady();
    let file = launch.dir().join("touched");
    let launch = launch.set("touch-chain-reload", file.display());
    replaces_workers_within_the_generation(launch, "chain reloading complete", |_| {
        fs::write(&file, "").expect("touch")
    });
}

#[test]
fn a_chain_takes_one_worker_at_a_time() {
    let server = unsteady().start();
    tell(&server, "c");
    server.log.wait_for("chain reloading complete");
    let lines = server.log.lines();
    let steps: Vec<&str> = lines
        .iter()
        .filter_map(|line| {
            let word = ["chain next victim", "Respawned uWSGI worker"].into_iter().find(|word| line.contains(word));
            word.map(|word| if word.starts_with("chain") { "next" } else { "born" })
        })
        .collect();
    assert_eq!(steps, ["next", "born"].repeat(4), "{lines:#?}");
}

#[test]
fn a_chain_stops_at_a_worker_that_cannot_serve() {
    let mut server = unsteady().start();
    let old = server.workers();
    let traffic = Traffic::start(&server, 4, "/sleep?ms=1");
    misdeed(server.dir(), "start fail");
    tell(&server, "c");
    server.expect_log("OOPS");
    server.wait_for_expected("chain reload failed, the old goes on serving");
    traffic.end();
    assert!(old.iter().all(Process::is_alive), "a worker that served was given up for one that does not");
}

#[test]
fn a_workers_reload_with_bad_code_keeps_the_workers_that_serve() {
    let mut server = unsteady().start();
    let old = server.workers();
    misdeed(server.dir(), "start exit");
    tell(&server, "w");
    for word in ["OOPS", "DAMN", "respawning too fast"] {
        server.expect_log(word);
    }
    server.wait_for_expected("workers' reload failed, the old goes on serving");
    assert!(old.iter().all(Process::is_alive));
    assert!(who(&server).ends_with("of generation 1"));
}

#[test]
fn a_brutal_reload_loads_first_and_then_waits_for_nobody() {
    let mut server = unsteady().start();
    server.expect_log("killed by signal 9");
    let old = server.workers();
    let _held = Held::begin(&server);
    tell(&server, "R");
    server.log.wait_for("brutal reload done: generation 2 serves");
    assert!(old.iter().all(goes), "an old worker stays");
    wait_for_generation(&server, 2);
}

#[test]
fn a_brutal_workers_reload_waits_for_nobody() {
    let mut server = unsteady().start();
    server.expect_log("killed by signal 9");
    let old = server.workers();
    let _held = Held::begin(&server);
    tell(&server, "W");
    server.log.wait_for("brutal workers' reload done: generation 1 serves");
    assert!(old.iter().all(goes), "an old worker stays");
}

#[test]
fn touching_deleting_and_making_a_file_again_reload_once_each() {
    let launch = unsteady();
    let file = launch.dir().join("touched");
    fs::write(&file, "").expect("make the file");
    let server = launch.set("touch-reload", file.display()).start();
    fs::write(&file, "again").expect("touch");
    server.log.wait_for("reload done: generation 2 serves");
    fs::remove_file(&file).expect("delete");
    fs::write(&file, "").expect("make it again");
    server.log.wait_for("reload done: generation 3 serves");
    // A reload by another way comes after anything that the deletion may have set off.
    server.signal(Signal::SIGHUP);
    server.log.wait_for("reload done: generation 4 serves");
    assert_eq!(server.log.lines_with("has been touched").len(), 2, "{}", server.log.tail());
}

#[test]
fn anything_that_happens_in_a_watched_directory_reloads() {
    let launch = unsteady();
    let directory = launch.dir().join("code");
    fs::create_dir(&directory).expect("a directory");
    let server = launch.set("fs-reload", directory.display()).start();
    fs::write(directory.join("module.py"), "").expect("a file");
    server.log.wait_for("reload done: generation 2 serves");
}

#[test]
fn anything_that_happens_to_a_watched_file_reloads_brutally_if_that_is_asked_for() {
    let launch = unsteady();
    let file = launch.dir().join("stamp");
    fs::write(&file, "").expect("a file");
    let mut server = launch.set("fs-brutal-reload", file.display()).start();
    server.expect_log("killed by signal 9");
    let old = server.workers();
    let _held = Held::begin(&server);
    fs::write(&file, "again").expect("write");
    server.log.wait_for("brutal reload done: generation 2 serves");
    assert!(old.iter().all(goes), "an old worker stays");
    // Deleting it is an event as well.
    fs::remove_file(&file).expect("delete");
    server.log.wait_for("brutal reload done: generation 3 serves");
}

#[test]
fn a_touched_file_executes_a_command() {
    let launch = unsteady();
    let (file, made) = (launch.dir().join("touched"), launch.dir().join("made"));
    let server = launch.set("touch-exec", format!("{} touch {}", file.display(), made.display())).start();
    fs::write(&file, "").expect("touch");
    assert!(wait_until(|| made.exists()), "{}", server.log.tail());
}

#[test]
fn of_several_fifos_the_digits_choose() {
    let launch = unsteady();
    let second = launch.dir().join("fifo2");
    let server = launch.line(format!("master-fifo = {}", second.display())).start();
    tell(&server, "1");
    server.log.wait_for("active master fifo is now");
    assert!(second.exists());
    tell_fifo(&second, "r");
    server.log.wait_for("reload done: generation 2 serves");
    // The slot is kept through a reload; `0` leads back.
    tell_fifo(&second, "0");
    server.log.wait_for_count(2, "active master fifo is now");
    tell(&server, "r");
    server.log.wait_for("reload done: generation 3 serves");
}

/// Whether a request is answered within a time in which a server that runs answers a hundred times.
fn answers(server: &Instance) -> bool {
    let packet = Request::get("/").to_uwsgi().expect("a small request");
    exchange(&server.target(), &packet, Duration::from_millis(300)).is_ok()
}

#[test]
fn a_pause_is_absolute_by_the_command_line_and_toggled_by_signal_and_fifo() {
    let server = unsteady().start();
    for (pause, resume) in [("--pause", "--resume"), ("--pause", "SIGTSTP"), ("p", "p"), ("SIGTSTP", "--resume")] {
        let seen = server.log.position();
        ask(&server, pause);
        server.log.wait_for_after(seen, "PAUSE");
        if pause == "--pause" {
            // A second one changes nothing.
            ask(&server, pause);
        }
        assert!(wait_until(|| !answers(&server)), "{pause}: still answering");
        let seen = server.log.position();
        ask(&server, resume);
        server.log.wait_for_after(seen, "resuming");
        assert!(who(&server).ends_with("of generation 1"));
    }
}

fn ask(server: &Instance, how: &str) {
    match how {
        "SIGTSTP" => server.signal(Signal::SIGTSTP),
        letter if letter.len() == 1 => tell(server, letter),
        command => {
            let output = operator(server, command);
            assert!(output.status.success(), "{output:?}");
        }
    }
}

#[test]
fn who_comes_during_a_pause_is_answered_after_it() {
    let server = unsteady().start();
    ask(&server, "--pause");
    let traffic = Traffic::start(&server, 8, "/");
    ask(&server, "--resume");
    server.get("/");
    traffic.end();
}

#[test]
fn the_fifo_changes_the_number_of_workers_and_writes_the_state() {
    let server = unsteady().set("workers", 3).set("cheaper", 1).set("cheaper-algo", "manual").start();
    tell(&server, "+");
    server.log.wait_for("spawned uWSGI worker 2 ");
    tell(&server, "-");
    server.log.wait_for("cheaped.");
    tell(&server, "s");
    server.log.wait_for("generation 1");
}

#[test]
fn what_is_asked_for_by_hand_is_not_undone_by_the_next_decision() {
    let server = unsteady().set("workers", 4).set("cheaper", 1).start();
    server.signal(Signal::SIGTTIN);
    server.log.wait_for("asked for +1 workers: at least 2 workers run for the next 10 minutes");
    server.log.wait_for("spawned uWSGI worker 2 ");
    tell(&server, "-");
    server.log.wait_for("asked for -1 workers: at most 1 workers run for the next 10 minutes");
    server.log.wait_for("cheaped.");
    tell(&server, "+");
    server.log.wait_for_count(2, "asked for +1 workers: at least 2 workers run");
}

#[test]
fn where_the_number_is_fixed_the_letters_say_that_they_change_nothing() {
    let server = unsteady().set("workers", 2).start();
    tell(&server, "+");
    server.log.wait_for("asked for +1 workers, which changes nothing: the number is fixed at 2 without `cheaper`");
    server.signal(Signal::SIGTTOU);
    server.log.wait_for("asked for -1 workers, which changes nothing: the number is fixed at 2 without `cheaper`");
}

#[test]
fn the_command_line_tells_how_it_is_and_stops() {
    let server = unsteady().start();
    let status = std::process::Command::new(crate::harness::program_path("rhinod"))
        .arg("status")
        .arg(server.dir().join("pid"))
        .output()
        .expect("execute rhinod");
    let said = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.status.success() && said.contains("generation 1"), "{status:?}");
    let output = operator(&server, "--stop");
    assert!(output.status.success(), "{output:?}");
    server.ends_with(0);
}

#[test]
fn an_operator_without_an_instance_is_told_so() {
    let server = unsteady().start();
    let gone = server.dir().join("pid");
    let text = fs::read_to_string(&gone).expect("the pid file");
    let output = operator(&server, "--stop");
    assert!(output.status.success(), "{output:?}");
    let directory = tempfile::tempdir().expect("a directory");
    let stale = directory.path().join("pid");
    fs::write(&stale, text).expect("keep the pid");
    server.ends_with(0);
    let output = std::process::Command::new(crate::harness::program_path("rhinod"))
        .arg("--reload")
        .arg(&stale)
        .output()
        .expect("execute rhinod");
    assert_eq!(output.status.code(), Some(68), "{output:?}");
}

#[test]
fn sigterm_means_what_the_configuration_says() {
    let server = unsteady().set("reload-on-term", true).start();
    server.signal(Signal::SIGTERM);
    server.log.wait_for("brutal reload done: generation 2 serves");
    tell(&server, "q");
    server.ends_with(0);
}

#[test]
fn the_idiom_of_the_graceful_stop_works_to_the_letter() {
    let launch = unsteady().set("hook-master-start", "unix_signal:15 gracefully_kill_them_all");
    let server = launch.set("reload-on-term", true).start();
    let held = Held::begin(&server);
    server.signal(Signal::SIGTERM);
    server.log.wait_for("graceful shutdown triggered");
    held.finish();
    server.ends_with(0);
}

#[test]
fn a_stop_at_once_does_not_wait() {
    let mut server = unsteady().start();
    server.expect_log("killed by signal 9");
    let _held = Held::begin(&server);
    server.signal(Signal::SIGQUIT);
    assert!(server.wait_gone(PATIENCE));
    server.ends_with(0);
}

#[test]
fn watched_files_change_with_the_configuration() {
    let server = unsteady().start();
    let file = server.dir().join("touched");
    edit(&server, |text| format!("{text}touch-reload = {}\n", file.display()));
    crate::reloading::reload(&server);
    fs::write(&file, "").expect("touch");
    server.log.wait_for("reload done: generation 3 serves");
}

#[test]
fn an_application_asks_for_a_reload_and_answers_all_the_same() {
    let server = unsteady().start();
    let traffic = Traffic::start(&server, 4, "/sleep?ms=1");
    let answer = String::from_utf8_lossy(server.get("/reload").body()).into_owned();
    assert!(answer.ends_with("of generation 1\n"), "{answer}");
    server.log.wait_for("reload done: generation 2 serves");
    traffic.end();
    wait_for_generation(&server, 2);
}

/// Panics with a text of the test's own, among requests that go well: every one is answered, and the worker is replaced
/// or not.
fn a_panic_replaces_its_worker(line: &str, expected: bool) {
    let mut server = Launch::hello().set("workers", 1).set("disable-logging", true).line(line).start();
    server.expect_log("panicked at");
    let old = server.workers();
    let traffic = Traffic::start(&server, 4, "/");
    assert_eq!(server.get("/panic").status(), Some(500), "{line}");
    if expected {
        server.log.wait_for("leaves: monitored exception");
        assert!(old.iter().all(goes), "{line}: the worker stays");
        server.log.wait_for("Respawned uWSGI worker 1");
    }
    assert_eq!(server.get("/").status(), Some(200), "{line}");
    traffic.end();
    assert_eq!(old.iter().all(Process::is_alive), !expected, "{line}");
}

#[test]
fn a_monitored_panic_replaces_the_worker_and_costs_nobody_else_anything() {
    a_panic_replaces_its_worker("reload-on-exception = true", true);
    a_panic_replaces_its_worker("reload-on-exception-type = panic", true);
    a_panic_replaces_its_worker("reload-on-exception-value = asked for with GET", true);
    a_panic_replaces_its_worker("reload-on-exception-repr = panic:asked for with GET", true);
    a_panic_replaces_its_worker("reload-on-exception-value = asked for", false);
    a_panic_replaces_its_worker("reload-on-exception = false", false);
}

/// Has an instance inherit a descriptor with the number 7.
fn with_descriptor(launch: Launch, descriptor: impl Into<OwnedFd>) -> Launch {
    launch.stdin(descriptor.into()).through(["sh", "-c", "exec 7<&0 </dev/null; exec \"$@\"", "sh"])
}

#[test]
fn a_descriptor_asks_for_a_reload_each_time_it_becomes_readable() {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let mut server = with_descriptor(unsteady(), reader).set("reload-on-fd", "7:4 new code").start();
    let traffic = Traffic::start(&server, 4, "/sleep?ms=1");
    writer.write_all(b"code").expect("write");
    server.log.wait_for("*** descriptor 7 is ready... new code ***");
    server.log.wait_for("reload done: generation 2 serves");
    // Also the next image of the master hears it.
    tell(&server, "u");
    server.log.wait_for("runs version");
    writer.write_all(b"code").expect("write");
    server.log.wait_for("reload done: generation 3 serves");
    traffic.end();
    // Eight bytes are two requests, of which the later one takes the place of the earlier, which may not even have come as
    // far as to begin a generation.
    writer.write_all(b"codecode").expect("write");
    server.log.wait_for_count(3, "reload done: generation");
    // The end of it is no request, and does not keep the master busy.
    server.expect_log("descriptor 7 of reload-on-fd is not heard any more: its other end was closed");
    drop(writer);
    server.log.wait_for("its other end was closed");
    assert!(["of generation 4", "of generation 5"].iter().any(|end| who(&server).ends_with(end)), "{}", who(&server));
    assert_eq!(server.log.lines_with("is ready... new code").len(), 4, "{}", server.log.tail());
}

#[test]
fn an_eventfd_can_ask_for_a_brutal_reload() {
    let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC).expect("an eventfd");
    let other = event.as_fd().try_clone_to_owned().expect("a second one");
    let mut server = with_descriptor(unsteady(), other).set("brutal-reload-on-fd", "7:8").start();
    server.expect_log("killed by signal 9");
    let _held = Held::begin(&server);
    for generation in 2..4 {
        // However often it was written, the counter is read as one.
        event.write(3).expect("write");
        server.log.wait_for(&format!("brutal reload done: generation {generation} serves"));
    }
    assert_eq!(server.log.lines_with("descriptor 7 is ready... brutal reload").len(), 2, "{}", server.log.tail());
}

#[test]
fn a_descriptor_that_was_not_inherited_or_cannot_be_waited_for_keeps_it_from_starting() {
    let complains = |launch: Launch, problem: &str| {
        let failed = launch.fails();
        assert_eq!(failed.code, 78);
        let named = |line: &String| line.contains("app.ini:") && line.contains("reload-on-fd = 7: descriptor 7");
        assert!(failed.lines.iter().any(|line| named(line) && line.contains(problem)), "{:?}", failed.lines);
    };
    complains(unsteady().set("reload-on-fd", 7), "was not inherited");
    let launch = unsteady();
    let path = launch.dir().join("file");
    fs::write(&path, "text").expect("write a file");
    let file = fs::File::open(&path).expect("open the file");
    complains(with_descriptor(launch, file).set("brutal-reload-on-fd", 7), "cannot be waited for");
}

#[test]
fn with_exit_on_reload_it_finishes_what_it_holds_and_ends_with_0() {
    let server = unsteady().set("exit-on-reload", true).start();
    // Workers are replaced all the same: uWSGI does not execute itself anew for that either.
    tell(&server, "w");
    server.log.wait_for("workers' reload done: generation 1 serves");
    let held = Held::begin(&server);
    let output = operator(&server, "--reload");
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("exit-on-reload"), "{output:?}");
    server.log.wait_for("graceful shutdown triggered");
    held.finish();
    server.ends_with(0);
}

#[test]
fn with_exit_on_reload_a_brutal_reload_waits_for_nobody() {
    let mut server = unsteady().set("exit-on-reload", true).start();
    server.expect_log("killed by signal 9");
    let _held = Held::begin(&server);
    tell(&server, "R");
    assert!(server.wait_gone(PATIENCE));
    server.ends_with(0);
}

/// Runs a test of this program, named in full, once more, in a network of its own in which the kernel migrates connections. False: this
/// is that run.
fn runs_in_a_network_of_its_own(test: &str) -> bool {
    const MARK: &str = "REUSE_PORT_TEST";
    if std::env::var_os(MARK).is_some() {
        return false;
    }
    let prepared = "ip link set lo up && echo 1 > /proc/sys/net/ipv4/tcp_migrate_req";
    let alone = |then: &str| {
        let mut command = std::process::Command::new("unshare");
        command.args(["-n", "sh", "-c", &format!("{prepared} {then}"), "sh"]).env(MARK, "1");
        command
    };
    if !alone("").output().is_ok_and(|output| output.status.success()) {
        // Networks are root's, and migration is Linux 5.14's; nothing to see without them.
        println!("skipped: no network of its own, or none that migrates connections");
        return true;
    }
    let own = std::env::current_exe().expect("the test's own path");
    let output =
        alone("&& exec \"$@\"").arg(own).args(["--exact", test, "--nocapture"]).output().expect("execute unshare");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    true
}

#[test]
fn what_waits_for_an_instance_that_stops_goes_to_the_other_one_with_its_port() {
    if runs_in_a_network_of_its_own(
        "reload_forms::what_waits_for_an_instance_that_stops_goes_to_the_other_one_with_its_port",
    ) {
        return;
    }
    let address = "127.0.0.1:3031";
    let start = || unsteady().set("socket", address).set("reuse-port", true).start();
    let (old, new) = (start(), start());
    // A reload keeps the socket, and whoever waits on it.
    let target = || Target::Tcp(address.parse().expect("an address"));
    let traffic = Traffic::to(target(), Wire::Uwsgi, 16, "/sleep?ms=5");
    crate::reloading::reload(&old);
    traffic.end();
    // Paused, both let everyone wait; the kernel deals half of them to each.
    ask(&old, "--pause");
    ask(&new, "--pause");
    let packet = Request::get("/").to_uwsgi().expect("a small request");
    let mut waiting: Vec<TcpStream> = (0..32).map(|_| TcpStream::connect(address).expect("connect")).collect();
    waiting.iter_mut().for_each(|stream| stream.write_all(&packet).expect("send"));
    old.stop();
    ask(&new, "--resume");
    for mut stream in waiting {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.contains("of generation 1"), "{answer}");
    }
}
