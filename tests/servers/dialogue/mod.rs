//! A client that has a dialogue with a server over one connection: it sends what it is told to, and takes replies apart
//! one by one, strictly. Runs in the test's process.

pub(crate) mod websocket;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::harness::{Instance, Launch, PATIENCE};

/// One connection to an HTTP server.
#[derive(Debug)]
pub(crate) struct Dialogue {
    connection: Connection,
    received: BufReader<Connection>,
}

#[derive(Debug)]
enum Connection {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// One reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    /// Status code.
    pub(crate) status: u16,
    /// The version in the status line.
    pub(crate) version: String,
    /// Headers in order, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, chunks put together.
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// The header of that name (in lower case); there is not more than one.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let first = values.next();
        assert_eq!(values.next(), None, "{name} twice: {self:?}");
        first
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether the server says that it is the last one.
    pub(crate) fn is_last(&self) -> bool {
        self.header("connection") == Some("close")
    }
}

/// An instance with an HTTP socket `http.sock` in its directory beside the other one.
pub(crate) fn with_http_socket(launch: Launch) -> Launch {
    let path = launch.dir().join("http.sock");
    launch.set("http-socket", path.display())
}

/// The address of the instance's TCP socket, from the log, once it stands there.
pub(crate) fn tcp_address(server: &Instance) -> SocketAddr {
    let said = server.log.wait_for("bound to 127.0.0.1:").text;
    let line = said.split_once("bound to 127.0.0.1:").map(|(_, address)| format!("127.0.0.1:{address}"));
    line.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no TCP socket:\n{}", server.log.tail()))
}

impl Dialogue {
    /// Connects to the instance's `http.sock`.
    pub(crate) fn with(server: &Instance) -> Dialogue {
        Self::over_unix(&server.dir().join("http.sock"))
    }

    /// Connects to a unix socket.
    pub(crate) fn over_unix(path: &Path) -> Dialogue {
        let stream = UnixStream::connect(path).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        let received = stream.try_clone().expect("a second descriptor");
        Dialogue { connection: Connection::Unix(stream), received: BufReader::new(Connection::Unix(received)) }
    }

    /// Connects to an address.
    pub(crate) fn over_tcp(address: SocketAddr) -> Dialogue {
        let stream = TcpStream::connect(address).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        let received = stream.try_clone().expect("a second descriptor");
        Dialogue { connection: Connection::Tcp(stream), received: BufReader::new(Connection::Tcp(received)) }
    }

    /// Sends bytes. A server that has refused what came before may not want them; its reply tells.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.connection.write_all(bytes.as_ref());
    }

    /// Says that no more is coming.
    pub(crate) fn finish_sending(&self) {
        let _ = match &self.connection {
            Connection::Unix(stream) => stream.shutdown(Shutdown::Write),
            Connection::Tcp(stream) => stream.shutdown(Shutdown::Write),
        };
    }

    /// Sends a request without a body and reads the reply.
    pub(crate) fn get(&mut self, target: &str) -> Reply {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: app.example\r\n\r\n"));
        self.reply("GET")
    }

    /// The next reply, to a request with this method.
    pub(crate) fn reply(&mut self, method: &str) -> Reply {
        self.try_reply(method).expect("a whole reply")
    }

    /// The same; `None` when the server ends the connection in an orderly way in the place of it.
    ///
    /// # Errors
    /// Half a reply, or what is none.
    pub(crate) fn try_reply(&mut self, method: &str) -> io::Result<Reply> {
        let status_line = self.line()?;
        let invalid = || io::Error::other(format!("no status line: {status_line:?}"));
        let (version, rest) = status_line.split_once(' ').ok_or_else(invalid)?;
        let status = rest.get(..3).and_then(|digits| digits.parse().ok()).ok_or_else(invalid)?;
        let mut reply = Reply { status, version: version.to_owned(), headers: Vec::new(), body: Vec::new() };
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").ok_or_else(|| io::Error::other(format!("header {line:?}")))?;
            reply.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        reply.body = self.body(method, &reply)?;
        Ok(reply)
    }

    fn body(&mut self, method: &str, reply: &Reply) -> io::Result<Vec<u8>> {
        if method == "HEAD" || matches!(reply.status, 100..=199 | 204 | 304) {
            return Ok(Vec::new());
        }
        if let Some(coding) = reply.header("transfer-encoding") {
            assert_eq!((coding, reply.header("content-length")), ("chunked", None));
            return self.chunks();
        }
        match reply.header("content-length") {
            Some(length) => self.exactly(length.parse().map_err(io::Error::other)?),
            None => {
                assert!(reply.is_last(), "nothing says where the body ends: {reply:?}");
                Ok(self.rest())
            }
        }
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = usize::from_str_radix(&self.line()?, 16).map_err(io::Error::other)?;
            body.extend(self.exactly(size)?);
            if !self.line()?.is_empty() {
                return Err(io::Error::other("a chunk that does not end where it says"));
            }
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn exactly(&mut self, bytes: usize) -> io::Result<Vec<u8>> {
        let mut body = vec![0; bytes];
        self.received.read_exact(&mut body)?;
        Ok(body)
    }

    /// A line without its end, which is CR LF.
    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        self.received.read_until(b'\n', &mut line)?;
        let ended = line.strip_suffix(b"\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(String::from_utf8_lossy(ended).into_owned())
    }

    /// Everything until the server ends the connection.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.received.read_to_end(&mut rest).expect("an orderly end");
        rest
    }

    /// Waits for the end of the connection, before which nothing comes.
    pub(crate) fn assert_ends(&mut self) {
        assert_eq!(self.rest().escape_ascii().to_string(), "", "the end was expected");
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Connection::Unix(stream) => stream.read(buffer),
            Connection::Tcp(stream) => stream.read(buffer),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Connection::Unix(stream) => stream.write(bytes),
            Connection::Tcp(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
