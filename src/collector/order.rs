//! What the collector has the master do, which has the mailboxes of the instance: a signal of the application, a message to a
//! mule. Pure; written in the collector, read in the master.

/// Something for the master to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Order {
    /// Raise this signal of the application.
    Signal(u8),
    /// Put a message into the queue of this mule; of any for 0.
    Mule(u32, Vec<u8>),
}

impl Order {
    /// As it is sent: the kind, its number, a line's end, a message.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Signal(number) => format!("signal {number}\n").into_bytes(),
            Self::Mule(number, message) => [format!("mule {number}\n").as_bytes(), message].concat(),
        }
    }

    /// Reads one; `None` for what is none.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let (kind, number) = std::str::from_utf8(&bytes[..end]).ok()?.split_once(' ')?;
        match kind {
            "signal" => Some(Self::Signal(number.parse().ok()?)),
            "mule" => Some(Self::Mule(number.parse().ok()?, bytes[end + 1..].to_vec())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_as_they_were_written_and_nothing_else_is_one() {
        for order in [Order::Signal(255), Order::Mule(0, Vec::new()), Order::Mule(7, b"two\nlines".to_vec())] {
            assert_eq!(Order::read(&order.bytes()), Some(order));
        }
        for nonsense in [&b""[..], b"signal 1", b"signal 256\n", b"mule\n", b"mule x\n", b"sing 1\n", b"\xff 1\n"] {
            assert_eq!(Order::read(nonsense), None);
        }
    }
}
