//! The packet codec against the reference's vectors, every malformed case, and random and mutated packets. Each packet
//! is read whole, cut at every byte, and with bytes after it.

mod three_ways;
mod vectors;

use std::fs;
use std::path::Path;

use fastrand::Rng;
use proptest::prelude::*;
use testkit::mutation::try_mutants;
use testkit::seeds::Seeds;
use three_ways::Whole;
use worker_protocol::Fault;
use worker_protocol::fuzz::exercise;
use worker_protocol::pairs::{self, Limits, PathInfo};
use worker_protocol::uwsgi::{EncodeError, Error, Header, NotAPong, PING, PONG, decode_pong, encode, encode_pong};
use worker_protocol::wire::{Asks, Offer, Progress, Protocol, Receiver, Refusal};

/// Receives a packet that is valid, in all three ways; `body` is what follows it in `bytes`. Of this protocol the receiver
/// also knows exactly what is missing.
#[track_caller]
fn valid(bytes: &[u8], body: &[u8], limits: &Limits) -> Whole {
    let whole = three_ways::valid(Protocol::Uwsgi, bytes, body, *limits);
    let mut receiver = receiver(limits);
    for cut in 0..whole.envelope.consumed {
        let expected = if cut < 4 { 4 - cut } else { whole.envelope.consumed - cut };
        assert_eq!(receiver.feed(&bytes[..cut]), Progress::Need(expected), "cut after {cut} bytes");
    }
    whole
}

/// Receives a packet that is not valid, in all three ways. `shown_after`: how many bytes show the error.
#[track_caller]
fn invalid(bytes: &[u8], shown_after: usize, limits: &Limits) -> Error {
    let refusal = three_ways::invalid(Protocol::Uwsgi, bytes, shown_after, *limits);
    let Refusal::Uwsgi(error) = refusal else { panic!("{refusal:?}") };
    error
}

fn receiver(limits: &Limits) -> Receiver {
    Receiver::new(Protocol::Uwsgi, *limits)
}

/// What comes of bytes that are there at once.
fn feed(bytes: &[u8], limits: &Limits) -> Progress {
    receiver(limits).feed(bytes)
}

fn text_pairs(whole: &Whole) -> Vec<(&str, &str)> {
    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).expect("the vectors are UTF-8")
    }
    whole.pairs.iter().map(|(key, value)| (text(key), text(value))).collect()
}

/// The variables that all captures share, around those that differ.
fn nginx<'a>(own: [&'a str; 7], remote_port: &'a str, headers: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let [query, method, content_type, content_length, uri, path, protocol] = own;
    let mut pairs = vec![
        ("QUERY_STRING", query),
        ("REQUEST_METHOD", method),
        ("CONTENT_TYPE", content_type),
        ("CONTENT_LENGTH", content_length),
        ("REQUEST_URI", uri),
        ("PATH_INFO", path),
        ("DOCUMENT_ROOT", "/usr/share/nginx/html"),
        ("SERVER_PROTOCOL", protocol),
        ("REQUEST_SCHEME", "http"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("REMOTE_PORT", remote_port),
        ("SERVER_PORT", "18080"),
        ("SERVER_NAME", "app.example"),
        ("HTTP_HOST", "app.example"),
        ("HTTP_CONNECTION", "close"),
    ];
    pairs.extend(headers);
    pairs
}

#[track_caller]
fn check_vector(hex: &str, datasize: u16, expected: &[(&str, &str)], body: &[u8]) {
    let bytes = vectors::bytes(hex);
    let packet = valid(&bytes, body, &Limits::default());
    assert_eq!(Header::parse(&bytes), Some(Header { modifier1: 0, datasize, modifier2: 0 }));
    assert_eq!((packet.envelope.asks, packet.envelope.modifiers), (Asks::Request(PathInfo::AsSent), (0, 0)));
    assert_eq!(packet.envelope.block_bytes, usize::from(datasize));
    assert_eq!(packet.envelope.variables_count, expected.len());
    assert_eq!(text_pairs(&packet), expected);
    let mut encoded = Vec::new();
    encode(&mut encoded, 0, 0, expected.iter().copied()).expect("fits");
    encoded.extend_from_slice(body);
    assert_eq!(encoded, bytes, "encoding gives the capture again");
}

