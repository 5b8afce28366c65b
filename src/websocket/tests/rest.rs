//! The handshake, what this side sends, and whether the other is still there.

use super::super::{Due, Liveness, NoHandshake, Opcode, answer_to, first_of};
use super::sent;

#[test]
fn the_key_of_the_rfc_has_the_answer_of_the_rfc() {
    let key = b"dGhlIHNhbXBsZSBub25jZQ==";
    assert_eq!(answer_to(key, Some(b"13")).as_deref(), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(answer_to(key, None).as_deref(), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(answer_to(key, Some(b"8")), Err(NoHandshake::Version));
    assert_eq!(answer_to(b" ", Some(b"13")), Err(NoHandshake::NoKey));
    for key in [&b"dGhlIHNhbXBsZSBub25j"[..], b"no base 64", b"dGhlIHNhbXBsZSBub25jZQ==\r\nX: y"] {
        assert_eq!(answer_to(key, Some(b"13")), Err(NoHandshake::Key));
    }
}

#[test]
fn one_subprotocol_is_named() {
    for (offered, first) in [("chat, superchat", Some("chat")), (" , v2", Some("v2")), ("", None), (" ,", None)] {
        assert_eq!(first_of(offered.as_bytes()), first.map(str::as_bytes));
    }
}

#[test]
fn lengths_are_written_in_their_shortest_form() {
    for (length, head) in [
        (0, &b"\x81\x00"[..]),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ] {
        assert_eq!(sent(Opcode::Text, length), head, "{length}");
    }
    let kinds = [Opcode::Binary, Opcode::Close, Opcode::Ping, Opcode::Pong].map(|opcode| sent(opcode, 0)[0]);
    assert_eq!(kinds, [0x82, 0x88, 0x89, 0x8a]);
}

#[test]
fn who_is_silent_is_asked_and_gone_when_no_answer_comes() {
    let mut liveness = Liveness::new(Some(30), 3, 100);
    assert_eq!((liveness.due(100), liveness.due(129)), (Due::Nothing(Some(130)), Due::Nothing(Some(130))));
    liveness.heard(110);
    assert_eq!((liveness.due(139), liveness.due(140)), (Due::Nothing(Some(140)), Due::Ask));
    assert_eq!((liveness.due(140), liveness.due(142)), (Due::Nothing(Some(143)), Due::Nothing(Some(143))));
    liveness.heard(142);
    assert_eq!((liveness.due(150), liveness.due(500)), (Due::Nothing(Some(172)), Due::Ask));
    assert_eq!(liveness.due(503), Due::Gone);
    assert_eq!(Liveness::new(None, 3, 100).due(u64::MAX), Due::Nothing(None));
}
