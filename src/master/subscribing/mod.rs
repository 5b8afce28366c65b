//! Announcing the instance to routers (`subscribe-to` and its kin; uWSGI's manual, "The uWSGI subscription server"): while it
//! serves, and not any more before it stops. Master only.
//!
//! Differs from uWSGI where that is at fault: it is announced when workers serve, not before; again soon where a router that was
//! to acknowledge it has not; and what goes wrong is said once. Nothing here waits: a datagram for which there is no room is lost,
//! and the next one is due soon.

mod acknowledged;
mod announcing;
mod book;
mod source;

pub(super) use book::Subscribing;
