//! What an Emperor and its vassals say to each other, one byte a message (uWSGI's manual, "The Emperor").
//!
//! Not for the sockets that carry it. Pure; used in the Emperor, and in the master that is a vassal.

/// The environment variable with the number of the descriptor on which an Emperor is heard.
pub const EMPEROR_FD: &str = "UWSGI_EMPEROR_FD";

/// What a vassal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FromVassal {
    /// Its workers are there.
    Ready,
    /// Its first worker takes requests.
    Accepting,
    /// It has answered a request: whatever ends it from now on, it was able to serve.
    Loyal,
    /// It has nothing to do and is to be stopped.
    Idle,
    /// It lives.
    Heartbeat,
    /// It needs reinforcements.
    Sos,
}

/// What an Emperor says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToVassal {
    /// Stop at once.
    StopNow,
    /// Reload.
    Reload,
    /// Stop when what is under way is done.
    Stop,
}

impl FromVassal {
    const BYTES: [(FromVassal, u8); 6] = [
        (FromVassal::Ready, 1),
        (FromVassal::Accepting, 5),
        (FromVassal::Loyal, 17),
        (FromVassal::Idle, 22),
        (FromVassal::Heartbeat, 26),
        (FromVassal::Sos, 30),
    ];

    /// The byte.
    #[must_use]
    pub fn byte(self) -> u8 {
        Self::BYTES.iter().find(|(message, _)| *message == self).map_or(0, |(_, byte)| *byte)
    }

    /// What a byte means; `None` for one that means nothing.
    #[must_use]
    pub fn of(byte: u8) -> Option<FromVassal> {
        Self::BYTES.iter().find(|(_, known)| *known == byte).map(|(message, _)| *message)
    }
}

impl ToVassal {
    const BYTES: [(ToVassal, u8); 3] = [(ToVassal::StopNow, 0), (ToVassal::Reload, 1), (ToVassal::Stop, 2)];

    /// The byte.
    #[must_use]
    pub fn byte(self) -> u8 {
        Self::BYTES.iter().find(|(message, _)| *message == self).map_or(0, |(_, byte)| *byte)
    }

    /// What a byte means; `None` for one that means nothing.
    #[must_use]
    pub fn of(byte: u8) -> Option<ToVassal> {
        Self::BYTES.iter().find(|(_, known)| *known == byte).map(|(message, _)| *message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_read_as_what_it_was_written_for() {
        for (message, byte) in FromVassal::BYTES {
            assert_eq!((message.byte(), FromVassal::of(byte)), (byte, Some(message)));
        }
        for (message, byte) in ToVassal::BYTES {
            assert_eq!((message.byte(), ToVassal::of(byte)), (byte, Some(message)));
        }
        assert_eq!((FromVassal::of(0), ToVassal::of(3)), (None, None));
    }
}