#[test]
fn v1_get_with_query() {
    let own = ["x=1", "GET", "", "", "/hello?x=1", "/hello", "HTTP/1.1"];
    check_vector(
        vectors::V1,
        387,
        &nginx(own, "40001", &[("HTTP_USER_AGENT", "probe/1"), ("HTTP_ACCEPT", "*/*")]),
        b"",
    );
}

#[test]
fn v2_post_with_body() {
    let form = "application/x-www-form-urlencoded";
    let own = ["", "POST", form, "7", "/submit", "/submit", "HTTP/1.1"];
    let headers = [("HTTP_CONTENT_TYPE", form), ("HTTP_CONTENT_LENGTH", "7")];
    check_vector(vectors::V2, 451, &nginx(own, "40002", &headers), b"a=1&b=2");
}

#[test]
fn v3_last_value_empty() {
    let own = ["", "HEAD", "", "", "/", "/", "HTTP/1.1"];
    check_vector(vectors::V3, 343, &nginx(own, "40003", &[("HTTP_X_EMPTY", "")]), b"");
}

#[test]
fn v4_percent_encoding_and_utf8() {
    let own = ["n=%E2%82%AC", "GET", "", "", "/caf%C3%A9/a%2Fb%20c?n=%E2%82%AC", "/café/a/b c", "HTTP/1.1"];
    check_vector(vectors::V4, 379, &nginx(own, "40004", &[]), b"");
}

#[test]
fn v5_repeated_headers() {
    let own = ["", "GET", "", "", "/r", "/r", "HTTP/1.1"];
    let headers = [("HTTP_X_REP", "one"), ("HTTP_X_REP", "two"), ("HTTP_COOKIE", "a=1"), ("HTTP_COOKIE", "b=2")];
    check_vector(vectors::V5, 398, &nginx(own, "40005", &headers), b"");
}

#[test]
fn v6_both_bytes_of_every_length_count() {
    let default_of_uwsgi = Limits { block_bytes_max: 4096, ..Limits::default() };
    for (value_bytes, start, fits_uwsgi_default) in [
        (255, "00 04 01 00 01 00 4b ff 00", true),
        (256, "00 05 01 00 01 00 4b 00 01", true),
        (4091, "00 00 10 00 01 00 4b fb 0f", true),
        (4092, "00 01 10 00 01 00 4b fc 0f", false),
        (65530, "00 ff ff 00 01 00 4b fa ff", false),
    ] {
        let value = vec![b'a'; value_bytes];
        let bytes = [vectors::bytes(start), value.clone()].concat();
        let mut receiver = receiver(&Limits::default());
        let Progress::Head(envelope) = receiver.feed(&bytes) else { panic!("not whole") };
        let pairs: Vec<_> = receiver.block(&bytes, &envelope).pairs().collect();
        assert_eq!(pairs, [(b"K".as_slice(), value.as_slice())]);
        let mut encoded = Vec::new();
        encode(&mut encoded, 0, 0, [("K", &value)]).expect("fits");
        assert!(encoded == bytes, "encoding {value_bytes} bytes");
        let fits = matches!(feed(&bytes, &default_of_uwsgi), Progress::Head(_));
        assert_eq!(fits, fits_uwsgi_default, "{value_bytes} bytes");
    }
}

#[test]
fn v7_minimal_block() {
    let bytes = vectors::bytes("00 06 00 00 02 00 41 42 00 00");
    assert_eq!(text_pairs(&valid(&bytes, b"", &Limits::default())), [("AB", "")]);
}

