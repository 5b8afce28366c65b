//! Where lines go besides the log, and in which form (uWSGI's manual, "Logging encoders").
//!
//! Part of the section on logging. Pure; every process reads it.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `logger`, `req-logger`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logger {
    /// The name that routes and encoders have for it; without one it gets every line that no route takes.
    #[serde(default)]
    pub id: Option<String>,
    /// Where its lines go.
    pub to: LogPlace,
}

/// A place for lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogPlace {
    /// `stdio`: where the log is.
    Stdio,
    /// `file:PATH`.
    File(PathBuf),
    /// `socket:PATH`: a datagram for each line.
    Unix(PathBuf),
    /// `socket:HOST:PORT`: the same over UDP.
    Udp(SocketAddr),
    /// `syslog` with its tag: the machine's own.
    Syslog(String),
    /// `rsyslog:HOST:PORT` with its tag: another machine's, over UDP (RFC 3164).
    RemoteSyslog(SocketAddr, String),
    /// `rsyslog5424:HOST:PORT` with its tag (ours): the same by RFC 5424.
    RemoteSyslog5424(SocketAddr, String),
    /// `journal` with its identifier (ours): systemd's.
    Journal(String),
    /// `pipe:COMMAND`: the standard input of a command.
    Pipe(String),
}

/// As configurations write it.
impl fmt::Display for LogPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdio => f.write_str("stdio"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Unix(path) => write!(f, "socket:{}", path.display()),
            Self::Udp(address) => write!(f, "socket:{address}"),
            Self::Syslog(tag) => write!(f, "syslog:{tag}"),
            Self::RemoteSyslog(address, tag) => write!(f, "rsyslog:{address},{tag}"),
            Self::RemoteSyslog5424(address, tag) => write!(f, "rsyslog5424:{address},{tag}"),
            Self::Journal(tag) => write!(f, "journal:{tag}"),
            Self::Pipe(command) => write!(f, "pipe:{command}"),
        }
    }
}

/// `log-route`, `log-req-route`: lines that match go to the place with this name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The place.
    pub id: String,
    /// A regular expression.
    pub expression: String,
}

/// `log-encoder`, `log-req-encoder`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encoder {
    /// The place that it is for; every one without it.
    #[serde(default)]
    pub id: Option<String>,
    /// What it makes of a line.
    pub form: LineForm,
}

/// What is made of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineForm {
    /// A text before it.
    Prefix(String),
    /// A text behind it.
    Suffix(String),
    /// `nl`: an end, which every line has.
    Newline,
    /// A template with `${msg}` and others.
    Format(String),
    /// The same, with the line as the inside of a JSON string.
    Json(String),
}
