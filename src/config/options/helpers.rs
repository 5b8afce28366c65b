//! Commands of the command line.
//!
//! The rows of the option table for the group [`Helpers`](super::Group::Helpers).
//! Read in the master before anything else, and by the commands.

use super::row::{Opt, action, flag, list, seconds, text};

// What stands behind several rows.
const COMMAND: &str = "this command; see `rhinod show` and `rhinod check`";
const ABSENT: &str = "there is no such part in rhinod";
const LISTED: &str = "docs/OPTIONS.md lists what there is";

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    list("get").works().says("Print the first value of this option or placeholder and exit"),
    action("stop").required().works().says("Stop this instance (pid file, pid, ini file or fifo), wait for its end and exit"),
    action("no-wait").works().says("With --stop: do not wait for the end of the instance"),
    action("reload").required().works().says("Reload this instance, wait for the outcome and exit"),
    action("pause").aka(&["suspend", "resume"]).required().works()
        .says("Pause this instance, or let it go on, and exit"),
    action("connect-and-read").required().works().says("Connect to this address, print what it sends and exit"),
    action("extract").required().unsupported(ABSENT).says("Print a file, URL or scheme resource to stdout and exit"),
    flag("imperial-monitor-list").aka(&["imperial-monitors-list"]).unsupported(LISTED)
        .says("Print available vassal discovery backends"),
    action("help").aka(&["usage"]).short('h').works()
        .says("Explain the command line or, with a word, the options that have to do with it"),
    action("print-sym").aka(&["print-symbol"]).required().unsupported(ABSENT).says("Print an embedded binary symbol"),
    action("signal").required().unsupported(ABSENT).says("Send uwsgi signal to addr,num and exit"),
    flag("no-server").not_yet(COMMAND).says("Load config and apps, then exit"),
    flag("command-mode").unsupported(ABSENT).says("Run as one-shot command without sockets"),
    flag("logger-list").aka(&["loggers-list"]).unsupported(LISTED)
        .says("Print available loggers"),
    flag("alarm-list").aka(&["alarms-list"]).unsupported(LISTED)
        .says("Print available alarm plugins"),
    flag("cheaper-algo-list").aka(&["cheaper-algos-list", "cheaper-list"]).sets(|d, v| d.config.list_policies = v.on())
        .works()
        .says("Print the names that cheaper-algo takes; on the command line, then exit"),
    flag("router-list").aka(&["routers-list"]).unsupported(LISTED)
        .says("Print routing actions available"),
    flag("clock-list").aka(&["clocks-list"]).unsupported(LISTED)
        .says("Print time sources"),
    flag("loop-list").aka(&["loops-list"]).unsupported(LISTED)
        .says("Print loop engines"),
    flag("plugins-list").aka(&["plugin-list"]).unsupported(LISTED)
        .says("Print loaded plugins"),
    flag("dump-options").works().says("Print the names of all options and exit"),
    flag("show-config").sets(|d, v| d.config.show_config = v.on()).works()
        .says("Print the configuration as an ini file, then go on"),
    action("binary-append-data").required().unsupported(ABSENT).says("Emit data block for appending to binary"),
    action("cflags").unsupported(ABSENT).says("Print build flags"),
    action("dot-h").unsupported(ABSENT).says("Print the C header used at build"),
    action("config-py").unsupported(ABSENT).says("Print the build script"),
    action("build-plugin").required().unsupported(ABSENT).says("Compile a C plugin"),
    action("version").short('V').works().says("Print the version and exit"),
    text("test").short('J').not_yet(COMMAND).says("Import module, exit 0 on success"),
    action("python-version").not_yet(COMMAND).says("Print Python version and exit"),
    flag("nagios").unsupported("probe the application through the web server").says("Act as Nagios check and exit"),
    action("ping").required().works()
        .says("Ask on this uwsgi socket whether a worker answers; 0: yes, 1: nobody, 2: with a warning"),
    seconds("ping-timeout").default("3").works().says("Seconds that --ping waits"),
];
