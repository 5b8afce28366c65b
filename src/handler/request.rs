//! What an application is asked. Runs in the workers; borrows everything from the connection's buffer.

use std::borrow::Cow;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::time::Duration;

use worker_protocol::head::RequestHead;

use super::cache::Cache;
use super::encoded::pairs;
use super::into_response::StatusError;
use super::log_notes::{LogNotes, TooManyLogVariables};

/// One request.
///
/// Text that came over the wire is bytes, since nothing guarantees UTF-8; the `_text` variants replace what is not.
/// The body is read with [`Read`]: as far as it is declared, as it arrives. What a handler does not read is read and
/// forgotten after the answer. Tests make requests with [`crate::test`].
///
/// ```
/// use rhinod::{Request, Response};
///
/// fn hello(request: &mut Request<'_>) -> Response {
///     Response::text(format!("{} {}\n", request.method(), request.query_value("name").unwrap_or_default()))
/// }
///
/// assert_eq!(rhinod::test::call(&hello, rhinod::test::get("/?name=a%20b")).text(), "GET a b\n");
/// ```
pub struct Request<'r> {
    pub(crate) head: &'r RequestHead<'r>,
    pub(crate) body: &'r mut (dyn DeclaredBody + 'r),
    pub(crate) trust_forwarded: bool,
    pub(crate) generation: u32,
    /// Tells the master that the application wants a reload.
    pub(crate) ask_reload: &'r dyn Fn(),
    /// Gives this request so much time from now on.
    pub(crate) set_deadline: &'r dyn Fn(Option<Duration>),
    /// The cache of this name.
    pub(crate) cache: &'r dyn Fn(Option<&str>) -> Option<Cache<'r>>,
    pub(crate) notes: &'r mut LogNotes,
    pub(crate) extensions: http::Extensions,
}

impl<'r> Request<'r> {
    /// Which loading of the application answers: 1 after the start, and one more with each reload.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Asks for a graceful reload of the whole instance, as SIGHUP does. Comes back at once: this request is answered by
    /// this worker, whatever becomes of the reload.
    pub fn reload_instance(&self) {
        (self.ask_reload)();
    }

    /// Gives this request so much time from now on, whatever the configuration gives it (`harakiri`, which counts as well);
    /// `None` takes that back. When the time is over its client gets 504, or the end of an answer that has begun, and what
    /// the handler still sends is dropped. A handler that does not come back soon then has its worker replaced.
    pub fn set_deadline(&self, limit: Option<Duration>) {
        (self.set_deadline)(limit);
    }

