//! Websockets for handlers: what a function gets that [`Response::websocket`](super::Response::websocket) was given. Pure;
//! the worker is behind it.

use std::borrow::Cow;
use std::io;

/// A message of a websocket.
///
/// ```
/// use rhinod::{Request, Response, WebSocketMessage};
///
/// fn shout(_request: &mut Request<'_>) -> Response {
///     Response::websocket(|socket| {
///         while let Some(WebSocketMessage::Text(text)) = socket.receive() {
///             socket.send_text(text.to_uppercase())?;
///         }
///         Ok(())
///     })
/// }
/// assert_eq!(rhinod::test::call(&shout, rhinod::test::get("/")).status, 101);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebSocketMessage {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

/// A connection that has become a websocket (RFC 6455). Its thread serves nothing else meanwhile, and it has no deadline
/// (`harakiri`). Pings are answered, and the other side is asked whether it is there, while a message is waited for.
///
/// ```
/// use rhinod::{Response, WebSocket};
///
/// fn count(socket: &mut WebSocket<'_>) -> std::io::Result<()> {
///     let mut messages = 0_u64;
///     while socket.receive().is_some() {
///         messages += 1;
///         socket.send_text(messages.to_string())?;
///     }
///     Ok(())
/// }
/// assert_eq!(Response::websocket(count).status(), 101);
/// ```
pub struct WebSocket<'a> {
    pub(crate) link: &'a mut dyn Link,
}

/// Who carries the messages.
pub(crate) trait Link {
    /// Waits for a message; `None`: none comes any more.
    fn receive(&mut self) -> Option<WebSocketMessage>;

    /// Sends one. False: nobody gets one any more.
    fn send(&mut self, is_text: bool, bytes: &[u8]) -> bool;
}

impl WebSocket<'_> {
    /// Waits for the next message. `None` at the end: the other side has ended it or gone, or the worker is to leave.
    pub fn receive(&mut self) -> Option<WebSocketMessage> {
        self.link.receive()
    }

    /// Sends a message.
    ///
    /// # Errors
    /// [`io::ErrorKind::BrokenPipe`] when it has ended.
    pub fn send(&mut self, message: &WebSocketMessage) -> io::Result<()> {
        let (is_text, bytes) = match message {
            WebSocketMessage::Text(text) => (true, text.as_bytes()),
            WebSocketMessage::Binary(bytes) => (false, &bytes[..]),
        };
        if self.link.send(is_text, bytes) { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }

    /// Sends text.
    ///
    /// # Errors
    /// As for [`WebSocket::send`].
    pub fn send_text<'t>(&mut self, text: impl Into<Cow<'t, str>>) -> io::Result<()> {
        self.send(&WebSocketMessage::Text(text.into().into_owned()))
    }
}
