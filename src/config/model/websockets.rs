//! How websockets are minded.
//!
//! A section of the configuration. Pure; the workers read it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What holds on each websocket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WebSockets {
    /// After how much silence the other side is asked whether it is there (`websockets-ping-freq`); `None`: never.
    pub ask_after: Option<Duration>,
    /// How long an answer may take (`websockets-pong-tolerance`).
    pub answer_within: Duration,
    /// Most bytes of a message (`websockets-max-size`).
    pub message_bytes_max: u64,
}

impl Default for WebSockets {
    fn default() -> WebSockets {
        WebSockets {
            ask_after: Some(Duration::from_secs(30)),
            answer_within: Duration::from_secs(3),
            message_bytes_max: 1 << 20,
        }
    }
}
