//! What an application answers with. Made by handlers, sent by `serve`; nothing here does input or output by itself.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};

use super::header::{IntoHeaderName, IntoHeaderValue};
use super::websocket::WebSocket;

/// Any error of an application, as the ecosystem passes it around. Text is one, too:
///
/// ```
/// fn count(text: &str) -> Result<u32, rhinod::BoxError> {
///     if text.is_empty() {
///         return Err("nothing was given".into());
///     }
///     Ok(text.parse()?)
/// }
/// assert_eq!(count("").unwrap_err().to_string(), "nothing was given");
/// assert_eq!(count("12").unwrap(), 12);
/// ```
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An answer: status, headers, body.
///
/// A body of known length gets its `Content-Length` unless the handler set one. HEAD requests and the statuses 1xx, 204
/// and 304 never carry a body, whatever is given here (RFC 9110, sections 6.4 and 15).
///
/// ```
/// use rhinod::Response;
///
/// let response = Response::text("gone\n").with_status(410).with_header("Cache-Control", "no-store");
/// assert_eq!(response.status(), 410);
/// ```
pub struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<Header>,
    pub(crate) body: Body,
    /// What was declared of the body's length.
    pub(crate) length: Option<u64>,
    /// Why it is an answer of failure, for the log.
    failure: Option<String>,
}

/// What [`Response::into_parts`] gives: status, headers, body.
///
/// ```
/// let (status, headers, body): rhinod::ResponseParts = rhinod::Response::text("hello\n").into_parts();
/// assert_eq!((status, headers[0].0.as_ref(), headers[0].1.as_ref()), (200, "Content-Type", b"text/plain".as_slice()));
/// assert!(matches!(body, rhinod::Body::Bytes(bytes) if bytes.as_ref() == b"hello\n"));
/// ```
pub type ResponseParts = (u16, Vec<(Cow<'static, str>, Cow<'static, [u8]>)>, Body);

/// A header: name and value, as they go on the wire.
pub(crate) type Header = (Cow<'static, str>, Cow<'static, [u8]>);

