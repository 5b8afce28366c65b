//! How places for lines, their routes and their forms are written (uWSGI's manual, "Pluggable loggers" and "Logging
//! encoders"), and what they mean together.
//!
//! Setters of rows in `logging`. Pure; runs wherever a configuration is read.

use std::net::SocketAddr;

use super::address::parse_address;
use super::draft::Draft;
use super::parsed::Parsed;
use super::regex::is_regex;
use crate::config::error::ConfigError;
use crate::config::model::{Address, Encoder, LineForm, LogPlace, Logger, Logging, Route};

/// What lines are called that say nothing else.
const TAG: &str = "uwsgi";

/// `logger`: for all lines.
pub(super) fn logger(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    if let Some(logger) = place_of(draft, value) {
        draft.config.logging.loggers.push(logger);
    }
}

/// `req-logger`: for request lines. Every worker writes them itself, so that no command can be the place.
pub(super) fn request_logger(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match place_of(draft, value) {
        Some(Logger { to: LogPlace::Pipe(_), .. }) => {
            draft.does_nothing(
                "a command takes lines as `logger = pipe:COMMAND`; workers write request lines themselves",
            );
        }
        Some(logger) => draft.config.logging.request_loggers.push(logger),
        None => {}
    }
}

/// `log-syslog`: the machine's own, with a tag or without.
pub(super) fn syslog(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let to = LogPlace::Syslog(tag(Some(value.text)));
    draft.config.logging.loggers.push(Logger { id: None, to });
}

/// `log-socket`: a unix socket or a UDP port.
pub(super) fn datagrams(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match socket(value.text) {
        Some(to) => draft.config.logging.loggers.push(Logger { id: None, to }),
        None => draft.refuse("expected the path of a unix socket, or IP:PORT", "log-socket = 127.0.0.1:5514"),
    }
}

/// A name and a blank, if it is to have one, the kind of place, a colon, and which.
fn place_of(draft: &mut Draft<'_>, value: &Parsed<'_>) -> Option<Logger> {
    let (id, place) = match value.text.split_once(' ') {
        Some((id, place)) if !id.contains(':') => (Some(id.to_owned()), place.trim()),
        _ => (None, value.text),
    };
    let (kind, argument) = place.split_once(':').unwrap_or((place, ""));
    let remote = || {
        let mut words = argument.splitn(2, ',');
        Some((words.next().and_then(udp_address)?, tag(words.next())))
    };
    let to = match kind {
        "stdio" => Some(LogPlace::Stdio),
        "file" if !argument.is_empty() => Some(LogPlace::File(argument.into())),
        "pipe" if !argument.is_empty() => Some(LogPlace::Pipe(argument.to_owned())),
        "socket" => socket(argument),
        "syslog" => Some(LogPlace::Syslog(tag(argument.split(',').next()))),
        "rsyslog" => remote().map(|(address, tag)| LogPlace::RemoteSyslog(address, tag)),
        "rsyslog5424" => remote().map(|(address, tag)| LogPlace::RemoteSyslog5424(address, tag)),
        "journal" | "systemd" => Some(LogPlace::Journal(tag(Some(argument)))),
        "fd" | "redislog" | "zmq" | "zeromq" | "mongodblog" | "graylog2" | "crypto" | "python" => {
            draft.does_nothing(format!("rhinod has no place `{kind}` for lines"));
            return None;
        }
        _ => None,
    };
    if to.is_none() {
        draft.refuse(
            "expected a place for lines",
            "file:PATH, socket:PATH or socket:IP:PORT, syslog[:TAG], rsyslog:IP:PORT[,TAG], rsyslog5424:IP:PORT[,TAG], \
             journal[:TAG], pipe:COMMAND or stdio",
        );
    }
    to.map(|to| Logger { id, to })
}

fn tag(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or(TAG).to_owned()
}

fn socket(argument: &str) -> Option<LogPlace> {
    match parse_address(argument).ok()?.address? {
        Address::Unix(path) => Some(LogPlace::Unix(path)),
        Address::Tcp(address) => Some(LogPlace::Udp(address)),
        Address::Abstract(_) | Address::Inherited(_) | Address::BehindRouter(_) => None,
    }
}

/// An address of another machine; port 514 without one, syslog's own.
fn udp_address(text: &str) -> Option<SocketAddr> {
    const PORT: u16 = 514;
    text.parse().ok().or_else(|| text.parse().ok().map(|ip| SocketAddr::new(ip, PORT)))
}

/// `log-encoder`.
pub(super) fn encoder(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let encoder = encoder_of(draft, value);
    draft.config.logging.encoders.extend(encoder);
}

/// `log-req-encoder`.
pub(super) fn request_encoder(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let encoder = encoder_of(draft, value);
    draft.config.logging.request_encoders.extend(encoder);
}

