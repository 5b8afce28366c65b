//! What the certificates of sockets come to: a server's side of TLS, or what is wrong with them. A program may be built without
//! TLS (the feature `tls`), where no certificate is any good.
//!
//! Bytes and a time in, no files: those are the master's (`master::certificates`). Pure; used where a start, a reload or a
//! check judges certificates, and in the router.

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(feature = "tls")]
mod chooser;
#[cfg(feature = "tls")]
mod client_side;
#[cfg(feature = "tls")]
mod der;
#[cfg(feature = "tls")]
mod server_side;
#[cfg(feature = "tls")]
mod signing;
#[cfg(feature = "tls")]
mod validity;
#[cfg(feature = "tls")]
mod verifying;

#[cfg(not(feature = "tls"))]
pub(crate) use absent::{ClientSide, Seal, judge, remark, verify};
#[cfg(feature = "tls")]
pub(crate) use client_side::ClientSide;
#[cfg(feature = "tls")]
pub(crate) use server_side::{judge, remark, server_side};
#[cfg(feature = "tls")]
pub(crate) use signing::Seal;
#[cfg(feature = "tls")]
pub(crate) use verifying::verify;
