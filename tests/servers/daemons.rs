//! Daemons that belong to the instance (`attach-daemon`, `attach-control-daemon`, `attach-daemon2`): they run beside the
//! workers, come again when they die, go with a reload and with the end.

use std::fs;
use std::io::{Seek, Write};
use std::time::Duration;

use crate::attached::{ends, nth, pids, place, script, wait_until_up};
use crate::harness::{Instance, Launch, wait_until};
use crate::reloading::{Held, edit, operator, reload, tell, unsteady, wait_for_generation, who};
use nix::sys::signal::Signal;

/// Says its pid and waits for the end.
const QUIET: &str = "echo quiet $$; exec sleep 1000\n";
/// Does not heed SIGTERM.
const STUBBORN: &str = "trap '' TERM; echo stubborn $$; while :; do sleep 0.05; done\n";

/// One worker and a daemon.
fn with_daemon(text: &str) -> Launch {
    let launch = unsteady().set("workers", 1);
    let command = script(launch.dir(), "daemon.sh", text);
    launch.line(format!("attach-daemon = {command}"))
}

#[test]
fn a_daemon_runs_beside_the_workers_in_the_instances_directory_and_environment() {
    let text = "echo here $PWD $COLOUR ${NOTIFY_SOCKET-none}; ls -l /proc/$$/fd; cut -d' ' -f 6 /proc/$$/stat; \
                read line || echo no input; echo quiet $$; exec sleep 1000\n";
    let launch = unsteady().line("env = COLOUR=green").line("chdir = /tmp");
    let command = script(launch.dir(), "daemon.sh", text);
    let server = launch.line(format!("attach-daemon = {command}")).start();
    let daemon = nth(&server, 1, "quiet ");
    server.log.wait_for("here /tmp green none");
    server.log.wait_for("no input");
    assert_eq!(server.log.lines_with("socket:"), Vec::<String>::new(), "it has a socket of ours");
    let session = server.log.lines().into_iter().any(|line| line == daemon.pid.to_string());
    assert!(session, "it leads no session of its own");
    assert!(who(&server).starts_with("worker"));
    let told = format!("[uwsgi-daemons] spawning \"{command}\" (uid: {}", nix::unistd::Uid::effective());
    assert!(server.log.has_after(0, &told), "{:?}", server.log.lines());
    tell(&server, "s");
    server.log.wait_for("1 of 1 daemons up");
    server.stop();
    assert!(ends(&daemon));
}

#[test]
fn a_daemon_that_is_killed_comes_again_each_time_later() {
    let mut server = with_daemon(QUIET).start();
    for count in 1..=3 {
        nth(&server, count, "quiet ").signal(Signal::SIGKILL);
    }
    nth(&server, 4, "quiet ");
    server.wait_for_expected("died: killed by signal 9");
    for seconds in ["0.100", "0.200", "0.400"] {
        server.wait_for_expected(&format!("for {seconds} seconds"));
    }
    assert_eq!(server.log.lines_with("[uwsgi-daemons] respawning").len(), 3);
    assert_eq!(pids(&server, "spawned uWSGI worker").len(), 0);
    assert!(who(&server).ends_with("of generation 1"), "the workers are none the wiser");
    server.stop();
}

#[test]
fn a_daemon_that_cannot_be_executed_says_why_and_the_instance_serves() {
    let launch = unsteady().set("workers", 1).line("attach-daemon = /no/such/daemon --at all");
    let mut server = launch.line("attach-daemon2 = cmd=sleep 1000,chdir=/no/such/directory").start();
    server.expect_log("throttling");
    let told = "[uwsgi-daemons] cannot run \"/no/such/daemon --at all\": cannot execute /no/such/daemon: No such file";
    server.expect_log(told);
    server.log.wait_for_count(3, told);
    server.wait_for_expected("cannot run \"sleep 1000\": cannot chdir to /no/such/directory: No such file");
    assert!(who(&server).starts_with("worker"));
    server.stop();
}

