//! What the kernel is told about the listening sockets and about the connections that come from them.
//!
//! A section of the configuration. Not for opening sockets (`sys::listeners`). Pure; the master reads it.

use serde::{Deserialize, Serialize};

/// What holds for all listening sockets. Connections have it from the socket that they came to (tcp(7), socket(7)).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SocketTuning {
    /// Whether small pieces are sent at once (`tcp-nodelay`). On sockets that keep connections they always are.
    pub nodelay: bool,
    /// Whether the kernel asks silent clients whether they are still there (`so-keepalive`).
    pub keep_alive: bool,
    /// Bytes of the kernel's buffer for what is sent (`socket-sndbuf`).
    pub send_bytes: Option<usize>,
    /// Bytes of the kernel's buffer for what is received (`socket-rcvbuf`).
    pub receive_bytes: Option<usize>,
    /// Whether an address may be listened on that the machine does not have yet (`freebind`).
    pub freebind: bool,
    /// How many connections may bring data with their first packet at a time (`tcp-fast-open`).
    pub fast_open: Option<u32>,
}
