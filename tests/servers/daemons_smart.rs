//! Daemons that have a pid file and go on alone (`smart-attach-daemon`, `smart-attach-daemon2`): found again by the file,
//! which is not believed blindly.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, SystemTime};

use crate::attached::{ends, named_in, nth, place, script, wait_until_up};
use crate::harness::{Instance, Launch, Process, wait_until};
use crate::reloading::{edit, reload, tell, unsteady, who};
use nix::sys::signal::Signal;

/// A daemon that goes on alone must not hold the log open, by whose end the tests see that nothing is left.
const ALONE: &str = "exec > /dev/null 2>&1; exec sleep 1000\n";

/// One worker and a daemon with a pid file, which is written for it.
fn with_daemon(text: &str, keys: &str) -> (Launch, PathBuf, String) {
    let launch = unsteady().set("workers", 1);
    let pidfile = place(&launch, "daemon.pid");
    let command = script(launch.dir(), "daemon.sh", text);
    let line = format!("attach-daemon2 = cmd={command},pidfile={},daemonize{keys}", pidfile.display());
    (launch.line(line), pidfile, command)
}

/// Stops an instance, which must leave its daemon alone.
fn end(mut server: Instance, daemon: &Process) {
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait_exit(), 0);
    settle(server, daemon, 0);
}

/// Ends what has gone on alone. Then nothing may be left of an instance that has ended.
fn settle(server: Instance, daemon: &Process, code: i32) {
    assert!(daemon.is_alive(), "it has ended with the instance");
    daemon.signal(Signal::SIGKILL);
    assert!(wait_until(|| server.processes().is_empty()), "{:?}", server.processes());
    server.ends_with(code);
}

/// Executes an instance again in the directory of one that has ended.
fn again(server: &Instance) -> Launch {
    let text = fs::read_to_string(server.dir().join("app.ini")).expect("its configuration");
    let launch = unsteady();
    fs::write(launch.ini_path(), text.replace("master-fifo", "# master-fifo")).expect("the same configuration");
    launch
}

/// Waits for a worker of an instance that was started with whatever ini file there is.
fn started(launch: Launch) -> Instance {
    let server = launch.spawn_as_is();
    server.log.wait_for("ready to serve");
    server
}

#[test]
fn it_outlives_the_instance_and_the_next_one_finds_it() {
    let (launch, pidfile, command) = with_daemon(ALONE, "");
    let mut first = launch.start();
    let daemon = named_in(&pidfile);
    wait_until_up(&first);
    first.signal(Signal::SIGTERM);
    assert_eq!(first.wait_exit(), 0);
    first.log.wait_for(&format!("leaving daemon \"{command}\" (pid: {}) to itself", daemon.pid));
    assert!(daemon.is_alive());
    let mut second = started(again(&first));
    second.log.wait_for(&format!("found valid/active pidfile for \"{command}\" (pid: {})", daemon.pid));
    // It is nobody's child there, and its end is noticed all the same.
    daemon.signal(Signal::SIGKILL);
    second.wait_for_expected("died: ended");
    second.expect_log("throttling");
    second.log.wait_for("[uwsgi-daemons] respawning");
    assert!(wait_until(|| named_in(&pidfile) != daemon));
    let next = named_in(&pidfile);
    wait_until_up(&second);
    end(second, &next);
    first.ends_with(0);
}

#[test]
fn a_reload_keeps_it_and_a_changed_recipe_replaces_it() {
    let (launch, pidfile, _) = with_daemon(ALONE, "");
    let server = launch.start();
    let daemon = named_in(&pidfile);
    wait_until_up(&server);
    reload(&server);
    assert!(who(&server).ends_with("of generation 2") && daemon.is_alive());
    assert_eq!(named_in(&pidfile), daemon);
    // How it is told is no reason to replace it.
    edit(&server, |text| text.replace(",daemonize", ",daemonize,stopsignal=2"));
    reload(&server);
    assert!(daemon.is_alive());
    edit(&server, |text| text.replace("daemon.sh", "daemon.sh with another argument"));
    reload(&server);
    assert!(ends(&daemon));
    assert!(wait_until(|| named_in(&pidfile) != daemon), "{}", server.log.tail());
    let next = named_in(&pidfile);
    wait_until_up(&server);
    assert_eq!(server.log.lines_with("[uwsgi-daemons] stopping daemon").len(), 1);
    end(server, &next);
}

#[test]
fn one_that_the_configuration_does_not_have_any_more_is_left_alone() {
    let (launch, pidfile, _) = with_daemon(ALONE, "");
    let server = launch.start();
    let daemon = named_in(&pidfile);
    wait_until_up(&server);
    edit(&server, |text| text.replace("attach-daemon2", "# attach-daemon2"));
    reload(&server);
    server.log.wait_for("to itself");
    end(server, &daemon);
}

