//! `--ping`: whether a worker answers on a uwsgi socket (uWSGI's manual, "uWSGI Options"). Runs in a process of its own.

use std::io;
use std::time::Duration;

use worker_protocol::uwsgi::{MODIFIER_PING, PING};

use crate::remote::Line;

/// Asks, and waits for each step for at most so long. The warning that comes back; empty if all is well.
///
/// # Errors
/// When no answer comes.
pub(super) fn ask(address: &str, timeout: Duration) -> io::Result<Vec<u8>> {
    let line = Line::to(address, timeout)?;
    line.send(&PING)?;
    let head = line.header()?.ok_or(io::ErrorKind::UnexpectedEof)?;
    if head[0] != MODIFIER_PING {
        return Err(io::Error::other("what answers does not speak the uwsgi protocol"));
    }
    line.take(usize::from(u16::from_le_bytes([head[1], head[2]])))
}
