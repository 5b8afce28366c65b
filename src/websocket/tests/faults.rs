//! What is refused, with which code, and how early (cases 2.5, 3, 4, 5, 6, 7.5, 7.9 of the Autobahn suite).

use super::super::{Fault, Incoming, code};
use super::{Event, MOST, events, frame, text};

/// What came before it, and the code that tells of it.
fn refused(bytes: &[u8]) -> (Vec<Event>, u16) {
    let (events, fault) = events(bytes);
    (events, fault.map_or(0, |fault| fault.code()))
}

#[test]
fn what_is_not_the_protocol_is_refused() {
    let reserved = [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70].map(|bits| {
        let mut frame = frame(true, 1, b"x");
        frame[0] |= bits;
        frame
    });
    let unknown = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(|opcode| frame(true, opcode, b""));
    let long_control = [8, 9, 10].map(|opcode| frame(true, opcode, &[b'x'; 126]));
    let control_in_parts = [8, 9, 10].map(|opcode| frame(false, opcode, b""));
    let others = [
        // Without a mask.
        b"\x81\x05Hello".to_vec(),
        // The next part of nothing.
        frame(true, 0, b"x"),
        frame(false, 0, b"x"),
        // A message within another.
        [frame(false, 1, b"x"), frame(true, 1, b"y")].concat(),
        [frame(false, 2, b"x"), frame(false, 2, b"y")].concat(),
        // The next part after the last.
        [frame(false, 1, b""), frame(true, 0, b""), frame(true, 0, b"")].concat(),
        // Lengths that have a shorter form, and one that is negative.
        b"\x82\xfe\x00\x7d\x00\x00\x00\x00".to_vec(),
        b"\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\x00\x00".to_vec(),
        b"\x82\xff\x80\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00".to_vec(),
        // Half a code.
        frame(true, 8, b"\x03"),
    ];
    for bytes in reserved.into_iter().chain(unknown).chain(long_control).chain(control_in_parts).chain(others) {
        let (before, code) = refused(&bytes);
        assert!(
            code == code::PROTOCOL && before.iter().all(|event| *event == text(b"")),
            "{before:?} {code} {bytes:?}"
        );
        // What was whole before it is not lost.
        let (before, code) = refused(&[frame(true, 1, b"before"), bytes].concat());
        assert!(code == code::PROTOCOL && before[0] == text(b"before"));
    }
}

#[test]
fn codes_that_are_never_sent_are_refused() {
    for number in [0u16, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        assert_eq!(refused(&frame(true, 8, &number.to_be_bytes())), (vec![], code::PROTOCOL), "{number}");
    }
    assert_eq!(refused(&frame(true, 8, b"\x03\xe8\xce\xba\xe1")), (vec![], code::NOT_TEXT));
}

/// Beginnings of what no UTF-8 begins with, each with the byte that says so.
const NOT_TEXT: &[&[u8]] = &[
    b"\x80",
    b"\xbf",
    b"\xc0",
    b"\xc1",
    b"\xf5",
    b"\xfe",
    b"\xff",
    // Longer than need be.
    b"\xe0\x80",
    b"\xe0\x9f",
    b"\xf0\x80",
    b"\xf0\x8f",
    // Surrogates.
    b"\xed\xa0",
    b"\xed\xbf",
    // Above U+10FFFF.
    b"\xf4\x90",
    // No continuation.
    b"\xcea",
    b"\xe2\x82a",
    b"\xf0\x9f\xa6a",
];

#[test]
fn what_is_no_text_is_refused_with_its_first_wrong_byte() {
    for wrong in NOT_TEXT {
        let said = ["κόσμε".as_bytes(), wrong, b"and more"].concat();
        assert_eq!(refused(&frame(true, 1, &said)), (vec![], code::NOT_TEXT), "{wrong:?}");
        for cut in 0..said.len() {
            let (one, other) = said.split_at(cut);
            let sent = [frame(false, 1, one), frame(true, 0, other)].concat();
            assert_eq!(refused(&sent), (vec![], code::NOT_TEXT), "{wrong:?}");
        }
        // As early as that: the frame is not whole yet.
        let length = "κόσμε".len() + wrong.len();
        let mut incoming = Incoming::new(MOST);
        let sent = frame(true, 1, &said);
        incoming.feed(&sent[..6 + length - 1]);
        assert_eq!(incoming.next_event(), Ok(None), "{wrong:?}");
        incoming.feed(&sent[6 + length - 1..6 + length]);
        assert_eq!(incoming.next_event(), Err(Fault::NotText), "{wrong:?}");
    }
    // A character without its end.
    assert_eq!(refused(&frame(true, 1, b"\xce")), (vec![], code::NOT_TEXT));
    assert_eq!(refused(&[frame(false, 1, b"\xf0\x9f"), frame(true, 0, b"\xa6")].concat()), (vec![], code::NOT_TEXT));
}

#[test]
fn messages_are_bounded_however_many_parts_they_have_and_before_they_come() {
    let mut incoming = Incoming::new(MOST);
    incoming.feed(&[0x82, 0xff, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(incoming.next_event(), Err(Fault::TooBig { bytes: 1 << 36, most: MOST }));
    let part = [b'x'; 60_000];
    let sent = [frame(false, 2, &part), frame(true, 0, &part)].concat();
    assert_eq!(refused(&sent), (vec![], code::TOO_BIG));
    // Each message for itself.
    let sent = [frame(true, 2, &part), frame(true, 2, &part)].concat();
    assert_eq!(refused(&sent).1, 0);
}
