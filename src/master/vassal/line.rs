//! The line to the Emperor that started this instance, and when there is something to say on it. Master only.

use std::io;

use mio::Poll;

use super::super::passed::Passed;
use super::super::wake::{Wake, no_more};
use super::ours::Ours;
use crate::supervision::record::BEGINS;
use crate::supervision::vassal::{EMPEROR_FD, FromVassal, ToVassal};
use crate::sys::line::{Line, Said};

/// The line to the Emperor.
pub(in crate::master) struct Vassal {
    pub(super) line: Line,
    /// What there is to say beyond uWSGI's bytes, if the Emperor is a rhinod.
    pub(super) ours: Option<Ours>,
    /// When to look again whether a request was answered, and how long after that. `None`: one was.
    pub(super) look: Option<(u64, u64)>,
    /// When to say that it lives.
    pub(super) beat_us: Option<u64>,
    /// When to see whether it needs reinforcements.
    pub(super) plead_us: Option<u64>,
}

impl Vassal {
    /// Of the environment that this process was started with. `None`: nobody's vassal.
    ///
    /// # Errors
    /// When the descriptor that it names is not there.
    pub(in crate::master) fn of_environment() -> io::Result<Option<Self>> {
        let number = std::env::var(EMPEROR_FD).ok().and_then(|number| number.parse().ok());
        Ok(number.map(Line::inherited).transpose()?.map(Self::on))
    }

    /// Goes on with the line of the image before.
    pub(in crate::master) fn adopt(line: Passed) -> io::Result<Self> {
        line.take().and_then(Line::from_owned).map(Self::on)
    }

    fn on(line: Line) -> Self {
        Self::with(line, Ours::of_environment())
    }

    pub(super) fn with(line: Line, ours: Option<Ours>) -> Self {
        Self { line, ours, look: None, beat_us: None, plead_us: None }
    }

    /// Has the Emperor wake the master.
    pub(super) fn watch(&self, poll: &Poll) -> io::Result<()> {
        Wake::Emperor.when_readable(&self.line, poll)
    }

    /// Has nothing of it wake the master any more.
    pub(super) fn forget(&self, poll: &Poll) {
        if let Err(error) = no_more(&self.line, poll) {
            log::debug!("the Emperor's line: {error}");
        }
    }

    /// Lets the line pass to the next image.
    pub(in crate::master) fn hand_over(&self) -> io::Result<Passed> {
        Passed::on(&self.line)
    }

    /// When there is something to say.
    pub(in crate::master) fn due_us(&self) -> Option<u64> {
        let load_us = self.ours.as_ref().and_then(|ours| ours.due_us);
        [self.look.map(|(at_us, _)| at_us), self.beat_us, self.plead_us, load_us].into_iter().flatten().min()
    }

    /// Says something.
    pub(super) fn say(&self, message: FromVassal) {
        self.line.say(message.byte());
    }

    /// What the Emperor says. `None`: nothing for now.
    pub(super) fn hear(&self) -> Option<Heard> {
        match self.line.hear() {
            Said::Byte(BEGINS) => Some(Heard::Record),
            Said::Byte(byte) => Some(ToVassal::of(byte).map_or(Heard::Strange(byte), Heard::Wants)),
            Said::Nothing => None,
            Said::Gone => Some(Heard::Lost),
        }
    }
}

/// What an Emperor says.
pub(super) enum Heard {
    /// It wants something.
    Wants(ToVassal),
    /// A record has begun.
    Record,
    /// It says what means nothing.
    Strange(u8),
    /// It is gone.
    Lost,
}