#[test]
fn v8_malformed_blocks_are_refused() {
    use pairs::Error::{EmptyKey, KeyPastEnd, StrayByte, ValueMissing, ValuePastEnd};
    for (hex, expected) in [
        ("00 04 00 00 00 00 00 00", EmptyKey { offset: 0 }),
        ("00 04 00 00 05 00 41 42", KeyPastEnd { offset: 0 }),
        ("00 08 00 00 02 00 41 42 05 00 78 78", ValuePastEnd { offset: 0 }),
        ("00 08 00 00 02 00 41 42 01 00 78 01", StrayByte { offset: 7 }),
        ("00 09 00 00 02 00 41 42 01 00 78 01 00", KeyPastEnd { offset: 7 }),
        ("00 06 00 00 ff 00 41 42 00 00", KeyPastEnd { offset: 0 }),
        ("00 04 00 00 02 00 41 42", ValueMissing { offset: 0 }),
        ("00 05 00 00 02 00 41 42 00", ValueMissing { offset: 0 }),
        ("00 01 00 00 01", StrayByte { offset: 0 }),
        ("1e 04 00 00 00 00 00 00", EmptyKey { offset: 0 }),
    ] {
        let bytes = vectors::bytes(hex);
        let error = invalid(&bytes, bytes.len(), &Limits::default());
        assert_eq!(error, Error::Block(expected), "{hex}");
        assert_eq!((error.status(), error.fault()), (400, Fault::Client), "{hex}");
    }
}

#[test]
fn v8_a_key_length_past_the_end_does_not_desynchronise() {
    let v1 = vectors::bytes(vectors::V1);
    let bytes = [&[0x00, 0x85, 0x01, 0x00, 0xff, 0xff], &v1[4..]].concat();
    assert_eq!(invalid(&bytes, bytes.len(), &Limits::default()), pairs::Error::KeyPastEnd { offset: 0 }.into());
}

#[test]
fn v9_ping_and_pong() {
    let packet = valid(&PING, b"", &Limits::default());
    assert_eq!(packet.envelope.asks, Asks::Ping { pong: &PONG });
    let mut answer = Vec::new();
    encode_pong(&mut answer, b"");
    assert_eq!(answer, vectors::bytes("64 00 00 01"));
    assert_eq!(answer, PONG);
}

#[test]
fn a_ping_may_carry_anything() {
    let bytes = vectors::bytes("64 03 00 07 ff ff ff");
    let packet = valid(&bytes, b"", &Limits::default());
    assert_eq!(packet.envelope.asks, Asks::Ping { pong: &PONG });
    assert_eq!((packet.envelope.variables_count, packet.pairs.len()), (0, 0));
}

#[test]
fn answers_to_a_ping() {
    let long = [b'w'; 100];
    for (warning, read) in [(b"".as_slice(), b"".as_slice()), (b"low on disk", b"low on disk"), (&long, &long[..80])] {
        let mut answer = Vec::new();
        encode_pong(&mut answer, warning);
        for cut in 0..answer.len() {
            assert_eq!(decode_pong(&answer[..cut]), Ok(None));
        }
        assert_eq!(decode_pong(&answer), Ok(Some(read)));
        answer.extend_from_slice(b"more");
        assert_eq!(decode_pong(&answer), Ok(Some(read)));
    }
    for wrong in [*b"HTTP", PING, [100, 81, 0, 1], [255, 0, 0, 1]] {
        assert_eq!(decode_pong(&wrong), Err(NotAPong(wrong)));
    }
}

