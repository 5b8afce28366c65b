//! One client's requests, one after the other, and the answers that workers give: bytes of both in, bytes for both out, and
//! what is to be done next. Pure; the router keeps one for each connection of HTTP that it reads, `session` does what it says.
//!
//! A request is read whole before a worker is asked, so that a slow client costs bytes here and no worker; its answer is taken
//! off the worker's hands as far as a bound goes. Of requests that are ambiguous none is passed on (the rules are
//! `worker_protocol::http`'s), and no connection goes on after an answer that was not exactly as long as announced.

mod answering;
mod collecting;
mod delivery;
mod ending;
mod outgoing;
mod own_answer;
mod reading;
mod request;
mod state;
mod terms;
#[cfg(test)]
mod tests;
mod upload;

pub(super) use self::answering::Failure;
pub(super) use self::state::{Conversation, Ending, Remark};
pub(super) use self::terms::{Moment, Terms};
pub(super) use self::upload::Piece;
