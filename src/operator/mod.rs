//! What the command line says to an instance that runs: stop, reload, pause, resume, status; and looking at it: top, stacks, profile. Runs in a process of its
//! own that ends when it has the answer; the master's side is `master::operator`.

mod asking;
pub(crate) mod instance;
mod line;
mod ping;
#[cfg(feature = "cli")]
mod profile;
mod progress;
#[cfg(feature = "cli")]
mod stacks;
#[cfg(feature = "cli")]
mod top;
pub(crate) mod words;
#[cfg(feature = "cli")]
mod workers;

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::{Command, Format};
use crate::exit::Exit;
use crate::failure::StartFailure;
use crate::sys::wait::{Interest, wait_ready};
use asking::{Master, ReadPlaces, failure, understood};
use instance::Instance;
use words::{CANARY_COMMIT, CANARY_ROLLBACK, State};

/// How long a stop may take that does not say how long.
const STOP_MAX: Duration = Duration::from_secs(90);

/// Carries out a command that is for another process.
pub(crate) fn carry_out(command: &Command, places: ReadPlaces<'_>) -> Result<Exit, StartFailure> {
    match command {
        Command::Reload { instance } => order(instance, places, "reload", b"r"),
        Command::Stop { instance, wait } => stop(instance, *wait, places),
        Command::Canary { instance, passes } => order(instance, places, canary(*passes), b""),
        // A fifo has one letter for both, which does the opposite of what is.
        Command::Pause { instance } => order(instance, places, "pause", b""),
        Command::Resume { instance } => order(instance, places, "resume", b""),
        Command::Status { instance, quiet, format } => status(instance, *quiet, *format, places),
        #[cfg(feature = "cli")]
        Command::Top { instance } => top::run(instance, places),
        #[cfg(feature = "cli")]
        Command::Stacks { instance } => stacks::run(instance, places),
        #[cfg(feature = "cli")]
        Command::Profile { instance, time, picture } => profile::run(instance, *time, picture.as_deref(), places),
        Command::ConnectAndRead { address } => connect_and_read(address),
        Command::Ping { address, timeout } => ping(address, *timeout),
        other => Err(failure(Exit::Fault, format!("{other:?} is not for another process"))),
    }
}

/// What a master is asked for who is to end a trial.
fn canary(passes: bool) -> &'static str {
    if passes { CANARY_COMMIT } else { CANARY_ROLLBACK }
}

/// Has an instance do something, and prints what comes of it. `letter` is what a fifo has for it.
fn order(word: &OsStr, places: ReadPlaces<'_>, what: &str, letter: &[u8]) -> Result<Exit, StartFailure> {
    match instance::find(word, places)? {
        Instance::Master { pid, named, owner } => {
            let told = Master::of(pid, &named, owner)?.ask(what)?;
            if !told.is_empty() {
                say(&told);
            }
            Ok(Exit::Success)
        }
        Instance::Fifo(fifo) => write_letter(&fifo, what, letter),
        Instance::Statistics(address) => Err(cannot_be_told(&address, what)),
    }
}

/// Stops an instance and waits for its end.
fn stop(word: &OsStr, wait: bool, places: ReadPlaces<'_>) -> Result<Exit, StartFailure> {
    let (pid, named, owner) = match instance::find(word, places)? {
        Instance::Master { pid, named, owner } => (pid, named, owner),
        Instance::Fifo(fifo) => return write_letter(&fifo, "stop", b"q"),
        Instance::Statistics(address) => return Err(cannot_be_told(&address, "stop")),
    };
    let master = Master::of(pid, &named, owner)?;
    let told = master.ask("stop")?;
    if !wait {
        return Ok(Exit::Success);
    }
    let within = told.parse().map_or(STOP_MAX, Duration::from_secs);
    let micros = u64::try_from(within.as_micros()).unwrap_or(u64::MAX);
    let ended = wait_ready(&master.process, Interest::Readable, micros);
    match ended.map_err(|error| StartFailure::system("wait for the end of the instance", &error))? {
        true => say("stopped"),
        false => {
            let seconds = within.as_secs();
            let message = format!("process {} of {named} is still stopping after {seconds} s", pid.get());
            return Err(failure(Exit::Reload, message));
        }
    }
    Ok(Exit::Success)
}

