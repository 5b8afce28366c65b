//! What bounds one request and the life of a worker.
//!
//! The rows of the option table for the group [`Limits`](super::Group::Limits).
//! Read in the master before anything else, and by the commands.

use super::draft::Draft;
use super::parsed::Parsed;
use super::row::{Opt, bytes, count, flag, int, megabytes, seconds};
use crate::config::error::ConfigError;

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    seconds("harakiri").short('t').default("0").sets(|d, v| d.config.harakiri.limit = v.duration_unless_zero()).works()
        .says("Seconds that the application may take for a request, whatever the other threads do; 0 has no limit"),
    flag("harakiri-verbose").sets(|d, v| d.config.harakiri.verbose = v.on()).works()
        .says("Log what the kernel says of every busy thread when a request is over its time"),
    seconds("harakiri-graceful-timeout").default("0")
        .sets(|d, v| d.config.harakiri.grace = v.duration_unless_zero()).works()
        .says("Send the worker a signal first, and give the request so many seconds more"),
    int("harakiri-graceful-signal", 1, 64).default("15").sets(|d, v| d.config.harakiri.signal = v.number as i32)
        .works().says("Number of that signal"),
    count("harakiri-queue-threshold").sets(|d, v| d.config.harakiri.queue_min = v.amount()).works()
        .says("Spare requests that are over their time while fewer connections wait"),
    flag("harakiri-no-arh").aka(&["no-harakiri-arh", "no-harakiri-after-req-hook"])
        .sets(|d, v| d.config.harakiri.spares_hooks = v.on()).works()
        .says("Stop the harakiri clock before after-request hooks"),
    flag("ignore-sigpipe").sets(|d, v| d.config.clients.ignore_sigpipe = v.on()).works()
        .says("Do not log SIGPIPE from vanished clients"),
    flag("ignore-write-errors").sets(|d, v| d.config.clients.ignore_write_errors = v.on()).works()
        .says("Do not log failed writes to clients"),
    count("write-errors-tolerance").not_yet("tolerance for failed writes")
        .says("Write failures tolerated per request before giving up"),
    flag("write-errors-exception-only").not_yet("tolerance for failed writes")
        .says("Report write errors only as exceptions to the app"),
    flag("disable-write-exception").sets(|d, v| d.config.clients.disable_write_exception = v.on()).works()
        .says("Do not raise an exception in the app when writing fails"),
    int("max-vars", 1, 65535).short('v').default("64").sets(|d, v| d.config.request.vars_max = v.size() * 2).works()
        .says("Half of the most variables of a request, as in uWSGI"),
    bytes("buffer-size").short('b').default("65535").sets(buffer_size).works()
        .says("Largest block of request variables, at most 65535"),
    count("max-requests").short('R').sets(|d, v| d.config.recycling.max_requests = v.amount()).works()
        .says("Recycle a worker after this many requests, or up to a tenth more, so that not all are replaced together"),
    int("max-requests-delta", 0, i32::MAX as i64).sets(requests_delta).works()
        .says("Added to max-requests for each further worker instead"),
    seconds("min-worker-lifetime").default("10").sets(|d, v| d.config.recycling.min_lifetime = v.duration()).works()
        .says("Never recycle a worker younger than N seconds"),
    seconds("max-worker-lifetime").default("0").sets(|d, v| d.config.recycling.max_lifetime = v.duration_unless_zero())
        .works().says("Recycle a worker older than N seconds, or up to a tenth more, so that not all are replaced together"),
    seconds("max-worker-lifetime-delta").sets(lifetime_delta).works()
        .says("Seconds added to max-worker-lifetime for each further worker instead"),
    seconds("socket-timeout").short('z').default("4").sets(socket_timeout).works()
        .says("Time for the whole head of a request, and the longest silence of a client after it"),
    seconds("so-send-timeout").aka(&["socket-send-timeout", "so-write-timeout", "socket-write-timeout"]).bare()
        .default("0").accepted("socket-timeout bounds writing too")
        .says("SO_SNDTIMEO seconds (value only honoured in config files)"),
    megabytes("reload-on-as").default("0").sets(|d, v| d.config.recycling.address_space = v.unless_zero()).works()
        .says("Recycle worker above this address space (MB)"),
    megabytes("reload-on-rss").default("0").sets(|d, v| d.config.recycling.rss = v.unless_zero()).works()
        .says("Recycle worker above this resident memory (MB)"),
    megabytes("evil-reload-on-as").default("0").sets(|d, v| d.config.recycling.evil_address_space = v.unless_zero())
        .works().says("Master kills worker above this address space (MB), whatever it is doing"),
    megabytes("evil-reload-on-rss").default("0").sets(|d, v| d.config.recycling.evil_rss = v.unless_zero()).works()
        .says("Master kills worker above this resident memory (MB), whatever it is doing"),
    seconds("mem-collector-freq").default("3").sets(collector_period).works()
        .says("Seconds between two looks of the master at the memory of workers, for evil reloads"),
    bytes("limit-post").default("0").sets(|d, v| d.config.request.body_max = v.unless_zero()).works()
        .says("Largest request body; 0 has no limit"),
    bytes("post-buffering").default("0").sets(post_buffering).works()
        .says("Read the whole body before the application runs; what is larger than N bytes, and than post-buffering-bufsize, into a file; 0 is off"),
    bytes("post-buffering-bufsize").default("8192").sets(|d, v| d.config.request.gathering_bytes = v.size().max(1)).works()
        .says("Bytes read at once of a body that goes into a file; one that is not larger stays in memory"),
    count("body-read-warning").default("8").sets(body_read_warning).works()
        .says("Log reads of an application that hold more than N MB of a body in memory at once; 0 logs none"),
];

