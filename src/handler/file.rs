//! A file as the answer to a request that may be for a part of it, or for none if the client has it (RFC 9110, sections 13 and
//! 14). Nothing is opened here; the kernel, or who sends the answer, reads the file. Runs in the workers.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};

use worker_protocol::http::conditional::{Conditions, Validators};
use worker_protocol::http::date::imf_fixdate;
use worker_protocol::http::selection::{Multipart, Selection, content_range, etag, no_range, select};

use super::{Body, Request, Response};

impl Response {
    /// The answer with a file that a GET or HEAD request asks for: all of it or the parts in its `Range` (206, or 416 where
    /// there is nothing), 304 if the client has it already, 412 if it means another one. It has an `ETag`, made of when the
    /// file was written and how long it is, and `Last-Modified`. The kernel sends what is sent; only an answer in several
    /// parts is read and written.
    ///
    /// ```no_run
    /// use rhinod::{BoxError, Request, Response};
    ///
    /// fn film(request: &mut Request<'_>) -> Result<Response, BoxError> {
    ///     let file = std::fs::File::open("film.mp4")?;
    ///     Ok(Response::file_for(request, "video/mp4", file)?)
    /// }
    /// ```
    ///
    /// # Errors
    /// When the file's size and time cannot be read.
    pub fn file_for(request: &Request<'_>, content_type: impl Into<Cow<'static, str>>, file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let whole = |value: i64| u64::try_from(value).unwrap_or(0);
        let (length, modified_s) = (metadata.len(), whole(metadata.mtime()));
        let etag = etag(modified_s, whole(metadata.mtime_nsec()), length);
        let known = Validators { etag: &etag, modified_s };
        let conditions = Conditions {
            if_match: request.header("If-Match"),
            if_none_match: request.header("If-None-Match"),
            if_modified_since: request.header("If-Modified-Since"),
            if_unmodified_since: request.header("If-Unmodified-Since"),
            if_range: request.header("If-Range"),
        };
        let content_type = content_type.into();
        let part = |status, content_type, body| {
            Self::new(status)
                .with_header("Content-Type", content_type)
                .with_header("Accept-Ranges", "bytes")
                .with_body(body)
        };
        let answer = match select(request.method(), &conditions, request.header("Range"), &known, length) {
            Selection::Whole => part(200, content_type, Body::File { file, offset: 0, length }),
            Selection::Parts(parts) => match <[Range<u64>; 1]>::try_from(parts) {
                Ok([only]) => {
                    let body = Body::File { file, offset: only.start, length: only.end - only.start };
                    part(206, content_type, body).with_header("Content-Range", content_range(&only, length))
                }
                Err(parts) => {
                    let made = Multipart::new(boundary(), Some(&content_type), parts, length);
                    let (kind, bytes) = (made.content_type.clone(), made.bytes);
                    let reader = Box::new(PartsReader::new(file, made));
                    part(206, Cow::Owned(kind), Body::Reader { reader, length: Some(bytes) })
                }
            },
            Selection::NotModified => Self::new(304),
            Selection::Failed => return Ok(Self::text("The file is not the one that was meant.\n").with_status(412)),
            Selection::OutOfRange => return Ok(Self::new(416).with_header("Content-Range", no_range(length))),
        };
        let modified = String::from_utf8_lossy(&imf_fixdate(modified_s)).into_owned();
        Ok(answer.with_header("ETag", etag).with_header("Last-Modified", modified))
    }
}

/// What nobody can know who has made the file: the standard library's keys of hash maps are random.
fn boundary() -> u128 {
    let random = |salt: u8| u128::from(RandomState::new().hash_one(salt));
    random(0) << 64 | random(1)
}

/// The body of an answer in several parts.
struct PartsReader {
    file: File,
    rest: VecDeque<Piece>,
}

/// What is still to be read of one piece.
enum Piece {
    Text(Vec<u8>),
    OfFile(Range<u64>),
}

impl PartsReader {
    fn new(file: File, made: Multipart) -> Self {
        let pieces =
            made.parts.into_iter().flat_map(|(before, bytes)| [Piece::Text(before.into()), Piece::OfFile(bytes)]);
        Self { file, rest: pieces.chain([Piece::Text(made.end.into())]).collect() }
    }
}

impl Read for PartsReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(piece) = self.rest.front_mut() {
            let count = match piece {
                Piece::Text(text) => {
                    let count = text.as_slice().read(buffer)?;
                    text.drain(..count);
                    count
                }
                Piece::OfFile(range) => {
                    let most = usize::try_from(range.end - range.start).unwrap_or(usize::MAX).min(buffer.len());
                    let count = self.file.read_at(&mut buffer[..most], range.start)?;
                    if count == 0 && most > 0 {
                        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file has become shorter"));
                    }
                    range.start += count as u64;
                    count
                }
            };
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            self.rest.pop_front();
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::test::{Answer, TestRequest, call, get};

    fn asked(request: TestRequest) -> Answer {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(784_111_777)).unwrap();
        let file = std::sync::Mutex::new(Some(file));
        let app = move |request: &mut Request<'_>| {
            Response::file_for(request, "text/plain", file.lock().unwrap().take().unwrap())
        };
        call(&app, request)
    }

    #[test]
    fn a_file_is_sent_whole_with_what_it_is_known_by() {
        let answer = asked(get("/"));
        assert_eq!((answer.status, answer.text().as_str()), (200, "0123456789"));
        assert_eq!(answer.header("ETag"), Some("\"2ebc98a1.0-a\""));
        assert_eq!(answer.header("Last-Modified"), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
        assert_eq!(
            (answer.header("Accept-Ranges"), answer.header("Content-Type")),
            (Some("bytes"), Some("text/plain"))
        );
    }

    #[test]
    fn a_client_that_has_it_gets_nothing() {
        let answer = asked(get("/").header("If-None-Match", "\"2ebc98a1.0-a\""));
        assert_eq!((answer.status, answer.text().as_str()), (304, ""));
        assert_eq!((answer.header("ETag"), answer.header("Content-Type")), (Some("\"2ebc98a1.0-a\""), None));
        assert_eq!(asked(get("/").header("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT")).status, 304);
        assert_eq!(asked(get("/").header("If-Match", "\"other\"")).status, 412);
    }

    #[test]
    fn one_part_or_several_are_sent_or_none_if_there_is_nothing() {
        let one = asked(get("/").header("Range", "bytes=2-4"));
        assert_eq!((one.status, one.text().as_str()), (206, "234"));
        assert_eq!(one.header("Content-Range"), Some("bytes 2-4/10"));
        let several = asked(get("/").header("Range", "bytes=0-1,-2"));
        let (kind, text) = (several.header("Content-Type").unwrap().to_owned(), several.text());
        let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
        let part = |range: &str, bytes: &str| {
            format!("\r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes {range}/10\r\n\r\n{bytes}")
        };
        assert_eq!(text, part("0-1", "01") + &part("8-9", "89") + &format!("\r\n--{boundary}--\r\n"));
        let none = asked(get("/").header("Range", "bytes=10-"));
        assert_eq!((none.status, none.header("Content-Range")), (416, Some("bytes */10")));
        let stale = asked(get("/").header("Range", "bytes=2-4").header("If-Range", "\"other\""));
        assert_eq!((stale.status, stale.text().len()), (200, 10));
    }
}