    /// The cache of this name (`cache2`), which all workers share; the first one where the name is empty.
    pub fn cache(&self, name: &str) -> Option<Cache<'r>> {
        (self.cache)(Some(name).filter(|name| !name.is_empty()))
    }

    /// The method, such as `GET`. Case-sensitive (RFC 9110, section 9.1). `GET` where the web server does not say it;
    /// then [`Request::variable`] has no `REQUEST_METHOD`.
    pub fn method(&self) -> &'r str {
        self.head.method_or_get()
    }

    /// The decoded path below [`Request::script_name`], with what is not UTF-8 replaced.
    pub fn path(&self) -> Cow<'r, str> {
        String::from_utf8_lossy(self.head.path())
    }

    /// The decoded path as it came (`PATH_INFO`).
    pub fn path_bytes(&self) -> &'r [u8] {
        self.head.path()
    }

    /// Where the application is mounted (`SCRIPT_NAME`), usually empty.
    pub fn script_name(&self) -> Cow<'r, str> {
        String::from_utf8_lossy(self.head.script_name())
    }

    /// Path and query as the client sent them, still encoded (`REQUEST_URI`).
    pub fn uri(&self) -> &'r [u8] {
        self.head.uri()
    }

    /// The query without its question mark, still encoded.
    pub fn query(&self) -> Cow<'r, str> {
        String::from_utf8_lossy(self.head.query())
    }

    /// The first value of a parameter of the query, percent-decoded, with `+` as a space
    /// (`application/x-www-form-urlencoded`, as browsers send forms).
    pub fn query_value(&self, name: &str) -> Option<String> {
        self.query_pairs().find_map(|(key, value)| (key == name).then_some(value))
    }

    /// Every value of a parameter of the query, in order.
    pub fn query_values<'n>(&self, name: &'n str) -> impl Iterator<Item = String> + use<'n, 'r> {
        self.query_pairs().filter_map(move |(key, value)| (key == name).then_some(value))
    }

    /// All parameters of the query in order, percent-decoded, with `+` as a space. One without `=` has an empty value.
    pub fn query_pairs(&self) -> impl Iterator<Item = (String, String)> + use<'r> {
        pairs(self.head.query())
    }

    /// A header by its name, in any case; the last one where it is repeated and the web server did not join them.
    /// `Content-Type` and `Content-Length` are found too.
    ///
    /// ```
    /// use rhinod::{Request, Response, http::header, test};
    ///
    /// fn agent(request: &mut Request<'_>) -> Response {
    ///     let (agent, same) = (request.header(header::USER_AGENT), request.header("User-Agent"));
    ///     Response::bytes("text/plain", agent.filter(|_| agent == same).unwrap_or_default().to_vec())
    /// }
    /// assert_eq!(test::call(&agent, test::get("/").header("User-Agent", "x/1")).text(), "x/1");
    /// ```
    pub fn header(&self, name: impl AsRef<str>) -> Option<&'r [u8]> {
        let name = name.as_ref();
        self.headers().filter(|(own, _)| header_matches(own, name)).map(|(_, value)| value).last()
    }

    /// The same as text, with what is not UTF-8 replaced.
    pub fn header_text(&self, name: impl AsRef<str>) -> Option<Cow<'r, str>> {
        self.header(name).map(String::from_utf8_lossy)
    }

    /// All headers: names as the protocol carries them (`USER_AGENT` for `User-Agent`), values as bytes.
    pub fn headers(&self) -> impl Iterator<Item = (&'r str, &'r [u8])> + use<'r> {
        self.head.variables().filter_map(|(key, value)| {
            let key = std::str::from_utf8(key).ok()?;
            match key {
                "CONTENT_TYPE" | "CONTENT_LENGTH" => (!value.is_empty()).then_some((key, value)),
                _ => Some((key.strip_prefix("HTTP_")?, value)),
            }
        })
    }

    /// One variable of the request as the web server sent it (`uwsgi_param`), such as `REMOTE_ADDR`.
    pub fn variable(&self, key: &str) -> Option<&'r [u8]> {
        self.variables().filter(|(own, _)| *own == key.as_bytes()).map(|(_, value)| value).last()
    }

    /// All variables in the order of the wire. Those that uWSGI let a client use to load code or read files
    /// (`UWSGI_FILE` and the like) are left out, and nothing here acts on them.
    pub fn variables(&self) -> impl Iterator<Item = (&'r [u8], &'r [u8])> + use<'r> {
        self.head.variables()
    }

    /// `http` or `https`, as the web server says, or as a `trusted-proxy` before it does (`X-Forwarded-Proto`).
    pub fn scheme(&self) -> &'static str {
        self.head.scheme(self.trust_forwarded)
    }

    /// The `Host` header.
    pub fn host(&self) -> Cow<'r, str> {
        String::from_utf8_lossy(self.head.host())
    }

    /// Address and port of the client, as the web server saw it (`REMOTE_ADDR`, `REMOTE_PORT`).
    pub fn peer(&self) -> Option<SocketAddr> {
        let address = std::str::from_utf8(self.head.remote_addr()).ok()?.parse().ok()?;
        let port = std::str::from_utf8(self.head.remote_port()).ok().and_then(|port| port.parse().ok()).unwrap_or(0);
        Some(SocketAddr::new(address, port))
    }

    /// Length of the body in bytes: 0 when there is none, `None` when it comes in chunks, or otherwise without a declared
    /// length.
    pub fn content_length(&self) -> Option<u64> {
        self.body.length()
    }

    /// What wrappers and handlers leave for each other with this request, by its type.
    pub fn extensions(&self) -> &http::Extensions {
        &self.extensions
    }

    /// The same, to be changed.
    pub fn extensions_mut(&mut self) -> &mut http::Extensions {
        &mut self.extensions
    }

    /// The whole body, if it is not longer than `bytes_max`.
    ///
    /// # Errors
    /// [`io::ErrorKind::FileTooLarge`] when it is longer (nothing has been read then, if the length was declared); a
    /// handler that returns it answers with 413. Otherwise as for [`Read`].
    pub fn read_body(&mut self, bytes_max: u64) -> io::Result<Vec<u8>> {
        let declared = self.body.length().map(|_| self.body.remaining());
        if declared.is_some_and(|remaining| remaining > bytes_max) {
            return Err(too_large());
        }
        let mut body = Vec::with_capacity(usize::try_from(declared.unwrap_or(0)).unwrap_or(0).min(1 << 20));
        (&mut *self.body).take(bytes_max.saturating_add(1)).read_to_end(&mut body)?;
        if body.len() as u64 > bytes_max {
            return Err(too_large());
        }
        Ok(body)
    }

    /// Sets a variable for this request's line in the log: `log-format` shows it where it says `%(name)`, escaped.
    ///
    /// # Errors
    /// When the request has 64 of them already.
    pub fn set_log_variable(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), TooManyLogVariables> {
        self.notes.set(name.as_bytes(), value.as_ref())
    }

    /// Has this request's line written to the log, also with `disable-logging`.
    pub fn log_this_request(&mut self) {
        self.notes.forced = true;
    }

    /// The same request in the types of the `http` crate, without its body (which is still to be read here).
    ///
    /// # Errors
    /// When method, target or a header is not what that crate accepts.
    pub fn to_http(&self) -> Result<http::Request<()>, http::Error> {
        let target = if self.head.uri().is_empty() { b"/".as_slice() } else { self.head.uri() };
        let mut builder = http::Request::builder().method(self.method()).uri(target);
        for (name, value) in self.headers() {
            builder = builder.header(name.replace('_', "-").to_ascii_lowercase(), value);
        }
        builder.body(())
    }
}