/// Says how an instance is doing: in words or JSON, and by the exit status.
fn status(word: &OsStr, quiet: bool, format: Format, places: ReadPlaces<'_>) -> Result<Exit, StartFailure> {
    let (pid, named, owner) = match instance::find(word, places)? {
        Instance::Master { pid, named, owner } => (pid, named, owner),
        Instance::Fifo(fifo) => return write_letter(&fifo, "tell its state", b"s"),
        Instance::Statistics(address) => return connect_and_read(&address),
    };
    let master = Master::of(pid, &named, owner)?;
    let told = master.ask("status")?;
    let standing = understood(&master, &told)?;
    match format {
        _ if quiet => {}
        Format::Text => say(&standing.to_string()),
        Format::Json => say(&told),
    }
    Ok(match standing.state {
        State::Serving => Exit::Success,
        State::Loading => Exit::Loading,
        State::Paused => Exit::Paused,
        State::Stopping => Exit::Stopping,
        State::NoApplication => Exit::Application,
        State::ReloadFailed => Exit::Reload,
    })
}

/// A fifo cannot answer: what comes of it is in the instance's log.
fn write_letter(fifo: &Path, what: &str, letter: &[u8]) -> Result<Exit, StartFailure> {
    if letter.is_empty() {
        return Err(cannot_be_told(&fifo.display().to_string(), what));
    }
    let mut open = fs::OpenOptions::new();
    // Non-blocking, so that a fifo that no master reads is an error and not a wait without end.
    let opened = open.write(true).custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits()).open(fifo);
    opened
        .and_then(|mut fifo| fifo.write_all(letter))
        .map_err(|error| failure(Exit::NoInstance, format!("nobody reads {}: {error}", fifo.display())))?;
    say(&format!("told to {what}; what comes of it is in the log of the instance: a pid file would answer here"));
    Ok(Exit::Success)
}

fn cannot_be_told(named: &str, what: &str) -> StartFailure {
    failure(
        Exit::Usage,
        format!("an instance cannot be told to {what} through {named}: give its pid file or process id"),
    )
}

fn say(line: &str) {
    // A reader that has gone (`| head`) is no error of ours.
    let _ = writeln!(io::stdout(), "{line}");
}

/// Whether a worker answers at an address, in uWSGI's words and with its exit status.
fn ping(address: &str, timeout: Duration) -> Result<Exit, StartFailure> {
    say(&format!("PING uwsgi host {address} (timeout: {})", timeout.as_secs()));
    match ping::ask(address, timeout) {
        Ok(warning) if warning.is_empty() => Ok(Exit::Success),
        Ok(warning) => {
            let warning = crate::escape::value(&warning);
            Err(failure(Exit::PONG_WARNS, format!("{address} answers with a warning: {warning}")))
        }
        Err(error) => Err(failure(Exit::NO_PONG, format!("no answer from {address}: {error}"))),
    }
}

fn connect_and_read(address: &str) -> Result<Exit, StartFailure> {
    let failed = |error: io::Error| failure(Exit::NoInstance, format!("cannot read from {address}: {error}"));
    let mut out = io::stdout();
    let copied = match address.parse::<std::net::SocketAddr>() {
        Ok(tcp) => TcpStream::connect(tcp).and_then(|mut stream| io::copy(&mut stream, &mut out)),
        Err(_) => UnixStream::connect(PathBuf::from(address)).and_then(|mut stream| io::copy(&mut stream, &mut out)),
    };
    copied.map(|_| Exit::Success).map_err(failed)
}
