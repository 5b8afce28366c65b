//! Files that a worker serves itself, before the application is asked (uWSGI's manual, "Serving static files"). Worker
//! only.
//!
//! - `lookup` finds the file of a path: the first place in which there is one counts, and what is nowhere is the
//!   application's.
//! - `mime` and `expiry` say what the answer has to tell of it.
//! - `send` answers: the form of the file that the client likes best, whole, in parts or not at all.

mod expiry;
mod lookup;
mod mime;
mod named;
mod send;

pub(super) use self::named::send_named;
use std::path::Path;

use regex_lite::Regex;

use self::expiry::Expiries;
use self::lookup::FoundFile;
use self::mime::MimeTypes;
use super::exchange::{Exchange, Service};
use super::watch::Watch;
use crate::config::model::{Packed, StaticFiles};
use crate::sys::beneath::{Found, look_up};

/// What is prepared for serving files.
#[derive(Debug)]
pub(super) struct Statics<'z> {
    config: &'z StaticFiles,
    types: MimeTypes,
    expiries: Expiries<'z>,
    packed: Vec<PackedFiles<'z>>,
}

/// A service around a service.
#[derive(Debug)]
pub(super) struct FilesFirst<'s, S: ?Sized> {
    statics: &'s Statics<'s>,
    service: &'s S,
}

impl<S: Service + ?Sized> Service for FilesFirst<'_, S> {
    fn serve(&self, exchange: &mut Exchange<'_>) {
        if !self.statics.answer(exchange) {
            self.service.serve(exchange);
        }
    }

    fn on_thread(&self, core: usize, accept_loop: &mut dyn FnMut()) {
        self.service.on_thread(core, accept_loop);
    }

    fn on_signal(&self, number: u8) {
        self.service.on_signal(number);
    }

    fn whereabouts(&self, core: usize, watch: &Watch) -> String {
        self.service.whereabouts(core, watch)
    }

    fn interrupt(&self, core: usize, watch: &Watch) {
        self.service.interrupt(core, watch);
    }
}

/// Which files may lie there packed as well.
#[derive(Debug)]
enum PackedFiles<'z> {
    Named(Regex),
    Other(&'z Packed),
}

impl<'z> Statics<'z> {
    /// `None`: no files are served.
    pub(super) fn of(config: &'z StaticFiles) -> Option<Self> {
        // What is no regular expression was refused when the configuration was read.
        let packed = |packed: &'z Packed| match packed {
            Packed::Named(pattern) => Regex::new(pattern).ok().map(PackedFiles::Named),
            other => Some(PackedFiles::Other(other)),
        };
        config.are_wanted().then(|| Self {
            config,
            types: MimeTypes::of(&config.mime_files),
            expiries: Expiries::of(&config.expiries),
            packed: config.packed.iter().filter_map(packed).collect(),
        })
    }

    /// What rules need, whether or not any path means a file.
    pub(super) fn for_rules(config: &'z StaticFiles) -> Self {
        Self {
            config,
            types: MimeTypes::of(&config.mime_files),
            expiries: Expiries::of(&config.expiries),
            packed: Vec::new(),
        }
    }

    /// The media type of a file of this name.
    pub(super) fn media_type(&self, name: &Path) -> Option<&str> {
        self.types.type_of(name)
    }

    /// Answers with one file, by its path. False: there is none.
    pub(super) fn answer_with_file(&self, exchange: &mut Exchange<'_>, path: &Path) -> bool {
        match look_up(path, b"", &[]) {
            Ok(Found::File(file)) => {
                exchange.statically = true;
                self.send(exchange, FoundFile { file, top: path, rest: Vec::new() });
                true
            }
            _ => false,
        }
    }

    /// The same service, which is asked only where there is no file.
    pub(super) fn before<'s, S: Service + ?Sized>(&'s self, service: &'s S) -> FilesFirst<'s, S> {
        FilesFirst { statics: self, service }
    }

    /// Answers if there is a file for the request. False: it is for the application.
    fn answer(&self, exchange: &mut Exchange<'_>) -> bool {
        if !matches!(exchange.asked.method_or_get(), "GET" | "HEAD") {
            return false;
        }
        match lookup::find(self.config, exchange) {
            Some(found) => {
                exchange.statically = true;
                self.send(exchange, found);
                true
            }
            None => false,
        }
    }
}

/// Says which places are not there.
pub(crate) fn warn_of_missing_places(config: &StaticFiles) {
    for place in config.places.iter().filter(|place| !place.at.exists()) {
        log::warn!("{}: {} is not there; what is asked of it goes to the application", place.line, place.at.display());
    }
}
