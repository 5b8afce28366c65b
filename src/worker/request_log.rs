//! The request line of the log, in uWSGI's default form (uWSGI's manual, "Formatting uWSGI requests logs") or by a
//! template. Worker only.
//!
//! Differs from uWSGI where that is at fault: control bytes are escaped, and a long URI is cut instead of hiding the whole
//! line.

mod entry;
mod pieces;
mod slow;
mod template;

use std::fmt::Write as _;

pub(crate) use self::entry::Entry;
use self::entry::{client_address, strings_count};
use self::pieces::Line;
pub(crate) use self::slow::story;
pub(crate) use self::template::Template;
use super::connection::{Answered, Outcome};
use super::reply::Sent;
use crate::config::model::Logging;
use crate::log_places::Places;
use crate::logging::{CTIME, waiting};

/// The line of a request that took this long, in microseconds, waits for no other: what a write costs is nothing beside it.
const LONG_US: u64 = 500;

/// Whether a request is logged at all (uWSGI's manual, "Formatting uWSGI requests logs").
pub(crate) fn wanted(logging: &Logging, request: &Answered<'_>, took_us: u64) -> bool {
    let Outcome { sent, read_failed, notes, .. } = &request.outcome;
    let io_error = *read_failed || sent.write_failed;
    !notes.silenced && (logging.requests || notes.forced || meets_condition(logging, sent, took_us, io_error))
}

fn meets_condition(logging: &Logging, sent: &Sent, took_us: u64, io_error: bool) -> bool {
    (logging.status_4xx && (400..500).contains(&sent.status))
        || (logging.status_5xx && (500..600).contains(&sent.status))
        || (logging.zero && sent.body_bytes == 0)
        || (logging.sendfile && sent.by_sendfile)
        || (logging.io_error && io_error)
        || logging.big.is_some_and(|big| sent.body_bytes >= big)
        || logging.slow.is_some_and(|slow| took_us >= slow.as_micros() as u64)
}

/// Writes the line, whole; with others, if the request was short and others follow on it.
pub(crate) fn write(
    line: &mut String,
    logging: &Logging,
    template: Option<&Template>,
    entry: &Entry<'_>,
    places: &mut Places,
) {
    line.clear();
    match template {
        Some(template) => template.fill(line, entry),
        None => compose(line, logging, entry),
    }
    if !places.is_empty() {
        return places.take(line);
    }
    if logging.is_collected() {
        return crate::logging::put(line);
    }
    line.push('\n');
    waiting::put(line);
    if entry.took_us >= LONG_US {
        waiting::send();
    }
}

fn compose(line: &mut String, logging: &Logging, entry: &Entry<'_>) {
    let Answered { head, envelope, outcome: Outcome { sent, statically, .. } } = entry.request;
    if let Some((resident, virtual_size)) = entry.memory {
        let _ = write!(
            line,
            "{{address space usage: {virtual_size} bytes/{}MB}} {{rss usage: {resident} bytes/{}MB}} ",
            virtual_size >> 20,
            resident >> 20
        );
    }
    let app = if sent.status == 0 || *statically { "|app: -1|req: " } else { "|app: 0|req: " };
    let (own, all) = (entry.requests)();
    Line(line)
        .text("[pid: ")
        .number(entry.pid.into())
        .text(app)
        .number(own)
        .text("/")
        .number(all)
        .text("] ")
        .foreign(client_address(logging, entry.request))
        .text(" (")
        .foreign(head.remote_user())
        .text(") {")
        .number(strings_count(entry.request) as u64)
        .text(" vars in ")
        .number(envelope.block_bytes as u64)
        .text(" bytes} [")
        .moment(CTIME, entry.started_epoch_us)
        .text("] ");
    let (time, unit) = if logging.micros { (entry.took_us, " micros") } else { (entry.took_us / 1_000, " msecs") };
    let via = match (sent.by_offload, sent.by_sendfile) {
        (true, _) => " via offload() (",
        (false, true) => " via sendfile() (",
        (false, false) => " (",
    };
    Line(line)
        .foreign(head.method.as_bytes())
        .text(" ")
        .foreign(head.uri())
        .text(" => generated ")
        .number(sent.body_bytes)
        .text(" bytes in ")
        .number(time)
        .text(unit)
        .text(via)
        .text(head.protocol)
        .text(" ")
        .number(sent.status.into())
        .text(") ")
        .number(sent.headers_count as u64)
        .text(" headers in ")
        .number(sent.head_bytes as u64)
        .text(" bytes (")
        .number(sent.chunks)
        .text(" switches on core ")
        .number(entry.core as u64)
        .text(")");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_what_is_asked_for_is_logged() {
        let silent = Logging::default();
        let ok = Sent { status: 200, body_bytes: 10, ..Sent::default() };
        type Change = fn(&mut Logging);
        let with = |change: Change| {
            let mut logging = silent.clone();
            change(&mut logging);
            move |sent: &Sent, took_us, io_error| meets_condition(&logging, sent, took_us, io_error)
        };
        assert!(!with(|_| {})(&Sent { status: 500, ..Sent::default() }, u64::MAX, true));
        let cases: [(Change, Sent); 5] = [
            (|logging| logging.status_4xx = true, Sent { status: 404, ..ok }),
            (|logging| logging.status_5xx = true, Sent { status: 503, ..ok }),
            (|logging| logging.zero = true, Sent { body_bytes: 0, ..ok }),
            (|logging| logging.big = Some(11), Sent { body_bytes: 11, ..ok }),
            (|logging| logging.sendfile = true, Sent { by_sendfile: true, ..ok }),
        ];
        for (number, (change, sent)) in cases.into_iter().enumerate() {
            assert!(with(change)(&sent, 0, false), "case {number}");
            assert!(!with(change)(&ok, u64::MAX, true), "case {number}");
        }
        let slow = with(|logging| logging.slow = Some(Duration::from_millis(5)));
        assert!(slow(&ok, 5_000, false) && !slow(&ok, 4_999, true));
        let broken = with(|logging| logging.io_error = true);
        assert!(broken(&ok, 0, true) && !broken(&ok, u64::MAX, false));
    }
}
