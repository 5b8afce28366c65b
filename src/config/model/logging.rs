//! What is logged, where to, and how.
//!
//! A section of the configuration. Not for writing logs (`crate::logging`, `worker::request_log`). Pure; every process
//! reads it.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::alarms::Alarms;
use super::log_places::{Encoder, Logger, Route};

/// What is logged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Logging {
    /// Whether each request is logged (`disable-logging` turns it off).
    pub requests: bool,
    /// `log-4xx`.
    pub status_4xx: bool,
    /// `log-5xx`.
    pub status_5xx: bool,
    /// `log-zero`: answers without a body.
    pub zero: bool,
    /// `log-big`: answers whose body has so many bytes.
    pub big: Option<u64>,
    /// `log-sendfile`.
    pub sendfile: bool,
    /// `log-ioerror`: requests that could not be read or answers that could not be written.
    pub io_error: bool,
    /// `log-slow`.
    pub slow: Option<Duration>,
    /// `log-format`; `None` is uWSGI's default line.
    pub format: Option<String>,
    /// `logformat-strftime`: `%(ftime)` has the pattern of `log-date`.
    pub format_strftime: bool,
    /// `log-format-json` (ours): values in `log-format` are escaped as the insides of JSON strings.
    pub format_json: bool,
    /// `log-micros`.
    pub micros: bool,
    /// `log-at-once` (ours): each request line is written by itself, also where short requests follow on each other.
    pub at_once: bool,
    /// `log-x-forwarded-for`.
    pub forwarded_for: bool,
    /// `logto` (opened before privileges are dropped).
    pub to: Option<PathBuf>,
    /// `logto2` (opened after).
    pub to2: Option<PathBuf>,
    /// `logfile-chmod`.
    pub mode: Option<u32>,
    /// `logfile-chown`: the file of `logto` belongs to the user who serves.
    pub chown: bool,
    /// `log-truncate`: the file is emptied at start.
    pub truncate: bool,
    /// `log-reopen`: the file is opened anew at each reload.
    pub reopen: bool,
    /// `log-date`: strftime pattern, empty for ctime; `None` for no date.
    pub date: Option<String>,
    /// `memory-report`.
    pub memory: bool,
    /// `req-logger`: where request lines go; to the log without any.
    pub request_loggers: Vec<Logger>,
    /// `log-req-route`.
    pub request_routes: Vec<Route>,
    /// `log-req-encoder`, in their order.
    pub request_encoders: Vec<Encoder>,
    /// `logger`: where all lines go; to the log without any.
    pub loggers: Vec<Logger>,
    /// `log-route`.
    pub routes: Vec<Route>,
    /// `log-encoder`, in their order.
    pub encoders: Vec<Encoder>,
    /// `log-filter`: with any, only lines that match one of them are kept.
    pub filters: Vec<String>,
    /// `log-drain`: lines that match one of them are dropped.
    pub drains: Vec<String>,
    /// `alarm` and its kin.
    pub alarms: Alarms,
    /// `log-maxsize`: a log that is larger is moved away.
    pub size_max: Option<u64>,
    /// `log-backupname`: where to; beside it, with the time, without.
    pub backup: Option<PathBuf>,
}

impl Default for Logging {
    fn default() -> Logging {
        Logging {
            requests: true,
            status_4xx: false,
            status_5xx: false,
            zero: false,
            big: None,
            sendfile: false,
            io_error: false,
            slow: None,
            format: None,
            format_strftime: false,
            format_json: false,
            micros: false,
            at_once: false,
            forwarded_for: false,
            to: None,
            to2: None,
            mode: None,
            chown: false,
            truncate: false,
            reopen: false,
            date: None,
            memory: false,
            request_loggers: Vec::new(),
            request_routes: Vec::new(),
            request_encoders: Vec::new(),
            loggers: Vec::new(),
            routes: Vec::new(),
            encoders: Vec::new(),
            filters: Vec::new(),
            drains: Vec::new(),
            alarms: Alarms::default(),
            size_max: None,
            backup: None,
        }
    }
}

impl Logging {
    /// Whether a process of its own takes every line and says where it goes.
    pub fn is_collected(&self) -> bool {
        let Self { loggers, encoders, filters, drains, alarms, .. } = self;
        let is_plain = loggers.is_empty() && encoders.is_empty() && filters.is_empty() && drains.is_empty();
        !(is_plain && alarms.list.is_empty())
    }
}
