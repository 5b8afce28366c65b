//! Who is told a document, and how far each has come: whoever connects gets all of it, at the pace at which it is taken, and
//! then the end of the connection. Nothing here waits; how many there are and how long each may take is bounded. Used in the
//! Emperor and in routers.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, RawFd};

use super::stream::Stream;

/// Most who are told at the same time, and how long each may take.
const VISITORS_MAX: usize = 16;
const VISIT_US: u64 = 10_000_000;

/// Most bytes that one may say first.
const SAID_BYTES_MAX: usize = 4_096;

/// What is made of the document once a visitor has said what it wants; false: it has not yet. Asked anew whenever more has
/// come, up to 4 KiB.
pub type Hear = fn(said: &[u8], document: &mut Vec<u8>) -> bool;

/// One who has not taken all of it yet.
struct Visitor {
    stream: Stream,
    /// What it has said so far, while it is to say something first.
    asking: Option<(Hear, Vec<u8>)>,
    document: Vec<u8>,
    taken: usize,
    until_us: u64,
}

/// All of them, in the order in which they came.
#[derive(Default)]
pub struct Visitors {
    inside: BTreeMap<u32, Visitor>,
    next: u32,
}

impl Visitor {
    /// Whether it has taken all, or is gone.
    fn go_on(&mut self) -> io::Result<bool> {
        if !self.has_asked()? {
            return Ok(false);
        }
        while self.taken < self.document.len() {
            match self.stream.write(&self.document[self.taken..]) {
                Ok(0) => return Ok(true),
                Ok(count) => self.taken += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        self.stream.finish_writing()?;
        // What it has said on would have TCP reset the connection under the document (RFC 2525, section 2.17).
        let _ = self.stream.read(&mut [0; SAID_BYTES_MAX]);
        Ok(true)
    }

    fn has_asked(&mut self) -> io::Result<bool> {
        let Some((hear, said)) = &mut self.asking else { return Ok(true) };
        let mut bytes = [0; SAID_BYTES_MAX];
        loop {
            let room = SAID_BYTES_MAX - said.len();
            match self.stream.read(&mut bytes[..room]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => said.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
            if hear(said, &mut self.document) || said.len() == SAID_BYTES_MAX {
                self.asking = None;
                return Ok(true);
            }
        }
    }
}

impl Visitors {
    /// Tells one, who came just now; `hear`: after it has said what it wants. With a number, if it takes the rest later: what
    /// is to be watched for that.
    pub fn tell(&mut self, stream: Stream, document: Vec<u8>, hear: Option<Hear>, now_us: u64) -> Option<(u32, RawFd)> {
        let until_us = now_us.saturating_add(VISIT_US);
        let mut visitor = Visitor { stream, asking: hear.map(|hear| (hear, Vec::new())), document, taken: 0, until_us };
        if visitor.go_on().unwrap_or(true) {
            return None;
        }
        if self.inside.len() >= VISITORS_MAX {
            self.inside.pop_first();
        }
        let (number, raw) = (self.next, visitor.stream.as_fd().as_raw_fd());
        self.next = number.wrapping_add(1);
        self.inside.insert(number, visitor);
        Some((number, raw))
    }

    /// Whether nobody is being told.
    pub fn is_empty(&self) -> bool {
        self.inside.is_empty()
    }

    /// When the first one has had time enough.
    pub fn due_us(&self) -> Option<u64> {
        self.inside.values().next().map(|visitor| visitor.until_us)
    }

    /// Hangs up on those whose time is over.
    pub fn drop_late(&mut self, now_us: u64) {
        while self.due_us().is_some_and(|due_us| due_us <= now_us) {
            self.inside.pop_first();
        }
    }

    /// One has room for more, or has said something.
    pub fn go_on(&mut self, number: u32) {
        if self.inside.get_mut(&number).is_some_and(|visitor| visitor.go_on().unwrap_or(true)) {
            self.inside.remove(&number);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;
    use crate::sys::stream::accept;

    fn connected() -> (UnixStream, Stream) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let listener = UnixListener::bind(directory.path().join("s")).expect("a socket");
        let client = UnixStream::connect(directory.path().join("s")).expect("a connection");
        (client, accept(&listener).expect("a listening socket").expect("the client"))
    }

    /// Whoever is told of a whole request, and of whatever fills the room.
    fn a_line(said: &[u8], document: &mut Vec<u8>) -> bool {
        document.extend_from_slice(if said == b"more\n" { b" and more" } else { b"" });
        said.ends_with(b"\n")
    }

    #[test]
    fn who_is_to_say_something_first_is_told_when_that_is_whole() {
        let mut visitors = Visitors::default();
        let (mut client, stream) = connected();
        let number = visitors.tell(stream, b"this".to_vec(), Some(a_line), 1).expect("it has said nothing").0;
        for piece in ["mo", "re\n"] {
            assert!(!visitors.is_empty());
            client.write_all(piece.as_bytes()).expect("a piece");
            visitors.go_on(number);
        }
        assert!(visitors.is_empty());
        let mut told = String::new();
        client.read_to_string(&mut told).expect("the document");
        assert_eq!(told, "this and more");
    }

    #[test]
    fn who_takes_nothing_is_hung_up_on_in_time_and_who_comes_first_goes_first() {
        let mut visitors = Visitors::default();
        let document = vec![b'x'; 4 << 20];
        let mut clients = Vec::new();
        for now_us in 0..=VISITORS_MAX as u64 {
            let (client, stream) = connected();
            assert!(visitors.tell(stream, document.clone(), None, now_us).is_some(), "more than fits");
            clients.push(client);
        }
        assert_eq!(visitors.inside.len(), VISITORS_MAX);
        assert_eq!(visitors.due_us(), Some(1 + VISIT_US), "the first one had to go");
        visitors.drop_late(VISIT_US + 2);
        assert_eq!(visitors.due_us(), Some(3 + VISIT_US));
        let mut told = Vec::new();
        clients[0].read_to_end(&mut told).expect("its end");
        assert!(!told.is_empty() && told.len() < document.len());
    }
}
