//! The router: a process of its own, executed by the master, that takes TLS off connections and passes them on to the
//! workers. It runs no code of an application, and no worker has a key in its memory.
//!
//! `life` makes what the master has said; `rounds` has the loop; a connection is a `tunnel`. A program without TLS (the feature
//! `tls`) is never a router.

#[cfg(feature = "tls")]
mod alarms;
pub(crate) mod birth;
#[cfg(feature = "tls")]
mod life;
#[cfg(feature = "tls")]
mod pipe;
#[cfg(feature = "tls")]
mod rounds;
pub(crate) mod settings;
#[cfg(feature = "tls")]
mod tunnel;

#[cfg(feature = "tls")]
pub(crate) use life::run;
