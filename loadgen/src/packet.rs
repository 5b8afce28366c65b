//! Requests as a web server would send them: the uwsgi packet, and the same request as HTTP/1.1.
//!
//! Only builds bytes; it opens no socket. Layout and variables follow uWSGI's manual, "The uwsgi Protocol" (what nginx
//! sends), checked against vectors V1 and V2 there. Runs in the measuring process.

use thiserror::Error;

/// One request. Starts as a GET with nginx's stock variables; methods change it.
#[derive(Debug, Clone)]
pub struct Request {
    method: String,
    target: String,
    content_type: String,
    body: Vec<u8>,
    overrides: Vec<(String, Vec<u8>)>,
}

/// The request does not fit into the protocol.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PacketError {
    /// The block's length is a 16-bit number (wire.md 1.1).
    #[error("the variables take {0} bytes, the protocol allows 65535")]
    BlockTooLong(usize),
    /// A key of length zero is malformed (wire.md 1.2).
    #[error("a variable has an empty name")]
    EmptyKey,
}

impl Request {
    /// A GET of `target`, a path with its query, percent-encoded as a browser sends it.
    pub fn get(target: &str) -> Self {
        Self {
            method: "GET".to_owned(),
            target: target.to_owned(),
            content_type: String::new(),
            body: Vec::new(),
            overrides: Vec::new(),
        }
    }

    /// Replaces the method.
    pub fn method(mut self, method: &str) -> Self {
        self.method = method.to_owned();
        self
    }

    /// Sets the request body; its length and type become variables.
    pub fn body(mut self, content_type: &str, body: Vec<u8>) -> Self {
        self.content_type = content_type.to_owned();
        self.body = body;
        self
    }

    /// Sets a variable: replaces the one of that name, or is sent after nginx's own.
    pub fn var(mut self, name: &str, value: &[u8]) -> Self {
        self.overrides.retain(|(known, _)| known != name);
        self.overrides.push((name.to_owned(), value.to_vec()));
        self
    }

    /// Whether a reply to this request has no body whatever its head says (RFC 9110, 6.4.1).
    pub fn expects_no_body(&self) -> bool {
        self.method == "HEAD"
    }

    /// The whole uwsgi packet: 4 bytes of header, the block of variables, the body.
    ///
    /// # Errors
    /// When the variables do not fit into 65,535 bytes or one has no name.
    pub fn to_uwsgi(&self) -> Result<Vec<u8>, PacketError> {
        let mut packet = vec![0; HEADER_BYTES];
        for (name, value) in self.variables() {
            if name.is_empty() {
                return Err(PacketError::EmptyKey);
            }
            push_counted(&mut packet, name.as_bytes())?;
            push_counted(&mut packet, &value)?;
        }
        let block = packet.len() - HEADER_BYTES;
        let length = u16::try_from(block).map_err(|_| PacketError::BlockTooLong(block))?;
        packet[1..3].copy_from_slice(&length.to_le_bytes());
        packet.extend_from_slice(&self.body);
        Ok(packet)
    }

    /// The same request for an HTTP server: 1.1 with keep-alive, otherwise 1.0, so that the close ends a reply without
    /// a length instead of chunks. Only variables named `HTTP_*` become header lines.
    pub fn to_http(&self, keep_alive: bool) -> Vec<u8> {
        let (version, connection) = if keep_alive { ("1.1", "keep-alive") } else { ("1.0", "close") };
        let mut head = format!(
            "{} {} HTTP/{version}\r\nHost: app.example\r\nConnection: {connection}\r\nUser-Agent: probe/1\r\nAccept: */*\r\n",
            self.method, self.target
        );
        if !self.body.is_empty() || self.method == "POST" {
            head += &format!("Content-Type: {}\r\nContent-Length: {}\r\n", self.content_type, self.body.len());
        }
        let mut bytes = head.into_bytes();
        for (name, value) in &self.overrides {
            if let Some(header) = name.strip_prefix("HTTP_") {
                bytes.extend_from_slice(header.replace('_', "-").as_bytes());
                bytes.extend_from_slice(b": ");
                bytes.extend_from_slice(value);
                bytes.extend_from_slice(b"\r\n");
            }
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// nginx's stock variables in its order, then the headers of a small client, then what was added.
    fn variables(&self) -> Vec<(String, Vec<u8>)> {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let length = if self.body.is_empty() { String::new() } else { self.body.len().to_string() };
        let mut variables: Vec<(String, Vec<u8>)> = [
            ("QUERY_STRING", query.as_bytes()),
            ("REQUEST_METHOD", self.method.as_bytes()),
            ("CONTENT_TYPE", self.content_type.as_bytes()),
            ("CONTENT_LENGTH", length.as_bytes()),
            ("REQUEST_URI", self.target.as_bytes()),
            ("PATH_INFO", &percent_decoded(path)),
            ("DOCUMENT_ROOT", b"/usr/share/nginx/html"),
            ("SERVER_PROTOCOL", b"HTTP/1.1"),
            ("REQUEST_SCHEME", b"http"),
            ("REMOTE_ADDR", b"127.0.0.1"),
            ("REMOTE_PORT", b"40001"),
            ("SERVER_PORT", b"18080"),
            ("SERVER_NAME", b"app.example"),
            ("HTTP_HOST", b"app.example"),
            ("HTTP_CONNECTION", b"close"),
            ("HTTP_USER_AGENT", b"probe/1"),
            ("HTTP_ACCEPT", b"*/*"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_vec()))
        .collect();
        for (name, value) in &self.overrides {
            match variables.iter_mut().find(|(known, _)| known == name) {
                Some(variable) => variable.1.clone_from(value),
                None => variables.push((name.clone(), value.clone())),
            }
        }
        variables
    }
}

/// modifier1, length of the block (little-endian), modifier2.
const HEADER_BYTES: usize = 4;

fn push_counted(packet: &mut Vec<u8>, bytes: &[u8]) -> Result<(), PacketError> {
    let length = u16::try_from(bytes.len()).map_err(|_| PacketError::BlockTooLong(bytes.len()))?;
    packet.extend_from_slice(&length.to_le_bytes());
    packet.extend_from_slice(bytes);
    Ok(())
}

/// `%XX` becomes its byte, as nginx' `$document_uri` has it; anything else stays.
fn percent_decoded(path: &str) -> Vec<u8> {
    let bytes = path.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], hex_pair(bytes.get(at + 1..at + 3))) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 3;
            }
            (byte, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    decoded
}

