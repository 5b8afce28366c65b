//! What the command line says to an instance that runs: stop, reload, pause, resume, status. Runs in a process of its
//! own that ends when it has the answer; the master's side is `master::operator`.

pub(crate) mod instance;
mod line;
mod ping;
#[cfg(feature = "cli")]
mod top;
pub(crate) mod words;

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use worker_protocol::ids::ProcessId;

use crate::cli::{Command, Format};
use crate::exit::Exit;
use crate::failure::StartFailure;
use crate::sys::clock::monotonic_us;
use crate::sys::process::PidFd;
use crate::sys::processes::facts;
use crate::sys::wait::{Interest, wait_ready};
use instance::{Instance, Places};
use words::{CANARY_COMMIT, CANARY_ROLLBACK, DONE, FAILED, Standing, State};

/// How long a master may take to answer what it can answer at once, and a reload before it is asked whether there still
/// is one.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// How long a stop may take that does not say how long.
const STOP_MAX: Duration = Duration::from_secs(90);

/// How the places are read that a configuration names.
type ReadPlaces<'a> = &'a dyn Fn(&Path) -> Result<Places, StartFailure>;

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

fn understood(master: &Master<'_>, told: &str) -> Result<Standing, StartFailure> {
    serde_json::from_str(told).map_err(|error| {
        let Master { pid, named, .. } = master;
        let message = format!("process {} of {named} is of another version of rhinod: {error}: {told}", pid.get());
        failure(Exit::NoInstance, message)
    })
}

/// Takes in what comes until the answer is over; false if it is not within the time, however often something comes.
fn hear(stream: &mut UnixStream, answer: &mut Vec<u8>, within: Duration) -> io::Result<bool> {
    let deadline_us = monotonic_us().saturating_add(u64::try_from(within.as_micros()).unwrap_or(u64::MAX));
    let mut bytes = [0; 4_096];
    loop {
        let left_us = deadline_us.saturating_sub(monotonic_us());
        if left_us == 0 || !wait_ready(stream, Interest::Readable, left_us)? {
            return Ok(false);
        }
        match stream.read(&mut bytes)? {
            0 => return Ok(true),
            length if answer.len() + length > ANSWER_BYTES_MAX => {
                return Err(io::Error::other(format!("its answer is longer than {ANSWER_BYTES_MAX} bytes")));
            }
            length => answer.extend_from_slice(&bytes[..length]),
        }
    }
}

/// A master that lives.
struct Master<'a> {
    pid: ProcessId,
    named: &'a str,
    owner: u32,
    process: PidFd,
    patience: Duration,
}

impl<'a> Master<'a> {
    fn of(pid: ProcessId, named: &'a str, owner: u32) -> Result<Self, StartFailure> {
        // Also proves that the process lives, so that a stale pid file is told apart from a refusal.
        let process = PidFd::open(pid).map_err(|error| does_not_answer(pid, named, &error))?;
        Ok(Self { pid, named, owner, process, patience: ANSWER_WITHIN })
    }

    /// Sends one word and waits for what comes of it: the rest of the answer's line.
    fn ask(&self, word: &str) -> Result<String, StartFailure> {
        // It may quote the application.
        let answer = self.answer_to(word)?;
        let answer = crate::escape::said(&String::from_utf8_lossy(&answer));
        self.outcome(word, answer.trim_end()).map(str::to_owned)
    }

    /// The same for an answer that programs read.
    #[cfg(feature = "cli")]
    fn hear_of(&self, word: &str) -> Result<Vec<u8>, StartFailure> {
        let answer = self.answer_to(word)?;
        let answer = String::from_utf8_lossy(&answer);
        self.outcome(word, answer.trim_end()).map(|told| told.as_bytes().to_vec())
    }

    fn answer_to(&self, word: &str) -> Result<Vec<u8>, StartFailure> {
        let gone = |error: io::Error| does_not_answer(self.pid, self.named, &error);
        let mut stream = line::connect(self.pid, self.owner).map_err(gone)?;
        stream.write_all(format!("{word}\n").as_bytes()).map_err(gone)?;
        let mut answer = Vec::new();
        let mut goes_on = word == "reload";
        while !hear(&mut stream, &mut answer, self.patience).map_err(gone)? {
            if !goes_on {
                return Err(gone(io::Error::other(format!("no answer to {word} within {:?}", self.patience))));
            }
            // A reload takes as long as the application takes to load; everything else is answered at once. One that has
            // ended just now is answered already, so that it is heard once more.
            goes_on = self.standing()?.reloading;
        }
        Ok(answer)
    }

