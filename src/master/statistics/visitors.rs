//! Who is being told of the instance, how far each has come, and how much of that there may be. Nothing here waits. Master
//! only.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::rc::Rc;

use mio::Poll;

use super::super::doors::{Door, Manner};
use super::super::wake::Wake;
use crate::stats::{self, HEAD_BYTES_MAX};
use crate::sys::stream::{Stream, accept};

/// Most visitors at once; then the one who came first makes room.
const VISITORS_MAX: usize = 64;

/// Most bytes that visitors have not taken yet, all together; then the same.
const UNTAKEN_BYTES_MAX: usize = 16 << 20;

/// How long a visit may take.
const VISIT_US: u64 = 10_000_000;

/// Most who are let in before anything else gets its turn.
const WELCOMES_MAX: usize = 64;

/// Who is being told.
#[derive(Default)]
pub(in crate::master) struct Visitors {
    inside: BTreeMap<u32, Visitor>,
    next: u32,
}

struct Visitor {
    stream: Stream,
    manner: Manner,
    until_us: u64,
    stage: Stage,
    /// Whether the event loop tells of it.
    is_watched: bool,
}

enum Stage {
    /// It has not asked yet; what it has said so far.
    Asking(Vec<u8>),
    /// It is being told this, of which it has taken so much.
    Told { parts: [Rc<[u8]>; 2], taken: usize },
}

/// What a visitor wants to be told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    pub(super) manner: Manner,
    /// `None`: it connected, and that is all.
    pub(super) request: Option<stats::Request>,
}

impl Visitors {
    /// Lets in those who wait at a door; their numbers.
    pub(super) fn welcome(&mut self, number: u32, door: &Door, now_us: u64, poll: &Poll) -> Vec<u32> {
        let mut came = Vec::new();
        while came.len() < WELCOMES_MAX {
            let stream = match accept(&door.socket) {
                Ok(Some(stream)) => stream,
                Ok(None) => return came,
                Err(error) => {
                    log::warn!("{}: nobody is let in: {error}", door.socket.name);
                    break;
                }
            };
            while self.inside.len() >= VISITORS_MAX {
                self.inside.pop_first();
            }
            let (stage, until_us) = (Stage::Asking(Vec::new()), now_us.saturating_add(VISIT_US));
            self.inside.insert(self.next, Visitor { stream, manner: door.manner, until_us, stage, is_watched: false });
            came.push(self.next);
            self.next = self.next.wrapping_add(1);
        }
        // More may wait, of whom the event loop would not tell again by itself.
        if let Err(error) = Wake::Door(number).again(&door.socket, poll) {
            log::error!("{} is not heard any more: {error}", door.socket.name);
        }
        came
    }

    /// What a visitor asks, once it has. One who is being told takes what it has room for.
    pub(super) fn hear(&mut self, number: u32, poll: &Poll) -> Option<Question> {
        let visitor = self.inside.get_mut(&number)?;
        match visitor.question() {
            Heard::Question(question) => Some(question),
            Heard::Nothing => {
                self.watch(number, poll);
                None
            }
            Heard::Gone => {
                self.inside.remove(&number);
                None
            }
        }
    }

    /// Tells a visitor what it has asked for, and hangs up as soon as it has taken all of it.
    pub(super) fn tell(&mut self, number: u32, parts: [Rc<[u8]>; 2], poll: &Poll) {
        let Some(visitor) = self.inside.get_mut(&number) else { return };
        visitor.stage = Stage::Told { parts, taken: 0 };
        match visitor.go_on() {
            Heard::Nothing => {
                self.watch(number, poll);
                self.bound_untaken();
            }
            Heard::Gone | Heard::Question(_) => drop(self.inside.remove(&number)),
        }
    }

    /// When the first visit is to be over.
    pub(in crate::master) fn due_us(&self) -> Option<u64> {
        // In the order in which they came.
        self.inside.values().next().map(|visitor| visitor.until_us)
    }

    /// Hangs up on those whose time is over.
    pub(in crate::master) fn drop_late(&mut self, now_us: u64) {
        while self.due_us().is_some_and(|due_us| due_us <= now_us) {
            self.inside.pop_first();
        }
    }

    fn watch(&mut self, number: u32, poll: &Poll) {
        let Some(visitor) = self.inside.get_mut(&number).filter(|visitor| !visitor.is_watched) else { return };
        visitor.is_watched = true;
        if let Err(error) = Wake::Visitor(number).when_ready(&visitor.stream, poll) {
            log::warn!("somebody who asks for statistics is not heard: {error}");
            self.inside.remove(&number);
        }
    }

    fn bound_untaken(&mut self) {
        while self.inside.values().map(Visitor::untaken).sum::<usize>() > UNTAKEN_BYTES_MAX {
            self.inside.pop_first();
        }
    }
}

enum Heard {
    Question(Question),
    Nothing,
    Gone,
}

impl Visitor {
    fn question(&mut self) -> Heard {
        let Stage::Asking(said) = &mut self.stage else { return self.go_on() };
        if let Manner::Document | Manner::Agent = self.manner {
            return Heard::Question(Question { manner: self.manner, request: None });
        }
        loop {
            let mut bytes = [0; HEAD_BYTES_MAX];
            let room = HEAD_BYTES_MAX - said.len();
            match self.stream.read(&mut bytes[..room]) {
                Ok(0) => return Heard::Gone,
                Ok(count) => said.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Heard::Nothing,
                Err(_) => return Heard::Gone,
            }
            if let Some(request) = stats::read(said) {
                return Heard::Question(Question { manner: self.manner, request: Some(request) });
            }
        }
    }

    /// Writes what it has room for.
    fn go_on(&mut self) -> Heard {
        let Stage::Told { parts: [head, body], taken } = &mut self.stage else { return Heard::Nothing };
        loop {
            let first = head.get(*taken..).unwrap_or_default();
            let second = body.get(taken.saturating_sub(head.len())..).unwrap_or_default();
            if first.is_empty() && second.is_empty() {
                break;
            }
            match self.stream.write_parts([first, second, &[]]) {
                Ok(count) => *taken += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Heard::Nothing,
                Err(_) => return Heard::Gone,
            }
        }
        // A helper that was forked meanwhile has the connection open, too, and closing it here would be no end.
        let _ = self.stream.finish_writing();
        // What it has said on would have TCP reset the connection under the answer (RFC 2525, section 2.17).
        let _ = self.stream.read(&mut [0; HEAD_BYTES_MAX]);
        Heard::Gone
    }

    fn untaken(&self) -> usize {
        match &self.stage {
            Stage::Asking(said) => said.len(),
            Stage::Told { parts: [head, body], taken } => (head.len() + body.len()).saturating_sub(*taken),
        }
    }
}
