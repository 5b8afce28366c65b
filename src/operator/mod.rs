//! What the command line says to an instance that runs: stop, reload, pause, resume, status. Runs in a process of its
//! own that ends when it has the answer; the master's side is `master::operator`.

mod line;
pub(crate) mod words;

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use worker_protocol::ids::ProcessId;

use crate::cli::Command;
use crate::exit::Exit;
use crate::failure::StartFailure;
use crate::sys::process::PidFd;
use words::{DONE, FAILED};

/// How long a master may take to answer what it can answer at once.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// Carries out a command that is for another process.
pub(crate) fn carry_out(command: &Command) -> Result<Exit, StartFailure> {
    match command {
        Command::Reload { pidfile } => ask(pidfile, "reload"),
        Command::Stop { pidfile } => ask(pidfile, "stop"),
        Command::Pause { pidfile } => ask(pidfile, "pause"),
        Command::Resume { pidfile } => ask(pidfile, "resume"),
        Command::Status { target } => status(Path::new(target)),
        Command::ConnectAndRead { address } => connect_and_read(address),
        other => Err(StartFailure {
            message: format!("{other:?} is not for another process"),
            exit: Exit::Fault,
            option: None,
        }),
    }
}

/// Sends one word to the master of a pid file and waits for what comes of it.
fn ask(pidfile: &Path, word: &str) -> Result<Exit, StartFailure> {
    let pid = read_pid(pidfile)?;
    let gone = |error: io::Error| StartFailure {
        message: format!("process {} of {} does not answer: {error}", pid.get(), pidfile.display()),
        exit: Exit::NoInstance,
        option: None,
    };
    // Also proves that the process lives, so that a stale pid file is told apart from a refusal.
    PidFd::open(pid).map_err(gone)?;
    let mut stream = line::connect(pid, pidfile).map_err(gone)?;
    stream.write_all(format!("{word}\n").as_bytes()).map_err(gone)?;
    // A reload takes as long as the application takes to load; everything else is answered at once.
    stream.set_read_timeout((word != "reload").then_some(ANSWER_WITHIN)).map_err(gone)?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => gone(io::Error::other(format!("nothing came within {ANSWER_WITHIN:?}"))),
        _ => gone(error),
    })?;
    // It may quote the application.
    let answer = crate::escape::said(&String::from_utf8_lossy(&answer));
    match answer.trim_end().split_once(' ').unwrap_or((answer.trim_end(), "")) {
        (DONE, told) => {
            if !told.is_empty() {
                say(told);
            }
            Ok(Exit::Success)
        }
        (FAILED, why) => {
            Err(StartFailure { message: format!("{word} failed: {why}"), exit: Exit::Reload, option: None })
        }
        _ => Err(StartFailure {
            message: format!("the instance went away before it said what came of the {word}"),
            exit: Exit::NoInstance,
            option: None,
        }),
    }
}

/// Prints how an instance is doing: by its pid file, its statistics socket, or its master fifo.
fn status(target: &Path) -> Result<Exit, StartFailure> {
    match fs::metadata(target).map(|found| found.file_type()) {
        Ok(kind) if kind.is_socket() => connect_and_read(&target.to_string_lossy()),
        Ok(kind) if kind.is_fifo() => ask_fifo(target),
        Ok(_) => ask(target, "status"),
        Err(_) if target.to_string_lossy().contains(':') => connect_and_read(&target.to_string_lossy()),
        Err(error) => Err(no_input(target, &error)),
    }
}

/// A fifo cannot answer: the master writes its state into its log.
fn ask_fifo(fifo: &Path) -> Result<Exit, StartFailure> {
    let mut open = fs::OpenOptions::new();
    // Non-blocking, so that a fifo that no master reads is an error and not a wait without end.
    let opened = open.write(true).custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits()).open(fifo);
    opened.and_then(|mut fifo| fifo.write_all(b"s")).map_err(|error| StartFailure {
        message: format!("nobody reads {}: {error}", fifo.display()),
        exit: Exit::NoInstance,
        option: None,
    })?;
    say("the state of the instance is in its log; a pid file or a statistics socket would answer here");
    Ok(Exit::Success)
}

fn say(line: &str) {
    // A reader that has gone (`| head`) is no error of ours.
    let _ = writeln!(io::stdout(), "{line}");
}

fn connect_and_read(address: &str) -> Result<Exit, StartFailure> {
    let failed = |error: io::Error| StartFailure {
        message: format!("cannot read from {address}: {error}"),
        exit: Exit::NoInstance,
        option: None,
    };
    let mut out = io::stdout();
    let copied = match address.parse::<std::net::SocketAddr>() {
        Ok(tcp) => TcpStream::connect(tcp).and_then(|mut stream| io::copy(&mut stream, &mut out)),
        Err(_) => UnixStream::connect(PathBuf::from(address)).and_then(|mut stream| io::copy(&mut stream, &mut out)),
    };
    copied.map(|_| Exit::Success).map_err(failed)
}

fn read_pid(pidfile: &Path) -> Result<ProcessId, StartFailure> {
    let file = fs::File::open(pidfile).map_err(|error| no_input(pidfile, &error))?;
    let mut line = String::new();
    BufReader::new(file).read_line(&mut line).map_err(|error| no_input(pidfile, &error))?;
    line.trim().parse().ok().and_then(ProcessId::new).ok_or_else(|| StartFailure {
        message: format!("{} holds no process id: {:?}", pidfile.display(), line.trim()),
        exit: Exit::Input,
        option: None,
    })
}

fn no_input(path: &Path, error: &io::Error) -> StartFailure {
    StartFailure { message: format!("cannot read {}: {error}", path.display()), exit: Exit::Input, option: None }
}