#[test]
fn a_stop_tells_daemons_when_the_last_request_is_finished() {
    let text = "trap 'echo told; exit 0' USR1; echo quiet $$; while :; do sleep 0.02; done\n";
    let launch = unsteady().set("workers", 1);
    let command = script(launch.dir(), "daemon.sh", text);
    let mut server = launch.line(format!("attach-daemon2 = cmd={command},stopsignal=USR1")).start();
    let daemon = nth(&server, 1, "quiet ");
    let mut held = Held::begin(&server);
    server.signal(Signal::SIGTERM);
    server.log.wait_for("graceful shutdown triggered");
    assert!(held.is_silent_for(Duration::from_millis(100)));
    assert!(daemon.is_alive(), "a request may still need it");
    held.finish();
    assert_eq!(server.wait_exit(), 0);
    server.log.wait_for("goodbye");
    let lines = server.log.lines();
    let line = |needle: &str| lines.iter().position(|line| line.contains(needle)).expect(needle);
    let stopping = format!("[uwsgi-daemons] stopping daemon (pid: {}): {command}", daemon.pid);
    assert!(line("worker 1 buried") < line(&stopping) && line(&stopping) < line("told"), "{lines:#?}");
    assert!(line(&format!("daemon \"{command}\" (pid: {}) annihilated", daemon.pid)) < line("goodbye"));
    server.ends_with(0);
}

#[test]
fn a_daemon_that_does_not_heed_the_signal_is_killed_with_all_its_processes() {
    let mut server = with_daemon(&format!("sh -c 'trap \"\" TERM; echo deep $$; sleep 1000' &\n{STUBBORN}"))
        .set("reload-mercy", 1)
        .start();
    let (daemon, deep) = (nth(&server, 1, "stubborn "), nth(&server, 1, "deep "));
    server.signal(Signal::SIGTERM);
    server.wait_for_expected(&format!("daemon did not die in time, killing (pid: {})", daemon.pid));
    assert_eq!(server.wait_exit(), 0);
    assert!(ends(&daemon) && ends(&deep));
    server.ends_with(0);
}

#[test]
fn what_a_daemon_leaves_behind_at_a_stop_is_awaited_and_then_killed() {
    // The one that is supervised goes at once; the other one of its group takes its time, and one does not go at all.
    let text = "sh -c 'trap \"sleep 0.2; echo late; exit\" TERM; echo slow $$; while :; do sleep 0.02; done' &\n\
                echo quiet $$; exec sleep 1000\n";
    let server = with_daemon(text).start();
    let (daemon, slow) = (nth(&server, 1, "quiet "), nth(&server, 1, "slow "));
    server.signal(Signal::SIGTERM);
    server.log.wait_for("goodbye");
    let lines = server.log.lines();
    let line = |needle: &str| lines.iter().position(|line| line.contains(needle)).expect(needle);
    assert!(line("late") < line("annihilated") && line("annihilated") < line("goodbye"), "{lines:#?}");
    assert!(ends(&daemon) && ends(&slow));
    server.ends_with(0);
}

/// A program whose child would die of the signal, which is for the parent: that awaits it, as Celery does with a task.
const TASKS: &str = r#"
import os, signal, sys, time

def say(line):
    os.write(1, (line + "\n").encode())

def finish(*_):
    open("go", "w").close()
    os.wait()
    say("all done")
    sys.exit()

if os.fork() == 0:
    say(f"child {os.getpid()}")
    while not os.path.exists("go"):
        time.sleep(0.01)
    time.sleep(0.2)
    say("work done")
    os._exit(0)
signal.signal(signal.SIGTERM, finish)
say(f"parent {os.getpid()}")
while True:
    signal.pause()
"#;

#[test]
fn a_program_ends_its_own_children_and_none_of_their_work_is_cut() {
    let launch = unsteady().set("workers", 1);
    let path = place(&launch, "daemon.py");
    fs::write(&path, TASKS).expect("write the program");
    let server = launch.line(format!("attach-daemon = python3 {}", path.display())).start();
    let (child, parent) = (nth(&server, 1, "child "), nth(&server, 1, "parent "));
    reload(&server);
    server.log.wait_for("all done");
    let lines = server.log.lines();
    let line = |needle: &str| lines.iter().position(|line| line == needle);
    assert!(line("work done").is_some_and(|work| Some(work) < line("all done")), "{lines:#?}");
    assert!(ends(&child) && ends(&parent));
    nth(&server, 2, "parent ");
    server.stop();
}

