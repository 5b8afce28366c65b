//! Commands that run at certain minutes: as what they run, what is said of them, and what reloads, upgrades and the end of the
//! instance do to them. (When they are due is `src/timetable`'s, on simulated clocks.) One of each minute runs at the start.

use nix::sys::signal::Signal;

use crate::attached::{ends, nth, script};
use crate::harness::{Launch, wait_until};
use crate::monitoring::{document, page, stats_path};
use crate::reloading::replacing::upgrade;
use crate::reloading::{edit, reload, unsteady, wait_for_generation};

/// Each minute.
const EACH: &str = "-1 -1 -1 -1 -1";

fn telling() -> Launch {
    let launch = unsteady().set("workers", 1);
    let stats = stats_path(launch.dir());
    launch.set("stats", stats.display()).set("metrics", stats.with_file_name("metrics.sock").display())
}

#[test]
fn commands_run_in_the_instances_place_and_their_outcomes_are_told() {
    let launch = telling().line("env = COLOUR=green").line("chdir = /tmp");
    let text = "echo here $PWD $COLOUR ${NOTIFY_SOCKET-none}; ls -l /proc/$$/fd; cut -d' ' -f 6 /proc/$$/stat; \
                read line || echo no input; exit 3\n";
    let failing = script(launch.dir(), "failing.sh", text);
    let slow = script(launch.dir(), "slow.sh", "sh -c 'echo deep $$; sleep 1000' & echo slow $$; wait\n");
    let mut server = launch
        .line(format!("cron = {EACH} {failing}"))
        .line("unique-cron = -1 -1 -1 -1 -1 echo well > /dev/null")
        .line(format!("cron2 = harakiri=1,unique=1 {slow}"))
        .start();
    let (slow_process, deep) = (nth(&server, 1, "slow "), nth(&server, 1, "deep "));
    server.log.wait_for("here /tmp green none");
    server.log.wait_for("no input");
    let told = format!("[uwsgi-cron] command \"{failing}\" running with pid ");
    server.expect_log(&told);
    let line = server.log.wait_for(&told).text;
    assert!(line.ends_with("exited after 0 second(s): exited with code 3"), "{line}");
    let pid = line.split("with pid ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a pid").to_owned();
    server.log.wait_for(&format!("[uwsgi-cron] running \"{failing}\" (pid {pid})"));
    assert_eq!(server.log.lines_with("socket:"), Vec::<String>::new(), "it has a socket of ours");
    assert!(server.log.lines().contains(&pid), "it leads no session of its own");
    server.log.wait_for("[uwsgi-cron] command \"echo well > /dev/null\" running with pid ");
    server.wait_for_expected(&format!("*** HARAKIRI ON CRON \"{slow}\" (pid: "));
    server.wait_for_expected("second(s): killed by signal 9");
    assert!(ends(&slow_process) && ends(&deep));
    let document = document(&server);
    let crons = &document["crons"];
    assert_eq!((&crons[0]["minute"], &crons[0]["command"]), (&(-1).into(), &failing.as_str().into()));
    assert_eq!((&crons[0]["pid"], &crons[0]["unique"]), (&(-1).into(), &0.into()));
    assert_eq!(crons[0]["runs"], crons[0]["failures"], "{crons:#}");
    assert_eq!(crons[0]["last_end"], "exited with code 3");
    assert_eq!((&crons[1]["failures"], &crons[1]["unique"]), (&0.into(), &1.into()));
    assert!(crons[2]["started_at"].as_u64().is_some_and(|started| started > 0), "{crons:#}");
    let metrics = page(&server.dir().join("metrics.sock"), "/metrics").body;
    let metrics = String::from_utf8_lossy(&metrics);
    assert!(
        metrics.contains("rhinod_cron_runs_total{command=\"echo well > /dev/null\",outcome=\"done\"}"),
        "{metrics}"
    );
    server.stop();
}

#[test]
fn a_command_outlives_reloads_and_upgrades_and_ends_with_the_instance() {
    let launch = telling().set("reload-mercy", 1);
    let stays = script(
        launch.dir(),
        "stays.sh",
        "trap 'echo told; exit 0' TERM; echo stays $$; while :; do sleep 0.05; done\n",
    );
    let stubborn =
        script(launch.dir(), "stubborn.sh", "trap '' TERM; echo stubborn $$; while :; do sleep 0.05; done\n");
    let mut server =
        launch.line(format!("unique-cron = {EACH} {stays}")).line(format!("unique-cron = {EACH} {stubborn}")).start();
    let (stays_process, stubborn_process) = (nth(&server, 1, "stays "), nth(&server, 1, "stubborn "));
    reload(&server);
    wait_for_generation(&server, 2);
    upgrade(&server);
    // The line of one of them goes: what runs of it goes on.
    edit(&server, |ini| ini.replace(&format!("unique-cron = {EACH} {stubborn}"), ""));
    reload(&server);
    wait_for_generation(&server, 3);
    assert!(stays_process.is_alive() && stubborn_process.is_alive());
    assert_eq!(server.log.lines_with("[uwsgi-cron] running ").len(), 2, "{}", server.log.tail());
    let crons = &document(&server)["crons"];
    assert_eq!((&crons[0]["pid"], &crons[1]), (&stays_process.pid.into(), &serde_json::Value::Null));
    server.signal(Signal::SIGTERM);
    server.log.wait_for("told");
    server.wait_for_expected(&format!("[uwsgi-cron] \"{stubborn}\" did not end in time, killing"));
    assert_eq!(server.wait_exit(), 0);
    assert!(ends(&stays_process) && ends(&stubborn_process));
    server.ends_with(0);
}

#[test]
fn an_instance_may_have_nothing_but_commands_and_a_stop_at_once_waits_for_none() {
    let launch = Launch::rhinod().without("socket").without("workers");
    let stubborn =
        script(launch.dir(), "stubborn.sh", "trap '' TERM; echo stubborn $$; while :; do sleep 0.05; done\n");
    let mut server = launch.set("reload-mercy", 600).line(format!("cron = {EACH} {stubborn}")).spawn();
    server.expect_log("only the crons run");
    let process = nth(&server, 1, "stubborn ");
    server.signal(Signal::SIGINT);
    server.log.wait_for("[uwsgi-cron] stopping ");
    server.signal(Signal::SIGINT);
    server.expect_log("did not end in time, killing");
    assert_eq!(server.wait_exit(), 0);
    assert!(wait_until(|| !process.is_alive()));
    server.ends_with(0);
}