/// The body of an answer.
///
/// ```
/// use rhinod::{Body, Response};
///
/// let body = Body::Reader { reader: Box::new(std::io::Cursor::new("from somewhere")), length: Some(14) };
/// let response = Response::new(200).with_header("Content-Type", "text/plain").with_body(body);
/// let empty = Response::new(200).with_body(()); // Also from text and bytes.
/// # let _ = (response, empty);
/// ```
#[non_exhaustive]
pub enum Body {
    /// No bytes at all.
    Empty,
    /// Bytes that are there already.
    Bytes(Cow<'static, [u8]>),
    /// A file, or a part of one, sent by the kernel (`sendfile(2)`).
    File {
        /// The open file.
        file: File,
        /// Where to begin, in bytes.
        offset: u64,
        /// How many bytes to send. A file that turns out shorter ends the connection early.
        length: u64,
    },
    /// Bytes to be read until the end, each read sent at once.
    Reader {
        /// Where they come from.
        reader: Box<dyn Read + Send>,
        /// How many there are, if that is known; never more are sent.
        length: Option<u64>,
    },
    /// Chunks of unknown total length, each sent at once as it comes. An error ends the connection early.
    Chunks(Box<dyn Iterator<Item = io::Result<Vec<u8>>> + Send>),
    /// A function that writes the body; each write is sent at once.
    Writer(WriteBody),
    /// A function that has the connection as a websocket.
    WebSocket(Converse),
}

/// A function that writes a body.
type WriteBody = Box<dyn FnOnce(&mut BodyWriter<'_>) -> io::Result<()> + Send>;

/// A function that talks with the other side of a websocket.
type Converse = Box<dyn FnOnce(&mut WebSocket<'_>) -> io::Result<()> + Send>;

/// Where a [`Body::Writer`] writes to. Not buffered: wrap it in a [`io::BufWriter`] for many small writes.
///
/// ```
/// use std::io::{BufWriter, Write};
/// use rhinod::{BodyWriter, Request, Response, test};
///
/// fn numbers(_request: &mut Request<'_>) -> Response {
///     Response::writer("text/plain", |body: &mut BodyWriter<'_>| {
///         let mut body = BufWriter::new(body);
///         (1..=3).try_for_each(|number| writeln!(body, "{number}"))?;
///         body.flush()
///     })
/// }
/// assert_eq!(test::call(&numbers, test::get("/")).text(), "1\n2\n3\n");
/// ```
pub struct BodyWriter<'a> {
    pub(crate) sink: &'a mut dyn FnMut(&[u8]) -> io::Result<()>,
}

impl Write for BodyWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.sink)(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Response {
    /// An answer with a status and no body.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Body::Empty, length: None, failure: None }
    }

    /// 200 with plain text.
    pub fn text(text: impl Into<Cow<'static, str>>) -> Self {
        let bytes = match text.into() {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        Self::new(200).with_header("Content-Type", "text/plain").with_body(Body::Bytes(bytes))
    }

    /// 200 with HTML in UTF-8.
    pub fn html(html: impl Into<Cow<'static, str>>) -> Self {
        Self::text(html).set_header("Content-Type", "text/html; charset=utf-8")
    }

    /// 200 with a value as JSON.
    ///
    /// ```
    /// use rhinod::{BoxError, Request, Response};
    ///
    /// fn names(_request: &mut Request<'_>) -> Result<Response, BoxError> {
    ///     Response::json(&["ada", "grace"])
    /// }
    /// assert_eq!(rhinod::test::call(&names, rhinod::test::get("/")).text(), r#"["ada","grace"]"#);
    /// ```
    ///
    /// # Errors
    /// When the value cannot be JSON (a map whose keys are no strings, say).
    pub fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<Self, BoxError> {
        Ok(Self::bytes("application/json", serde_json::to_vec(value)?))
    }

    /// 303 to another place, which is then asked for with GET: after a form, say. [`Response::with_status`] makes it 301,
    /// 302, 307 or 308.
    pub fn redirect(location: impl IntoHeaderValue) -> Self {
        Self::new(303).with_header("Location", location)
    }

    /// 200 with bytes of a given media type.
    pub fn bytes(content_type: impl Into<Cow<'static, str>>, bytes: impl Into<Cow<'static, [u8]>>) -> Self {
        Self::new(200).with_header("Content-Type", content_type.into()).with_body(Body::Bytes(bytes.into()))
    }

    /// 200 with a whole file, which the kernel sends, whatever the request asks for ([`Response::file_for`] looks).
    ///
    /// # Errors
    /// When the file's size cannot be read.
    pub fn file(content_type: impl Into<Cow<'static, str>>, file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let body = Body::File { file, offset: 0, length };
        Ok(Self::new(200).with_header("Content-Type", content_type.into()).with_body(body))
    }

    /// 200 with chunks that are sent as they come, without a declared length (see [`Response::with_length`]).
    ///
    /// An error in the place of a chunk is logged as a warning, and so is a panic. What the client gets then must not
    /// pass for the whole body: an HTTP/1.1 client misses the last chunk, and any other connection is reset over TCP. A unix
    /// socket knows no reset; there a uwsgi or SCGI connection falls silent, until nginx gives up (`uwsgi_read_timeout`)
    /// and breaks its client's connection off.
    pub fn stream<I>(content_type: impl Into<Cow<'static, str>>, chunks: I) -> Self
    where
        I: IntoIterator<Item = io::Result<Vec<u8>>>,
        I::IntoIter: Send + 'static,
    {
        let chunks = Body::Chunks(Box::new(chunks.into_iter()));
        Self::new(200).with_header("Content-Type", content_type.into()).with_body(chunks)
    }

    /// 200 with whatever `write` writes, sent as it is written, without a declared length. An error that it returns ends
    /// the answer as one of [`Response::stream`] does.
    pub fn writer(
        content_type: impl Into<Cow<'static, str>>,
        write: impl FnOnce(&mut BodyWriter<'_>) -> io::Result<()> + Send + 'static,
    ) -> Self {
        Self::new(200).with_header("Content-Type", content_type.into()).with_body(Body::Writer(Box::new(write)))
    }

    /// 101: the connection becomes a websocket (RFC 6455), which is `converse`'s until it returns. Then the other side is told
    /// of the end (code 1000; 1011 after an error or a panic, which is logged). A request that asks for no websocket is
    /// answered with 400. The subprotocol is that of a header `Sec-WebSocket-Protocol` of this response, or else the first
    /// that the client offers; of other headers nothing is sent.
    ///
    /// ```
    /// use rhinod::{Request, Response};
    ///
    /// fn echo(_request: &mut Request<'_>) -> Response {
    ///     Response::websocket(|socket| {
    ///         while let Some(message) = socket.receive() {
    ///             socket.send(&message)?;
    ///         }
    ///         Ok(())
    ///     })
    /// }
    /// assert_eq!(rhinod::test::call(&echo, rhinod::test::get("/")).status, 101);
    /// ```
    pub fn websocket(converse: impl FnOnce(&mut WebSocket<'_>) -> io::Result<()> + Send + 'static) -> Self {
        Self::new(101).with_body(Body::WebSocket(Box::new(converse)))
    }

    /// The same with another status, 100 to 999. Anything else is answered as 500 and logged.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same with one more header, in text or in the types of the `http` crate. A name or value that could forge a header (control bytes, an empty or invalid
    /// name) is found when the answer is sent: the client gets a 500 and the log says which header it was.
    pub fn with_header(mut self, name: impl IntoHeaderName, value: impl IntoHeaderValue) -> Self {
        self.headers.push((name.into_header_name(), value.into_header_value()));
        self
    }

    /// The same with this header in the place of all others of its name, in any case. As for
    /// [`Response::with_header`] the name and the value are looked at when the answer is sent.
    pub fn set_header(mut self, name: impl IntoHeaderName, value: impl IntoHeaderValue) -> Self {
        let name = name.into_header_name();
        self.headers.retain(|(own, _)| !own.eq_ignore_ascii_case(&name));
        self.with_header(name, value)
    }

    /// The same with another body: bytes, text, or any [`Body`].
    pub fn with_body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// The same with a reason for the log why it is an answer of failure.
    pub(super) fn with_failure(mut self, reason: String) -> Self {
        self.failure = Some(reason);
        self
    }

    /// Why it is an answer of failure.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// The same with the length of its body in bytes, for [`Response::stream`] and [`Response::writer`], which know none.
    /// Never more are sent. With a length everyone on the way sees when a body breaks off, at once; without one only the
    /// end of the connection tells.
    ///
    /// ```
    /// use rhinod::Response;
    ///
    /// let chunks = ["one\n", "two\n"].map(|chunk| Ok(chunk.as_bytes().to_vec()));
    /// let response = Response::stream("text/plain", chunks).with_length(8);
    /// ```
    pub fn with_length(mut self, bytes: u64) -> Self {
        self.length = Some(bytes);
        self
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The headers in the order in which they were added.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// The body.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Status, headers in the order in which they were added, and body.
    pub fn into_parts(self) -> ResponseParts {
        (self.status, self.headers, self.body)
    }

    /// Length of the body in bytes, where it is known before it is sent.
    pub(crate) fn known_length(&self) -> Option<u64> {
        if self.length.is_some() {
            return self.length;
        }
        match &self.body {
            Body::Empty => Some(0),
            Body::Bytes(bytes) => Some(bytes.len() as u64),
            Body::File { length, .. } => Some(*length),
            Body::Reader { length, .. } => *length,
            Body::Chunks(_) | Body::Writer(_) | Body::WebSocket(_) => None,
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.headers().map(|(name, _)| name).collect::<Vec<_>>())
            .field("length", &self.known_length())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::File { offset, length, .. } => write!(f, "File({length} bytes from {offset})"),
            Self::Reader { length, .. } => f.debug_tuple("Reader").field(length).finish(),
            Self::Chunks(_) => f.write_str("Chunks"),
            Self::Writer(_) => f.write_str("Writer"),
            Self::WebSocket(_) => f.write_str("WebSocket"),
        }
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Self {
        Self::Bytes(Cow::Borrowed(bytes))
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Cow::Owned(bytes))
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Self::from(text.as_bytes())
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::from(text.into_bytes())
    }
}

impl From<Cow<'static, [u8]>> for Body {
    fn from(bytes: Cow<'static, [u8]>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<()> for Body {
    fn from((): ()) -> Self {
        Self::Empty
    }
}

/// Answers made with the `http` crate are answers here too.
///
/// ```
/// let made = http::Response::builder().status(201).header("X-Made-By", "http").body("made\n").unwrap();
/// let response: rhinod::Response = made.into();
/// assert_eq!(response.status(), 201);
/// ```
impl<B: Into<Body>> From<http::Response<B>> for Response {
    fn from(made: http::Response<B>) -> Self {
        let (parts, body) = made.into_parts();
        let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            (Cow::Owned(name.as_str().to_owned()), Cow::Owned(value.as_bytes().to_vec()))
        };
        Self {
            status: parts.status.as_u16(),
            headers: parts.headers.iter().map(header).collect(),
            body: body.into(),
            length: None,
            failure: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_knows_its_length_only_where_it_is_certain() {
        assert_eq!(Response::new(204).known_length(), Some(0));
        assert_eq!(Response::text("abc").known_length(), Some(3));
        assert_eq!(Response::stream("text/plain", [Ok(b"abc".to_vec())]).known_length(), None);
        assert_eq!(Response::writer("text/plain", |_| Ok(())).known_length(), None);
    }

    #[test]
    fn a_header_that_is_set_replaces_those_of_its_name() {
        let response = Response::html("<p>").with_header("X-A", "1").with_header("x-a", "2").set_header("X-a", "3");
        let headers: Vec<_> = response.headers().collect();
        let wanted: [(&str, &[u8]); 2] = [("Content-Type", b"text/html; charset=utf-8"), ("X-a", b"3")];
        assert_eq!(headers, wanted);
    }

    #[test]
    fn answers_and_their_bodies_can_go_to_other_threads() {
        fn is_send<T: Send>() {}
        is_send::<Response>();
    }

    #[test]
    fn an_http_response_keeps_status_repeated_headers_and_body() {
        let made = http::Response::builder()
            .status(207)
            .header("Set-Cookie", "a=1")
            .header("Set-Cookie", "b=2")
            .body(b"body".to_vec())
            .unwrap();
        let response = Response::from(made);
        let cookies: Vec<_> = response.headers().filter(|(name, _)| *name == "set-cookie").collect();
        assert_eq!((response.status(), cookies.len(), response.known_length()), (207, 2, Some(4)));
    }
}