#[test]
fn what_a_dead_daemon_leaves_behind_is_told_to_go() {
    let text = "sh -c 'echo rest $$; exec sleep 1000' &\nsleep 0.05; echo quiet $$; exec sleep 1000\n";
    let mut server = with_daemon(text).start();
    let (daemon, rest) = (nth(&server, 1, "quiet "), nth(&server, 1, "rest "));
    daemon.signal(Signal::SIGKILL);
    assert!(ends(&rest), "it holds what its successor needs");
    server.wait_for_expected("died: killed by signal 9");
    server.expect_log("throttling");
    nth(&server, 2, "quiet ");
    server.stop();
}

#[test]
fn a_stop_at_once_waits_for_no_daemon() {
    let mut server = with_daemon(STUBBORN).set("reload-mercy", 1_000).start();
    let daemon = nth(&server, 1, "stubborn ");
    server.signal(Signal::SIGQUIT);
    assert_eq!(server.wait_exit(), 0);
    assert!(ends(&daemon));
    server.ends_with(0);
}

/// Only one at a time can make the directory, and none goes before the file is there.
const ALONE: &str = "mkdir only || { echo two at once; exit 1; }\n\
                     trap 'while [ ! -e go ]; do sleep 0.02; done; rmdir only; exit 0' TERM\n\
                     echo alone $$; while :; do sleep 0.02; done\n";

#[test]
fn a_reload_brings_the_next_daemon_when_the_old_one_is_gone_and_waits_for_neither() {
    let server = with_daemon(ALONE).set("reload-mercy", 100).start();
    let old = nth(&server, 1, "alone ");
    reload(&server);
    assert!(who(&server).ends_with("of generation 2"), "the reload is over");
    server.log.wait_for("[uwsgi-daemons] stopping daemon");
    assert!(old.is_alive());
    assert_eq!(pids(&server, "alone ").len(), 1);
    fs::write(server.dir().join("go"), "").expect("let it go");
    let new = nth(&server, 2, "alone ");
    assert!(ends(&old) && new.pid != old.pid);
    assert_eq!(server.log.lines_with("two at once"), Vec::<String>::new());
    server.stop();
}

#[test]
fn a_reload_starts_what_is_new_and_stops_what_is_gone() {
    let launch = with_daemon(QUIET);
    let other = script(launch.dir(), "other.sh", "echo other $$; exec sleep 1000\n");
    let server = launch.start();
    let old = nth(&server, 1, "quiet ");
    edit(&server, |text| {
        let kept = text.lines().filter(|line| !line.starts_with("attach-daemon"));
        kept.collect::<Vec<_>>().join("\n") + &format!("\nattach-daemon = {other}\n")
    });
    reload(&server);
    nth(&server, 1, "other ");
    assert!(ends(&old));
    assert_eq!(pids(&server, "quiet ").len(), 1);
    server.stop();
}

#[test]
fn reloads_of_workers_leave_daemons_alone() {
    let server = with_daemon(QUIET).start();
    let daemon = nth(&server, 1, "quiet ");
    tell(&server, "w");
    server.log.wait_for("workers' reload done");
    tell(&server, "c");
    server.log.wait_for("chain reloading complete");
    assert!(daemon.is_alive());
    assert_eq!(pids(&server, "quiet ").len(), 1);
    server.stop();
}

#[test]
fn a_reload_that_fails_leaves_daemons_alone() {
    let mut server = with_daemon(QUIET).start();
    let daemon = nth(&server, 1, "quiet ");
    crate::reloading::misdeed(server.dir(), "load fail");
    server.expect_log("[error]");
    assert_eq!(operator(&server, "--reload").status.code(), Some(crate::reloading::RELOAD_FAILED));
    assert!(daemon.is_alive());
    assert_eq!(pids(&server, "quiet ").len(), 1);
    server.stop();
}

/// A daemon that says which signal it got. The others of its group do not heed them.
const LISTENER: &str = "for signal in HUP USR1 USR2; do trap \"echo got $signal; exit 0\" $signal; done\n\
                        echo listens $$; while :; do sleep 0.02; done\n";

