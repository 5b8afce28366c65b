//! All that the variables of a request are made of: its head, and what the connection tells of itself. Pure.

use core::net::IpAddr;

use httparse::Header;

use super::forwarded::Client;
use super::target::Target;
use crate::response::Version;

/// What the connection tells of itself. It becomes variables beside those of the head.
#[derive(Clone, Copy, Default)]
pub struct Peer<'a> {
    /// `SERVER_NAME`: the machine's name, not what a client says.
    pub server_name: &'a [u8],
    /// `SERVER_PORT`.
    pub server_port: &'a [u8],
    /// `REMOTE_ADDR`, empty for a unix socket.
    pub remote_addr: &'a [u8],
    /// `REMOTE_PORT`, empty for a unix socket.
    pub remote_port: &'a [u8],
    /// Whether the connection is secure.
    pub https: bool,
    /// Where the peer is a proxy that is believed: which other addresses are, too. What it says of its client then
    /// takes the place of the peer's own address and scheme (see [`super::forwarded`]).
    pub trusts: Option<&'a dyn Fn(IpAddr) -> bool>,
}

/// All that variables are made of.
pub(super) struct Source<'a> {
    pub(super) method: &'a str,
    pub(super) target: &'a Target<'a>,
    pub(super) version: Version,
    pub(super) headers: &'a [Header<'a>],
    pub(super) peer: &'a Peer<'a>,
    /// The client behind a trusted proxy.
    pub(super) client: Option<&'a Client>,
    pub(super) head_bytes: usize,
}
