//! The log: life-cycle lines through `log` and `env_logger`, each written whole with one write, and the time stamps
//! that uWSGI's lines have. Every process. `waiting`: request lines that are written many at once.

pub(crate) mod shelf;
pub(crate) mod waiting;

use std::cell::RefCell;
use std::fs::{File, Permissions};
use std::io::{self, IsTerminal, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};

use env_logger::{Builder, Target};
use jiff::{Timestamp, tz::TimeZone};
use log::LevelFilter;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::config::model::Logging;
use crate::config::report::paint::{Colour, Paint};
use crate::escape;
use crate::sys::files::open_to_write;
use crate::sys::impatient::Impatient;

/// How far back the log is looked through for lines that may have been written: what others have written meanwhile.
const LAST_BYTES: u64 = 1 << 20;

/// The date that each line begins with, as a pattern. The logger is one for the whole process, so this is, too; only the
/// master changes it after the start, at a reload.
static DATE: RwLock<Option<String>> = RwLock::new(None);

/// Files that `log-truncate` is to empty, and how much there is in them that was not written by this start.
static OLD: Mutex<Vec<(PathBuf, u64)>> = Mutex::new(Vec::new());

/// Standard error as it was before `logto`, for as long as the start may fail: whoever waits for it reads there.
static STARTER: Mutex<Option<File>> = Mutex::new(None);

/// How standard error is written by a process that waits for nobody.
static IMPATIENT: Mutex<Option<Impatient>> = Mutex::new(None);

/// Standard error, in the way that is right for this process.
struct Out;

impl Write for Out {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        waiting::send();
        match &mut *IMPATIENT.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(impatient) => impatient.write_line(line),
            None => io::stderr().write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// From here on this process writes no line of the log for which it would have to wait until somebody has read others.
pub fn wait_for_nobody() {
    *IMPATIENT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Impatient::new());
}

