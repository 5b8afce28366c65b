//! Many connections that do next to nothing, all in one thread: clients that drip, clients that are silent, clients that read
//! slowly. Not for measuring what they get: it is what others get beside them that counts. Runs in the measuring process.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Target;

/// Connections to one server.
#[derive(Debug)]
pub struct Crowd {
    members: Vec<TcpStream>,
    /// Members that the server has sent away.
    lost: usize,
}

/// How often each of them has its turn.
const TURN_EVERY: Duration = Duration::from_millis(50);

/// Longest time for one answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Descriptors of this process beside those of its crowd.
const OTHERS: u64 = 500;

/// Lets this process, and the servers that it starts from then on, have so many connections.
///
/// # Errors
/// The machine does not allow that.
pub fn allow(connections: usize) -> io::Result<()> {
    let wanted = connections as u64 + OTHERS;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < wanted) {
        setrlimit(Resource::Nofile, Rlimit { current: maximum.or(Some(wanted)), maximum })?;
    }
    match getrlimit(Resource::Nofile).current {
        Some(current) if current < wanted => {
            Err(io::Error::other(format!("{wanted} open files are needed, {current} are allowed (ulimit -Hn)")))
        }
        _ => Ok(()),
    }
}

impl Crowd {
    /// Connects so many.
    ///
    /// # Errors
    /// One of them cannot.
    pub fn connect(target: &Target, count: usize) -> io::Result<Self> {
        let Target::Tcp(address) = target else { return Err(io::Error::other("a crowd comes by TCP")) };
        let members: io::Result<Vec<TcpStream>> =
            (0..count).map(|_| TcpStream::connect_timeout(address, PATIENCE)).collect();
        Ok(Self { members: members?, lost: 0 })
    }

    /// How many the server has sent away.
    pub fn lost(&self) -> usize {
        self.lost
    }

    /// Each of them sends a request and waits for an answer that ends like this.
    ///
    /// # Errors
    /// One of them gets none.
    pub fn ask(&mut self, request: &[u8], end: &[u8]) -> io::Result<()> {
        for member in &mut self.members {
            member.set_read_timeout(Some(PATIENCE))?;
            member.write_all(request)?;
            let (mut answer, mut buffer) = (Vec::new(), [0; 4_096]);
            while !answer.ends_with(end) {
                match member.read(&mut buffer)? {
                    0 => return Err(ErrorKind::UnexpectedEof.into()),
                    count => answer.extend_from_slice(&buffer[..count]),
                }
            }
        }
        Ok(())
    }

    /// All of them send this.
    ///
    /// # Errors
    /// One of them cannot.
    pub fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.members.iter_mut().try_for_each(|member| member.write_all(bytes))
    }

    /// Each of them sends a byte a second, at its own time, until that is enough.
    ///
    /// # Errors
    /// Sockets that cannot be used without waiting.
    pub fn drip(&mut self, enough: impl Fn() -> bool) -> io::Result<()> {
        let turns = (Duration::from_secs(1).as_millis() / TURN_EVERY.as_millis()) as usize;
        self.take_turns(enough, |number, turn, member, _| {
            if number % turns != turn % turns {
                return Ok(());
            }
            member.write_all(b"a")
        })
    }

    /// Each of them reads so many bytes a second, until that is enough. How many all of them have read.
    ///
    /// # Errors
    /// Sockets that cannot be used without waiting.
    pub fn read_slowly(&mut self, bytes_per_s: usize, enough: impl Fn() -> bool) -> io::Result<u64> {
        let at_once = bytes_per_s / (Duration::from_secs(1).as_millis() / TURN_EVERY.as_millis()) as usize;
        let mut read = 0;
        self.take_turns(enough, |_, _, member, buffer| {
            buffer.resize(at_once, 0);
            match member.read(buffer)? {
                0 => Err(ErrorKind::UnexpectedEof.into()),
                count => {
                    read += count as u64;
                    Ok(())
                }
            }
        })?;
        Ok(read)
    }

    fn take_turns(
        &mut self,
        enough: impl Fn() -> bool,
        mut act: impl FnMut(usize, usize, &mut TcpStream, &mut Vec<u8>) -> io::Result<()>,
    ) -> io::Result<()> {
        self.members.iter().try_for_each(|member| member.set_nonblocking(true))?;
        let (began, mut buffer) = (Instant::now(), Vec::new());
        for turn in 0.. {
            if enough() {
                return Ok(());
            }
            let mut number = 0;
            self.members.retain_mut(|member| {
                number += 1;
                match act(number, turn, member, &mut buffer) {
                    Ok(()) => true,
                    Err(error) => error.kind() == ErrorKind::WouldBlock,
                }
            });
            self.lost += number - self.members.len();
            let due = TURN_EVERY * (turn as u32 + 1);
            std::thread::sleep(due.saturating_sub(began.elapsed()));
        }
        Ok(())
    }
}
