//! Commands of the command line.
//!
//! The rows of the option table for the group [`Helpers`](super::Group::Helpers).
//! Not for what they mean together (`build`). Read in the master before anything else, and by the commands.

use super::{Opt, action, flag, list, seconds, text};

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    list("get").not_yet("this command; see `rhinod show` and `rhinod check`")
        .says("Print the final value of an option, then exit"),
    action("stop").required().works().says("Stop the instance of this pid file and exit"),
    action("reload").required().works().says("Reload the instance of this pid file, wait for the outcome and exit"),
    action("pause").aka(&["suspend", "resume"]).required().works()
        .says("Pause the instance of this pid file, or let it go on, and exit"),
    action("connect-and-read").required().works().says("Connect to this address, print what it sends and exit"),
    action("extract").required().unsupported("there is no such part in rhinod")
        .says("Print a file, URL or scheme resource to stdout and exit"),
    flag("imperial-monitor-list").aka(&["imperial-monitors-list"]).unsupported("there is no such part in rhinod")
        .says("Print available vassal discovery backends"),
    action("help").aka(&["usage"]).short('h').works().says("Explain the command line or, with a word, the options that have to do with it"),
    action("print-sym").aka(&["print-symbol"]).required().unsupported("there is no such part in rhinod")
        .says("Print an embedded binary symbol"),
    action("signal").required().unsupported("there is no such part in rhinod")
        .says("Send uwsgi signal to addr,num and exit"),
    flag("no-server").not_yet("this command; see `rhinod show` and `rhinod check`")
        .says("Load config and apps, then exit"),
    flag("command-mode").unsupported("there is no such part in rhinod")
        .says("Run as one-shot command without sockets"),
    flag("logger-list").aka(&["loggers-list"]).unsupported("there is no such part in rhinod")
        .says("Print available loggers"),
    flag("alarm-list").aka(&["alarms-list"]).unsupported("there is no such part in rhinod")
        .says("Print available alarm plugins"),
    flag("cheaper-algo-list").aka(&["cheaper-algos-list", "cheaper-list"]).works().says("Print the names that cheaper-algo takes and exit"),
    flag("router-list").aka(&["routers-list"]).unsupported("there is no such part in rhinod")
        .says("Print routing actions available"),
    flag("clock-list").aka(&["clocks-list"]).unsupported("there is no such part in rhinod")
        .says("Print time sources"),
    flag("loop-list").aka(&["loops-list"]).unsupported("there is no such part in rhinod").says("Print loop engines"),
    flag("plugins-list").aka(&["plugin-list"]).unsupported("there is no such part in rhinod")
        .says("Print loaded plugins"),
    flag("dump-options").not_yet("this command; see `rhinod show` and `rhinod check`")
        .says("Print all option names and exit"),
    flag("show-config").sets(|d, v| d.config.show_config = v.on()).works().says("Print the configuration as an ini file, then go on"),
    action("binary-append-data").required().unsupported("there is no such part in rhinod")
        .says("Emit data block for appending to binary"),
    action("cflags").unsupported("there is no such part in rhinod").says("Print build flags"),
    action("dot-h").unsupported("there is no such part in rhinod").says("Print the C header used at build"),
    action("config-py").unsupported("there is no such part in rhinod").says("Print the build script"),
    action("build-plugin").required().unsupported("there is no such part in rhinod").says("Compile a C plugin"),
    action("version").works().says("Print the version and exit"),
    text("test").short('J').not_yet("this command; see `rhinod show` and `rhinod check`")
        .says("Import module, exit 0 on success"),
    action("python-version").not_yet("this command; see `rhinod show` and `rhinod check`")
        .says("Print Python version and exit"),
    flag("nagios").unsupported("probe the application through the web server").says("Act as Nagios check and exit"),
    text("ping").unsupported("probe the application through the web server").says("Ping a uwsgi server and exit"),
    seconds("ping-timeout").default("3").unsupported("probe the application through the web server")
        .says("Ping timeout seconds"),
];
