//! A file as an answer: in the form that the client likes best, whole, in parts, or not at all if the client has it.
//! Worker only.

use std::io;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use worker_protocol::http::coding::{Coding, acceptable};
use worker_protocol::http::conditional::{Conditions, Validators};
use worker_protocol::http::date::imf_fixdate;
use worker_protocol::http::selection::{Multipart, Selection, content_range, etag, no_range, select};

use super::expiry::About;
use super::lookup::FoundFile;
use super::{PackedFiles, Statics};
use crate::config::model::{Packed, Sender};
use crate::sys::beneath::RegularFile;
use crate::sys::clock::epoch_us;
use crate::worker::exchange::Exchange;
use crate::worker::reply::{Headers, StartError};

/// The headers of a request that change the answer, as the client sent them.
#[derive(Debug, Default)]
struct Asked<'r> {
    conditions: Conditions<'r>,
    encodings: Option<&'r [u8]>,
    range: Option<&'r [u8]>,
}

/// What is sent, and what is told of it.
struct Answer<'f> {
    file: RegularFile,
    coding: Option<Coding>,
    /// Whether another client may get it in another form.
    varies: bool,
    media_type: Option<&'f str>,
    etag: String,
    modified_s: u64,
    expires_s: Option<u64>,
    /// Where it is, for a web server that sends it.
    handed_to: Option<(&'static str, PathBuf)>,
    ranges: bool,
}

impl Statics<'_> {
    /// Answers with a file that was found.
    pub(super) fn send(&self, exchange: &mut Exchange<'_>, found: FoundFile<'_>) {
        let asked = Asked::of(exchange);
        let outcome = match self.answer_with(exchange, found, &asked) {
            Ok(answer) => answer.send(exchange, &asked),
            Err(error) => Err(error),
        };
        if let Err(error) = outcome
            && !exchange.reply.sent().write_failed
        {
            exchange.break_off(&format!("the file: {error}"));
        }
    }

    fn answer_with<'f>(
        &'f self,
        exchange: &Exchange<'_>,
        found: FoundFile<'_>,
        asked: &Asked<'_>,
    ) -> io::Result<Answer<'f>> {
        // Only some settings need to know where the file really is.
        let sender = match self.config.sender {
            Sender::Worker => None,
            Sender::XAccelRedirect => Some("X-Accel-Redirect"),
            Sender::XSendfile => Some("X-Sendfile"),
        };
        let by_path = sender.is_some() || !self.packed.is_empty() || !self.expiries.is_empty();
        let path = if by_path { PathBuf::from(found.file.path()?) } else { PathBuf::new() };
        let named = if found.rest.is_empty() { found.top.to_owned() } else { name_of(&found.rest) };
        let media_type = self.types.type_of(&named);
        let varies = self.packed.iter().any(|packed| packed.includes(&path));
        let codings = if varies { acceptable(asked.encodings) } else { Vec::new() };
        let packed = codings
            .into_iter()
            .find_map(|coding| Some((coding, found.with_suffix(coding.suffix(), &self.config.safe)?)));
        let (coding, file) = packed.map_or((None, found.file), |(coding, file)| (Some(coding), file));
        let (modified_s, modified_ns) = file.modified();
        let expires_s = (!self.expiries.is_empty()).then(|| self.expires_s(exchange, &path, media_type, modified_s));
        let handed_to = match sender {
            Some(header) if coding.is_some() => Some((header, PathBuf::from(file.path()?))),
            sender => sender.map(|header| (header, path)),
        };
        Ok(Answer {
            etag: etag(modified_s, modified_ns, file.length()),
            ranges: self.config.ranges && handed_to.is_none(),
            expires_s: expires_s.flatten(),
            file,
            coding,
            varies,
            media_type,
            modified_s,
            handed_to,
        })
    }

    fn expires_s(
        &self,
        exchange: &Exchange<'_>,
        file: &Path,
        media_type: Option<&str>,
        modified_s: u64,
    ) -> Option<u64> {
        let (file, path) = (file.to_string_lossy(), String::from_utf8_lossy(exchange.asked.path()));
        let uri = String::from_utf8_lossy(exchange.asked.uri());
        let now_s = epoch_us() / 1_000_000;
        self.expiries.until_s(&About { file: &file, path: &path, uri: &uri, media_type, now_s, modified_s })
    }
}

impl PackedFiles<'_> {
    fn includes(&self, path: &Path) -> bool {
        match self {
            PackedFiles::Named(pattern) => pattern.is_match(&path.to_string_lossy()),
            PackedFiles::Other(Packed::All) => true,
            PackedFiles::Other(Packed::Below(directory)) => {
                directory.canonicalize().is_ok_and(|directory| path.starts_with(directory))
            }
            PackedFiles::Other(Packed::Ending(ending)) => path.as_os_str().as_bytes().ends_with(ending.as_bytes()),
            PackedFiles::Other(Packed::Named(_)) => false,
        }
    }
}

