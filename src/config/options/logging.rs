//! What is logged, how and where to.
//!
//! The rows of the option table for the group [`Logging`](super::Group::Logging).
//! Read in the master before anything else, and by the commands.

use super::kind::Kind;
use std::path::PathBuf;

use super::draft::Draft;
use super::log_places;
use super::parsed::Parsed;
use super::reload::watch;
use super::row::{Opt, bytes, count, flag, list, millis, path, text, value};
use crate::config::model::WatchEffect;

// What stands behind several rows.
const NONE: &str = "to have none any more";
const WHOLE_LINES: &str = "each line of the log is written whole";

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    flag("memory-report").short('m').sets(|d, v| d.config.logging.memory = v.on()).works()
        .says("Add resident and virtual memory to the request lines"),
    value("disable-logging", Kind::InvertedFlag).short('L').bare().default("false")
        .sets(|d, v| d.config.logging.requests = !v.on()).works()
        .says("Turn off request logging; conditional log-* rules still apply"),
    list("touch-logrotate").sets(|d, v| watch(d, v, WatchEffect::RotateLog, false)).works()
        .says("Move the log away when file changes"),
    list("touch-logreopen").sets(|d, v| watch(d, v, WatchEffect::ReopenLog, false)).works()
        .says("Reopen log when file changes"),
    path("logto").sets(|d, v| d.config.logging.to = log_file(d, v)).works()
        .restart(|old, new| old.logging.to.is_some() && new.log_file().is_none()).but(NONE)
        .says("Log to a file, opened as root early"),
    path("logto2").sets(|d, v| d.config.logging.to2 = log_file(d, v)).works()
        .restart(|old, new| old.logging.to2.is_some() && new.log_file().is_none()).but(NONE)
        .says("Log to a file, opened after privilege drop, relative to start directory"),
    text("log-format").aka(&["logformat"]).sets(|d, v| d.config.logging.format = Some(v.string())).works()
        .says("Request log template with %(name) and %(var.X)"),
    flag("logformat-strftime").aka(&["log-format-strftime"]).sets(|d, v| d.config.logging.format_strftime = v.on())
        .works().says("Let %(ftime) of log-format have the pattern of log-date"),
    flag("logfile-chown").sets(|d, v| d.config.logging.chown = v.on()).works()
        .restart(|old, new| old.logging.chown != new.logging.chown).says("Give the log file to uid/gid"),
    value("logfile-chmod", Kind::Mode).sets(|d, v| d.config.logging.mode = u32::try_from(v.number).ok()).works()
        .but("for files that are opened from then on")
        .says("Three octal digits mode for log file"),
    list("log-syslog").optional().sets(log_places::syslog).works()
        .says("Send all lines to the machine's syslog, with this tag: logger = syslog:TAG"),
    list("log-socket").sets(log_places::datagrams).works()
        .says("Send all lines to a unix socket or a UDP port: logger = socket:ADDRESS"),
    list("req-logger").aka(&["logger-req"]).sets(log_places::request_logger).works()
        .says("Place for request lines, as logger has them but for pipe"),
    list("logger").sets(log_places::logger).works()
        .says("Place for all lines: [NAME ]file:PATH, socket:ADDRESS, syslog[:TAG], rsyslog:ADDRESS[,TAG], rsyslog5424:ADDRESS[,TAG], journal[:TAG], pipe:COMMAND or stdio"),
    flag("threaded-logger").accepted(WHOLE_LINES).says("Write logs from a thread of the master"),
    list("log-encoder").sets(log_places::encoder).works()
        .says("Form of all lines: prefix, suffix, nl, format or json; of one place: json:NAME TEMPLATE"),
    list("log-req-encoder").sets(log_places::request_encoder).works()
        .says("Form of lines at req-logger: prefix, suffix, nl, format or json; of one place: json:NAME TEMPLATE"),
    list("log-drain").sets(log_places::drain).works().says("Drop lines of the log that match"),
    list("log-filter").sets(log_places::filter).works().says("Keep only lines of the log that match one of these"),
    list("log-route").sets(log_places::route).works()
        .says("Send lines that match to the logger of this name: NAME REGEX"),
    list("log-req-route").sets(log_places::request_route).works()
        .says("Send request lines that match to the req-logger of this name: NAME REGEX"),
    flag("log-master").accepted(WHOLE_LINES).says("Funnel all logging through the master"),
    count("log-master-bufsize").default("8192").accepted(WHOLE_LINES).says("Longest log line the master handles"),
    flag("log-master-stream").accepted(WHOLE_LINES).says("Use stream socket for log pipe"),
    flag("log-master-req-stream").accepted(WHOLE_LINES).says("Use stream socket for request log pipe"),
    flag("log-reopen").sets(|d, v| d.config.logging.reopen = v.on()).works().says("On reload, open the log file again"),
    flag("log-truncate").sets(|d, v| d.config.logging.truncate = v.on()).works().at_start().says("Empty the log file at start"),
    bytes("log-maxsize").default("0").sets(|d, v| d.config.logging.size_max = v.unless_zero()).works()
        .says("Move the log away when it is larger than N bytes"),
    path("log-backupname").sets(|d, v| d.config.logging.backup = Some(v.path())).works()
        .says("Name that the log is moved to; FILE.EPOCH without it, never one that is taken"),
    value("log-date", Kind::FlagOrText).aka(&["logdate", "log-prefix"]).optional().default("false")
        .sets(log_date).works().says("Date before each line of the log; a text is its strftime pattern"),
    flag("log-zero").sets(|d, v| d.config.logging.zero = v.on()).works().says("Log requests with empty response"),
    millis("log-slow").default("0").sets(|d, v| d.config.logging.slow = v.duration_unless_zero()).works()
        .says("Log requests slower than N milliseconds"),
    flag("log-4xx").sets(|d, v| d.config.logging.status_4xx = v.on()).works()
        .says("Log 4xx responses even with disable-logging"),
    flag("log-5xx").sets(|d, v| d.config.logging.status_5xx = v.on()).works()
        .says("Log 5xx responses even with disable-logging"),
    bytes("log-big").default("0").sets(|d, v| d.config.logging.big = v.unless_zero())
        .works().says("Log responses larger than N bytes"),
    flag("log-sendfile").required().sets(|d, v| d.config.logging.sendfile = v.on()).works()
        .says("Log responses delivered through sendfile"),
    flag("log-ioerror").required().sets(|d, v| d.config.logging.io_error = v.on()).works()
        .says("Log requests that hit read and write failures"),
    flag("log-micros").sets(|d, v| d.config.logging.micros = v.on()).works().says("Show times in microseconds"),
    flag("log-x-forwarded-for").sets(|d, v| d.config.logging.forwarded_for = v.on()).works()
        .says("Log X-Forwarded-For as client address"),
];

/// A file to log into. uWSGI takes HOST:PORT for a log over the network, where a file of that name would surprise.
pub(super) fn log_file(draft: &mut Draft<'_>, value: &Parsed<'_>) -> Option<PathBuf> {
    let is_address = value.text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.contains('/') && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
    });
    if is_address {
        let instead = format!("name a file (./{} if it is one)", value.text);
        draft.refuse("expected a path; rhinod does not log over UDP to HOST:PORT", instead);
    }
    Some(value.path()).filter(|_| !is_address)
}

/// `log-date`: a switch, or a pattern that is on.
fn log_date(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let plain = matches!(value.text.to_ascii_lowercase().as_str(), "" | "true" | "on" | "yes" | "1");
    draft.config.logging.date = match value.on() {
        false => None,
        true if plain => Some(String::new()),
        true => Some(value.string()),
    };
}
