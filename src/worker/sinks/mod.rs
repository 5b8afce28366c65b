//! Where request lines go when that is not the log: files, sockets and syslog, each with its routes and its form
//! (uWSGI's manual, "Logging encoders" and "Pluggable loggers"). `encoder` and `selection` decide, `sink` writes.
//!
//! Every thread of a worker writes for itself, whole lines with one call and without waiting: no lock, no other process on the
//! way. What a place does not take at once is lost and counted there. Worker only.

mod encoder;
mod selection;
mod sink;
mod tale;

use crate::config::model::{Logging, RequestLogger};
use crate::sys::clock::epoch_us;

use self::encoder::Chain;
use self::selection::Selection;
use self::sink::Sink;
use self::tale::Tale;

/// The places of one thread.
#[derive(Debug, Default)]
pub(crate) struct Sinks {
    places: Vec<Place>,
    selection: Selection,
}

#[derive(Debug)]
struct Place {
    sink: Sink,
    chain: Chain,
    tale: Tale,
}

impl Sinks {
    /// Those that a configuration names. A place that cannot be reached now is one that loses lines until it can.
    pub(crate) fn of(logging: &Logging) -> Self {
        let place = |logger: &RequestLogger| Place {
            sink: Sink::to(&logger.to, logging.mode),
            chain: Chain::of(&logging.request_encoders, logger.id.as_deref()),
            tale: Tale::of(logger.to.to_string()),
        };
        Self {
            places: logging.request_loggers.iter().map(place).collect(),
            selection: Selection::of(&logging.request_loggers, &logging.request_routes),
        }
    }

    /// Whether there are none, so that lines go to the log.
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Hands a line, without its end, to those that it is for.
    pub(crate) fn take(&mut self, line: &str) {
        let now_us = epoch_us();
        for index in self.selection.of_line(line) {
            let Some(Place { sink, chain, tale }) = self.places.get_mut(index) else { continue };
            let written = sink.write(&chain.encode(line, now_us), now_us);
            if let Some(told) = tale.note(written.err().map(|error| error.to_string()), now_us) {
                log::warn!("{told}");
            }
        }
    }
}
