//! How places for request lines, their routes and their forms are written (uWSGI's manual, "Pluggable loggers" and "Logging
//! encoders"), and what they mean together.
//!
//! Setters of rows in `logging`. Pure; runs wherever a configuration is read.

use std::net::SocketAddr;

use regex_lite::Regex;

use super::address::parse_address;
use super::draft::Draft;
use super::parsed::Parsed;
use crate::config::error::ConfigError;
use crate::config::model::{Address, Encoder, LineForm, LogPlace, RequestLogger, Route};

/// What lines are called that say nothing else.
const TAG: &str = "uwsgi";

/// `req-logger`: a name and a blank, if it is to have one, the kind of place, a colon, and which.
pub(super) fn request_logger(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let (id, place) = match value.text.split_once(' ') {
        Some((id, place)) if !id.contains(':') => (Some(id.to_owned()), place.trim()),
        _ => (None, value.text),
    };
    let (kind, argument) = place.split_once(':').unwrap_or((place, ""));
    let to = match kind {
        "stdio" => Some(LogPlace::Stdio),
        "file" if !argument.is_empty() => Some(LogPlace::File(argument.into())),
        "socket" => socket(argument),
        "syslog" => Some(LogPlace::Syslog(tag(argument.split(',').next()))),
        "rsyslog" => {
            let mut words = argument.splitn(2, ',');
            let address = words.next().and_then(udp_address);
            address.map(|address| LogPlace::RemoteSyslog(address, tag(words.next())))
        }
        "pipe" | "fd" | "redislog" | "zmq" | "zeromq" | "mongodblog" | "systemd" | "graylog2" | "crypto" => {
            return draft.does_nothing(format!("rhinod has no place `{kind}` for lines"));
        }
        _ => None,
    };
    match to {
        Some(to) => draft.config.logging.request_loggers.push(RequestLogger { id, to }),
        None => draft.refuse(
            "expected a place for lines",
            "file:PATH, socket:PATH or socket:IP:PORT, syslog[:TAG], rsyslog:IP:PORT[,TAG] or stdio",
        ),
    }
}

/// `logger`: a file is one that everything is logged to.
pub(super) fn logger(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match value.text.split_once(':') {
        Some(("file", path)) if !path.is_empty() && draft.config.logging.to.is_none() => {
            draft.config.logging.to = Some(path.into());
        }
        None if value.text == "stdio" => {}
        Some(("file", _)) => draft.does_nothing("everything is logged to one file, and that is named already"),
        _ => draft.does_nothing("rhinod logs to files and standard error; redirect the output, or use req-logger"),
    }
}

fn tag(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or(TAG).to_owned()
}

fn socket(argument: &str) -> Option<LogPlace> {
    match parse_address(argument).ok()?.address? {
        Address::Unix(path) => Some(LogPlace::Unix(path)),
        Address::Tcp(address) => Some(LogPlace::Udp(address)),
        Address::Abstract(_) | Address::Inherited(_) => None,
    }
}

/// An address of another machine; port 514 without one, syslog's own.
fn udp_address(text: &str) -> Option<SocketAddr> {
    const PORT: u16 = 514;
    text.parse().ok().or_else(|| text.parse().ok().map(|ip| SocketAddr::new(ip, PORT)))
}

/// `log-req-encoder`: the kind, a colon and a name if it is for one place only, a blank, and what that kind takes.
pub(super) fn request_encoder(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let (head, argument) = value.text.split_once(' ').unwrap_or((value.text, ""));
    let (kind, id) = head.split_once(':').map_or((head, None), |(kind, id)| (kind, Some(id.to_owned())));
    let form = match kind {
        "prefix" => LineForm::Prefix(argument.to_owned()),
        "suffix" => LineForm::Suffix(argument.to_owned()),
        "nl" => LineForm::Newline,
        "format" => LineForm::Format(argument.to_owned()),
        "json" => LineForm::Json(argument.to_owned()),
        "gzip" | "compress" | "msgpack" => {
            return draft.does_nothing(format!("rhinod has no form `{kind}` of lines"));
        }
        _ => return draft.refuse("expected a form of lines", "prefix, suffix, nl, format or json"),
    };
    draft.config.logging.request_encoders.push(Encoder { id, form });
}

/// `log-req-route`: the name of a place, a blank, and what lines must match to go there.
pub(super) fn request_route(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let Some((id, expression)) = value.text.split_once(' ') else {
        return draft.refuse("expected the name of a req-logger, a blank and a regular expression", "errors 50[0-9]");
    };
    match Regex::new(expression) {
        Ok(_) => {
            let route = Route { id: id.to_owned(), expression: expression.to_owned() };
            draft.config.logging.request_routes.push(route);
        }
        Err(error) => draft.refuse(format!("the regular expression cannot be read: {error}"), "see docs/LOGGING.md"),
    }
}

/// Whether routes and forms find their places.
pub(super) fn judge(draft: &mut Draft<'_>) {
    let logging = &draft.config.logging;
    let is_there = |id: &str| logging.request_loggers.iter().any(|logger| logger.id.as_deref() == Some(id));
    let lost_route = logging.request_routes.iter().map(|route| route.id.as_str()).find(|id| !is_there(id));
    let mut forms = logging.request_encoders.iter().filter_map(|encoder| encoder.id.as_deref());
    let lost_form = forms.find(|id| !is_there(id));
    let of_nobody = !logging.request_encoders.is_empty() && logging.request_loggers.is_empty();
    let complaint = |option: &str, id: Option<&str>| {
        let problem = format!("there is no req-logger with the name `{}`", id?);
        Some(ConfigError::about(draft.given(option)?, problem).suggest("req-logger = NAME file:PATH"))
    };
    let errors = [complaint("log-req-route", lost_route), complaint("log-req-encoder", lost_form)];
    let idle = draft.given("log-req-encoder").filter(|_| of_nobody && lost_form.is_none());
    let idle = idle.map(|line| ConfigError::about(line, "has no effect: there is no req-logger"));
    errors.into_iter().flatten().for_each(|error| draft.error(error));
    if let Some(idle) = idle {
        draft.idle(idle);
    }
}