#[test]
fn only_web_requests_pings_and_what_is_offered_are_understood() {
    for modifier1 in 0..=255u8 {
        let bytes = [&[modifier1, 6, 0, 9], b"\x02\x00AB\x00\x00".as_slice()].concat();
        let expected = match modifier1 {
            0 => Asks::Request(PathInfo::AsSent),
            17 => Asks::Offer(Offer::Spoolers),
            30 => Asks::Request(PathInfo::WithoutScriptName),
            100 => Asks::Ping { pong: &PONG },
            111 => Asks::Offer(Offer::Caches),
            173 => Asks::Offer(Offer::Functions),
            _ => {
                let refusal = Refusal::Uwsgi(Error::UnsupportedModifier { modifier1 });
                assert_eq!(feed(&bytes, &Limits::default()), Progress::Refused(refusal));
                continue;
            }
        };
        let Progress::Head(envelope) = feed(&bytes, &Limits::default()) else { panic!("{modifier1} refused") };
        assert_eq!((envelope.asks, envelope.modifiers), (expected, (modifier1, 9)));
    }
    let error = invalid(&[18, 6, 0, 0, 1, 0], 4, &Limits::default());
    assert_eq!((error.status(), error.fault()), (501, Fault::Configuration));
}

#[test]
fn http_on_a_uwsgi_socket_is_named() {
    for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "PRI"] {
        let request = format!("{method} / HTTP/1.1\r\nHost: app.example\r\n\r\n");
        let error = invalid(request.as_bytes(), 4, &Limits::default());
        assert_eq!(error, Error::PlainHttp, "{method}");
        assert_eq!((error.status(), error.fault()), (400, Fault::Configuration));
    }
}

#[test]
fn limits_hold_to_the_byte_and_to_the_variable() {
    let pairs: Vec<(String, &str)> = (0..10).map(|index| (format!("HTTP_X_{index}"), "v")).collect();
    let mut bytes = Vec::new();
    encode(&mut bytes, 0, 0, pairs).expect("fits");
    let exact = Limits { block_bytes_max: bytes.len() as u16 - 4, variables_max: 10 };
    assert_eq!(valid(&bytes, b"", &exact).envelope.variables_count, 10);

    let one_byte_less = Limits { block_bytes_max: exact.block_bytes_max - 1, ..exact };
    let error = invalid(&bytes, 4, &one_byte_less);
    let announced = exact.block_bytes_max;
    assert_eq!(error, Error::BlockTooLarge { announced, block_bytes_max: announced - 1 });
    assert_eq!((error.status(), error.fault()), (431, Fault::Client));

    let one_variable_less = Limits { variables_max: 9, ..exact };
    let error = invalid(&bytes, bytes.len(), &one_variable_less);
    assert_eq!(error, pairs::Error::TooManyVariables { variables_max: 9 }.into());
    assert_eq!((error.status(), error.fault()), (431, Fault::Client));
}

#[test]
fn an_empty_block_is_no_request() {
    for modifier1 in [0, 30] {
        let error = invalid(&[modifier1, 0, 0, 0], 4, &Limits::default());
        assert_eq!((error, error.status()), (Error::EmptyBlock, 400));
    }
}

#[test]
fn what_does_not_fit_a_packet_is_not_written() {
    let mut out = b"before".to_vec();
    let long = vec![b'x'; 65_531];
    assert_eq!(encode(&mut out, 0, 0, [("K", &long)]), Err(EncodeError::BlockTooLarge { index: 0 }));
    assert_eq!(encode(&mut out, 0, 0, [("A", "b"), ("", "c")]), Err(EncodeError::EmptyKey { index: 1 }));
    let half = vec![b'x'; 40_000];
    assert_eq!(encode(&mut out, 0, 0, [("K", &half), ("L", &half)]), Err(EncodeError::BlockTooLarge { index: 1 }));
    let too_long = vec![b'x'; 65_536];
    assert_eq!(encode(&mut out, 0, 0, [(&too_long, "")]), Err(EncodeError::BlockTooLarge { index: 0 }));
    assert_eq!(out, b"before");
}