#[test]
fn a_stop_at_once_leaves_it_alone_as_well() {
    let (launch, pidfile, _) = with_daemon(ALONE, "");
    let mut server = launch.start();
    let daemon = named_in(&pidfile);
    wait_until_up(&server);
    server.signal(Signal::SIGQUIT);
    assert_eq!(server.wait_exit(), 0);
    settle(server, &daemon, 0);
}

#[test]
fn it_outlives_a_master_that_is_killed() {
    let (launch, pidfile, _) = with_daemon(ALONE, "");
    let mut server = launch.start();
    let daemon = named_in(&pidfile);
    wait_until_up(&server);
    server.signal(Signal::SIGKILL);
    server.wait_exit();
    server.expect_log("the master is gone");
    settle(server, &daemon, 137);
}

#[test]
fn one_that_dies_comes_again() {
    let (launch, pidfile, _) = with_daemon(ALONE, "");
    let mut server = launch.start();
    let daemon = named_in(&pidfile);
    wait_until_up(&server);
    daemon.signal(Signal::SIGKILL);
    server.wait_for_expected("died: killed by signal 9");
    server.expect_log("throttling");
    assert!(wait_until(|| named_in(&pidfile) != daemon));
    let next = named_in(&pidfile);
    wait_until_up(&server);
    end(server, &next);
}

#[test]
fn the_instance_can_be_told_to_tell_it() {
    let text = "exec > \"$1\" 2>&1\nfor signal in HUP USR1 USR2; do trap \"echo got $signal\" $signal; done\n\
                while :; do sleep 0.02; done\n";
    let launch = unsteady().set("workers", 1);
    let (pidfile, heard) = (place(&launch, "daemon.pid"), place(&launch, "heard"));
    let command = format!("{} {}", script(launch.dir(), "daemon.sh", text), heard.display());
    let keys = format!("pidfile={},daemonize,notifypid,stopsignal=12", pidfile.display());
    let mut server = launch.line(format!("attach-daemon2 = cmd={command},{keys}")).start();
    let daemon = named_in(&pidfile);
    wait_until_up(&server);
    assert!(wait_until(|| heard.exists()));
    reload(&server);
    crate::harness::wait_for_text(&heard, "got HUP");
    edit(&server, |text| text.replace(",notifypid", ",notifypid,reloadsignal=10"));
    reload(&server);
    crate::harness::wait_for_text(&heard, "got USR1");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait_exit(), 0);
    crate::harness::wait_for_text(&heard, "got USR2");
    settle(server, &daemon, 0);
}

/// Leaves to the background by itself, as daemons do, and ends the foreground at once.
const BACKGROUND: &str = "(exec > /dev/null 2>&1; exec sleep 1000) & echo $! > \"$1\"\n";

#[test]
fn many_that_leave_to_the_background_by_themselves_are_all_found() {
    let mut launch = unsteady().set("workers", 1);
    let command = script(launch.dir(), "daemon.sh", BACKGROUND);
    let files: Vec<PathBuf> = (0..10).map(|number| place(&launch, &format!("{number}.pid"))).collect();
    for file in &files {
        launch = launch.line(format!("smart-attach-daemon = {0} {command} {0}", file.display()));
    }
    let server = launch.start();
    server.log.wait_for_count(10, "found changed pid for");
    let daemons: Vec<Process> = files.iter().map(|file| named_in(file)).collect();
    tell(&server, "s");
    server.log.wait_for("10 of 10 daemons up");
    reload(&server);
    assert!(daemons.iter().all(Process::is_alive));
    assert_eq!(server.log.lines_with("spawning").len(), 10);
    let mut server = server;
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait_exit(), 0);
    daemons.iter().for_each(|daemon| daemon.signal(Signal::SIGKILL));
    assert!(daemons.iter().all(ends));
    server.ends_with(0);
}

#[test]
fn one_that_names_itself_but_stays_is_that_process() {
    let launch = unsteady().set("workers", 1);
    let pidfile = place(&launch, "daemon.pid");
    let command = script(launch.dir(), "daemon.sh", "echo $$ > \"$1\"; exec > /dev/null 2>&1; exec sleep 1000\n");
    let server = launch.line(format!("smart-attach-daemon = {0} {command} {0}", pidfile.display())).start();
    wait_until_up(&server);
    assert_eq!(server.log.lines_with("found changed pid"), Vec::<String>::new());
    end(server, &named_in(&pidfile));
}

#[test]
fn one_that_never_names_itself_is_supervised_as_it_is() {
    let launch = unsteady().set("workers", 1);
    let pidfile = place(&launch, "daemon.pid");
    let text = "echo quiet $$; exec > /dev/null 2>&1; exec sleep 1000\n";
    let command = script(launch.dir(), "daemon.sh", text);
    let mut server = launch.line(format!("smart-attach-daemon = {},1 {command}", pidfile.display())).start();
    let daemon = nth(&server, 1, "quiet ");
    server.wait_for_expected(&format!("\"{command}\" (pid: {}) did not daemonize !!!", daemon.pid));
    wait_until_up(&server);
    end(server, &daemon);
}

