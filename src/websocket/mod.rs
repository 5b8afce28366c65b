//! The WebSocket protocol on the server's side (RFC 6455): the opening handshake, frames, whole messages, and when to ask
//! whether the other side is still there. Pure: bytes and times come in as arguments.

mod close;
pub mod code;
mod fault;
mod frame;
mod handshake;
mod incoming;
mod liveness;
mod text;

#[cfg(test)]
mod tests;

pub use close::Close;
pub use fault::Fault;
pub use frame::{Opcode, head};
pub use handshake::{NoHandshake, answer_to, first_of};
pub use incoming::{Event, Incoming, Kind, Message};
pub use liveness::{Due, Liveness};