impl<'r> Asked<'r> {
    fn of(exchange: &Exchange<'r>) -> Asked<'r> {
        let mut asked = Asked::default();
        let Asked { conditions, encodings, range } = &mut asked;
        for (key, value) in exchange.asked.block().pairs() {
            let place = match key {
                b"HTTP_IF_MATCH" => &mut conditions.if_match,
                b"HTTP_IF_NONE_MATCH" => &mut conditions.if_none_match,
                b"HTTP_IF_MODIFIED_SINCE" => &mut conditions.if_modified_since,
                b"HTTP_IF_UNMODIFIED_SINCE" => &mut conditions.if_unmodified_since,
                b"HTTP_IF_RANGE" => &mut conditions.if_range,
                b"HTTP_ACCEPT_ENCODING" => &mut *encodings,
                b"HTTP_RANGE" => &mut *range,
                _ => continue,
            };
            // What uwsgi_param sets for a header that is not there.
            *place = Some(value).filter(|value| !value.is_empty());
        }
        asked
    }
}

impl Answer<'_> {
    fn send(&self, exchange: &mut Exchange<'_>, asked: &Asked<'_>) -> io::Result<()> {
        let length = self.file.length();
        let validators = Validators { etag: &self.etag, modified_s: self.modified_s };
        let range = asked.range.filter(|_| self.ranges);
        match select(exchange.asked.method_or_get(), &asked.conditions, range, &validators, length) {
            Selection::NotModified => self.start(exchange, 304, None, |_| Ok(())),
            Selection::Failed => self.send_text(exchange, 412, "The file is not the one that was meant.\n"),
            Selection::OutOfRange => {
                let total = no_range(length);
                let headers = |headers: &mut Headers<'_>| headers.add(b"Content-Range", total.as_bytes());
                exchange.reply.start(416, None, Some(0), headers).map_err(started)
            }
            Selection::Parts(parts) => match &parts[..] {
                [only] => self.send_part(exchange, only, length),
                _ => self.send_parts(exchange, parts, length),
            },
            Selection::Whole => match &self.handed_to {
                Some((header, path)) => self
                    .start(exchange, 200, None, |headers| headers.add(header.as_bytes(), path.as_os_str().as_bytes())),
                None => {
                    self.start(exchange, 200, Some(length), |_| Ok(()))?;
                    exchange.reply.send_last_file(&self.file, 0, length)
                }
            },
        }
    }

    fn send_part(&self, exchange: &mut Exchange<'_>, part: &Range<u64>, length: u64) -> io::Result<()> {
        let bytes = part.end - part.start;
        let content_range = content_range(part, length);
        self.start(exchange, 206, Some(bytes), |headers| headers.add(b"Content-Range", content_range.as_bytes()))?;
        exchange.reply.send_last_file(&self.file, part.start, bytes)
    }

    fn send_parts(&self, exchange: &mut Exchange<'_>, parts: Vec<Range<u64>>, length: u64) -> io::Result<()> {
        // Whoever chose the content could not know it: the answer is made after the file.
        let boundary =
            u128::from(epoch_us()) << 64 | std::ptr::from_ref(self) as u128 ^ u128::from(length.rotate_left(40));
        let made = Multipart::new(boundary, self.media_type, parts, length);
        self.start_as(exchange, (206, Some(&made.content_type)), Some(made.bytes), |_| Ok(()))?;
        for (before, bytes) in &made.parts {
            exchange.reply.send(before.as_bytes())?;
            exchange.reply.send_file(&self.file, bytes.start, bytes.end - bytes.start)?;
        }
        exchange.reply.send(made.end.as_bytes())
    }

    fn send_text(&self, exchange: &mut Exchange<'_>, status: u16, text: &str) -> io::Result<()> {
        exchange.answer_plainly(status, text);
        Ok(())
    }

    fn start(
        &self,
        exchange: &mut Exchange<'_>,
        status: u16,
        length: Option<u64>,
        more: impl FnOnce(&mut Headers<'_>) -> Result<(), StartError>,
    ) -> io::Result<()> {
        self.start_as(exchange, (status, self.media_type), length, more)
    }

    fn start_as(
        &self,
        exchange: &mut Exchange<'_>,
        (status, media_type): (u16, Option<&str>),
        length: Option<u64>,
        more: impl FnOnce(&mut Headers<'_>) -> Result<(), StartError>,
    ) -> io::Result<()> {
        let headers = |headers: &mut Headers<'_>| {
            if let Some(expires_s) = self.expires_s {
                headers.add(b"Expires", &imf_fixdate(expires_s))?;
            }
            if self.varies {
                headers.add(b"Vary", b"Accept-Encoding")?;
            }
            if status != 304 {
                if let Some(coding) = self.coding {
                    headers.add(b"Content-Encoding", coding.token().as_bytes())?;
                }
                if let Some(media_type) = media_type {
                    headers.add(b"Content-Type", media_type.as_bytes())?;
                }
                if self.ranges {
                    headers.add(b"Accept-Ranges", b"bytes")?;
                }
            }
            more(headers)?;
            headers.add(b"ETag", self.etag.as_bytes())?;
            headers.add(b"Last-Modified", &imf_fixdate(self.modified_s))
        };
        exchange.reply.start(status, None, length, headers).map_err(started)
    }
}

fn started(error: StartError) -> io::Error {
    io::Error::other(error)
}

fn name_of(rest: &[u8]) -> PathBuf {
    PathBuf::from(std::ffi::OsStr::from_bytes(rest))
}