#[test]
fn a_reload_sends_its_own_signal_and_a_touched_file_the_one_of_a_stop() {
    let launch = unsteady().set("workers", 1);
    let command = script(launch.dir(), "daemon.sh", LISTENER);
    let [file, other] = ["touched", "other"].map(|name| place(&launch, name));
    let keys = format!("cmd={command},reloadsignal=10,stopsignal=SIGUSR2,touch={};{}", file.display(), other.display());
    let mut server = launch.line(format!("attach-daemon2 = {keys}")).start();
    let first = nth(&server, 1, "listens ");
    reload(&server);
    server.log.wait_for("got USR1");
    nth(&server, 2, "listens ");
    fs::write(&file, "").expect("touch");
    let touched = format!("*** {} has been touched... reloading daemon \"{command}\"", file.display());
    server.log.wait_for(&touched);
    server.log.wait_for("got USR2");
    nth(&server, 3, "listens ");
    assert!(ends(&first));
    assert!(who(&server).ends_with("of generation 2"), "touching it reloads nothing else");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait_exit(), 0);
    server.log.wait_for_count(2, "got USR2");
    server.ends_with(0);
}

#[test]
fn the_end_of_a_control_daemon_is_a_graceful_stop() {
    let launch = unsteady().set("workers", 1);
    let command = script(launch.dir(), "daemon.sh", QUIET);
    let mut server = launch.line(format!("attach-control-daemon = {command}")).start();
    let held = Held::begin(&server);
    nth(&server, 1, "quiet ").signal(Signal::SIGTERM);
    server.log.wait_for("graceful shutdown triggered...");
    server.expect_log("died: killed by signal 15");
    held.finish();
    assert_eq!(server.wait_exit(), 0);
    server.ends_with(0);
}

#[test]
fn a_daemon_dies_with_a_master_that_is_killed() {
    let mut server = with_daemon(QUIET).start();
    let daemon = nth(&server, 1, "quiet ");
    server.signal(Signal::SIGKILL);
    assert!(ends(&daemon));
    server.expect_log("the master is gone");
    server.ends_with(137);
}

#[test]
fn an_upgraded_master_goes_on_with_its_daemons() {
    let mut server = with_daemon(QUIET).start();
    let daemon = nth(&server, 1, "quiet ");
    tell(&server, "u");
    server.log.wait_for("runs version");
    assert!(daemon.is_alive());
    assert_eq!(pids(&server, "quiet ").len(), 1);
    daemon.signal(Signal::SIGKILL);
    server.wait_for_expected("died: killed by signal 9");
    server.expect_log("throttling");
    let next = nth(&server, 2, "quiet ");
    wait_for_generation(&server, 1);
    server.stop();
    assert!(ends(&next));
}

#[test]
fn an_upgraded_master_still_awaits_the_daemon_that_its_predecessor_told_to_go() {
    let server = with_daemon(ALONE).set("reload-mercy", 100).start();
    let old = nth(&server, 1, "alone ");
    reload(&server);
    server.log.wait_for("[uwsgi-daemons] stopping daemon");
    tell(&server, "u");
    server.log.wait_for("runs version");
    assert!(old.is_alive());
    fs::write(server.dir().join("go"), "").expect("let it go");
    nth(&server, 2, "alone ");
    assert!(ends(&old));
    assert_eq!(server.log.lines_with("two at once"), Vec::<String>::new());
    server.stop();
}

#[test]
fn a_daemon_is_the_user_it_is_told_with_no_other_groups() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let launch = unsteady().set("workers", 1);
    let keys =
        "cmd=sh -c 'echo I am $(id -un) $(id -gn) $(id -Gn)\\, not root; exec sleep 1000',uid=daemon,gid=nogroup";
    let mut server = launch.line(format!("attach-daemon2 = {}", keys.replace("$(", "`").replace(')', "`"))).start();
    server.log.wait_for("I am daemon nogroup nogroup");
    assert!(server.log.lines().contains(&"I am daemon nogroup nogroup, not root".to_owned()));
    let unknown = "attach-daemon2 = cmd=sleep 1,uid=no-such-user\n";
    edit(&server, |text| text + unknown);
    server.expect_log("throttling");
    server.expect_log("cannot run \"sleep 1\": there is no user");
    reload(&server);
    server.log.wait_for("cannot run \"sleep 1\": there is no user \"no-such-user\"");
    server.stop();
}