/// The kind, a colon and a name if it is for one place only, a blank, and what that kind takes.
fn encoder_of(draft: &mut Draft<'_>, value: &Parsed<'_>) -> Option<Encoder> {
    let (head, argument) = value.text.split_once(' ').unwrap_or((value.text, ""));
    let (kind, id) = head.split_once(':').map_or((head, None), |(kind, id)| (kind, Some(id.to_owned())));
    let form = match kind {
        "prefix" => LineForm::Prefix(argument.to_owned()),
        "suffix" => LineForm::Suffix(argument.to_owned()),
        "nl" => LineForm::Newline,
        "format" => LineForm::Format(argument.to_owned()),
        "json" => LineForm::Json(argument.to_owned()),
        "gzip" | "compress" | "msgpack" => {
            draft.does_nothing(format!("rhinod has no form `{kind}` of lines"));
            return None;
        }
        _ => {
            draft.refuse("expected a form of lines", "prefix, suffix, nl, format or json");
            return None;
        }
    };
    Some(Encoder { id, form })
}

/// `log-route`.
pub(super) fn route(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let route = route_of(draft, value, "logger");
    draft.config.logging.routes.extend(route);
}

/// `log-req-route`.
pub(super) fn request_route(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let route = route_of(draft, value, "req-logger");
    draft.config.logging.request_routes.extend(route);
}

/// The name of a place, a blank, and what lines must match to go there.
fn route_of(draft: &mut Draft<'_>, value: &Parsed<'_>, place: &str) -> Option<Route> {
    let Some((id, expression)) = value.text.split_once(' ') else {
        let problem = format!("expected the name of a {place}, a blank and a regular expression");
        draft.refuse(problem, "errors 50[0-9]");
        return None;
    };
    is_regex(draft, expression).then(|| Route { id: id.to_owned(), expression: expression.to_owned() })
}

/// `log-filter`.
pub(super) fn filter(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    if is_regex(draft, value.text) {
        draft.config.logging.filters.push(value.string());
    }
}

/// `log-drain`.
pub(super) fn drain(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    if is_regex(draft, value.text) {
        draft.config.logging.drains.push(value.string());
    }
}

/// Whether routes and forms find their places, and whether the one place of all lines is simply the log.
pub(super) fn judge(draft: &mut Draft<'_>) {
    let Logging { loggers, routes, encoders, request_loggers, request_routes, request_encoders, .. } =
        &draft.config.logging;
    let errors: Vec<ConfigError> = [
        lost(draft, "log-route", "logger", loggers, routes.iter().map(|route| route.id.as_str())),
        lost(draft, "log-encoder", "logger", loggers, encoders.iter().filter_map(|encoder| encoder.id.as_deref())),
        lost(
            draft,
            "log-req-route",
            "req-logger",
            request_loggers,
            request_routes.iter().map(|route| route.id.as_str()),
        ),
        lost(
            draft,
            "log-req-encoder",
            "req-logger",
            request_loggers,
            request_encoders.iter().filter_map(|encoder| encoder.id.as_deref()),
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    let of_nobody = request_loggers.is_empty() && request_encoders.iter().any(|encoder| encoder.id.is_none());
    let idle = draft.given("log-req-encoder").filter(|_| of_nobody);
    let idle = idle.map(|line| ConfigError::about(line, "has no effect: there is no req-logger"));
    errors.into_iter().for_each(|error| draft.error(error));
    if let Some(idle) = idle {
        draft.idle(idle);
    }
    simplify(&mut draft.config.logging);
}

/// The first name that is no place's.
fn lost<'n>(
    draft: &Draft<'_>,
    option: &str,
    place: &str,
    loggers: &[Logger],
    names: impl Iterator<Item = &'n str>,
) -> Option<ConfigError> {
    let is_there = |id: &str| loggers.iter().any(|logger| logger.id.as_deref() == Some(id));
    let id = { names }.find(|id| !is_there(id))?;
    let problem = format!("there is no {place} with the name `{id}`");
    Some(ConfigError::about(draft.given(option)?, problem).suggest(format!("{place} = NAME file:PATH")))
}

/// One place for all lines that is a file, and nothing to do with them: that is what `logto` does without a process of its
/// own. And `stdio` alone is where the log is.
fn simplify(logging: &mut Logging) {
    let as_it_is = logging.encoders.is_empty() && logging.filters.is_empty() && logging.drains.is_empty();
    if !(as_it_is && logging.alarms.list.is_empty()) {
        return;
    }
    match logging.loggers.as_slice() {
        [Logger { id: None, to: LogPlace::File(path) }] if logging.to.is_none() && logging.to2.is_none() => {
            logging.to = Some(path.clone());
        }
        [Logger { id: None, to: LogPlace::Stdio }] => {}
        _ => return,
    }
    logging.loggers.clear();
}