    /// What an answer says.
    fn outcome<'t>(&self, word: &str, answer: &'t str) -> Result<&'t str, StartFailure> {
        match answer.split_once(' ').unwrap_or((answer, "")) {
            (DONE, told) => Ok(told),
            (FAILED, why) => Err(failure(Exit::Reload, format!("{word} failed: {why}"))),
            _ if self.is_of_another_user() => Err(self.refuses()),
            _ => {
                let message = format!("the instance went away before it said what came of the {word}");
                Err(failure(Exit::NoInstance, message))
            }
        }
    }
}

impl Master<'_> {
    /// How it is doing, by its own account.
    fn standing(&self) -> Result<Standing, StartFailure> {
        understood(self, &self.ask("status")?)
    }

    /// Whether it listens to others only: to its own user and to root.
    fn is_of_another_user(&self) -> bool {
        let own = nix::unistd::Uid::effective();
        !own.is_root() && facts(self.pid.get()).is_some_and(|facts| facts.user != own.as_raw())
    }

    fn refuses(&self) -> StartFailure {
        let user = facts(self.pid.get()).map_or(0, |facts| facts.user);
        let name = nix::unistd::User::from_uid(user.into()).ok().flatten().map_or(user.to_string(), |user| user.name);
        let message =
            format!("process {} of {} belongs to {name}: run this as {name} or as root", self.pid.get(), self.named);
        failure(Exit::Permission, message)
    }
}

fn does_not_answer(pid: ProcessId, named: &str, error: &io::Error) -> StartFailure {
    failure(Exit::NoInstance, format!("process {} of {named} does not answer: {error}", pid.get()))
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

fn failure(exit: Exit, message: String) -> StartFailure {
    StartFailure::new(exit, message)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use nix::unistd::getuid;

    use super::words::{Daemons, Workers, address_of, name_of};
    use super::*;

    fn standing(reloading: bool) -> String {
        let standing = Standing {
            state: State::Serving,
            pid: 7,
            generation: 1,
            workers: Workers { wanted: 1, ready: 1, starting: 0, leaving: 0 },
            daemons: Daemons { wanted: 0, up: 0 },
            paused: false,
            no_application: false,
            reloading,
            last_reload_failed: None,
            left_as_it_was: None,
            canary: None,
        };
        format!("{DONE} {}\n", serde_json::to_string(&standing).expect("plain data"))
    }

    /// Answers in the place of a master: nothing at all where there are no words. Whom it has not answered it keeps.
    fn answer(listener: &UnixListener, words: &[Option<String>]) -> Vec<UnixStream> {
        let mut unanswered = Vec::new();
        for answer in words {
            let (mut stream, _) = listener.accept().expect("a question");
            let _ = stream.read(&mut [0; 64]).expect("a question");
            match answer {
                Some(text) => stream.write_all(text.as_bytes()).expect("an answer"),
                None => unanswered.push(stream),
            }
        }
        unanswered
    }

    /// One test, since a process has one such name.
    #[test]
    fn nobody_waits_for_a_master_that_does_not_answer_nor_for_a_reload_that_is_none() {
        let own = ProcessId::new(std::process::id().cast_signed()).expect("a process");
        let listener = UnixListener::bind_addr(&address_of(&name_of(own.get().unsigned_abs()).unwrap()).unwrap());
        let listener = listener.expect("the name is free");
        let patience = Duration::from_millis(700);
        let master = Master { patience, ..Master::of(own, "app.pid", getuid().as_raw()).unwrap() };
        let asked = |word: &str, words: &[Option<String>]| {
            std::thread::scope(|scope| {
                let waiting = scope.spawn(|| answer(&listener, words));
                let told = master.ask(word).map_err(|failure| failure.message);
                drop(waiting.join().expect("nobody fails there"));
                told
            })
        };
        let refusal = |word: &str, words: &[Option<String>]| {
            let message = asked(word, words).expect_err("there is no answer");
            message.rsplit_once(": ").map(|(_, why)| why.to_owned()).unwrap_or(message)
        };
        assert_eq!(refusal("stop", &[None]), "no answer to stop within 700ms");
        assert_eq!(refusal("reload", &[None, None]), "no answer to status within 700ms");
        let none = "no answer to reload within 700ms";
        assert_eq!(refusal("reload", &[None, Some(standing(false))]), none);
        assert_eq!(refusal("reload", &[None, Some(standing(true)), Some(standing(false))]), none);
        let told = asked("reload", &[Some(format!("{DONE} generation 2\n"))]);
        assert_eq!(told, Ok("generation 2".to_owned()));
    }
}
