//! SCGI.

use worker_protocol::Fault;
use worker_protocol::fuzz::gateways::exercise_scgi;
use worker_protocol::pairs::Limits;
use worker_protocol::scgi::{EncodeError, Error, encode};
use worker_protocol::wire::{Protocol, Refusal};

use crate::{survive_mutants, three_ways};

/// The example of the protocol's page.
const EXAMPLE: &[u8] = b"70:CONTENT_LENGTH\x0027\0SCGI\x001\0REQUEST_METHOD\0POST\0REQUEST_URI\0/deepthought\0,";

/// Receives a head that is valid.
#[track_caller]
fn valid(bytes: &[u8], body: &[u8], limits: &Limits) -> Vec<(String, String)> {
    let whole = three_ways::valid(Protocol::Scgi, bytes, body, *limits);
    let text = |bytes: Vec<u8>| bytes.escape_ascii().to_string();
    whole.pairs.into_iter().map(|(name, value)| (text(name), text(value))).collect()
}

/// Receives a head that is not. `shown_after`: how many bytes show it.
#[track_caller]
fn invalid(bytes: &[u8], shown_after: usize, limits: &Limits) -> Error {
    match three_ways::invalid(Protocol::Scgi, bytes, shown_after, *limits) {
        Refusal::Scgi(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_example_of_the_page() {
    let text = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let bytes = [EXAMPLE, b"What is the answer to life?"].concat();
    let found = valid(&bytes, b"What is the answer to life?", &Limits::default());
    let expected =
        [("CONTENT_LENGTH", "27"), ("SCGI", "1"), ("REQUEST_METHOD", "POST"), ("REQUEST_URI", "/deepthought")];
    assert_eq!(found, text(&expected));
    let mut encoded = Vec::new();
    encode(&mut encoded, expected).expect("fits");
    assert_eq!(encoded, EXAMPLE);
}

#[test]
fn empty_values_and_any_order_are_fine() {
    let found = valid(b"10:A\0\0SCGI\x001\0,", b"", &Limits::default());
    assert_eq!(found, [("A".to_owned(), String::new()), ("SCGI".to_owned(), "1".to_owned())]);
}

#[test]
fn what_is_no_netstring_is_refused_at_once() {
    for (bytes, shown_after, error) in [
        (b"x:A\0b\0,".as_slice(), 1, Error::Length),
        (b":A\0b\0,", 1, Error::Length),
        (b" 4:A\0b\0,", 1, Error::Length),
        (b"-4:A\0b\0,", 1, Error::Length),
        (b"+4:A\0b\0,", 1, Error::Length),
        (b"4 :A\0b\0,", 2, Error::Length),
        (b"4;A\0b\0,", 2, Error::Length),
        (b"04:A\0b\0,", 2, Error::Length),
        (b"0:,", 2, Error::Empty),
        (b"\0\x05\0\0", 1, Error::SpeaksUwsgi),
        (b"\x01\x01\0\x01", 1, Error::SpeaksFastCgi),
        (b"GET / HTTP/1.1\r\n\r\n", 1, Error::SpeaksHttp),
    ] {
        let found = invalid(bytes, shown_after, &Limits::default());
        assert_eq!((found, found.status()), (error, 400), "{}", bytes.escape_ascii());
    }
    assert_eq!((Error::SpeaksHttp.fault(), Error::Length.fault()), (Fault::Configuration, Fault::Client));
}

#[test]
fn what_is_wrong_inside_is_refused_when_it_is_there() {
    for (bytes, error) in [
        (b"4:A\0b\0;".as_slice(), Error::Comma),
        (b"3:A\0b,", Error::Unterminated { offset: 2 }),
        (b"2:A\0,", Error::Unterminated { offset: 2 }),
        (b"1:A,", Error::Unterminated { offset: 0 }),
        (b"4:\0Ab\0,", Error::EmptyName { offset: 0 }),
        (b"6:A\0b\0\0\0,", Error::EmptyName { offset: 4 }),
        (b"5:A\0b\0c,", Error::Unterminated { offset: 4 }),
    ] {
        let found = invalid(bytes, bytes.len(), &Limits::default());
        assert_eq!((found, found.status()), (error, 400), "{}", bytes.escape_ascii());
    }
    assert_eq!(invalid(b"4:A\0b\0\0,", 7, &Limits::default()), Error::Comma);
}

#[test]
fn limits_hold_to_the_byte_and_to_the_variable() {
    let bytes = b"12:A\0b\0C\0d\0E\0f\0,";
    // 12 bytes as SCGI has them, 18 in a block.
    let exact = Limits { block_bytes_max: 18, variables_max: 3 };
    assert_eq!(valid(bytes, b"", &exact).len(), 3);
    let error = invalid(bytes, bytes.len(), &Limits { block_bytes_max: 17, ..exact });
    assert_eq!((error, error.status()), (Error::TooLarge { block_bytes_max: 17 }, 431));
    let error = invalid(bytes, 2, &Limits { block_bytes_max: 11, ..exact });
    assert_eq!((error, error.status()), (Error::TooLarge { block_bytes_max: 11 }, 431));
    let error = invalid(bytes, bytes.len(), &Limits { variables_max: 2, ..exact });
    assert_eq!((error, error.status()), (Error::TooManyVariables { variables_max: 2 }, 431));
    let endless = [b'9'; 40];
    assert_eq!(invalid(&endless, 5, &Limits::default()), Error::TooLarge { block_bytes_max: 65_535 });
}

#[test]
fn what_scgi_cannot_carry_is_not_written() {
    for pairs in [[("A", "b"), ("", "c")], [("A", "b"), ("C\0", "d")], [("A", "b"), ("C", "\0")]] {
        let mut out = b"before".to_vec();
        assert_eq!(encode(&mut out, pairs), Err(EncodeError { index: 1 }));
        assert_eq!(out, b"before");
    }
}

#[test]
fn mutants_do_no_harm() {
    survive_mutants("scgi_request", vec![EXAMPLE.to_vec()], 30_000, exercise_scgi);
}