#[test]
fn a_daemon_can_have_the_standard_input_of_the_instance() {
    for (line, keys) in [("daemons-honour-stdin = true", ""), ("# nothing", ",stdin=1")] {
        let launch = unsteady().set("workers", 1);
        let mut input = tempfile::tempfile().expect("a file");
        input.write_all(b"from outside\n").and_then(|()| input.rewind()).expect("room for a line");
        let command = script(launch.dir(), "daemon.sh", "read line; echo heard $line; exec sleep 1000\n");
        let launch = launch.line(line).line(format!("attach-daemon2 = cmd={command}{keys}"));
        let server = launch.stdin(input).start();
        server.log.wait_for("heard from outside");
        server.stop();
    }
}

#[test]
fn a_daemon_can_have_a_process_namespace_of_its_own() {
    // Not every container lets root make one.
    let may = std::process::Command::new("unshare").args(["--pid", "--fork", "true"]).status();
    if !may.is_ok_and(|status| status.success()) {
        return;
    }
    let launch = unsteady().set("workers", 1).set("reload-mercy", 1);
    let command =
        script(launch.dir(), "daemon.sh", "trap 'exit 0' TERM; echo I am process $$; while :; do sleep 0.02; done\n");
    let server = launch.line(format!("attach-daemon2 = cmd={command},ns_pid")).start();
    server.log.wait_for("I am process 1");
    server.stop();
}

#[test]
fn many_daemons_run_at_once_and_all_go_at_once() {
    let mut launch = unsteady().set("workers", 1);
    let slow = "trap 'sleep 0.3; exit 0' TERM; echo slow $$; while :; do sleep 0.02; done\n";
    let command = script(launch.dir(), "daemon.sh", slow);
    for _ in 0..20 {
        launch = launch.line(format!("attach-daemon = {command}"));
    }
    let mut server = launch.start();
    server.log.wait_for_count(20, "slow ");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait_exit(), 0);
    server.log.wait_for("goodbye");
    assert_eq!(server.log.lines_with("did not die in time"), Vec::<String>::new());
    server.ends_with(0);
}

/// A daemon that has not been up yet is killed by a stop, and holds nothing up.
#[test]
fn neither_readiness_nor_a_stop_waits_for_a_daemon_that_never_gets_up() {
    let launch = unsteady().set("workers", 1);
    let pidfile = place(&launch, "never.pid");
    let command = script(launch.dir(), "daemon.sh", QUIET);
    let server = launch.line(format!("smart-attach-daemon = {},1000 {command}", pidfile.display())).start();
    let launcher = nth(&server, 1, "quiet ");
    tell(&server, "s");
    server.log.wait_for("0 of 1 daemons up");
    server.stop();
    assert!(ends(&launcher));
}

#[test]
fn an_instance_has_no_descriptors_left_of_daemons_that_are_gone() {
    let mut server = with_daemon(QUIET).start();
    let open = |server: &Instance| crate::reloading::descriptors(server.pid());
    nth(&server, 1, "quiet ");
    wait_until_up(&server);
    let before = open(&server);
    for count in 1..=3 {
        nth(&server, count, "quiet ").signal(Signal::SIGKILL);
    }
    nth(&server, 4, "quiet ");
    server.expect_log("died: killed by signal 9");
    server.expect_log("throttling");
    assert!(wait_until(|| open(&server) <= before), "{} were open, {} are", before, open(&server));
    server.stop();
}

#[test]
fn an_instance_can_have_daemons_and_nothing_else() {
    let launch = Launch::rhinod().without("socket");
    let command = script(launch.dir(), "daemon.sh", QUIET);
    let mut server = launch.line(format!("attach-daemon = {command}")).start();
    server.expect_log("nothing to listen on: only the daemons run");
    let daemon = nth(&server, 1, "quiet ");
    wait_until_up(&server);
    server.signal(Signal::SIGHUP);
    nth(&server, 2, "quiet ");
    assert!(ends(&daemon));
    assert!(server.workers().is_empty());
    server.stop();
}
