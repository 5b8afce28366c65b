//! A block that a codec makes of what its protocol brings. Pure; the worker has one for each head that comes in another form.

use super::{Limits, Marks};

/// A block that a codec makes of what its protocol brings.
#[derive(Debug)]
pub(crate) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    marks: &'o mut Marks,
    limits: Limits,
    count: usize,
}

/// Why a block is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// The block would have more bytes than the limits allow.
    Bytes,
    /// It would have more pairs.
    Pairs,
}

impl<'o> Writer<'o> {
    /// A block that begins where `out` ends, with room for so many bytes. Its fields are noted in `marks`.
    pub(crate) fn new(out: &'o mut Vec<u8>, marks: &'o mut Marks, limits: Limits, room: usize) -> Writer<'o> {
        out.reserve(room);
        *marks = Marks::default();
        Writer { start: out.len(), out, marks, limits, count: 0 }
    }

    /// Appends a pair. Whoever calls sees to it that the key is not empty.
    pub(crate) fn pair(&mut self, key: &[u8], value: &[u8]) {
        self.append(key, value);
        self.note(key, value.len());
    }

    /// The same for a key that is written where it is called: all before the value goes out in one piece.
    #[inline(always)]
    pub(crate) fn known<const KEY_BYTES: usize>(&mut self, key: &'static [u8; KEY_BYTES], value: &[u8]) {
        const { assert!(0 < KEY_BYTES && KEY_BYTES <= KNOWN_BYTES_MAX) };
        let mut lead = [0; 2 + KNOWN_BYTES_MAX + 2];
        lead[..2].copy_from_slice(&length(KEY_BYTES));
        lead[2..2 + KEY_BYTES].copy_from_slice(key);
        lead[2 + KEY_BYTES..2 + KEY_BYTES + 2].copy_from_slice(&length(value.len()));
        self.out.extend_from_slice(&lead[..2 + KEY_BYTES + 2]);
        self.out.extend_from_slice(value);
        self.count += 1;
        self.note(key, value.len());
    }

    /// Appends a header: `HTTP_` and its name in capitals, with `_` for each `-`. False: it has a `_` in its name, and is
    /// left out.
    pub(crate) fn header(&mut self, name: &[u8], value: &[u8]) -> bool {
        let before = self.out.len();
        let [low, high] = length(b"HTTP_".len() + name.len());
        self.out.extend_from_slice(&[low, high, b'H', b'T', b'T', b'P', b'_']);
        let mut any = 0;
        self.out.extend(name.iter().map(|&byte| {
            let byte = KEY_BYTE[usize::from(byte)];
            any |= byte;
            byte
        }));
        if any & AMBIGUOUS != 0 {
            self.out.truncate(before);
            return false;
        }
        self.end_pair(value);
        if let Some(key) = self.out.get(before + 2..before + 2 + b"HTTP_".len() + name.len()) {
            self.marks.note(key, self.out.len() - value.len() - self.start, value.len());
        }
        true
    }

    /// Appends a pair whose value `make` appends; its length is written afterwards.
    pub(crate) fn made<E>(&mut self, key: &[u8], make: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        self.append(key, b"");
        let start = self.out.len();
        make(self.out)?;
        let bytes = self.out.len() - start;
        self.out[start - 2..start].copy_from_slice(&length(bytes));
        self.note(key, bytes);
        Ok(())
    }

    /// The number of pairs, if the limits hold for the whole.
    pub(crate) fn finish(self) -> Result<usize, Overflow> {
        if self.count > self.limits.variables_max {
            return Err(Overflow::Pairs);
        }
        if self.out.len() - self.start > usize::from(self.limits.block_bytes_max) {
            return Err(Overflow::Bytes);
        }
        Ok(self.count)
    }

    /// Notes the pair that was appended last.
    #[inline(always)]
    fn note(&mut self, key: &[u8], value_bytes: usize) {
        self.marks.note(key, self.out.len() - value_bytes - self.start, value_bytes);
    }

    /// Appends a pair that is not noted.
    #[inline]
    fn append(&mut self, key: &[u8], value: &[u8]) {
        self.out.extend_from_slice(&length(key.len()));
        self.out.extend_from_slice(key);
        self.end_pair(value);
    }

    /// Appends what follows a key.
    #[inline]
    fn end_pair(&mut self, value: &[u8]) {
        self.out.extend_from_slice(&length(value.len()));
        self.out.extend_from_slice(value);
        self.count += 1;
    }
}

/// Most bytes of a key that is written in one piece with its lengths.
const KNOWN_BYTES_MAX: usize = 20;

/// What a byte of a header's name becomes in a key. A name is a token, so that none of its bytes is beyond ASCII.
const KEY_BYTE: [u8; 256] = {
    let mut table = [AMBIGUOUS; 256];
    let mut byte = 0;
    while byte < 0x80 {
        table[byte] = match byte as u8 {
            b'-' => b'_',
            b'_' => AMBIGUOUS,
            other => other.to_ascii_uppercase(),
        };
        byte += 1;
    }
    table
};

/// The bit that tells a byte which may not be in a name, as another one is the same in a key.
const AMBIGUOUS: u8 = 0x80;

/// A length as it is written. One that does not fit makes a block that is too large, which [`Writer::finish`] finds.
fn length(bytes: usize) -> [u8; 2] {
    (bytes as u16).to_le_bytes()
}
