//! For the tests of applications: requests made by hand, answered by a handler without any server around it. Nothing of
//! rhinod itself runs this.
//!
//! ```
//! use rhinod::{BoxError, Request, Response, StatusError, test};
//!
//! fn shout(request: &mut Request<'_>) -> Result<Response, BoxError> {
//!     let body = request.read_body(100)?;
//!     let text = std::str::from_utf8(&body).map_err(|_| StatusError::new(400, "no UTF-8"))?;
//!     Ok(Response::text(text.to_uppercase()).with_header("X-Method", request.method().to_owned()))
//! }
//!
//! let answer = test::call(&shout, test::post("/", "hello"));
//! assert_eq!((answer.status, answer.text().as_str()), (200, "HELLO"));
//! assert_eq!(answer.header("x-method"), Some("POST"));
//! assert_eq!(test::call(&shout, test::post("/", [0xff])).status, 400);
//! assert_eq!(test::call(&shout, test::post("/", [b'a'; 101])).status, 413);
//! ```

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use worker_protocol::head::RequestHead;
use worker_protocol::pairs::{self, Block, PathInfo};
use worker_protocol::response::{Head, Version, body_allowed};

use crate::handler::request::DeclaredBody;
use crate::handler::{Body, BodyWriter, Handler, LogNotes, Request, ResponseParts, WorkerInfo};

/// A request in the making.
///
/// ```
/// use rhinod::test::TestRequest;
///
/// let request = TestRequest::new("PUT", "/notes/1?draft=yes")
///     .header("Content-Type", "application/json")
///     .variable("REMOTE_ADDR", "192.0.2.7")
///     .body("{}");
/// # let _ = request;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestRequest {
    method: String,
    target: String,
    variables: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    declares_length: bool,
}

/// `GET target`: a path, with a query if there is to be one, both encoded.
pub fn get(target: impl Into<String>) -> TestRequest {
    TestRequest::new("GET", target)
}

/// `POST target` with a body.
pub fn post(target: impl Into<String>, body: impl Into<Vec<u8>>) -> TestRequest {
    TestRequest::new("POST", target).body(body)
}