#[test]
fn one_that_is_gone_without_a_name_is_tried_again() {
    let launch = unsteady().set("workers", 1);
    let pidfile = place(&launch, "daemon.pid");
    let command = script(launch.dir(), "daemon.sh", "echo tried\n");
    let mut server = launch.line(format!("smart-attach-daemon = {},1 {command}", pidfile.display())).start();
    server.wait_for_expected("found changed pidfile for");
    server.expect_log("died: exited with code 0");
    server.expect_log("throttling");
    server.log.wait_for_count(2, "tried");
    server.stop();
}

#[test]
fn a_launcher_that_fails_says_so_and_is_tried_again() {
    let launch = unsteady().set("workers", 1);
    let pidfile = place(&launch, "daemon.pid");
    let command = script(launch.dir(), "daemon.sh", "echo broken >&2; exit 3\n");
    let mut server = launch.line(format!("smart-attach-daemon = {},1000 {command}", pidfile.display())).start();
    server.wait_for_expected("died: exited with code 3");
    server.expect_log("throttling");
    server.log.wait_for_count(2, "broken");
    server.stop();
}

/// A process that has nothing to do with any instance.
struct Bystander(Child);

impl Bystander {
    fn new() -> Bystander {
        Bystander(Command::new("sleep").arg("1000").spawn().expect("execute sleep"))
    }

    fn process(&self) -> Process {
        Process { pid: i32::try_from(self.0.id()).expect("a pid"), name: String::new() }
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Writes a pid file that is older than the process that it names.
fn outdated(pidfile: &Path, process: &Process) {
    fs::write(pidfile, format!("{}\n", process.pid)).expect("write the pid file");
    let long_ago = SystemTime::now() - Duration::from_secs(3_600);
    File::options().write(true).open(pidfile).and_then(|file| file.set_modified(long_ago)).expect("date it back");
}

#[test]
fn a_file_that_names_a_younger_process_is_not_believed() {
    let (launch, pidfile, _) = with_daemon(ALONE, ",stopsignal=9");
    let bystander = Bystander::new();
    outdated(&pidfile, &bystander.process());
    let mut server = launch.start();
    server.wait_for_expected(&format!("process {} began after the file was written", bystander.process().pid));
    assert!(wait_until(|| named_in(&pidfile) != bystander.process()), "{}", server.log.tail());
    let daemon = named_in(&pidfile);
    wait_until_up(&server);
    assert!(bystander.process().is_alive());
    end(server, &daemon);
}

#[test]
fn a_file_of_somebody_else_is_not_believed_about_a_process_of_ours() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let (launch, pidfile, _) = with_daemon(ALONE, ",stopsignal=9");
    let bystander = Bystander::new();
    fs::write(&pidfile, bystander.process().pid.to_string()).expect("write the pid file");
    std::os::unix::fs::chown(&pidfile, Some(12_345), None).expect("give it away");
    let mut server = launch.start();
    let process = bystander.process();
    server.wait_for_expected(&format!("process {} is of user 0, but the file of user 12345", process.pid));
    assert!(wait_until(|| named_in(&pidfile) != process), "{}", server.log.tail());
    wait_until_up(&server);
    assert!(process.is_alive());
    let daemon = named_in(&pidfile);
    end(server, &daemon);
}

#[test]
fn a_file_without_a_living_process_is_as_none() {
    for text in ["", "nonsense\n", "2147483647\n"] {
        let (launch, pidfile, _) = with_daemon(ALONE, "");
        fs::write(&pidfile, text).expect("write the pid file");
        let server = launch.start();
        server.log.wait_for("[uwsgi-daemons] spawning");
        wait_until_up(&server);
        assert!(wait_until(|| fs::read_to_string(&pidfile).is_ok_and(|now| now != text)));
        let daemon = named_in(&pidfile);
        end(server, &daemon);
    }
}

#[test]
fn a_pid_file_that_cannot_be_written_is_why_it_does_not_start() {
    let launch = unsteady().set("workers", 1);
    let mut server = launch.line("smart-attach-daemon2 = /no/such/directory/pid sleep 1000").start();
    server
        .wait_for_expected("cannot run \"sleep 1000\": cannot write the pid file /no/such/directory/pid: No such file");
    server.expect_log("throttling");
    assert!(who(&server).starts_with("worker"));
    server.stop();
}

#[test]
fn an_upgraded_master_goes_on_with_it() {
    let (launch, pidfile, _) = with_daemon(ALONE, "");
    let mut server = launch.start();
    let daemon = named_in(&pidfile);
    wait_until_up(&server);
    tell(&server, "u");
    server.log.wait_for("runs version");
    assert!(daemon.is_alive());
    daemon.signal(Signal::SIGKILL);
    server.wait_for_expected("died: killed by signal 9");
    server.expect_log("throttling");
    assert!(wait_until(|| named_in(&pidfile) != daemon));
    let next = named_in(&pidfile);
    wait_until_up(&server);
    end(server, &next);
}
