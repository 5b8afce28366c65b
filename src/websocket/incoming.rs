//! What a client sends: frames out of bytes in any pieces, and messages out of frames. Each connection has one of its own.

use super::close::Close;
use super::fault::Fault;
use super::frame::{Head, Opcode};
use super::text::Text;

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A whole message.
    Message(Message),
    /// A question whether anybody is there, to be answered with the same bytes.
    Ping(Vec<u8>),
    /// The answer to one.
    Pong,
    /// The other side has nothing more to say.
    Close(Close),
}

/// One message, however many frames it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Whether it is text.
    pub kind: Kind,
    /// What it says; UTF-8 where it is text.
    pub bytes: Vec<u8>,
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// Anything.
    Binary,
}

/// What has come and is not whole.
#[derive(Debug)]
pub struct Incoming {
    message_bytes_max: u64,
    /// Bytes that were not looked at, from `at` on.
    received: Vec<u8>,
    at: usize,
    /// The frame that is coming, and how much of its payload was taken.
    frame: Option<(Head, u64)>,
    message: Option<Partial>,
    /// The payload of a control frame, which may come between the parts of a message.
    control: Vec<u8>,
}

/// A message of which the end has not come.
#[derive(Debug)]
struct Partial {
    bytes: Vec<u8>,
    /// `None`: it is no text.
    text: Option<Text>,
}

impl Incoming {
    /// Of a connection whose messages may have so many bytes.
    pub fn new(message_bytes_max: u64) -> Self {
        Self { message_bytes_max, received: Vec::new(), at: 0, frame: None, message: None, control: Vec::new() }
    }

    /// Takes in what came.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.received.drain(..std::mem::take(&mut self.at));
        self.received.extend_from_slice(bytes);
    }

    /// Gives back room that is not used while nothing comes.
    pub fn give_back(&mut self) {
        if self.received.len() == self.at {
            (self.received, self.at) = (Vec::new(), 0);
        }
        if self.control.is_empty() {
            self.control = Vec::new();
        }
    }

    /// How many bytes to read at most so as not to read beyond the present frame.
    pub fn wants(&self) -> usize {
        let here = self.received.len() - self.at;
        let needed = match &self.frame {
            Some((head, taken)) => usize::try_from(head.length - taken).unwrap_or(usize::MAX),
            None => match Head::read(&self.received[self.at..]) {
                Ok(Err(total)) => total,
                _ => Head::BYTES_MIN,
            },
        };
        needed.saturating_sub(here).max(1)
    }

    /// Whether nothing is left of what it was fed.
    #[cfg(test)]
    pub(super) fn is_used_up(&self) -> bool {
        self.received.len() == self.at
    }

    /// What came next; `None`: it is not whole yet.
    ///
    /// # Errors
    /// What is wrong with it. Nothing after that means anything.
    pub fn next_event(&mut self) -> Result<Option<Event>, Fault> {
        loop {
            let Some((head, mut taken)) = self.frame else {
                let Ok((head, bytes)) = Head::read(&self.received[self.at..])? else { return Ok(None) };
                self.at += bytes;
                self.begin(&head)?;
                self.frame = Some((head, 0));
                continue;
            };
            taken += self.take(&head, taken)?;
            self.frame = Some((head, taken));
            if taken < head.length {
                return Ok(None);
            }
            self.frame = None;
            if let Some(event) = self.end(&head)? {
                return Ok(Some(event));
            }
        }
    }

    /// A frame begins: whether it may come now, and is not too large.
    fn begin(&mut self, head: &Head) -> Result<(), Fault> {
        match head.opcode {
            Opcode::Close | Opcode::Ping | Opcode::Pong => return Ok(()),
            Opcode::Continuation if self.message.is_none() => {
                return Err(Fault::Protocol("the next part of a message that was not begun"));
            }
            Opcode::Text | Opcode::Binary if self.message.is_some() => {
                return Err(Fault::Protocol("a message before the end of another"));
            }
            Opcode::Continuation => {}
            Opcode::Text => self.message = Some(Partial { bytes: Vec::new(), text: Some(Text::default()) }),
            Opcode::Binary => self.message = Some(Partial { bytes: Vec::new(), text: None }),
        }
        let before = self.message.as_ref().map_or(0, |message| message.bytes.len() as u64);
        let (bytes, most) = (before.saturating_add(head.length), self.message_bytes_max);
        if bytes > most { Err(Fault::TooBig { bytes, most }) } else { Ok(()) }
    }

    /// Takes what is here of the payload; how many bytes.
    fn take(&mut self, head: &Head, taken: u64) -> Result<u64, Fault> {
        let here = self.received.len() - self.at;
        let count = usize::try_from(head.length - taken).unwrap_or(usize::MAX).min(here);
        let part = &mut self.received[self.at..self.at + count];
        head.unmask(part, taken);
        self.at += count;
        match &mut self.message {
            Some(message) if !head.opcode.is_control() => {
                if message.text.as_mut().is_some_and(|text| !text.take(part)) {
                    return Err(Fault::NotText);
                }
                message.bytes.extend_from_slice(part);
            }
            _ => self.control.extend_from_slice(part),
        }
        Ok(count as u64)
    }

    /// A frame has come to its end.
    fn end(&mut self, head: &Head) -> Result<Option<Event>, Fault> {
        match head.opcode {
            Opcode::Ping => Ok(Some(Event::Ping(std::mem::take(&mut self.control)))),
            Opcode::Pong => {
                self.control.clear();
                Ok(Some(Event::Pong))
            }
            Opcode::Close => Close::read(&std::mem::take(&mut self.control)).map(|close| Some(Event::Close(close))),
            Opcode::Continuation | Opcode::Text | Opcode::Binary if !head.is_final => Ok(None),
            Opcode::Continuation | Opcode::Text | Opcode::Binary => self.end_message(),
        }
    }

    fn end_message(&mut self) -> Result<Option<Event>, Fault> {
        let Some(Partial { bytes, text }) = self.message.take() else { return Ok(None) };
        if text.as_ref().is_some_and(|text| !text.is_whole()) {
            return Err(Fault::NotText);
        }
        let kind = if text.is_some() { Kind::Text } else { Kind::Binary };
        Ok(Some(Event::Message(Message { kind, bytes })))
    }
}
