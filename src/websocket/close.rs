//! Why a connection ends: what close frames say (RFC 6455, section 7.4).

use super::fault::Fault;

/// What a close frame says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Close {
    /// Why, as a number; `None` where nothing is said.
    pub code: Option<u16>,
    /// Why, in words.
    pub reason: String,
}

impl Close {
    /// Reads the payload of a close frame.
    pub(super) fn read(payload: &[u8]) -> Result<Self, Fault> {
        let (code, reason) = match payload {
            [] => return Ok(Self::default()),
            [_] => return Err(Fault::Protocol("half a code in a close frame")),
            [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
        };
        if !is_sent(code) {
            return Err(Fault::Protocol("a code in a close frame that is never sent"));
        }
        let reason = std::str::from_utf8(reason).map_err(|_| Fault::NotText)?;
        Ok(Self { code: Some(code), reason: reason.to_owned() })
    }
}

/// Whether a code may stand in a frame: those of the registry that are not for a program's own use, of libraries, and of
/// applications.
fn is_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