/// Forgets the way to standard error that [`wait_for_nobody`] has opened, before its descriptor goes.
pub(crate) fn forget_way() {
    *IMPATIENT.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Writes a line, without its end, to standard error as it is: one that is no message of this process.
pub(crate) fn put(line: &str) {
    let whole = format!("{}\n", line.trim_end_matches('\n'));
    // Standard error is where the log is; if it cannot be written, there is nowhere left to say so.
    let _ = Out.write_all(whole.as_bytes());
}

/// Writes lines of another process's, which it could not write any more, to standard error as they are.
pub(crate) fn put_for(lines: &[u8]) {
    if !lines.is_empty() {
        let _ = Out.write_all(lines);
    }
}

/// The end of the log, where it is a file that can be read.
///
/// # Errors
/// What the system says.
pub(crate) fn end_of_log() -> io::Result<Vec<u8>> {
    let log = File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open("/proc/self/fd/2")?;
    let found = log.metadata()?;
    if !found.is_file() {
        return Ok(Vec::new());
    }
    let from = found.len().saturating_sub(LAST_BYTES);
    let mut last = vec![0; (found.len() - from) as usize];
    log.read_exact_at(&mut last, from)?;
    Ok(last)
}

/// Starts logging to standard error. `RUST_LOG` selects levels and modules; the default is `info`.
pub fn start() {
    let mut builder = Builder::new();
    builder.filter_level(LevelFilter::Info).parse_default_env().target(Target::Pipe(Box::new(Out))).format(
        |out, record| {
            let terminal = Terminal::of_standard_error();
            let date = DATE.read().unwrap_or_else(PoisonError::into_inner);
            let stamp = begin(date.as_deref(), terminal);
            // An application, too, logs what its clients send.
            let said = escape::said(&record.args().to_string());
            // Composed first, so that the line is one write whatever its parts are.
            let line = match record.level() {
                log::Level::Info => format!("{stamp}{said}\n"),
                level => format!("{stamp}{} {said}\n", tag(level, terminal)),
            };
            if record.level() == log::Level::Error {
                tell_starter(&line);
            }
            out.write_all(line.as_bytes())
        },
    );
    // A second start, in a process that has a logger already, changes nothing.
    let _ = builder.try_init();
}

/// Sets `log-date`.
pub fn stamp_lines(logging: &Logging) {
    DATE.write().unwrap_or_else(PoisonError::into_inner).clone_from(&logging.date);
}

/// Opens a file for the log, always to append to it, with the mode of `logfile-chmod`.
///
/// # Errors
/// When it cannot be opened, or its mode is not ours to change.
pub fn open(path: &Path, logging: &Logging) -> io::Result<File> {
    dress(open_to_write(path, OFlag::O_APPEND, 0o640)?, logging)
}

/// The same for an instance that runs: a pipe that nobody reads is an error and not a wait.
///
/// # Errors
/// As there.
pub fn open_at_once(path: &Path, logging: &Logging) -> io::Result<File> {
    let file = append_at_once(path)?;
    // Only the master does not wait for who reads it, see `wait_for_nobody`.
    fcntl(&file, FcntlArg::F_SETFL(OFlag::O_APPEND))?;
    dress(file, logging)
}

fn dress(file: File, logging: &Logging) -> io::Result<File> {
    if let Some(mode) = logging.mode {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    Ok(file)
}

/// Opens a file to append lines to it, creating it if need be. Neither opening it nor writing to it waits.
///
/// # Errors
/// What the system says.
pub fn append_at_once(path: &Path) -> io::Result<File> {
    open_to_write(path, OFlag::O_APPEND | OFlag::O_NONBLOCK, 0o640)
}

/// Sends standard output and standard error to a file at start; children inherit that. With `log-truncate` what is in it
/// stays until [`empty_old`]: it may be the log of an instance that is in the way of this start.
///
/// # Errors
/// As for [`open`]; the log then stays where it was.
pub fn begin_in(path: &Path, logging: &Logging) -> io::Result<File> {
    let file = open(path, logging)?;
    if logging.truncate {
        let old = (std::path::absolute(path)?, file.metadata()?.len());
        OLD.lock().unwrap_or_else(PoisonError::into_inner).push(old);
    }
    crate::sys::process::redirect_output(&file)?;
    Ok(file)
}

/// The same for a log that takes the place of what whoever started the instance reads: until [`forget_starter`] errors go
/// to both.
///
/// # Errors
/// As for [`begin_in`].
pub fn begin_instead(path: &Path, logging: &Logging) -> io::Result<File> {
    let before = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    let log = begin_in(path, logging)?;
    let mut starter = STARTER.lock().unwrap_or_else(PoisonError::into_inner);
    if starter.is_none() {
        *starter = Some(before);
    }
    Ok(log)
}

/// The log leaves the file that whoever started the instance reads: until [`forget_starter`] errors go there as well.
///
/// # Errors
/// When there is no descriptor left for it.
pub(crate) fn keep_starter(before: &File) -> io::Result<()> {
    let mut starter = STARTER.lock().unwrap_or_else(PoisonError::into_inner);
    if starter.is_none() {
        *starter = Some(before.try_clone()?);
    }
    Ok(())
}

/// Says a line to whoever started the instance, where that does not read the log.
pub fn tell_starter(line: &str) {
    if let Some(starter) = STARTER.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        // Best effort, since it is in the log as well: a pipe that nobody reads keeps nobody waiting.
        let mut wanted = [PollFd::new(starter.as_fd(), PollFlags::POLLOUT)];
        if poll(&mut wanted, PollTimeout::ZERO).is_ok_and(|ready| ready > 0) {
            let _ = starter.write_all(line.as_bytes());
        }
    }
}

/// The start has succeeded: from here on the log has everything, and nothing holds the terminal any more.
pub fn forget_starter() {
    *STARTER.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// `log-truncate`: takes out of the logs what was in them before this start.
///
/// # Errors
/// When one of them cannot be read or written.
pub fn empty_old() -> io::Result<()> {
    let old = std::mem::take(&mut *OLD.lock().unwrap_or_else(PoisonError::into_inner));
    for (path, length) in old.into_iter().filter(|(_, length)| *length > 0) {
        let mut file = File::options().read(true).append(true).open(path)?;
        let mut new = Vec::new();
        file.seek(SeekFrom::Start(length))?;
        file.read_to_end(&mut new)?;
        file.set_len(0)?;
        file.write_all(&new)?;
    }
    Ok(())
}

/// Sends what this process writes to the file that has the log's name now: for logrotate, which has renamed the old
/// one. Both say so, as uWSGI's do (uWSGI's manual, "Logging"); by the time the new one does, `tell_others` has been
/// called.
///
/// # Errors
/// What the system says; the log then goes on where it was.
pub fn reopen(path: &Path, file: &File, tell_others: impl FnOnce()) -> io::Result<()> {
    leave(&File::from(io::stderr().as_fd().try_clone_to_owned()?));
    crate::sys::process::redirect_output(file)?;
    tell_others();
    arrive(path);
    Ok(())
}

/// Says that the log leaves a file.
pub(crate) fn leave(old: &File) {
    let bytes = old.metadata().map_or(0, |found| found.len());
    log::info!("[{}] logsize: {bytes}, triggering log-reopen...", now_s());
}

/// Says that it goes on in another one.
pub(crate) fn arrive(path: &Path) {
    log::info!("[{}] {} reopened.", now_s(), path.display());
}

fn now_s() -> u64 {
    crate::sys::clock::epoch_us() / 1_000_000
}

/// The terminal that standard error may be, and whether it has colours.
#[derive(Clone, Copy)]
struct Terminal(Paint);

impl Terminal {
    /// Looked up for each line: where standard error leads changes with `logto`.
    fn of_standard_error() -> Option<Self> {
        let environment = || std::env::vars_os().collect::<Vec<_>>();
        io::stderr().is_terminal().then(|| Terminal(Paint::of(true, &environment())))
    }
}

/// How lines begin that are no mere news.
fn tag(level: log::Level, terminal: Option<Terminal>) -> String {
    let tag = format!("[{}]", level.as_str().to_ascii_lowercase());
    let colour = match level {
        log::Level::Error => Colour::Red,
        log::Level::Warn => Colour::Yellow,
        log::Level::Info | log::Level::Debug | log::Level::Trace => Colour::Plain,
    };
    terminal.map_or(tag.clone(), |Terminal(paint)| paint.bold(&tag, colour))
}

/// The date that a line begins with: that of `log-date`, else on a terminal the time.
fn begin(date: Option<&str>, terminal: Option<Terminal>) -> String {
    if let (None, Some(_)) = (date, terminal) {
        return format_local("%H:%M:%S ", crate::sys::clock::epoch_us());
    }
    let date = date.map(|pattern| {
        let pattern = if pattern.is_empty() { CTIME } else { pattern };
        format!("{} - ", format_local(pattern, crate::sys::clock::epoch_us()))
    });
    date.unwrap_or_default()
}

/// ctime(3) without its newline: `Mon Nov 23 07:58:15 2026`.
pub(crate) const CTIME: &str = "%a %b %e %H:%M:%S %Y";

/// A moment, given in microseconds since the epoch, as ctime(3) writes it, in local time.
pub fn ctime(epoch_us: u64) -> String {
    format_local(CTIME, epoch_us)
}

/// A moment in a strftime(3) pattern, in local time. A pattern that cannot be used is written out as it is.
pub(crate) fn format_local(pattern: &str, epoch_us: u64) -> String {
    let mut text = String::new();
    push_local(&mut text, pattern, epoch_us);
    text
}

/// Appends such a moment.
pub(crate) fn push_local(line: &mut String, pattern: &str, epoch_us: u64) {
    let written = WRITTEN.try_with(|written| {
        let mut written = written.try_borrow_mut().ok()?;
        written.text(pattern, epoch_us).map(|text| line.push_str(text))
    });
    // A thread that ends remembers none any more.
    if !matches!(written, Ok(Some(()))) {
        line.push_str(&format_moment(pattern, epoch_us));
    }
}

thread_local! {
    static WRITTEN: RefCell<Written> = const { RefCell::new(Written(Vec::new())) };
}

/// Seconds as they were written last, by their patterns: many lines come within one.
struct Written(Vec<(String, u64, String)>);

impl Written {
    /// Most patterns that are remembered.
    const MOST: usize = 4;

    /// `None` where the pattern tells parts of a second, which are another text each time.
    fn text(&mut self, pattern: &str, epoch_us: u64) -> Option<&str> {
        let second = epoch_us / 1_000_000;
        let place = match self.0.iter().position(|(other, ..)| other == pattern) {
            Some(place) => place,
            None if pattern.contains(['f', 'N']) => return None,
            None => {
                if self.0.len() == Self::MOST {
                    self.0.remove(0);
                }
                self.0.push((pattern.to_owned(), second, format_moment(pattern, epoch_us)));
                self.0.len() - 1
            }
        };
        let (_, of, text) = &mut self.0[place];
        if *of != second {
            (*of, *text) = (second, format_moment(pattern, epoch_us));
        }
        Some(text)
    }
}

fn format_moment(pattern: &str, epoch_us: u64) -> String {
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
    fn a_second_is_written_once_for_each_pattern_and_parts_of_one_each_time() {
        let us = 1_793_664_000_000_000;
        let patterns = ["%S", "%M:%S", "%H", "%j", "%Y-%S"];
        for after_us in [0, 1, 999_999, 1_000_000, 999_998, 60_000_000] {
            for pattern in patterns {
                assert_eq!(format_local(pattern, us + after_us), format_moment(pattern, us + after_us), "{pattern}");
            }
        }
        assert_ne!(format_local("%S.%6f", us), format_local("%S.%6f", us + 1));
    }

    #[test]
    fn a_pattern_that_cannot_be_used_is_shown() {
        assert_eq!(format_local("%!", 0), "%!");
    }
}
