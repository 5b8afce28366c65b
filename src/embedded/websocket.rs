//! Websockets of handlers: has the worker open one, and joins what the handler's function gets to it. Worker only.

use crate::escape;
use crate::handler::{Body, Link, Response, WebSocket, WebSocketMessage};
use crate::worker::websocket::{Kind, Opening, Received};
use crate::worker::{Exchange, Raised};

/// What a client gets that did not ask for a websocket.
const NONE: &str = "There is a websocket here, and nothing else.\n";

/// Has the function of a response talk with the client, if that is what the response is for.
pub(super) fn converse(exchange: &mut Exchange<'_>, response: Response) {
    let Body::WebSocket(converse) = response.body else { return };
    let mut headers = response.headers.iter();
    let protocol = headers.find(|(name, _)| name.eq_ignore_ascii_case("Sec-WebSocket-Protocol"));
    let protocol = protocol.map(|(_, value)| value.as_ref());
    if let Err(error) = exchange.open_websocket(&Opening { protocol, ..Opening::default() }) {
        log::info!("{} becomes no websocket: {error}", exchange.named());
        return exchange.answer_plainly(400, NONE);
    }
    let ended = converse(&mut WebSocket { link: &mut Carrier(exchange) });
    if let Err(error) = ended
        && !exchange.has_websocket_ended()
    {
        log::error!("{} failed: {}", exchange.named(), escape::lines(&error.to_string()));
        exchange.note_exception(|| Raised {
            types: vec!["error".to_owned()],
            value: error.to_string(),
            reprs: Vec::new(),
        });
    }
}

/// The exchange, as it carries messages.
struct Carrier<'e, 'c>(&'e mut Exchange<'c>);

impl Link for Carrier<'_, '_> {
    fn receive(&mut self) -> Option<WebSocketMessage> {
        let Received::Message(message) = self.0.receive_message(true) else { return None };
        Some(match message.kind {
            Kind::Binary => WebSocketMessage::Binary(message.bytes),
            // It has been looked at.
            Kind::Text => WebSocketMessage::Text(String::from_utf8(message.bytes).unwrap_or_default()),
        })
    }

    fn send(&mut self, is_text: bool, bytes: &[u8]) -> bool {
        self.0.send_message(if is_text { Kind::Text } else { Kind::Binary }, bytes)
    }
}
