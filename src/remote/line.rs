//! A connection to somebody who is asked for something. No step of it takes longer than the patience that it is given; only the
//! system's resolver, where a host has a name, has deadlines of its own. Any process.

use std::io::{self, ErrorKind};
use std::net::ToSocketAddrs;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use crate::sys::clock::monotonic_us;

/// Bytes that room is made for at once, whatever the other side announces.
const ROOM_BYTES: usize = 64 * 1024;

/// A connection.
#[derive(Debug)]
pub(crate) struct Line {
    socket: Socket,
    patience: Duration,
}

impl Line {
    /// To an address as `socket` takes them: `HOST:PORT`, a path, or `@NAME`.
    ///
    /// # Errors
    /// Nobody is there in time.
    pub(crate) fn to(address: &str, patience: Duration) -> io::Result<Self> {
        let (domain, address) = resolve(address)?;
        let socket = Socket::new(domain, Type::STREAM.cloexec(), None)?;
        // Without waiting in a queue that is full.
        socket.connect_timeout(&address, patience)?;
        Ok(Self { socket, patience })
    }

    /// Sends all of it.
    ///
    /// # Errors
    /// The other side does not take it in time.
    pub(crate) fn send(&self, mut bytes: &[u8]) -> io::Result<()> {
        let end_us = self.end_us();
        while !bytes.is_empty() {
            self.socket.set_write_timeout(Some(rest(end_us)?))?;
            match self.socket.send_with_flags(bytes, libc::MSG_NOSIGNAL) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what comes first, as far as there is room; 0 at the end.
    ///
    /// # Errors
    /// Nothing comes in time.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_until(buffer, self.end_us())
    }

    /// When a step that begins now is to be over.
    fn end_us(&self) -> u64 {
        monotonic_us().saturating_add(self.patience.as_micros().try_into().unwrap_or(u64::MAX))
    }

    fn read_until(&self, buffer: &mut [u8], end_us: u64) -> io::Result<usize> {
        loop {
            self.socket.set_read_timeout(Some(rest(end_us)?))?;
            match io::Read::read(&mut &self.socket, buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }

    /// Reads a header of four bytes; `None`: the other side has ended the connection without a byte.
    ///
    /// # Errors
    /// It does not come in time, or not whole.
    pub(crate) fn header(&self) -> io::Result<Option<[u8; 4]>> {
        let end_us = self.end_us();
        let mut header = [0; 4];
        let mut filled = 0;
        while filled < header.len() {
            match self.read_until(&mut header[filled..], end_us) {
                Ok(0) if filled == 0 => return Ok(None),
                // The same where it had not read all that was sent.
                Err(error) if filled == 0 && is_end(&error) => return Ok(None),
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => filled += count,
                Err(error) => return Err(error),
            }
        }
        Ok(Some(header))
    }

    /// Reads so many bytes.
    ///
    /// # Errors
    /// They do not come in time, or not all of them.
    pub(crate) fn take(&self, bytes: usize) -> io::Result<Vec<u8>> {
        let end_us = self.end_us();
        let mut taken = Vec::new();
        while taken.len() < bytes {
            let from = taken.len();
            taken.resize(bytes.min(from + ROOM_BYTES), 0);
            match self.read_until(&mut taken[from..], end_us)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                count => taken.truncate(from + count),
            }
        }
        Ok(taken)
    }
}

/// Whether the other side has ended the connection.
pub(crate) fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

/// What is left of a time.
fn rest(end_us: u64) -> io::Result<Duration> {
    match end_us.saturating_sub(monotonic_us()) {
        0 => Err(ErrorKind::TimedOut.into()),
        rest_us => Ok(Duration::from_micros(rest_us)),
    }
}

fn resolve(text: &str) -> io::Result<(Domain, SockAddr)> {
    if text.contains(':') && !text.contains('/') {
        let text = if text.starts_with(':') { format!("127.0.0.1{text}") } else { text.to_owned() };
        let first = text.to_socket_addrs()?.next().ok_or_else(|| io::Error::other("there is no such host"))?;
        return Ok((Domain::for_address(first), first.into()));
    }
    let path = text.strip_prefix('@').map_or_else(|| text.to_owned(), |name| format!("\0{name}"));
    Ok((Domain::UNIX, SockAddr::unix(path)?))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixListener;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// A line to somebody who says this and ends.
    fn line_to(says: &'static [u8]) -> Line {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("s");
        let listener = UnixListener::bind(&path).expect("a socket");
        let line = Line::to(&path.display().to_string(), LONG).expect("a connection");
        let (mut peer, _) = listener.accept().expect("the same");
        peer.write_all(says).expect("there is room");
        line
    }

    #[test]
    fn what_ends_early_is_not_whole() {
        assert_eq!(line_to(b"").header().expect("an end"), None);
        assert_eq!(line_to(b"abc").header().expect_err("cut").kind(), ErrorKind::UnexpectedEof);
        let line = line_to(b"abcdef");
        assert_eq!(line.header().expect("four bytes"), Some(*b"abcd"));
        assert_eq!(line.take(3).expect_err("cut").kind(), ErrorKind::UnexpectedEof);
        assert_eq!(line_to(b"abcdef").take(6).expect("all"), b"abcdef");
    }

    #[test]
    fn who_says_nothing_is_not_waited_for_longer_than_that() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("s").display().to_string();
        let _listener = UnixListener::bind(&path).expect("a socket");
        let line = Line::to(&path, Duration::from_millis(20)).expect("the kernel connects");
        line.send(b"hello").expect("there is room");
        assert!(line.header().is_err() && line.take(1).is_err());
        // A peer that takes nothing more.
        let much = vec![0; 64 << 20];
        assert!(line.send(&much).is_err());
    }

    #[test]
    fn what_is_sent_arrives() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("s").display().to_string();
        let listener = UnixListener::bind(&path).expect("a socket");
        let line = Line::to(&path, LONG).expect("a connection");
        let (mut peer, _) = listener.accept().expect("the same");
        line.send(b"hello").expect("there is room");
        let mut got = [0; 5];
        peer.read_exact(&mut got).expect("all");
        assert_eq!(&got, b"hello");
    }
}
