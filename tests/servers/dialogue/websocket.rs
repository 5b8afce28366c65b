//! A client of websockets that speaks in frames, to the byte. Runs in the test's process.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::tcp_address;
use crate::harness::{Instance, PATIENCE};

/// What stands in the place of a length of two bytes.
const LONGER: u8 = 126;

/// A client that speaks in frames.
pub(crate) struct Client {
    stream: TcpStream,
    /// The head of the answer.
    pub(crate) head: String,
}

impl Client {
    /// Asks for a websocket, with these headers as well.
    pub(crate) fn opens(address: SocketAddr, path: &str, headers: &str) -> Self {
        let mut stream = TcpStream::connect(address).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n"
        );
        stream.write_all(head.as_bytes()).expect("send");
        let mut client = Self { stream, head: String::new() };
        while !client.head.ends_with("\r\n\r\n") {
            let byte = client.read(1)[0];
            client.head.push(char::from(byte));
        }
        client
    }

    /// Opens a websocket of an instance.
    pub(crate) fn to(server: &Instance, path: &str) -> Self {
        let client = Self::opens(tcp_address(server), path, "");
        assert!(client.head.starts_with("HTTP/1.1 101 Web Socket Protocol Handshake\r\n"), "{}", client.head);
        client
    }

    /// Another one that speaks on the same connection, so that one can send while the other reads.
    pub(crate) fn twin(&self) -> Self {
        Self { stream: self.stream.try_clone().expect("a second descriptor"), head: String::new() }
    }

    /// Sends a frame, masked.
    pub(crate) fn send(&mut self, first: u8, payload: &[u8]) {
        let mask = [1, 2, 3, 4];
        let masked = payload.iter().zip(mask.iter().cycle()).map(|(byte, masked)| byte ^ masked);
        let length = u16::try_from(payload.len()).expect("not a long frame");
        let head = match u8::try_from(length).ok().filter(|length| *length < LONGER) {
            Some(short) => vec![first, 0x80 | short],
            None => [&[first, 0x80 | LONGER][..], &length.to_be_bytes()].concat(),
        };
        let frame: Vec<u8> = head.into_iter().chain(mask).chain(masked).collect();
        self.stream.write_all(&frame).expect("send");
    }

    fn read(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).expect("an answer");
        bytes
    }

    /// The next frame, not a long one.
    pub(crate) fn frame(&mut self) -> (u8, Vec<u8>) {
        let head = self.read(2);
        assert!(head[1] <= LONGER, "{head:?}");
        let length = match head[1] {
            LONGER => u16::from_be_bytes(self.read(2).try_into().expect("two bytes")),
            short => short.into(),
        };
        (head[0], self.read(length.into()))
    }

    /// The last frame is a close frame with this code, and nothing comes after it.
    pub(crate) fn ends_with(mut self, code: u16) {
        assert_eq!(self.frame(), (0x88, code.to_be_bytes().to_vec()));
        self.ends();
    }

    /// Nothing more comes.
    pub(crate) fn ends(mut self) {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).expect("the end");
        assert!(rest.is_empty(), "{rest:?}");
    }
}
