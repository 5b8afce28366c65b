//! Alarms: what raises them, and what is done then (uWSGI's manual, "The uWSGI alarm subsystem").
//!
//! Part of the section on logging, whose lines raise them. Pure; master and collector read it.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// All alarms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Alarms {
    /// `alarm`.
    pub list: Vec<Alarm>,
    /// `log-alarm`.
    pub on_lines: Vec<LineAlarm>,
    /// `not-log-alarm`: lines that match one of them raise none.
    pub exempt: Vec<String>,
    /// `alarm-segfault`: those that are raised when a worker dies of a memory fault.
    pub on_fault: Vec<String>,
    /// `alarm-backlog`: those that are raised when the queue of a socket is full.
    pub on_backlog: Vec<String>,
    /// `alarm-freq`: for so long the same message is not repeated.
    pub between: Duration,
    /// `alarm-msg-size`: longest message, in bytes.
    pub message_bytes_max: usize,
}

impl Default for Alarms {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            on_lines: Vec::new(),
            exempt: Vec::new(),
            on_fault: Vec::new(),
            on_backlog: Vec::new(),
            between: Duration::from_secs(3),
            message_bytes_max: 8_192,
        }
    }
}

/// An alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// What is done when it is raised.
    pub action: AlarmAction,
}

/// What is done when an alarm is raised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlarmAction {
    /// `log:TEXT`: a line of the log, with the text before the message.
    Log(String),
    /// `cmd:COMMAND`: a command of the shell, with the message as its standard input.
    Command(String),
    /// `udp:IP:PORT`: a datagram.
    Datagram(SocketAddr),
    /// `signal:NUMBER`: a signal of the application.
    Signal(u8),
    /// `mule:NUMBER`: a message to this mule; 0 is any.
    Mule(u32),
}

/// Lines that raise alarms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineAlarm {
    /// The names of the alarms.
    pub alarms: Vec<String>,
    /// A regular expression.
    pub expression: String,
}
