//! Background work, timers and memory shared between workers.
//!
//! The rows of the option table for the group [`Tasks`](super::Group::Tasks).
//! Not for what they mean together (`build`). Read in the master before anything else, and by the commands.

use super::{Opt, bytes, count, flag, list, path, seconds, text};

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    seconds("mule-harakiri").default("0").not_yet("mules")
        .says("Kill a mule task running longer than this many seconds"),
    seconds("mule-reload-mercy").default("60").not_yet("mules").says("Seconds a mule may take to stop"),
    count("locks").not_yet("locks for the application").says("Number of user locks available to the app"),
    list("sharedarea").short('A').not_yet("shared areas and calls between instances")
        .says("Create shared memory area of N pages (or key=value form)"),
    count("cache").not_yet("the cache").says("Create the old default cache with N items"),
    bytes("cache-blocksize").default("65536").not_yet("the cache").says("Block size in bytes of the old cache"),
    text("cache-store").not_yet("the cache").says("File backing the old cache"),
    count("cache-store-sync").not_yet("the cache").says("Master cycles between cache file syncs"),
    flag("cache-no-expire").not_yet("the cache").says("Disable the cache expiry sweeper"),
    seconds("cache-expire-freq").default("3").not_yet("the cache").says("Seconds between expiry sweeps"),
    flag("cache-report-freed-items").accepted("memory is allocated as it is needed")
        .says("Log each expired cache item"),
    list("cache-udp-server").not_yet("the cache").says("Accept cache updates over UDP on address"),
    list("cache-udp-node").not_yet("the cache").says("Send cache updates over UDP to address"),
    text("cache-sync").not_yet("the cache").says("Copy a remote cache at startup"),
    flag("cache-use-last-modified").not_yet("the cache").says("Maintain last-modified stamps in cache"),
    list("add-cache-item").not_yet("the cache").says("Preload key=value in the cache"),
    list("load-file-in-cache").not_yet("the cache").says("Cache a file's content at start"),
    list("load-file-in-cache-gzip").not_yet("the cache").says("Cache a file's gzip-compressed content at start"),
    list("cache2").not_yet("the cache").says("Create a cache: name=,items=,blocksize=,store=,... list"),
    count("queue").not_yet("the queue").says("Create shared queue with N slots"),
    count("queue-blocksize").default("8192").not_yet("the queue").says("Bytes per queue slot"),
    text("queue-store").not_yet("the queue").says("File backing the queue"),
    count("queue-store-sync").not_yet("the queue").says("Master cycles between queue file syncs"),
    path("spooler").short('Q').list().not_yet("the spooler")
        .says("Directory watched by a spooler (task queue) process"),
    path("spooler-external").list().not_yet("the spooler").says("Spool directory served by another instance"),
    flag("spooler-ordered").not_yet("the spooler").says("Run spooled tasks in name order"),
    text("spooler-chdir").not_yet("the spooler").says("Directory entered before each spool task"),
    count("spooler-processes").not_yet("the spooler").says("Spooler processes per following spooler directory"),
    flag("spooler-quiet").not_yet("the spooler").says("Less spooler logging"),
    count("spooler-max-tasks").not_yet("the spooler").says("Recycle spooler after N tasks"),
    seconds("spooler-harakiri").default("0").not_yet("the spooler")
        .says("Kill a spool task running longer than N seconds"),
    seconds("spooler-frequency").aka(&["spooler-freq"]).default("30").not_yet("the spooler")
        .says("Seconds between spool directory scans"),
    list("mule").optional().not_yet("mules").says("Start a mule process, optionally running a file or function"),
    count("mules").not_yet("mules").says("Start N mules"),
    list("farm").not_yet("mules").says("Named group of mules: name:1,2"),
    count("mule-msg-size").optional().not_yet("mules").says("Socket buffer bytes for mule messages"),
    count("signal-bufsize").aka(&["signals-bufsize"]).not_yet("signals and timers")
        .says("Socket buffer bytes for the signal pipe"),
    list("signal-timer").aka(&["timer"]).not_yet("signals and timers")
        .says("Raise signal every N seconds: signal seconds"),
    list("signal-rbtimer").aka(&["rbtimer"]).not_yet("signals and timers")
        .says("Raise signal with user-space timer: signal seconds"),
    count("rpc-max").default("64").not_yet("shared areas and calls between instances")
        .says("Maximum registered RPC functions"),
    list("touch-mules-reload").not_yet("mules").says("Reload mules when file changes"),
    list("touch-spoolers-reload").not_yet("the spooler").says("Reload spoolers when file changes"),
    list("touch-signal").not_yet("signals and timers").says("Raise signal when file changes: file signal"),
    list("fs-signal").not_yet("signals and timers").says("Raise signal on filesystem event: path signal"),
    list("cron").not_yet("cron; use the timers of the init system")
        .says("Run command: min hour day month weekday command"),
    list("cron2").not_yet("cron; use the timers of the init system")
        .says("Cron with key=value options before command"),
    list("unique-cron").not_yet("cron; use the timers of the init system").says("Cron that never overlaps itself"),
    seconds("cron-harakiri").default("0").not_yet("cron; use the timers of the init system")
        .says("Kill cron command after N seconds"),
    list("unique-legion-cron").aka(&["unique-cron-legion"])
        .unsupported("clusters are the business of the orchestrator")
        .says("Non-overlapping cron run only while lord"),
    list("attach-daemon").not_yet("attached daemons; run them as units of the init system")
        .says("Run and supervise command as child of master"),
    list("attach-control-daemon").not_yet("attached daemons; run them as units of the init system")
        .says("Same, and stop the instance when it dies"),
    list("smart-attach-daemon").not_yet("attached daemons; run them as units of the init system")
        .says("Supervise self-daemonising command through its pidfile: pidfile command"),
    list("smart-attach-daemon2").not_yet("attached daemons; run them as units of the init system")
        .says("Supervise foreground command through pidfile: pidfile command"),
    flag("daemons-honour-stdin").not_yet("attached daemons; run them as units of the init system")
        .says("Leave stdin of attached daemons alone"),
    list("attach-daemon2").not_yet("attached daemons; run them as units of the init system")
        .says("attach-daemon with key=value syntax"),
    list("spooler-import").aka(&["spooler-pyimport", "spooler-py-import", "spooler-python-import"])
        .not_yet("the spooler").says("Import module in spooler processes"),
    list("py-sharedarea").not_yet("shared areas and calls between instances")
        .says("Shared area backed by a bytearray of size"),
    list("symcall").unsupported("C functions cannot be called").says("C function handling requests"),
    flag("symcall-use-next").unsupported("C functions cannot be called").says("Search C symbols in later libraries"),
    list("symcall-register-rpc").unsupported("C functions cannot be called")
        .says("Register C function as RPC: name function"),
    list("symcall-post-fork").unsupported("C functions cannot be called").says("C function run after each fork"),
];