fn too_large() -> io::Error {
    let told = StatusError::new(413, "The request body is larger than this application accepts.");
    io::Error::new(io::ErrorKind::FileTooLarge, told)
}

/// The body, from where the last read ended. [`io::ErrorKind::TimedOut`] when the client is silent for the socket
/// timeout, [`io::ErrorKind::UnexpectedEof`] when it goes away before the declared length is there.
impl Read for Request<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.body.read(buffer)
    }
}

impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method())
            .field("uri", &String::from_utf8_lossy(self.head.uri()))
            .field("content_length", &self.content_length())
            .finish_non_exhaustive()
    }
}

/// A body that comes with a request.
pub trait DeclaredBody: Read {
    /// The declared length in bytes (`CONTENT_LENGTH`): 0 when there is no body, `None` when its end is only told as it
    /// comes.
    fn length(&self) -> Option<u64>;

    /// Bytes that have not been read yet: exact for a declared length, otherwise more than there can be until the end
    /// was read.
    fn remaining(&self) -> u64;
}

/// Whether a key of the wire, without `HTTP_`, is this header: `-` and `_` are the same there.
fn header_matches(key: &str, name: &str) -> bool {
    let wire = |byte: u8| if byte == b'-' { b'_' } else { byte.to_ascii_uppercase() };
    key.len() == name.len() && key.bytes().zip(name.bytes()).all(|(own, other)| own == wire(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_headers_match_in_any_case_and_with_either_dash() {
        assert!(header_matches("USER_AGENT", "User-Agent") && header_matches("USER_AGENT", "user_agent"));
        assert!(!header_matches("USER_AGENT", "User-Agents") && !header_matches("HOST", "Hose"));
    }
}
