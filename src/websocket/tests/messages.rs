//! Messages that are as they should be (cases 1, 2, 5, 6, 7.1, 7.3 and 9 of the Autobahn suite).

use super::super::Close;
use super::{Event, binary, events, frame, text};

#[test]
fn messages_of_every_length_come_whole() {
    for length in [0, 1, 125, 126, 127, 128, 65_535, 65_536, 100_000] {
        let payload: Vec<u8> = (0..length).map(|index| b'*' + (index % 40) as u8).collect();
        assert_eq!(events(&frame(true, 1, &payload)), (vec![text(&payload)], None), "{length}");
        assert_eq!(events(&frame(true, 2, &payload)), (vec![binary(&payload)], None), "{length}");
    }
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(events(&hello), (vec![text(b"Hello")], None));
}

#[test]
fn parts_become_one_message_and_control_frames_may_come_between() {
    let sent = [
        frame(false, 1, b"frag"),
        frame(true, 9, b"are you there"),
        frame(false, 0, b""),
        frame(true, 10, b"unasked"),
        frame(false, 0, b"me"),
        frame(true, 0, b"nt"),
        frame(false, 2, b""),
        frame(true, 0, b""),
        frame(true, 2, b"\xff\xfe"),
    ];
    let wanted =
        vec![Event::Ping(b"are you there".to_vec()), Event::Pong, text(b"fragment"), binary(b""), binary(b"\xff\xfe")];
    assert_eq!(events(&sent.concat()), (wanted, None));
}

#[test]
fn characters_may_be_cut_anywhere() {
    let said = "κόσμε\u{0}\u{7f}\u{ffff}\u{10ffff}\u{1f980} ab";
    for cut in 0..=said.len() {
        let (one, other) = said.as_bytes().split_at(cut);
        let sent = [frame(false, 1, one), frame(true, 9, b"\xff"), frame(true, 0, other)].concat();
        let wanted = vec![Event::Ping(b"\xff".to_vec()), text(said.as_bytes())];
        assert_eq!(events(&sent), (wanted, None), "{cut}");
    }
}

#[test]
fn pings_have_up_to_125_bytes() {
    for length in [0, 5, 125] {
        let payload = vec![0xfe; length];
        assert_eq!(events(&frame(true, 9, &payload)), (vec![Event::Ping(payload)], None));
    }
}

#[test]
fn the_end_may_have_a_code_and_a_reason() {
    let close = |payload: &[u8]| events(&frame(true, 8, payload));
    assert_eq!(close(b""), (vec![Event::Close(Close::default())], None));
    for code in [1000u16, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1014, 3000, 3999, 4000, 4999] {
        let wanted = Close { code: Some(code), reason: String::new() };
        assert_eq!(close(&code.to_be_bytes()), (vec![Event::Close(wanted)], None));
    }
    let reason = "ö".repeat(61);
    let payload = [&1000u16.to_be_bytes()[..], reason.as_bytes()].concat();
    assert_eq!(close(&payload), (vec![Event::Close(Close { code: Some(1000), reason })], None));
}
