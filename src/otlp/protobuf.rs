//! The form of protocol buffers on the wire (<https://protobuf.dev/programming-guides/encoding/>), as far as OTLP needs it:
//! a writer, and a reader of what a collector answers. Pure.

/// A message in the making: its fields, in the order in which they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message(Vec<u8>);

/// How a value is written (the low bits of a field's key).
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH: u64 = 2;
const FIXED32: u64 = 5;

impl Message {
    /// One without fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Fields that were written before.
    pub fn of(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Adds a whole number (`uint32`, `uint64`, `bool`, an enumeration).
    pub fn number(&mut self, field: u64, value: u64) -> &mut Self {
        self.key(field, VARINT);
        self.varint(value);
        self
    }

    /// Adds a whole number that may be below zero (`int64`).
    pub fn signed(&mut self, field: u64, value: i64) -> &mut Self {
        self.number(field, value.cast_unsigned())
    }

    /// Adds a number of eight bytes (`fixed64`, `sfixed64`).
    pub fn fixed64(&mut self, field: u64, value: u64) -> &mut Self {
        self.key(field, FIXED64);
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Adds a number of four bytes.
    pub fn fixed32(&mut self, field: u64, value: u32) -> &mut Self {
        self.key(field, FIXED32);
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Adds a number with decimals.
    pub fn double(&mut self, field: u64, value: f64) -> &mut Self {
        self.fixed64(field, value.to_bits())
    }

    /// Adds bytes.
    pub fn bytes(&mut self, field: u64, value: &[u8]) -> &mut Self {
        self.key(field, LENGTH);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    /// Adds text.
    pub fn text(&mut self, field: u64, value: &str) -> &mut Self {
        self.bytes(field, value.as_bytes())
    }

    /// Adds a message.
    pub fn message(&mut self, field: u64, value: &Message) -> &mut Self {
        self.bytes(field, &value.0)
    }

    /// Adds numbers of eight bytes, packed.
    pub fn packed(&mut self, field: u64, values: impl ExactSizeIterator<Item = u64>) -> &mut Self {
        self.key(field, LENGTH);
        self.varint(8 * values.len() as u64);
        values.for_each(|value| self.0.extend_from_slice(&value.to_le_bytes()));
        self
    }

    /// Adds what another message has.
    pub fn append(&mut self, other: &Message) -> &mut Self {
        self.0.extend_from_slice(&other.0);
        self
    }

    /// Adds an attribute (`KeyValue`) of text.
    pub fn attribute(&mut self, field: u64, name: &str, value: &str) -> &mut Self {
        let mut any = Message::new();
        any.text(1, value);
        self.any(field, name, &any)
    }

    /// Adds an attribute that is a whole number.
    pub fn attribute_number(&mut self, field: u64, name: &str, value: i64) -> &mut Self {
        let mut any = Message::new();
        any.signed(3, value);
        self.any(field, name, &any)
    }

    /// Adds an attribute that is a number with decimals.
    pub fn attribute_double(&mut self, field: u64, name: &str, value: f64) -> &mut Self {
        let mut any = Message::new();
        any.double(4, value);
        self.any(field, name, &any)
    }

    fn any(&mut self, field: u64, name: &str, any: &Message) -> &mut Self {
        let mut pair = Message::new();
        pair.text(1, name).message(2, any);
        self.message(field, &pair)
    }

    /// Whether it has no fields.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What goes on the wire.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn key(&mut self, field: u64, form: u64) {
        self.varint(field << 3 | form);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// The value of a field that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message; `None` where it is none.
pub(super) fn fields(mut bytes: &[u8]) -> Option<Vec<(u64, Value<'_>)>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = take_varint(&mut bytes)?;
        let value = match key & 7 {
            VARINT => Value::Number(take_varint(&mut bytes)?),
            FIXED64 => Value::Number(u64::from_le_bytes(*take(&mut bytes, 8)?.first_chunk()?)),
            FIXED32 => Value::Number(u32::from_le_bytes(*take(&mut bytes, 4)?.first_chunk()?).into()),
            LENGTH => {
                let length = usize::try_from(take_varint(&mut bytes)?).ok()?;
                Value::Bytes(take(&mut bytes, length)?)
            }
            _ => return None,
        };
        fields.push((key >> 3, value));
    }
    Some(fields)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for place in 0..10 {
        let byte = *take(bytes, 1)?.first()?;
        let part = u64::from(byte & 0x7f);
        // The tenth byte has room for one bit.
        if place == 9 && part > 1 {
            return None;
        }
        value |= part << (7 * place);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the specification.
    #[test]
    fn numbers_and_texts_are_written_as_the_specification_has_them() {
        assert_eq!(Message::new().number(1, 150).0, [0x08, 0x96, 0x01]);
        assert_eq!(Message::new().text(2, "testing").0, b"\x12\x07testing");
        let mut inner = Message::new();
        inner.number(1, 150);
        assert_eq!(Message::new().message(3, &inner).0, [0x1a, 0x03, 0x08, 0x96, 0x01]);
        assert_eq!(Message::new().signed(1, -2).0, [0x08, 0xfe, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
        assert_eq!(Message::new().fixed32(16, 1).0, [0x85, 0x01, 1, 0, 0, 0]);
        assert_eq!(Message::new().packed(6, [1, 2].into_iter()).0[..3], [0x32, 16, 1]);
    }

    #[test]
    fn what_was_written_is_read_at_every_number_and_never_beyond_its_end() {
        let mut message = Message::new();
        for shift in 0..64 {
            message.number(1, 1 << shift).number(2, u64::MAX >> shift);
        }
        message.text(3, "x").fixed64(4, 7).fixed32(5, 9);
        let read = fields(&message.0).expect("a message");
        assert_eq!(read.len(), 131);
        assert!((0..64).all(|shift| read[2 * shift].1 == Value::Number(1 << shift)));
        assert_eq!(read[128..], [(3, Value::Bytes(b"x")), (4, Value::Number(7)), (5, Value::Number(9))]);
        let short = Message::new().text(1, "testing").clone();
        assert!((1..short.0.len()).all(|end| fields(&short.0[..end]).is_none()));
        assert_eq!(fields(&[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2]), None);
        assert_eq!(fields(&[0x0b]), None, "groups are no more");
    }
}
