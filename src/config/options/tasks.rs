//! Background work and timers.
//!
//! The rows of the option table for the group [`Tasks`](super::Group::Tasks).
//! Read in the master before anything else, and by the commands.

use super::draft::Draft;
use super::row::{Opt, count, flag, int, list, path, seconds, text};
use super::{companions, crons, reload, signals};
use crate::config::model::WatchEffect;

// What stands behind several rows.
const MULES: &str = "mules";
const C_FUNCTION: &str = "C functions cannot be called";

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    seconds("mule-harakiri").default("0").sets(|d, v| d.config.mules.harakiri = v.duration_unless_zero()).works()
        .says("Kill a mule in which the handler of a signal runs longer than this many seconds"),
    seconds("mule-reload-mercy").default("60").sets(|d, v| d.config.mules.mercy = v.duration()).works()
        .says("Seconds that a mule may take to finish what it does before SIGKILL"),
    path("spooler").short('Q').list().sets(|d, v| companions::spooler(d, v, false)).works()
        .says("Run the tasks that wait in this directory, which is made where it is not there"),
    path("spooler-external").list().sets(|d, v| companions::spooler(d, v, true)).works()
        .says("Let tasks wait in this directory for another instance that runs them"),
    flag("spooler-ordered").sets(|d, v| d.config.spoolers.ordered = v.on()).works()
        .says("Run tasks in the order of their names, those of a lower priority's number first"),
    text("spooler-chdir").sets(|d, v| d.config.spoolers.chdir = Some(v.path())).works()
        .says("Directory in which tasks run; without it that of their files"),
    int("spooler-processes", 1, 100).default("1").sets(|d, v| d.config.spoolers.processes_each = v.size()).works()
        .says("Processes for each directory"),
    int("spooler-cheaper", 1, 100).sets(|d, v| d.config.spoolers.fewest_each = Some(v.size())).works()
        .says("Fewest processes for each directory; up to spooler-processes run while tasks wait (not in uWSGI)"),
    flag("spooler-quiet").sets(|d, v| d.config.spoolers.quiet = v.on()).works().says("Log no line for each task"),
    count("spooler-max-tasks").sets(|d, v| d.config.spoolers.max_tasks = v.unless_zero()).works()
        .says("Replace a spooler process after so many tasks"),
    seconds("spooler-harakiri").default("0").sets(|d, v| d.config.spoolers.harakiri = v.duration_unless_zero()).works()
        .says("Kill a spooler process whose task runs longer than this many seconds"),
    seconds("spooler-frequency").aka(&["spooler-freq"]).default("30")
        .sets(|d, v| d.config.spoolers.frequency = v.duration()).works()
        .says("Longest time between two looks for tasks; one of this instance's own is run at once"),
    seconds("spooler-retry-delay").default("0").sets(|d, v| d.config.spoolers.retry_delay = v.duration()).works()
        .says("Seconds that a task waits that is to be run again, doubled each time; 0: until the next look (not in uWSGI)"),
    count("spooler-max-crashes").default("3").sets(|d, v| d.config.spoolers.max_crashes = v.amount()).works()
        .says("Set a task aside that has taken so many processes with it; 0 never does (not in uWSGI)"),
    flag("spooler-sync").sets(|d, v| d.config.spoolers.durable = v.on()).works()
        .says("Let uwsgi.spool return when its task is on the disk, so that it outlives a fall of the machine (not in uWSGI)"),
    list("mule").optional().sets(companions::mule).works()
        .says("Start a mule: a process that runs a file (FILE.py) or MODULE:CALLABLE, or waits for messages and signals"),
    count(MULES).sets(companions::mules).works().says("Start so many mules that wait for messages and signals"),
    list("farm").sets(companions::farm).works().says("Name a group of mules, which has a queue of its own: NAME:1,2"),
    count("mule-msg-size").optional()
        .sets(|d, v| d.config.mules.queue_bytes = v.unless_zero().and_then(|bytes| bytes.try_into().ok())).works()
        .restart(|old, new| old.mules.queue_bytes != new.mules.queue_bytes)
        .says("Bytes of each queue of messages to mules"),
    count("signal-bufsize").aka(&["signals-bufsize"])
        .sets(|d, v| d.config.signal_queue_bytes = v.unless_zero().and_then(|bytes| bytes.try_into().ok())).works()
        .restart(|old, new| old.signal_queue_bytes != new.signal_queue_bytes)
        .says("Bytes of each queue of signals"),
    list("signal-timer").aka(&["timer"]).sets(signals::timer).works()
        .says("Raise a signal every so many seconds: SIGNAL SECONDS"),
    list("signal-rbtimer").aka(&["rbtimer"]).sets(signals::timer).works().says("The same"),
    list("touch-mules-reload").sets(|d, v| reload::watch(d, v, WatchEffect::MulesReload, false)).works()
        .says("Start all mules anew when this file changes"),
    list("touch-spoolers-reload").sets(|d, v| reload::watch(d, v, WatchEffect::SpoolersReload, false)).works()
        .says("Start all spooler processes anew when this file changes"),
    list("touch-signal").sets(|d, v| signals::watch(d, v, false)).works()
        .says("Raise a signal when the time stamp of this file changes: FILE SIGNAL"),
    list("fs-signal").sets(|d, v| signals::watch(d, v, true)).works()
        .says("Raise a signal when anything happens to this file or directory: PATH SIGNAL"),
    list("cron").sets(|d, v| crons::cron(d, v, false)).works()
        .says("Run a command at certain minutes: MINUTE HOUR DAY MONTH WEEKDAY COMMAND; -1 is each, -5 every fifth"),
    list("cron2").sets(crons::cron2).works()
        .says("The same as [KEY=VALUE,... ]COMMAND: minute, hour, day, month, week, unique, harakiri"),
    list("unique-cron").sets(|d, v| crons::cron(d, v, true)).works()
        .says("The same as cron, but not while it runs already"),
    seconds("cron-harakiri").default("0").sets(|d, v| d.cron_harakiri_s = v.duration().as_secs()).works()
        .says("Kill a command of cron that runs longer than this many seconds"),
    list("unique-legion-cron").aka(&["unique-cron-legion"])
        .unsupported("clusters are the business of the orchestrator").says("Non-overlapping cron run only while lord"),
    list("spooler-import").aka(&["spooler-pyimport", "spooler-py-import", "spooler-python-import"])
        .sets(|d, v| d.config.spoolers.imports.push(v.string())).works()
        .says("Import this module, or run this file, in each spooler process"),
    list("symcall").unsupported(C_FUNCTION).says("C function handling requests"),
    flag("symcall-use-next").unsupported(C_FUNCTION).says("Search C symbols in later libraries"),
    list("symcall-register-rpc").unsupported(C_FUNCTION).says("Register C function as RPC: name function"),
    list("symcall-post-fork").unsupported(C_FUNCTION).says("C function run after each fork"),
];

/// What they mean together.
pub(super) fn judge(draft: &mut Draft<'_>) {
    companions::judge(draft);
    crons::judge(draft);
}
