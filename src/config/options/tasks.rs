//! Background work, timers and memory shared between workers.
//!
//! The rows of the option table for the group [`Tasks`](super::Group::Tasks).
//! Read in the master before anything else, and by the commands.

use super::draft::Draft;
use super::row::{Opt, bytes, count, flag, list, path, seconds, text};
use super::{companions, reload};
use crate::config::model::WatchEffect;

// What stands behind several rows.
const MULES: &str = "mules";
const SHARING: &str = "shared areas and calls between instances";
const CACHE: &str = "the cache";
const QUEUE: &str = "the queue";
const SPOOLER: &str = "the spooler";
const SIGNALS: &str = "signals and timers";
const CRON: &str = "cron; use the timers of the init system";
const C_FUNCTION: &str = "C functions cannot be called";

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    seconds("mule-harakiri").default("0").sets(|d, v| d.config.mules.harakiri = v.duration_unless_zero()).not_yet(MULES)
        .says("Kill a mule in which the handler of a signal runs longer than this many seconds"),
    seconds("mule-reload-mercy").default("60").sets(|d, v| d.config.mules.mercy = v.duration()).works()
        .says("Seconds that a mule may take to finish what it does before SIGKILL"),
    count("locks").works().says("Number of user locks available to the app"),
    list("sharedarea").short('A').not_yet(SHARING).says("Create shared memory area of N pages (or key=value form)"),
    count("cache").not_yet(CACHE).says("Create the old default cache with N items"),
    bytes("cache-blocksize").default("65536").not_yet(CACHE).says("Block size in bytes of the old cache"),
    text("cache-store").not_yet(CACHE).says("File backing the old cache"),
    count("cache-store-sync").not_yet(CACHE).says("Master cycles between cache file syncs"),
    flag("cache-no-expire").not_yet(CACHE).says("Disable the cache expiry sweeper"),
    seconds("cache-expire-freq").default("3").not_yet(CACHE).says("Seconds between expiry sweeps"),
    flag("cache-report-freed-items").not_yet(CACHE).says("Log each expired cache item"),
    list("cache-udp-server").not_yet(CACHE).says("Accept cache updates over UDP on address"),
    list("cache-udp-node").not_yet(CACHE).says("Send cache updates over UDP to address"),
    text("cache-sync").not_yet(CACHE).says("Copy a remote cache at startup"),
    flag("cache-use-last-modified").not_yet(CACHE).says("Maintain last-modified stamps in cache"),
    list("add-cache-item").not_yet(CACHE).says("Preload key=value in the cache"),
    list("load-file-in-cache").not_yet(CACHE).says("Cache a file's content at start"),
    list("load-file-in-cache-gzip").not_yet(CACHE).says("Cache a file's gzip-compressed content at start"),
    list("cache2").not_yet(CACHE).says("Create a cache: name=,items=,blocksize=,store=,... list"),
    count("queue").not_yet(QUEUE).says("Create shared queue with N slots"),
    count("queue-blocksize").default("8192").not_yet(QUEUE).says("Bytes per queue slot"),
    text("queue-store").not_yet(QUEUE).says("File backing the queue"),
    count("queue-store-sync").not_yet(QUEUE).says("Master cycles between queue file syncs"),
    path("spooler").short('Q').list().not_yet(SPOOLER).says("Directory watched by a spooler (task queue) process"),
    path("spooler-external").list().not_yet(SPOOLER).says("Spool directory served by another instance"),
    flag("spooler-ordered").not_yet(SPOOLER).says("Run spooled tasks in name order"),
    text("spooler-chdir").not_yet(SPOOLER).says("Directory entered before each spool task"),
    count("spooler-processes").not_yet(SPOOLER).says("Spooler processes per following spooler directory"),
    flag("spooler-quiet").not_yet(SPOOLER).says("Less spooler logging"),
    count("spooler-max-tasks").not_yet(SPOOLER).says("Recycle spooler after N tasks"),
    seconds("spooler-harakiri").default("0").not_yet(SPOOLER).says("Kill a spool task running longer than N seconds"),
    seconds("spooler-frequency").aka(&["spooler-freq"]).default("30").not_yet(SPOOLER)
        .says("Seconds between spool directory scans"),
    list("mule").optional().sets(companions::mule).works()
        .says("Start a mule: a process that runs a file (FILE.py) or MODULE:CALLABLE, or waits for messages and signals"),
    count(MULES).sets(companions::mules).works().says("Start so many mules that wait for messages and signals"),
    list("farm").sets(companions::farm).works().says("Name a group of mules, which has a queue of its own: NAME:1,2"),
    count("mule-msg-size").optional()
        .sets(|d, v| d.config.mules.queue_bytes = v.unless_zero().and_then(|bytes| bytes.try_into().ok())).works()
        .restart(|old, new| old.mules.queue_bytes != new.mules.queue_bytes)
        .says("Bytes of each queue of messages to mules"),
    count("signal-bufsize").aka(&["signals-bufsize"]).not_yet(SIGNALS).says("Socket buffer bytes for the signal pipe"),
    list("signal-timer").aka(&["timer"]).not_yet(SIGNALS).says("Raise signal every N seconds: signal seconds"),
    list("signal-rbtimer").aka(&["rbtimer"]).not_yet(SIGNALS)
        .says("Raise signal with user-space timer: signal seconds"),
    count("rpc-max").default("64").not_yet(SHARING).says("Maximum registered RPC functions"),
    list("touch-mules-reload").sets(|d, v| reload::watch(d, v, WatchEffect::MulesReload, false)).works()
        .says("Start all mules anew when this file changes"),
    list("touch-spoolers-reload").not_yet(SPOOLER).says("Reload spoolers when file changes"),
    list("touch-signal").not_yet(SIGNALS).says("Raise signal when file changes: file signal"),
    list("fs-signal").not_yet(SIGNALS).says("Raise signal on filesystem event: path signal"),
    list("cron").not_yet(CRON).says("Run command: min hour day month weekday command"),
    list("cron2").not_yet(CRON).says("Cron with key=value options before command"),
    list("unique-cron").not_yet(CRON).says("Cron that never overlaps itself"),
    seconds("cron-harakiri").default("0").not_yet(CRON).says("Kill cron command after N seconds"),
    list("unique-legion-cron").aka(&["unique-cron-legion"])
        .unsupported("clusters are the business of the orchestrator").says("Non-overlapping cron run only while lord"),
    list("spooler-import").aka(&["spooler-pyimport", "spooler-py-import", "spooler-python-import"]).not_yet(SPOOLER)
        .says("Import module in spooler processes"),
    list("py-sharedarea").not_yet(SHARING).says("Shared area backed by a bytearray of size"),
    list("symcall").unsupported(C_FUNCTION).says("C function handling requests"),
    flag("symcall-use-next").unsupported(C_FUNCTION).says("Search C symbols in later libraries"),
    list("symcall-register-rpc").unsupported(C_FUNCTION).says("Register C function as RPC: name function"),
    list("symcall-post-fork").unsupported(C_FUNCTION).says("C function run after each fork"),
];

/// What they mean together.
pub(super) fn judge(draft: &mut Draft<'_>) {
    companions::judge(draft);
}
