//! Frames: their heads, and what may not be in them (RFC 6455, section 5).

use super::fault::Fault;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// The next part of a message.
    Continuation,
    /// A message of text, or its first part.
    Text,
    /// A message of bytes, or its first part.
    Binary,
    /// The end.
    Close,
    /// A question whether anybody is there.
    Ping,
    /// The answer to it.
    Pong,
}

impl Opcode {
    const fn number(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    fn of(number: u8) -> Result<Self, Fault> {
        let all = [Self::Continuation, Self::Text, Self::Binary, Self::Close, Self::Ping, Self::Pong];
        all.into_iter().find(|one| one.number() == number).ok_or(Fault::Protocol("a frame of an unknown kind"))
    }

    pub(super) const fn is_control(self) -> bool {
        self.number() >= 8
    }
}

const FINAL: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
const MASK_BYTES: usize = 4;

/// Most bytes of a control frame, which fit the short form of the length.
const SHORT_MAX: u64 = 125;
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

/// The head of a frame that a client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) is_final: bool,
    pub(super) opcode: Opcode,
    pub(super) length: u64,
    pub(super) mask: [u8; MASK_BYTES],
}

impl Head {
    /// The least that a client's frame has: two bytes and the mask.
    pub(super) const BYTES_MIN: usize = 2 + MASK_BYTES;

    /// Reads a head, and says how many bytes it has. `Err` in `Ok`: so many bytes are needed to go on.
    pub(super) fn read(bytes: &[u8]) -> Result<Result<(Self, usize), usize>, Fault> {
        let [first, second, rest @ ..] = bytes else { return Ok(Err(Self::BYTES_MIN)) };
        if first & RESERVED != 0 {
            return Err(Fault::Protocol("a frame of an extension that was not agreed on"));
        }
        let (is_final, opcode) = (first & FINAL != 0, Opcode::of(first & !(FINAL | RESERVED))?);
        if second & MASKED == 0 {
            return Err(Fault::Protocol("a frame without a mask"));
        }
        let short = second & !MASKED;
        if opcode.is_control() && (!is_final || u64::from(short) > SHORT_MAX) {
            return Err(Fault::Protocol("a control frame that is too long or in parts"));
        }
        let extended = match short {
            LENGTH_16 => 2,
            LENGTH_64 => 8,
            _ => 0,
        };
        let total = Self::BYTES_MIN + extended;
        let (Some(length), Some(mask)) = (rest.get(..extended), rest.get(extended..extended + MASK_BYTES)) else {
            return Ok(Err(total));
        };
        let length = match extended {
            0 => u64::from(short),
            _ => length.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
        };
        let least = match extended {
            0 => 0,
            2 => SHORT_MAX + 1,
            _ => u64::from(u16::MAX) + 1,
        };
        if length < least || length > i64::MAX as u64 {
            return Err(Fault::Protocol("a length that is not written as it should be"));
        }
        let mut copied = [0; MASK_BYTES];
        copied.copy_from_slice(mask);
        Ok(Ok((Self { is_final, opcode, length, mask: copied }, total)))
    }

    /// Takes the mask off a part of the payload that begins at this place of it.
    pub(super) fn unmask(&self, part: &mut [u8], place: u64) {
        let shift = (place % MASK_BYTES as u64) as usize;
        let mut mask = self.mask;
        mask.rotate_left(shift);
        let [a, b, c, d] = mask;
        let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
        let (words, rest) = part.as_chunks_mut::<8>();
        words.iter_mut().for_each(|bytes| *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes());
        rest.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, masked)| *byte ^= masked);
    }
}

/// The head of a frame that this side sends: never masked, never in parts.
pub fn head(opcode: Opcode, length: usize) -> Vec<u8> {
    let mut head = Vec::with_capacity(10);
    head.push(FINAL | opcode.number());
    match u16::try_from(length) {
        Ok(short) if u64::from(short) <= SHORT_MAX => head.push(short as u8),
        Ok(medium) => {
            head.push(LENGTH_16);
            head.extend_from_slice(&medium.to_be_bytes());
        }
        Err(_) => {
            head.push(LENGTH_64);
            head.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    head
}
