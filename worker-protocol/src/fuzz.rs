//! The bodies of the fuzz targets in `worker-protocol/fuzz`: whatever the bytes, nothing panics, and what is accepted
//! is consistent. The assertions are what the fuzzer looks for; no server calls this.

pub mod gateways;
pub mod http;

use std::collections::HashSet;
use std::fmt::Debug;

use crate::control::{FromWorker, FromZygote, MESSAGE_BYTES_MAX, Message, ToWorker, ToZygote};
use crate::head::RequestHead;
use crate::pairs::{Block, Limits};
use crate::uwsgi;
use crate::wire::{Asks, Envelope, Progress, Protocol, Receiver};

/// Reads `bytes` as the head of a request in each protocol, and as the answer to a ping, with generous and with narrow
/// limits.
pub fn exercise(bytes: &[u8]) {
    let generous = Limits { variables_max: 1_024, ..Limits::default() };
    for limits in [generous, Limits { block_bytes_max: 512, variables_max: 8 }] {
        for protocol in Protocol::ALL {
            exercise_protocol(*protocol, bytes, &limits);
        }
    }
    if let Ok(Some(warning)) = uwsgi::decode_pong(bytes) {
        assert!(warning.len() <= uwsgi::PONG_WARNING_BYTES_MAX);
    }
}

/// Whole, with bytes after it, and in two parts cut anywhere: the outcome is the same.
fn exercise_protocol(protocol: Protocol, bytes: &[u8], limits: &Limits) {
    let mut receiver = Receiver::new(protocol, *limits);
    let outcome = receiver.feed(bytes);
    let cut = bytes.first().map_or(0, |first| usize::from(*first) % bytes.len());
    let mut in_parts = Receiver::new(protocol, *limits);
    match (in_parts.feed(&bytes[..cut]), outcome) {
        (Progress::Need(missing), _) => {
            assert!(missing > 0, "nothing is missing of half a head");
            assert_eq!(in_parts.feed(bytes), outcome, "fed in two parts");
        }
        (early, Progress::Need(_)) => panic!("{early:?} after {cut} bytes, and then more is needed"),
        (early, late) => assert_eq!(early, late, "what follows must not matter"),
    }
    match outcome {
        Progress::Need(missing) => assert!(missing > 0),
        Progress::Refused(refusal) => {
            assert!(matches!(refusal.status(), 400 | 405 | 414 | 417 | 421 | 431 | 501 | 505), "{refusal:?}")
        }
        Progress::Head(envelope) => {
            assert!(envelope.consumed <= bytes.len());
            check_block(&receiver.block(bytes, &envelope), &envelope, limits);
        }
    }
}

fn check_block(block: &Block<'_>, envelope: &Envelope, limits: &Limits) {
    let Asks::Request(path_info) = envelope.asks else {
        assert_eq!((block.count(), envelope.variables_count), (0, 0), "what is no web request has no variables");
        return;
    };
    assert_eq!(block.pairs().count(), envelope.variables_count);
    assert_eq!((block.count(), block.bytes()), (envelope.variables_count, envelope.block_bytes));
    assert!(envelope.variables_count <= limits.variables_max);
    assert!(envelope.block_bytes <= usize::from(limits.block_bytes_max));
    let mut again = Vec::new();
    let (modifier1, modifier2) = envelope.modifiers;
    assert_eq!(uwsgi::encode(&mut again, modifier1, modifier2, block.pairs()), Ok(()));
    let again = Block::parse(&again[uwsgi::HEADER_BYTES..], limits.variables_max);
    assert_eq!(again, Ok(*block), "only one encoding of a list of pairs");
    match RequestHead::read(*block, path_info) {
        Ok(head) => check_head(&head),
        Err(error) => assert_eq!(error.status(), 400),
    }
}

fn check_head(head: &RequestHead<'_>) {
    assert!(!head.method_or_get().is_empty() && head.protocol.len() == "HTTP/x.y".len());
    assert!(matches!(head.scheme(true), "http" | "https"));
    let _ = head.arrival_us(true);
    let seen: Vec<_> = head.variables().map(|(key, _)| key).collect();
    assert!(!seen.iter().any(|key| key.starts_with(b"UWSGI_") || *key == b"HTTP_PROXY"));
    let joined: Vec<_> = head.joined().collect();
    let distinct: HashSet<_> = seen.iter().copied().collect();
    assert_eq!(joined.len(), distinct.len(), "each key once");
    assert!(joined.iter().all(|(key, _)| distinct.contains(key)));
    assert!(head.has_duplicates() || seen.len() == distinct.len(), "a repeated key went unnoticed");
    for required in ["SERVER_PROTOCOL", "SERVER_NAME", "SERVER_PORT"] {
        assert!(distinct.contains(required.as_bytes()), "{required} is missing");
    }
}

/// Reads `bytes` as a control message of each direction.
pub fn exercise_control(bytes: &[u8]) {
    exercise_message::<ToZygote>(bytes);
    exercise_message::<FromZygote>(bytes);
    exercise_message::<ToWorker>(bytes);
    exercise_message::<FromWorker>(bytes);
}

fn exercise_message<M: Message + PartialEq + Debug>(bytes: &[u8]) {
    let Ok(message) = M::decode(bytes) else { return };
    let mut again = Vec::new();
    message.encode(&mut again);
    assert!(again.len() <= MESSAGE_BYTES_MAX);
    // A repaired text may be longer than the one received, and is then cut; any other message is the same again.
    if again.len() < MESSAGE_BYTES_MAX {
        assert_eq!(M::decode(&again), Ok(message));
    }
}
