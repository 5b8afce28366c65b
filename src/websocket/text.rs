//! Whether text that comes in parts is UTF-8, told as early as can be (RFC 6455, section 8.1).

/// What was seen of a text so far.
#[derive(Debug, Default)]
pub(super) struct Text {
    /// The beginning of a character whose end has not come.
    begun: Vec<u8>,
}

impl Text {
    /// Takes in the next part. False: whatever comes, this is no UTF-8.
    pub(super) fn take(&mut self, mut part: &[u8]) -> bool {
        while let (false, [first, rest @ ..]) = (self.begun.is_empty(), part) {
            self.begun.push(*first);
            part = rest;
            match std::str::from_utf8(&self.begun) {
                Ok(_) => self.begun.clear(),
                Err(error) if error.error_len().is_some() => return false,
                Err(_) => {}
            }
        }
        if let Err(error) = std::str::from_utf8(part) {
            if error.error_len().is_some() {
                return false;
            }
            self.begun.extend_from_slice(&part[error.valid_up_to()..]);
        }
        true
    }

    /// Whether it ends where a character does.
    pub(super) fn is_whole(&self) -> bool {
        self.begun.is_empty()
    }
}
