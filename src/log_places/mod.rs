//! Places that lines go to: files, sockets, syslog, the journal, commands, each with its routes and its form (uWSGI's manual,
//! "Logging encoders" and "Pluggable loggers"). `encoder`, `selection` and `datagram` decide, `sink` and `command` write.
//!
//! Whole lines with one call and without waiting: no lock and no other process on the way. What a place does not take is lost
//! and counted there. Every thread of a worker has its own for request lines; those for the log are in the collector.

mod command;
mod datagram;
mod encoder;
mod selection;
mod sink;
mod tale;

use std::os::fd::BorrowedFd;

use crate::config::model::{Encoder, Logger, Logging, Route};
use crate::sys::clock::epoch_us;

use self::encoder::Chain;
use self::selection::Selection;
use self::sink::Sink;
use self::tale::Tale;

/// The places of one thread, or of the collector.
#[derive(Debug, Default)]
pub(crate) struct Places {
    places: Vec<Place>,
    selection: Selection,
    /// What becomes of lines that no place is for.
    rest: Chain,
}

#[derive(Debug)]
struct Place {
    sink: Sink,
    chain: Chain,
    tale: Tale,
}

impl Places {
    /// Those for request lines. A place that cannot be reached now is one that loses lines until it can.
    pub(crate) fn for_requests(logging: &Logging) -> Self {
        let Logging { request_loggers, request_routes, request_encoders, .. } = logging;
        Self::of("req-logger", request_loggers, request_routes, request_encoders, logging.mode)
    }

    /// Those for all lines.
    pub(crate) fn for_log(logging: &Logging) -> Self {
        Self::of("logger", &logging.loggers, &logging.routes, &logging.encoders, logging.mode)
    }

    fn of(option: &str, loggers: &[Logger], routes: &[Route], encoders: &[Encoder], mode: Option<u32>) -> Self {
        let place = |logger: &Logger| Place {
            sink: Sink::to(&logger.to, mode),
            chain: Chain::of(encoders, logger.id.as_deref()),
            tale: Tale::of(format!("{option} {}", logger.to)),
        };
        Self {
            places: loggers.iter().map(place).collect(),
            selection: Selection::of(loggers, routes),
            rest: Chain::of(encoders, None),
        }
    }

    /// Whether there are none, so that lines go to the log.
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Hands a message of one line or several, without its end, to those that it is for. Where there is none it goes where the
    /// log is.
    pub(crate) fn take(&mut self, message: &str) {
        let now_us = epoch_us();
        let chosen = self.selection.of_line(message);
        if chosen.is_empty() {
            self.rest.encode_each(message, now_us, crate::logging::put);
        }
        for index in chosen {
            let Some(Place { sink, chain, tale }) = self.places.get_mut(index) else { continue };
            chain.encode_each(message, now_us, |line| {
                let written = sink.write(line, now_us);
                if let Some(told) = tale.note(written.err().map(|error| error.to_string()), now_us) {
                    log::warn!("{told}");
                }
            });
        }
    }

    /// What is waited for to take more of what was begun.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.places.iter().filter_map(|place| place.sink.waiting())
    }

    /// Goes on with what was begun.
    pub(crate) fn go_on(&mut self) {
        self.places.iter_mut().for_each(|place| place.sink.go_on());
    }

    /// Nothing more comes: commands get the end of their input. True when all of them have ended.
    pub(crate) fn finish(&mut self) -> bool {
        let mut ended = true;
        for place in &mut self.places {
            ended &= place.sink.finish();
        }
        ended
    }
}
