//! Codes of close frames that this side sends (RFC 6455, section 7.4.1).

/// The application has done what it wanted.
pub const NORMAL: u16 = 1000;
/// The worker leaves.
pub const GOING_AWAY: u16 = 1001;
/// The other side does not keep to the protocol.
pub const PROTOCOL: u16 = 1002;
/// What should be text is not.
pub const NOT_TEXT: u16 = 1007;
/// A message is larger than the configuration allows.
pub const TOO_BIG: u16 = 1009;
/// The application failed.
pub const FAILED: u16 = 1011;