/// `buffer-size`: what a uwsgi packet's 16-bit length cannot exceed counts as 65535.
fn buffer_size(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    if value.number == 0 {
        return draft.refuse("expected a number of bytes from 1 to 65535", "without the line it is 65535");
    }
    draft.config.request.buffer_size = u16::try_from(value.number).unwrap_or_else(|_| {
        draft.warn("counts as 65535, the most that the uwsgi protocol can carry");
        u16::MAX
    });
}

/// `post-buffering`: also what is called off by a zero on a later line.
fn post_buffering(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let request = &mut draft.config.request;
    (request.gathers, request.gathered_in_memory) = (value.number > 0, value.amount());
}

/// `body-read-warning`: mebibytes, as in uWSGI.
fn body_read_warning(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    draft.config.request.read_quietly = value.unless_zero().map(|mebibytes| mebibytes.saturating_mul(1 << 20));
}

/// `max-requests-delta`: also a delta of zero is an order.
fn requests_delta(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let recycling = &mut draft.config.recycling;
    (recycling.max_requests_delta, recycling.requests_together) = (value.amount(), value.number == 0);
}

/// `max-worker-lifetime-delta`: the same.
fn lifetime_delta(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let recycling = &mut draft.config.recycling;
    (recycling.max_lifetime_delta, recycling.lifetimes_together) = (value.duration(), value.number == 0);
}

/// `mem-collector-freq`: nobody looks without end.
fn collector_period(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match value.duration_unless_zero() {
        Some(period) => draft.config.recycling.collector_period = period,
        None => draft.refuse("expected a number of seconds from 1 on", "without the line it is 3"),
    }
}

/// `socket-timeout`: there is always one, or a silent client would hold a worker for ever.
fn socket_timeout(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match value.duration_unless_zero() {
        Some(timeout) => draft.config.request.socket_timeout = timeout,
        None => draft.refuse("expected a number of seconds from 1 on", "without the line it is 4"),
    }
}

/// The two bounds on a worker's life together.
pub(super) fn judge(draft: &mut Draft<'_>) {
    let (Some(longest), Some(directive)) = (draft.config.recycling.max_lifetime, draft.given("max-worker-lifetime"))
    else {
        return;
    };
    let shortest = draft.config.recycling.min_lifetime;
    if shortest >= longest {
        let problem = format!("must be above min-worker-lifetime ({} s)", shortest.as_secs());
        let suggestion = "set min-worker-lifetime lower; without the line it is 10";
        draft.error(ConfigError::about(directive, problem).suggest(suggestion));
    }
}
