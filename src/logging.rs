//! The log: life-cycle lines through `log` and `env_logger`, each written whole with one write, and the time stamps that
//! uWSGI's lines have. Every process.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::OnceLock;

use env_logger::{Builder, Target};
use jiff::{Timestamp, tz::TimeZone};
use log::LevelFilter;

use crate::config::model::Logging;

/// How each line begins, fixed at start.
static STAMP: OnceLock<Stamp> = OnceLock::new();

#[derive(Debug, Default)]
struct Stamp {
    date: Option<String>,
    prefix: Option<String>,
}

/// Starts logging to standard error. `RUST_LOG` selects levels and modules; the default is `info`.
pub fn start() {
    let mut builder = Builder::new();
    builder.filter_level(LevelFilter::Info).parse_default_env().target(Target::Stderr).format(|out, record| {
        let stamp = STAMP.get().map(begin).unwrap_or_default();
        // Composed first, so that the line is one write whatever its parts are.
        let line = match record.level() {
            log::Level::Info => format!("{stamp}{}\n", record.args()),
            level => format!("{stamp}[{}] {}\n", level.as_str().to_ascii_lowercase(), record.args()),
        };
        out.write_all(line.as_bytes())
    });
    // A second start, in a process that has a logger already, changes nothing.
    let _ = builder.try_init();
}

/// Sets `log-date` and `log-prefix`; the first call counts.
pub fn stamp_lines(logging: &Logging) {
    let _ = STAMP.set(Stamp { date: logging.date.clone(), prefix: logging.prefix.clone() });
}

/// Sends standard output and standard error to `logto` or `logto2`, if one is set; children inherit that.
///
/// # Errors
/// When the file cannot be opened; the log then stays where it was.
pub fn redirect(path: Option<&Path>) -> io::Result<()> {
    let Some(path) = path else { return Ok(()) };
    crate::sys::process::redirect_output(&append_to(path)?)
}

/// Opens a log file, creating it if need be.
///
/// # Errors
/// What the system says.
pub fn append_to(path: &Path) -> io::Result<File> {
    File::options().append(true).create(true).mode(0o640).open(path)
}

/// Opens the log file anew by its name, for logrotate (fifo `l`).
///
/// # Errors
/// As for [`redirect`].
pub fn reopen(logging: &Logging) -> io::Result<()> {
    redirect(logging.to2.as_deref().or(logging.to.as_deref()))
}

fn begin(stamp: &Stamp) -> String {
    let date = stamp.date.as_ref().map(|pattern| {
        let pattern = if pattern.is_empty() { CTIME } else { pattern };
        format!("{} - ", format_local(pattern, crate::sys::clock::epoch_us()))
    });
    let prefix = stamp.prefix.as_ref().map(|prefix| format!("{prefix} - "));
    date.unwrap_or_default() + &prefix.unwrap_or_default()
}

/// ctime(3) without its newline: `Mon Nov 23 07:58:15 2026`.
const CTIME: &str = "%a %b %e %H:%M:%S %Y";

/// A moment, given in microseconds since the epoch, as ctime(3) writes it, in local time.
pub fn ctime(epoch_us: u64) -> String {
    format_local(CTIME, epoch_us)
}

/// A moment in a strftime(3) pattern, in local time. A pattern that cannot be used is written out as it is.
fn format_local(pattern: &str, epoch_us: u64) -> String {
    let Ok(moment) = Timestamp::from_microsecond(i64::try_from(epoch_us).unwrap_or(i64::MAX)) else {
        return pattern.to_owned();
    };
    jiff::fmt::strtime::format(pattern, &moment.to_zoned(TimeZone::system())).unwrap_or_else(|_| pattern.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ctime_has_24_characters_also_on_one_digit_days() {
        // 2026-11-03 00:00:00 UTC, and noon of the same day: never another day's width in any zone.
        for second in [1_793_664_000_u64, 1_793_707_200] {
            assert_eq!(ctime(second * 1_000_000).len(), 24, "{}", ctime(second * 1_000_000));
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_used_is_shown() {
        assert_eq!(format_local("%!", 0), "%!");
    }
}
