//! Tests of the codec: what RFC 6455 says, in the order in which the Autobahn suite asks it. Each sequence is read whole, byte
//! by byte, and with more behind it.

mod faults;
mod messages;
mod mutants;
mod rest;

use super::{Event, Fault, Incoming, Kind, Message, Opcode};

/// Most bytes of a message in these tests.
const MOST: u64 = 100_000;

/// A frame as a client sends it.
pub(super) fn frame(is_final: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![u8::from(is_final) << 7 | opcode];
    match payload.len() {
        short @ ..=125 => bytes.push(0x80 | short as u8),
        medium @ ..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, masked)| byte ^ masked));
    bytes
}

pub(super) fn text(bytes: &[u8]) -> Event {
    Event::Message(Message { kind: Kind::Text, bytes: bytes.to_vec() })
}

pub(super) fn binary(bytes: &[u8]) -> Event {
    Event::Message(Message { kind: Kind::Binary, bytes: bytes.to_vec() })
}

/// All that comes of these bytes, in pieces of so many, and how it ended.
fn read(bytes: &[u8], step: usize) -> (Vec<Event>, Option<Fault>) {
    let mut incoming = Incoming::new(MOST);
    let mut events = Vec::new();
    for piece in bytes.chunks(step.max(1)) {
        incoming.feed(piece);
        loop {
            match incoming.next_event() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(fault) => return (events, Some(fault)),
            }
        }
    }
    (events, None)
}

/// The same in pieces of every kind, which must make no difference; and with exactly what it wants.
pub(super) fn events(bytes: &[u8]) -> (Vec<Event>, Option<Fault>) {
    let whole = read(bytes, bytes.len());
    for step in [1, 2, 3, 5, 7, 64, 1000] {
        assert_eq!(read(bytes, step), whole, "in pieces of {step}");
    }
    let mut incoming = Incoming::new(MOST);
    let (mut events, mut rest) = (Vec::new(), bytes);
    let fault = loop {
        match incoming.next_event() {
            Ok(Some(event)) => {
                events.push(event);
                assert!(incoming.is_used_up(), "it has read beyond the frame");
            }
            Ok(None) if rest.is_empty() => break None,
            Ok(None) => {
                let (now, later) = rest.split_at(incoming.wants().min(rest.len()));
                incoming.feed(now);
                rest = later;
            }
            Err(fault) => break Some(fault),
        }
    };
    assert_eq!((events, fault), whole, "as it wants");
    whole
}

/// What a client that reads frames without masks makes of one that this side sends.
pub(super) fn sent(opcode: Opcode, length: usize) -> Vec<u8> {
    super::head(opcode, length)
}
