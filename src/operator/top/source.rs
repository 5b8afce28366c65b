//! Where `rhinod top` looks: a master by its operators' socket, which also takes orders, or an address that tells of an
//! instance over HTTP. The operator's process only.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use worker_protocol::ids::ProcessId;

use crate::exit::Exit;
use crate::failure::StartFailure;
use crate::operator::asking::{ANSWER_BYTES_MAX, Master, ReadPlaces, brief_in, failure};
use crate::operator::instance::{self, Instance};
use crate::stats::{BRIEF_PATH, Brief};

/// How long an address may take.
const WITHIN: Duration = Duration::from_secs(5);

/// An instance that can be looked at.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Master { pid: ProcessId, named: String, owner: u32 },
    Address(String),
}

impl Source {
    /// The one that is meant.
    pub(super) fn find(word: &OsStr, places: ReadPlaces<'_>) -> Result<Self, StartFailure> {
        match instance::find(word, places)? {
            Instance::Master { pid, named, owner } => Ok(Self::Master { pid, named, owner }),
            Instance::Statistics(address) => Ok(Self::Address(address)),
            Instance::Fifo(fifo) => Err(failure(
                Exit::Usage,
                format!("{} cannot answer: give the instance's pid file or process id", fifo.display()),
            )),
        }
    }

    /// Looks once.
    pub(super) fn look(&self) -> Result<Brief, StartFailure> {
        match self {
            Self::Master { pid, named, owner } => Master::of(*pid, named, *owner)?.brief(),
            Self::Address(address) => {
                let failed =
                    |error: io::Error| failure(Exit::NoInstance, format!("cannot read from {address}: {error}"));
                brief_in(&ask_over_http(address).map_err(failed)?, address)
            }
        }
    }

    /// Has the instance do something; what comes of it.
    pub(super) fn order(&self, what: &str) -> String {
        match self {
            Self::Address(address) => format!("{address} takes no orders: give the pid file"),
            Self::Master { pid, named, owner } => {
                match Master::of(*pid, named, *owner).and_then(|master| master.ask(what)) {
                    Ok(told) if told.is_empty() => format!("{what}: done"),
                    Ok(told) => format!("{what}: {told}"),
                    Err(failure) => failure.message,
                }
            }
        }
    }
}

fn ask_over_http(address: &str) -> io::Result<Vec<u8>> {
    match address.parse::<SocketAddr>() {
        Ok(tcp) => {
            let stream = TcpStream::connect_timeout(&tcp, WITHIN)?;
            stream.set_read_timeout(Some(WITHIN))?;
            body_of(stream)
        }
        Err(_) => {
            let stream = UnixStream::connect(address)?;
            stream.set_read_timeout(Some(WITHIN))?;
            body_of(stream)
        }
    }
}

fn body_of(mut stream: impl Read + Write) -> io::Result<Vec<u8>> {
    write!(stream, "GET {BRIEF_PATH} HTTP/1.0\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX as u64).read_to_end(&mut answer)?;
    let speaks_http = answer.starts_with(b"HTTP/");
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").filter(|_| speaks_http);
    match end {
        Some(end) => Ok(answer.split_off(end + 4)),
        None => Err(io::Error::other(
            "it does not speak HTTP: give the pid file, the address of `metrics`, or add `stats-http = true`",
        )),
    }
}
