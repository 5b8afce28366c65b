//! SCGI.

use worker_protocol::Fault;
use worker_protocol::fuzz::gateways::exercise_scgi;
use worker_protocol::scgi::{EncodeError, Error, Head, Limits, decode, encode, missing};

use crate::{pairs, survive_mutants};

/// The example of the protocol's page.
const EXAMPLE: &[u8] = b"70:CONTENT_LENGTH\x0027\0SCGI\x001\0REQUEST_METHOD\0POST\0REQUEST_URI\0/deepthought\0,";

/// Decodes a head that is valid, in all three ways.
#[track_caller]
fn valid(bytes: &[u8], limits: &Limits) -> (Head, Vec<(String, String)>) {
    let mut block = Vec::new();
    let head = decode(bytes, limits, &mut block).expect("valid").expect("whole");
    for cut in 0..head.consumed {
        assert_eq!(decode(&bytes[..cut], limits, &mut Vec::new()), Ok(None), "cut after {cut}");
        assert!(missing(&bytes[..cut], limits).is_ok_and(|bytes| bytes > 0 && cut + bytes <= head.consumed));
    }
    assert_eq!(missing(bytes, limits), Ok(0));
    let longer = [&bytes[..head.consumed], b"9:\0,more"].concat();
    assert_eq!(decode(&longer, limits, &mut Vec::new()), Ok(Some(head)));
    (head, pairs(&block))
}

/// Decodes a head that is not valid, in all three ways. `shown_after`: how many bytes show the error.
#[track_caller]
fn invalid(bytes: &[u8], shown_after: usize, limits: &Limits) -> Error {
    let error = decode(bytes, limits, &mut Vec::new()).expect_err("not valid");
    for cut in 0..shown_after {
        assert_eq!(decode(&bytes[..cut], limits, &mut Vec::new()), Ok(None), "cut after {cut}");
    }
    for cut in shown_after..=bytes.len() {
        assert_eq!(decode(&bytes[..cut], limits, &mut Vec::new()), Err(error), "cut after {cut}");
    }
    assert_eq!(decode(&[bytes, b"9:\0,more"].concat(), limits, &mut Vec::new()), Err(error));
    error
}

#[test]
fn the_example_of_the_page() {
    let text = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let bytes = [EXAMPLE, b"What is the answer to life?"].concat();
    let (head, found) = valid(&bytes, &Limits::default());
    assert_eq!((head.consumed, head.variables_count), (EXAMPLE.len(), 4));
    let expected =
        [("CONTENT_LENGTH", "27"), ("SCGI", "1"), ("REQUEST_METHOD", "POST"), ("REQUEST_URI", "/deepthought")];
    assert_eq!(found, text(&expected));
    let mut encoded = Vec::new();
    encode(&mut encoded, expected).expect("fits");
    assert_eq!(encoded, EXAMPLE);
}

#[test]
fn empty_values_and_any_order_are_fine() {
    let (_, found) = valid(b"10:A\0\0SCGI\x001\0,", &Limits::default());
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
    let exact = Limits { netstring_bytes_max: 12, variables_max: 3 };
    assert_eq!(valid(bytes, &exact).0.variables_count, 3);
    let error = invalid(bytes, 2, &Limits { netstring_bytes_max: 11, ..exact });
    assert_eq!((error, error.status()), (Error::TooLarge { netstring_bytes_max: 11 }, 431));
    let error = invalid(bytes, bytes.len(), &Limits { variables_max: 2, ..exact });
    assert_eq!((error, error.status()), (Error::TooManyVariables { variables_max: 2 }, 431));
    let endless = [b'9'; 40];
    assert_eq!(invalid(&endless, 5, &Limits::default()), Error::TooLarge { netstring_bytes_max: 65_535 });
}

#[test]
fn the_longest_value_fits_the_block() {
    let content = [b"K\0".as_slice(), &vec![b'v'; 65_532], b"\0"].concat();
    let bytes = [b"65535:", content.as_slice(), b","].concat();
    let mut block = Vec::new();
    let head = decode(&bytes, &Limits::default(), &mut block).expect("valid").expect("whole");
    assert_eq!((head.variables_count, pairs(&block)[0].1.len()), (1, 65_532));
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
