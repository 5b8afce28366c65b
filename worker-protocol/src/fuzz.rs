//! The bodies of the fuzz targets in `worker-protocol/fuzz`: whatever the bytes, nothing panics, and what is accepted
//! is consistent. The assertions are what the fuzzer looks for; no server calls this.

use std::collections::HashSet;
use std::fmt::Debug;

use crate::control::{FromWorker, FromZygote, MESSAGE_BYTES_MAX, Message, ToWorker, ToZygote};
use crate::head::RequestHead;
use crate::uwsgi::{self, Kind, Limits, Packet};

/// Reads `bytes` as a uwsgi packet, as the answer to a ping, and as a request, with generous and with narrow limits.
pub fn exercise(bytes: &[u8]) {
    for limits in [Limits::default(), Limits { packet_bytes_max: 512, variables_max: 8 }] {
        exercise_packet(bytes, &limits);
    }
    if let Ok(Some(warning)) = uwsgi::decode_pong(bytes) {
        assert!(warning.len() <= uwsgi::PONG_WARNING_BYTES_MAX);
    }
}

fn exercise_packet(bytes: &[u8], limits: &Limits) {
    let missing = uwsgi::missing(bytes, limits);
    match uwsgi::decode(bytes, limits) {
        Err(error) => {
            assert!(matches!(error.status(), 400 | 431 | 501), "{error:?}");
            assert!(missing == Err(error) || missing == Ok(0), "{missing:?} beside {error:?}");
        }
        Ok(None) => assert!(missing.is_ok_and(|bytes| bytes > 0), "{missing:?} for half a packet"),
        Ok(Some(packet)) => {
            assert_eq!(missing, Ok(0));
            check_packet(bytes, &packet, limits);
        }
    }
}

fn check_packet(bytes: &[u8], packet: &Packet<'_>, limits: &Limits) {
    assert!(packet.consumed() <= bytes.len());
    assert_eq!(packet.consumed(), uwsgi::HEADER_BYTES + packet.block_bytes());
    assert_eq!(packet.pairs().count(), packet.variables_count());
    assert!(packet.variables_count() <= limits.variables_max);
    assert!(packet.block_bytes() <= usize::from(limits.packet_bytes_max));
    let whole = &bytes[..packet.consumed()];
    assert_eq!(uwsgi::decode(whole, limits), Ok(Some(*packet)), "what follows must not matter");
    assert_eq!(uwsgi::decode(&whole[..whole.len() - 1], limits), Ok(None), "every byte is needed");
    if let Kind::Request(path_info) = packet.kind() {
        let mut again = Vec::new();
        let header = packet.header();
        let encoded = uwsgi::encode(&mut again, header.modifier1, header.modifier2, packet.pairs());
        assert_eq!((encoded, again.as_slice()), (Ok(()), whole), "only one encoding of a list of pairs");
        match RequestHead::read(packet.pairs(), path_info) {
            Ok(head) => check_head(&head),
            Err(error) => assert_eq!(error.status(), 400),
        }
    }
}

fn check_head(head: &RequestHead<'_>) {
    assert!(!head.method.is_empty() && head.protocol.len() == "HTTP/x.y".len());
    assert!(matches!(head.scheme(true), "http" | "https"));
    let _ = head.arrival_us(true);
    let seen: Vec<_> = head.variables().map(|(key, _)| key).collect();
    assert!(!seen.iter().any(|key| key.starts_with(b"UWSGI_") || *key == b"HTTP_PROXY"));
    let joined: Vec<_> = head.joined().collect();
    let distinct: HashSet<_> = seen.iter().copied().collect();
    assert_eq!(joined.len(), distinct.len(), "each key once");
    assert!(joined.iter().all(|(key, _)| distinct.contains(key)));
    assert!(head.has_duplicates() || seen.len() == distinct.len(), "a repeated key went unnoticed");
    for required in ["REQUEST_METHOD", "SERVER_PROTOCOL", "SERVER_NAME", "SERVER_PORT"] {
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