impl TestRequest {
    /// Any method.
    pub fn new(method: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            target: target.into(),
            variables: Vec::new(),
            body: Vec::new(),
            declares_length: true,
        }
    }

    /// The same with a header.
    #[must_use]
    pub fn header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let key = name.replace('-', "_").to_ascii_uppercase();
        match key.as_str() {
            "CONTENT_TYPE" => self.variable(&key, value),
            _ => self.variable(&format!("HTTP_{key}"), value),
        }
    }

    /// The same with a variable, as a web server sends it (`REMOTE_ADDR`, say).
    #[must_use]
    pub fn variable(mut self, key: &str, value: impl AsRef<[u8]>) -> Self {
        self.variables.push((key.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// The same with a body, whose length is declared.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The same with a body whose length is not declared, as one that comes in chunks.
    #[must_use]
    pub fn without_length(mut self) -> Self {
        self.declares_length = false;
        self
    }

    /// The variables, as they come over the wire.
    ///
    /// # Panics
    /// When they do not fit a request: 64 KiB.
    fn block(&self) -> Vec<u8> {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let length = self.body.len().to_string();
        let path = crate::percent::decoded(path.as_bytes());
        let usual: [(&str, &[u8]); 10] = [
            ("REQUEST_METHOD", self.method.as_bytes()),
            ("REQUEST_URI", self.target.as_bytes()),
            ("PATH_INFO", &path),
            ("QUERY_STRING", query.as_bytes()),
            ("SERVER_PROTOCOL", b"HTTP/1.1"),
            ("REQUEST_SCHEME", b"http"),
            ("REMOTE_ADDR", b"127.0.0.1"),
            ("SERVER_NAME", b"localhost"),
            ("SERVER_PORT", b"80"),
            ("CONTENT_LENGTH", if self.declares_length { length.as_bytes() } else { b"" }),
        ];
        let given = self.variables.iter().map(|(key, value)| (key.as_str(), value.as_slice()));
        let mut block = Vec::new();
        for (key, value) in usual.into_iter().chain(given) {
            pairs::append(&mut block, 0, key.as_bytes(), value)
                .unwrap_or_else(|misfit| panic!("{key} does not fit a request: {misfit:?}"));
        }
        block
    }
}

/// What a handler's `start_worker` is told in a test: worker 1 of generation 1, with one thread.
pub fn worker() -> WorkerInfo {
    WorkerInfo { number: 1, generation: 1, threads: 1 }
}

/// What a client would get.
///
/// ```
/// use rhinod::{Request, Response, test};
///
/// let app = |_: &mut Request<'_>| Response::html("<h1>Hello</h1>");
/// let answer: test::Answer = test::call(&app, test::get("/"));
/// assert_eq!(answer.status, 200);
/// assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
/// assert_eq!(answer.body, b"<h1>Hello</h1>");
/// assert_eq!(answer.failure, None);
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Answer {
    /// The status: 500 when the server would refuse to send what the handler answered.
    pub status: u16,
    /// The headers that the handler gave, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// As much of the body as there is.
    pub body: Vec<u8>,
    /// Why the body broke off, or what an answer 500 is to be blamed on; the log would say it.
    pub failure: Option<String>,
}

impl Answer {
    /// The first header of that name, in any case, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    /// The body as text, with what is not UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Has a handler answer a request, as a worker would: a body that may not be sent is none, and headers that may not be sent
/// make it 500. `start_worker` is not called (see [`worker`]); a panic of the handler goes on.
///
/// # Panics
/// When the request is none that could come over the wire: its method is no token, or its variables are longer than
/// 64 KiB.
pub fn call(handler: &impl Handler, request: TestRequest) -> Answer {
    let block = request.block();
    let block = Block::parse(&block, usize::MAX).unwrap_or_else(|error| panic!("{error}"));
    let head = RequestHead::read(block, PathInfo::AsSent).unwrap_or_else(|error| panic!("{error}"));
    let declared = request.declares_length.then_some(request.body.len() as u64);
    let mut body = BodyInMemory { declared, rest: &request.body };
    let response = handler.handle(&mut Request {
        head: &head,
        body: &mut body,
        trust_forwarded: false,
        generation: 1,
        ask_reload: &|| (),
        cache: &|_| None,
        set_deadline: &|_| (),
        notes: &mut LogNotes::default(),
        extensions: http::Extensions::new(),
    });
    let failure = response.failure().map(str::to_owned);
    let mut answer = answer(response.into_parts(), &request.method);
    answer.failure = failure.or(answer.failure);
    answer
}

fn answer((status, headers, body): ResponseParts, method: &str) -> Answer {
    let mut room = Vec::new();
    let sent = Head::start(&mut room, Version::Http11, status, None)
        .and_then(|mut head| headers.iter().try_for_each(|(name, value)| head.header(name.as_bytes(), value)));
    if let Err(error) = sent {
        return Answer { status: 500, headers: Vec::new(), body: Vec::new(), failure: Some(error.to_string()) };
    }
    let headers = headers.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let mut bytes = Vec::new();
    let written = if body_allowed(method, status) { write(body, &mut bytes) } else { Ok(()) };
    Answer { status, headers, body: bytes, failure: written.err().map(|error| error.to_string()) }
}

fn write(body: Body, bytes: &mut Vec<u8>) -> io::Result<()> {
    match body {
        Body::Empty | Body::WebSocket(_) => Ok(()),
        Body::Bytes(all) => {
            bytes.extend_from_slice(&all);
            Ok(())
        }
        Body::File { file, offset, length } => read_part(file, offset, length, bytes),
        Body::Reader { mut reader, length } => {
            reader.by_ref().take(length.unwrap_or(u64::MAX)).read_to_end(bytes).map(|_| ())
        }
        Body::Chunks(mut chunks) => chunks.try_for_each(|chunk| {
            bytes.extend_from_slice(&chunk?);
            Ok(())
        }),
        Body::Writer(write) => write(&mut BodyWriter {
            sink: &mut |piece| {
                bytes.extend_from_slice(piece);
                Ok(())
            },
        }),
    }
}

fn read_part(mut file: File, offset: u64, length: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    let count = file.take(length).read_to_end(bytes)?;
    if count as u64 == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// A body that is there already.
struct BodyInMemory<'b> {
    declared: Option<u64>,
    rest: &'b [u8],
}

impl Read for BodyInMemory<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.rest.read(buffer)
    }
}

impl DeclaredBody for BodyInMemory<'_> {
    fn length(&self) -> Option<u64> {
        self.declared
    }

    fn remaining(&self) -> u64 {
        match self.declared {
            Some(_) => self.rest.len() as u64,
            None if self.rest.is_empty() => 0,
            None => u64::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Response;

    #[test]
    fn a_request_made_by_hand_is_what_a_web_server_sends() {
        let show = |request: &mut Request<'_>| {
            let values: Vec<String> = request.query_values("tag").collect();
            let body = request.read_body(1_000).unwrap();
            Response::text(format!(
                "{} {} {values:?} {:?} {:?} {} {:?}",
                request.method(),
                request.path(),
                request.header_text("content-type"),
                request.header_text("X-Tried"),
                String::from_utf8_lossy(&body),
                request.content_length(),
            ))
        };
        let request = post("/a%20b+c?tag=1&tag=2", "body").header("Content-Type", "text/x").header("X-Tried", "yes");
        let text = call(&show, request.clone()).text();
        assert_eq!(text, r#"POST /a b+c ["1", "2"] Some("text/x") Some("yes") body Some(4)"#);
        assert!(call(&show, request.without_length()).text().ends_with("body None"));
    }

    #[test]
    fn bodies_of_every_kind_arrive_as_far_as_they_go() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/test.rs");
        let part = move |_: &mut Request<'_>| {
            Response::new(200).with_body(Body::File { file: File::open(path).unwrap(), offset: 4, length: 3 })
        };
        assert_eq!(call(&part, get("/")).text(), "For");
        let broken = |_: &mut Request<'_>| {
            Response::stream("text/plain", [Ok(b"begun".to_vec()), Err(io::Error::other("told to break"))])
        };
        let answer = call(&broken, get("/"));
        assert_eq!((answer.text().as_str(), answer.failure.as_deref()), ("begun", Some("told to break")));
        let written = |_: &mut Request<'_>| Response::writer("text/plain", |out| io::Write::write_all(out, b"written"));
        assert_eq!(call(&written, get("/")).text(), "written");
        assert_eq!(call(&written, TestRequest::new("HEAD", "/")).text(), "");
    }

    #[test]
    fn a_header_that_the_server_would_not_send_is_a_500() {
        let forged = |_: &mut Request<'_>| Response::text("").with_header("X-A", "1\r\nX-B: 2");
        let answer = call(&forged, get("/"));
        assert!(answer.status == 500 && answer.failure.is_some(), "{answer:?}");
    }
}
