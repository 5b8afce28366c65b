//! The records that master, zygote and worker send each other over their control sockets.
//!
//! Each message is one packet of a `SOCK_SEQPACKET` unix socket: a record of 32 bytes, little-endian, for some kinds
//! followed by a text. Descriptors travel beside it (`SCM_RIGHTS`); [`Message::descriptors`] says how many and each kind
//! which. End-of-file is a message too: the other side is gone. This module only turns messages into bytes and back;
//! sending is `sys`' business. Used in the master, the zygote and the worker.
//!
//! | offset | bytes | field |
//! | --- | --- | --- |
//! | 0 | 2 | kind |
//! | 2 | 2 | version, [`VERSION`] |
//! | 4 | 4 | generation |
//! | 8 | 4 | seat |
//! | 12 | 4 | post |
//! | 16 | 8 | a |
//! | 24 | 8 | b |
//!
//! What a kind does not use is written as 0 and not looked at. Kinds are unique over all four directions, so that a
//! record in the wrong direction is an unknown one. A change of meaning changes the version.
//!
//! ```
//! use worker_protocol::control::{FromWorker, Message, RECORD_BYTES};
//!
//! let ready = FromWorker::Ready { boot_us: 1_200 };
//! let mut packet = Vec::new();
//! ready.encode(&mut packet);
//! assert_eq!((packet.len(), ready.descriptors()), (RECORD_BYTES, 0));
//! assert_eq!(FromWorker::decode(&packet), Ok(ready));
//! ```
//!
//! A fork, from the order on, and a worker that leaves:
//!
//! ```
//! use worker_protocol::control::{Error, FromWorker, FromZygote, LeaveReason, Message, ToWorker, ToZygote};
//! use worker_protocol::ids::{Life, ProcessId, Seat};
//! use worker_protocol::post::Post;
//!
//! fn sent<M: Message>(message: &M) -> Result<M, Error> {
//!     let mut packet = Vec::new();
//!     message.encode(&mut packet);
//!     M::decode(&packet)
//! }
//! let order = ToZygote::Fork { seat: Seat(0), post: Post::worker(1), life: Life(7), nth: 1 };
//! assert_eq!(sent(&order)?, order);
//! let forked = FromZygote::Forked { seat: Seat(0), pid: ProcessId::new(4_711).expect("above 0") };
//! assert_eq!(sent(&forked)?, forked);
//! assert_eq!(sent(&ToWorker::Retire)?, ToWorker::Retire);
//! let leaving = FromWorker::Leaving { reason: LeaveReason::MaxRequests };
//! assert_eq!(sent(&leaving)?, leaving);
//! assert!(matches!(ToWorker::decode(b"short"), Err(Error::Short { bytes: 5 })));
//! # Ok::<(), Error>(())
//! ```

pub mod kind;

mod child;
mod record;
mod zygote;

pub use self::child::{FromWorker, LeaveReason, ToWorker};
pub use self::record::{DESCRIPTORS_MAX, Error, MESSAGE_BYTES_MAX, Message, RECORD_BYTES, TEXT_BYTES_MAX, VERSION};
pub use self::zygote::{FromZygote, MAILBOXES_MAX, SETUP_DESCRIPTORS, SETUP_LISTENERS_MAX, ToZygote, ZYGOTE_ARGUMENT};
