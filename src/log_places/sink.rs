//! A place for lines, and how a line gets there: with one call, without waiting. Workers, and the collector.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::command::Reader;
use super::datagram::Wrapping;
use crate::config::model::LogPlace;
use crate::sys::datagrams::udp_to;
use crate::sys::files::{leads_to, open_to_write};
use crate::sys::machine;

/// How often it is looked whether a file has still its name.
const LOOK_EVERY_US: u64 = 1_000_000;

/// The socket of the machine's own syslog.
const SYSLOG: &str = "/dev/log";

/// That of systemd's journal.
const JOURNAL: &str = "/run/systemd/journal/socket";

/// A place for lines.
#[derive(Debug)]
pub(super) enum Sink {
    /// Where the log is.
    Stdio,
    File(Named),
    Unix {
        to: PathBuf,
        socket: Option<UnixDatagram>,
        wrapping: Wrapping,
    },
    Udp {
        to: SocketAddr,
        socket: Option<UdpSocket>,
        wrapping: Wrapping,
    },
    Command(Reader),
}

/// A file by its name: another one in its place is found within a second, so that whoever rotates need not say so.
#[derive(Debug)]
pub(super) struct Named {
    path: PathBuf,
    mode: Option<u32>,
    open: Option<File>,
    looked_us: u64,
}

impl Sink {
    pub(super) fn to(place: &LogPlace, mode: Option<u32>) -> Self {
        let unix = |to: &Path, wrapping| Self::Unix { to: to.to_owned(), socket: None, wrapping };
        let udp = |to: &SocketAddr, wrapping| Self::Udp { to: *to, socket: None, wrapping };
        match place {
            LogPlace::Stdio => Self::Stdio,
            LogPlace::File(path) => Self::File(Named { path: path.clone(), mode, open: None, looked_us: 0 }),
            LogPlace::Unix(path) => unix(path, Wrapping::Bare),
            LogPlace::Udp(address) => udp(address, Wrapping::Bare),
            LogPlace::Syslog(tag) => unix(Path::new(SYSLOG), Wrapping::Syslog(tag.clone())),
            LogPlace::RemoteSyslog(address, tag) => udp(address, Wrapping::Syslog(tag.clone())),
            LogPlace::RemoteSyslog5424(address, tag) => {
                udp(address, Wrapping::Syslog5424 { host: machine::host_name(), tag: tag.clone() })
            }
            LogPlace::Journal(tag) => unix(Path::new(JOURNAL), Wrapping::Journal(tag.clone())),
            LogPlace::Pipe(command) => Self::Command(Reader::of(command)),
        }
    }

    /// Writes a line.
    ///
    /// # Errors
    /// Why it was not taken. It is lost then.
    pub(super) fn write(&mut self, line: &str, now_us: u64) -> io::Result<()> {
        match self {
            Self::Stdio => {
                crate::logging::put(line);
                Ok(())
            }
            Self::File(named) => named.write(&with_end(line), now_us),
            Self::Unix { to, socket, wrapping } => {
                let socket = match socket {
                    Some(socket) => socket,
                    None => socket.insert(unix_socket()?),
                };
                socket.send_to(&wrapping.of(line, now_us), to).map(drop)
            }
            Self::Udp { to, socket, wrapping } => {
                let socket = match socket {
                    Some(socket) => socket,
                    None => socket.insert(udp_to(*to)?),
                };
                socket.send(&wrapping.of(line, now_us)).map(drop)
            }
            Self::Command(reader) => reader.write(&with_end(line), now_us),
        }
    }

    /// What is waited for to take the rest of what was begun.
    pub(super) fn waiting(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Command(reader) => reader.waiting(),
            _ => None,
        }
    }

    /// Goes on with that.
    pub(super) fn go_on(&mut self) {
        if let Self::Command(reader) = self {
            // Its end is told of with the next line that it does not take.
            let _ = reader.go_on();
        }
    }

    /// Nothing more comes. Whether there is nothing left to wait for.
    pub(super) fn finish(&mut self) -> bool {
        match self {
            Self::Command(reader) => reader.finish(),
            _ => true,
        }
    }
}

impl Named {
    fn write(&mut self, line: &str, now_us: u64) -> io::Result<()> {
        if self.open.is_none() || now_us.saturating_sub(self.looked_us) >= LOOK_EVERY_US {
            self.looked_us = now_us;
            if !self.open.as_ref().is_some_and(|file| leads_to(&self.path, file)) {
                self.open = Some(open(&self.path, self.mode)?);
            }
        }
        match &mut self.open {
            Some(file) => match file.write(line.as_bytes())? {
                count if count == line.len() => Ok(()),
                _ => Err(io::Error::new(ErrorKind::WriteZero, "only the beginning of a line was taken")),
            },
            None => Err(ErrorKind::NotFound.into()),
        }
    }
}

/// Opens a file for lines. A fifo is not waited for.
///
/// # Errors
/// What the system says.
pub(super) fn open(path: &Path, mode: Option<u32>) -> io::Result<File> {
    let file = open_to_write(path, OFlag::O_APPEND | OFlag::O_NONBLOCK, 0o640)?;
    if let Some(mode) = mode {
        // What belongs to another user keeps its mode.
        let _ = file.set_permissions(std::fs::Permissions::from_mode(mode));
    }
    Ok(file)
}

fn unix_socket() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn with_end(line: &str) -> String {
    format!("{}\n", line.trim_end_matches('\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_renamed_is_left_for_the_one_that_has_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("req.log");
        let mut sink = Sink::to(&LogPlace::File(path.clone()), Some(0o600));
        sink.write("one", 5_000_000).unwrap();
        std::fs::rename(&path, directory.path().join("old")).unwrap();
        sink.write("two\n", 5_500_000).unwrap();
        sink.write("three", 6_000_000).unwrap();
        let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
        assert_eq!((read("old").as_str(), read("req.log").as_str()), ("one\ntwo\n", "three\n"));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_fifo_that_nobody_reads_and_a_socket_that_nobody_has_are_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(Sink::to(&LogPlace::File(fifo), None).write("x", 0).is_err());
        let path = directory.path().join("socket");
        let mut sink = Sink::to(&LogPlace::Unix(path.clone()), None);
        assert!(sink.write("lost", 0).is_err());
        let receiver = UnixDatagram::bind(&path).unwrap();
        sink.write("x", 0).unwrap();
        let mut bytes = [0; 16];
        let count = receiver.recv(&mut bytes).unwrap();
        assert_eq!(&bytes[..count], b"x\n");
        // Nobody reads it: it is full soon.
        assert!((0..100_000).any(|_| sink.write(&"y".repeat(1_000), 0).is_err()));
    }
}