proptest! {
    #[test]
    fn headers_survive(modifier1: u8, datasize: u16, modifier2: u8, rest: Vec<u8>) {
        let header = Header { modifier1, datasize, modifier2 };
        let bytes = [header.encode().as_slice(), &rest].concat();
        prop_assert_eq!(Header::parse(&bytes), Some(header));
        prop_assert_eq!(Header::parse(&bytes[..3]), None);
    }

    #[test]
    fn what_is_encoded_is_decoded(
        pairs in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 1..300), any::<Vec<u8>>()), 1..40),
        strip: bool,
        modifier2: u8,
        body: Vec<u8>,
    ) {
        let modifier1 = if strip { 30 } else { 0 };
        let mut bytes = Vec::new();
        encode(&mut bytes, modifier1, modifier2, pairs.iter().map(|(key, value)| (key, value))).expect("fits");
        let whole = bytes.len();
        bytes.extend_from_slice(&body);
        let mut receiver = receiver(&Limits::default());
        let Progress::Head(envelope) = receiver.feed(&bytes) else { panic!("not whole") };
        prop_assert_eq!(envelope.modifiers, (modifier1, modifier2));
        prop_assert_eq!(envelope.consumed, whole);
        let decoded: Vec<_> = receiver.block(&bytes, &envelope).pairs().map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
        prop_assert_eq!(decoded, pairs);
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        exercise(&bytes);
    }
}

/// One to four changes: a byte, a bit, a length of 16 bits, a cut, a doubled or removed piece.
fn mutate(random: &mut Rng, bytes: &mut Vec<u8>) {
    for _ in 0..=random.usize(..4) {
        let at = random.usize(..bytes.len().max(1));
        match random.usize(..7) {
            0 if !bytes.is_empty() => bytes[at] = random.u8(..),
            1 if !bytes.is_empty() => bytes[at] ^= 1 << random.usize(..8),
            2 if at + 2 <= bytes.len() => {
                let interesting = [0, 1, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, bytes.len() as u16];
                bytes[at..at + 2].copy_from_slice(&interesting[random.usize(..8)].to_le_bytes());
            }
            3 => bytes.truncate(at),
            4 => {
                let end = at + random.usize(..=bytes.len().saturating_sub(at + 1));
                bytes.drain(at..end);
            }
            5 => {
                let end = at + random.usize(..=bytes.len().saturating_sub(at + 1));
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => fix_datasize(bytes),
        }
    }
    // Half of the mutants announce what they hold, so that the walk gets to see them.
    if random.bool() {
        fix_datasize(bytes);
    }
}

fn fix_datasize(bytes: &mut [u8]) {
    let block_bytes = bytes.len().saturating_sub(4) as u16;
    if let Some(field) = bytes.get_mut(1..3) {
        field.copy_from_slice(&block_bytes.to_le_bytes());
    }
}

#[test]
fn a_hundred_thousand_mutants_do_no_harm() {
    let mut originals: Vec<Vec<u8>> =
        [vectors::V1, vectors::V2, vectors::V3, vectors::V4, vectors::V5].map(vectors::bytes).into();
    originals.push(vectors::bytes("00 06 00 00 02 00 41 42 00 00"));
    originals.push(PING.to_vec());
    let originals = &originals;
    let seeds = Seeds::of_this_run(100);
    let counts = seeds.try_all(|counts: &mut [u32; 3], seed| {
        try_mutants(seed, originals, mutate, exercise, |mutant| {
            counts[match feed(mutant, &Limits::default()) {
                Progress::Head(_) => 0,
                Progress::Need(_) => 1,
                Progress::Refused(_) => 2,
            }] += 1;
        })
    });
    // A mutator that only ever breaks packets in one way would test little.
    let of = |kind: usize| counts.iter().map(|counts| counts[kind]).sum::<u32>();
    let kinds = [of(0), of(1), of(2)];
    assert!(!seeds.are_usual() || kinds.iter().all(|count| *count > 5_000), "{kinds:?}");
}

#[test]
fn the_committed_corpus_does_no_harm() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/uwsgi_packet");
    let mut files = 0;
    for entry in fs::read_dir(corpus).expect("the corpus is committed") {
        exercise(&fs::read(entry.expect("readable").path()).expect("readable"));
        files += 1;
    }
    assert!(files >= 25, "only {files} files");
}