fn hex_pair(digits: Option<&[u8]>) -> Option<u8> {
    let text = std::str::from_utf8(digits?).ok()?;
    if text.starts_with('+') { None } else { u8::from_str_radix(text, 16).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// wire.md 1.10, V1: captured from nginx 1.22.1.
    const V1: &str = "00830100\
        0c0051554552595f535452494e470300783d31\
        0e00524551554553545f4d4554484f440300474554\
        0c00434f4e54454e545f545950450000\
        0e00434f4e54454e545f4c454e4754480000\
        0b00524551554553545f5552490a002f68656c6c6f3f783d31\
        0900504154485f494e464f06002f68656c6c6f\
        0d00444f43554d454e545f524f4f5415002f7573722f73686172652f6e67696e782f68746d6c\
        0f005345525645525f50524f544f434f4c0800485454502f312e31\
        0e00524551554553545f534348454d45040068747470\
        0b0052454d4f54455f4144445209003132372e302e302e31\
        0b0052454d4f54455f504f525405003430303031\
        0b005345525645525f504f525405003138303830\
        0b005345525645525f4e414d450b006170702e6578616d706c65\
        0900485454505f484f53540b006170702e6578616d706c65\
        0f00485454505f434f4e4e454354494f4e0500636c6f7365\
        0f00485454505f555345525f4147454e54070070726f62652f31\
        0b00485454505f41434345505403002a2f2a";

    fn bytes_of(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("a hex digit")).collect()
    }

    #[test]
    fn a_get_is_byte_for_byte_what_nginx_sends() {
        let packet = Request::get("/hello?x=1").to_uwsgi().expect("it fits");
        assert_eq!(packet.len(), 4 + 387);
        assert_eq!(packet, bytes_of(V1));
    }

    #[test]
    fn a_body_follows_the_block_and_is_announced() {
        let request = Request::get("/submit").method("POST").body("text/plain", b"a=1&b=2".to_vec());
        let packet = request.to_uwsgi().expect("it fits");
        let block = usize::from(u16::from_le_bytes([packet[1], packet[2]]));
        assert_eq!(&packet[4 + block..], b"a=1&b=2");
        let announced = b"\x0e\x00CONTENT_LENGTH\x01\x007";
        assert!(packet.windows(announced.len()).any(|window| window == announced));
    }

    #[test]
    fn a_variable_replaces_the_stock_one_in_its_place_or_comes_last() {
        let request = Request::get("/").var("SERVER_NAME", b"other").var("X_NEW", b"").var("X_NEW", b"1");
        let variables = request.variables();
        assert_eq!(variables[12], ("SERVER_NAME".to_owned(), b"other".to_vec()));
        assert_eq!(variables[17], ("X_NEW".to_owned(), b"1".to_vec()));
        assert_eq!(variables.len(), 18);
    }

    #[test]
    fn the_path_is_decoded_and_a_broken_escape_stays() {
        assert_eq!(percent_decoded("/caf%C3%A9/a%2Fb%20c"), b"/caf\xc3\xa9/a/b c");
        assert_eq!(percent_decoded("/100%/%4/%zz/%+1"), b"/100%/%4/%zz/%+1");
    }

    #[test]
    fn the_block_may_fill_sixteen_bits_and_no_more() {
        let stock = Request::get("/").to_uwsgi().expect("it fits").len() - 4;
        let room = 65_535 - stock - 2 - 1 - 2;
        assert!(Request::get("/").var("K", &vec![b'a'; room]).to_uwsgi().is_ok());
        let error = Request::get("/").var("K", &vec![b'a'; room + 1]).to_uwsgi();
        assert_eq!(error, Err(PacketError::BlockTooLong(65_536)));
        assert_eq!(Request::get("/").var("", b"x").to_uwsgi(), Err(PacketError::EmptyKey));
    }

    #[test]
    fn http_carries_the_same_request() {
        let request = Request::get("/a?b").var("HTTP_X_ONE", b"1").var("REMOTE_PORT", b"7");
        let text = String::from_utf8(request.to_http(true)).expect("text");
        assert!(text.starts_with("GET /a?b HTTP/1.1\r\nHost: app.example\r\nConnection: keep-alive\r\n"), "{text}");
        assert!(text.ends_with("X-ONE: 1\r\n\r\n"), "{text}");
        assert!(!text.contains("REMOTE"));
    }
}
