//! How a thread leaves that keeps connections: it accepts nothing more, and for a moment answers what still comes on those
//! it has, each answer being the last of its connection. Worker only.
//!
//! A client that uses a kept connection just when it is closed cannot know whether its request was heard. The moment
//! makes that rare: whoever is in the middle of a dialogue gets an answer that says that it is the last. It is short, so
//! that no idle client holds up a reload.

use std::io;

use super::accept_loop::{BACK, Core, Hears};
use super::exchange::Service;
use crate::logging::waiting;

/// How long.
const FAREWELL_US: u64 = 1_000_000;

impl Core<'_> {
    /// Serves out what is kept.
    pub(super) fn take_leave<S: Service + ?Sized>(&mut self, service: &S) -> io::Result<()> {
        waiting::send();
        if self.keeping.is_empty() {
            return Ok(());
        }
        self.hear_nobody()?;
        let now_us = self.look_at_clock();
        self.keeping.hurry(now_us + FAREWELL_US);
        while !self.keeping.is_empty() {
            match self.keeping.take_ready() {
                Some(kept) => self.attend(service, kept, true)?,
                None => self.await_last_words(service)?,
            }
        }
        Ok(())
    }

    /// Orders change nothing any more, and whoever knocks is for others.
    fn hear_nobody(&self) -> io::Result<()> {
        let member = self.worker.member();
        match self.hears {
            Hears::Master => self.waiting.remove(&member.control())?,
            Hears::Bell => self.waiting.remove(member.bell())?,
        }
        let number = member.post().number;
        let mut served = member.listeners().iter().filter(|listening| listening.is_served_by(number));
        served.try_for_each(|listening| self.waiting.remove(&listening.socket))
    }

    fn await_last_words<S: Service + ?Sized>(&mut self, service: &S) -> io::Result<()> {
        let patience_ms = self.keeping.patience_us(self.now_us).map(|patience_us| patience_us.div_ceil(1_000));
        waiting::send();
        let token = self.waiting.wait(patience_ms)?;
        self.look_at_clock();
        match token {
            Some(BACK) => self.take_back(true)?,
            Some(token) => {
                if let Some(number) = self.keeping.number_of(token) {
                    self.attend_again(service, number, true)?;
                }
            }
            None => {}
        }
        self.expire(service, true)
    }
}
