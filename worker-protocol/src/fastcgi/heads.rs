//! The heads of a FastCGI connection's requests, as the seam of all protocols wants them: [`Receiver`] around
//! [`receive::Receiver`], which sees each byte once. Pure.

use super::{Error, receive};
use crate::pairs::{Block, Limits, Marks, PathInfo};
use crate::progress::{Asks, Coming, Envelope, Form, Message, Progress};

/// Most memory that a connection keeps between two requests, so that many that wait take little.
const KEPT_BYTES_MAX: usize = 4_096;

/// Receives the heads of a connection's requests.
#[derive(Debug, Clone)]
pub struct Receiver {
    records: receive::Receiver,
    block: Vec<u8>,
    marks: Marks,
    /// Bytes of the request that the records have been fed.
    fed: usize,
}

impl Receiver {
    /// For a connection of which nothing was read. `capacity`: how many requests the instance takes at a time.
    pub fn new(limits: Limits, capacity: u32) -> Receiver {
        Receiver {
            records: receive::Receiver::new(limits, capacity),
            block: Vec::new(),
            marks: Marks::default(),
            fed: 0,
        }
    }

    /// `received`: all that has come so far since the last request was done with.
    pub fn feed(&mut self, received: &[u8], status_line: bool) -> Progress<Error> {
        self.advance(received, status_line).unwrap_or_else(Progress::Refused)
    }

    fn advance(&mut self, received: &[u8], status_line: bool) -> Result<Progress<Error>, Error> {
        loop {
            let step = self.records.next(received.get(self.fed..).unwrap_or_default(), usize::MAX)?;
            self.fed += step.consumed;
            match step.event {
                receive::Event::Need => return Ok(Progress::Need(1)),
                receive::Event::Close => return Err(Error::Unanswerable),
                receive::Event::Head => return self.head(status_line),
                // They belong to no request whose head is being received.
                receive::Event::Body(_) | receive::Event::BodyEnd | receive::Event::Aborted => {}
            }
        }
    }

    fn head(&mut self, status_line: bool) -> Result<Progress<Error>, Error> {
        self.block.clear();
        let variables_count = self.records.append_noting((&mut self.block, &mut self.marks))?;
        let message = Message {
            body: Coming::Wrapped,
            answer: self.form(status_line).unwrap_or(Form::Plain),
            persistent: self.records.keeps_connection(),
            expects_continue: false,
        };
        Ok(Progress::Head(Envelope {
            asks: Asks::Request(PathInfo::AsSent),
            modifiers: (0, 0),
            variables_count,
            block_bytes: self.block.len(),
            consumed: self.fed,
            message,
        }))
    }

    /// How the request under way is to be answered; `None` when there is none.
    pub fn form(&self, status_line: bool) -> Option<Form> {
        self.records.request_id().map(|id| Form::Records { id, status_line })
    }

    /// The variables of the head that it has yielded.
    pub fn block(&self, envelope: &Envelope) -> Block<'_> {
        Block::validated(&self.block, envelope.variables_count, &self.marks)
    }

    /// The same, and what unwraps the body.
    pub fn open(&mut self, envelope: &Envelope) -> (Block<'_>, &mut receive::Receiver) {
        (Block::validated(&self.block, envelope.variables_count, &self.marks), &mut self.records)
    }

    /// How many bytes at the start of what was received are of no use any more. They are to be removed: the next call
    /// of [`Receiver::feed`] begins behind them.
    pub fn release(&mut self) -> usize {
        std::mem::take(&mut self.fed)
    }

    /// The request is done with: what still comes of it is skipped.
    pub fn next_request(&mut self) {
        self.records.finish();
        self.fed = 0;
        if self.block.capacity() > KEPT_BYTES_MAX {
            self.block = Vec::new();
        }
    }

    /// Whether nothing of a request has come yet.
    pub fn is_idle(&self) -> bool {
        self.records.is_idle()
    }

    /// What is to be sent besides answers. The caller sends it and clears it.
    pub fn replies(&mut self) -> &mut Vec<u8> {
        self.records.replies()
    }
}
