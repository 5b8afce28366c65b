//! An answer after which another protocol is spoken on the connection (RFC 9110, section 15.2.2). Worker only.

use std::io::{self, ErrorKind};

use worker_protocol::wire::Form;

use super::plain::PLAIN;
use super::{Reply, State};

const SWITCHING_PROTOCOLS: u16 = 101;

impl Reply<'_> {
    /// Whether the bytes of another protocol would come to the client as they are, and no answer has begun.
    pub(crate) fn can_upgrade(&self) -> bool {
        matches!(self.manner.form, Form::Http | Form::Plain) && !self.is_sending()
    }

    /// Sends bytes of the other protocol, after an answer that leads to it.
    pub(crate) fn send_of_another_protocol(&mut self, parts: [&[u8]; 2]) -> io::Result<()> {
        if self.state != State::Sending || self.sent.status != SWITCHING_PROTOCOLS {
            return Err(ErrorKind::BrokenPipe.into());
        }
        self.write_parts([parts[0], parts[1], &[]])?;
        self.account(parts.iter().map(|part| part.len() as u64).sum());
        Ok(())
    }

    /// Answers a client that asks for a version of websockets that is not spoken here (RFC 6455, section 4.4).
    pub(crate) fn answer_upgrade_required(&mut self) {
        let text = "Only version 13 of the WebSocket protocol is spoken here.\n";
        self.answer_with(426, PLAIN, text.as_bytes(), |headers| headers.add(b"Sec-WebSocket-Version", b"13"));
    }
}
