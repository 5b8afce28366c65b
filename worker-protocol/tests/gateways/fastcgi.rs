//! FastCGI.

use worker_protocol::Fault;
use worker_protocol::fastcgi::receive::{Event, Receiver};
use worker_protocol::fastcgi::record::{HEADER_BYTES, Header, kind};
use worker_protocol::fastcgi::request::{
    AUTHORIZER, FILTER, KEEP_CONNECTION, RESPONDER, append_begin, append_body, append_params, append_question,
    append_record,
};
use worker_protocol::fastcgi::{Error, answer};
use worker_protocol::fuzz::gateways::{CAPACITY, Connection, connection, exercise_fastcgi};
use worker_protocol::pairs::Limits;

use crate::{pairs, survive_mutants};

const VARIABLES: [(&str, &str); 3] = [("REQUEST_METHOD", "POST"), ("PATH_INFO", "/"), ("HTTP_X_EMPTY", "")];

fn limits() -> Limits {
    Limits::default()
}

/// What comes of a connection's bytes: the same however they are cut.
#[track_caller]
fn receive(bytes: &[u8]) -> Connection {
    let whole = connection(bytes, bytes.len().max(1), usize::MAX, limits());
    for step in [1, 2, 3, 7, 8, 9, 100] {
        assert_eq!(connection(bytes, step, usize::MAX, limits()), whole, "in pieces of {step}");
        assert_eq!(connection(bytes, step, 2, limits()), whole, "in pieces of {step}, the body by two bytes");
    }
    whole
}

/// A request, its parts appended to what was before.
fn request(out: &mut Vec<u8>, id: u16, flags: u8, body: &[u8]) {
    append_begin(out, id, RESPONDER, flags);
    append_params(out, id, VARIABLES);
    append_body(out, id, body);
}

/// The records of `bytes`: type, number, content.
fn records(mut bytes: &[u8]) -> Vec<(u8, u16, Vec<u8>)> {
    let mut records = Vec::new();
    while let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() {
        let header = Header::parse(*header).expect("version 1");
        let (content, rest) = rest.split_at(usize::from(header.content_bytes));
        records.push((header.kind, header.id, content.to_vec()));
        bytes = &rest[usize::from(header.padding_bytes)..];
    }
    assert!(bytes.is_empty());
    records
}

#[track_caller]
fn check_request(connection: &Connection, index: usize, body: &[u8]) {
    let (block, found) = &connection.requests[index];
    let expected = VARIABLES.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(pairs(block), expected);
    assert_eq!(found.as_deref(), Some(body));
}

#[test]
fn a_request_with_a_body() {
    let mut bytes = Vec::new();
    request(&mut bytes, 1, 0, b"a=1&b=2");
    let connection = receive(&bytes);
    assert_eq!(connection.requests.len(), 1);
    check_request(&connection, 0, b"a=1&b=2");
    assert_eq!((connection.error, connection.closed, connection.replies.len()), (None, true, 0));
}

#[test]
fn pairs_may_be_cut_by_records_anywhere() {
    let mut whole = Vec::new();
    append_params(&mut whole, 1, VARIABLES);
    let content = records(&whole).swap_remove(0).2;
    for size in 1..content.len() {
        let mut bytes = Vec::new();
        append_begin(&mut bytes, 1, RESPONDER, 0);
        content.chunks(size).for_each(|part| append_record(&mut bytes, kind::PARAMS, 1, part));
        append_record(&mut bytes, kind::PARAMS, 1, b"");
        append_record(&mut bytes, kind::STDIN, 1, b"bo");
        append_record(&mut bytes, kind::STDIN, 1, b"dy");
        append_record(&mut bytes, kind::STDIN, 1, b"");
        check_request(&receive(&bytes), 0, b"body");
    }
}

#[test]
fn padding_is_skipped() {
    let mut plain = Vec::new();
    request(&mut plain, 1, 0, b"body");
    for padding_bytes in [1, 7, 255] {
        let mut padded = Vec::new();
        for (kind, id, content) in records(&plain) {
            let header = Header { kind, id, content_bytes: content.len() as u16, padding_bytes };
            padded.extend_from_slice(&header.encode());
            padded.extend_from_slice(&content);
            padded.extend(std::iter::repeat_n(0xaa, usize::from(padding_bytes)));
        }
        check_request(&receive(&padded), 0, b"body");
    }
}

#[test]
fn lengths_of_one_byte_and_of_four() {
    for length in [0, 1, 127, 128, 255, 256, 65_000] {
        let value = "v".repeat(length);
        let mut bytes = Vec::new();
        append_begin(&mut bytes, 1, RESPONDER, 0);
        append_params(&mut bytes, 1, [("K", value.as_str()), ("L", "m")]);
        append_body(&mut bytes, 1, b"");
        let connection = connection(&bytes, 4_096, usize::MAX, limits());
        let found = pairs(&connection.requests[0].0);
        assert_eq!((found[0].1.len(), found[1].1.as_str()), (length, "m"));
    }
    // Four bytes for a length that one would do for are allowed.
    let mut bytes = Vec::new();
    append_begin(&mut bytes, 1, RESPONDER, 0);
    append_record(&mut bytes, kind::PARAMS, 1, b"\x80\0\0\x01\x01Kv");
    append_record(&mut bytes, kind::PARAMS, 1, b"");
    append_body(&mut bytes, 1, b"");
    assert_eq!(pairs(&receive(&bytes).requests[0].0), [("K".to_owned(), "v".to_owned())]);
}

#[test]
fn a_kept_connection_brings_the_next_request() {
    let mut bytes = Vec::new();
    for id in [1, 1, 7] {
        request(&mut bytes, id, KEEP_CONNECTION, b"body");
    }
    let connection = receive(&bytes);
    assert_eq!((connection.requests.len(), connection.error, connection.closed), (3, None, false));
    (0..3).for_each(|index| check_request(&connection, index, b"body"));
}

#[test]
fn a_second_request_beside_the_first_is_refused_alone() {
    let mut bytes = Vec::new();
    append_begin(&mut bytes, 1, RESPONDER, 0);
    append_begin(&mut bytes, 2, RESPONDER, 0);
    append_params(&mut bytes, 2, [("REQUEST_METHOD", "DELETE"), ("EVIL", "yes")]);
    append_params(&mut bytes, 1, VARIABLES);
    append_body(&mut bytes, 2, b"of the second");
    append_body(&mut bytes, 1, b"of the first");
    let connection = receive(&bytes);
    assert_eq!((connection.requests.len(), connection.error), (1, None));
    check_request(&connection, 0, b"of the first");
    assert_eq!(records(&connection.replies), [(kind::END_REQUEST, 2, vec![0, 0, 0, 0, 1, 0, 0, 0])]);
}

#[test]
fn questions_are_answered() {
    let mut bytes = Vec::new();
    append_question(&mut bytes, ["FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS", "UNKNOWN"]);
    request(&mut bytes, 1, 0, b"body");
    let connection = receive(&bytes);
    check_request(&connection, 0, b"body");
    let content = b"\x0e\x02FCGI_MAX_CONNS12\x0d\x02FCGI_MAX_REQS12\x0f\x01FCGI_MPXS_CONNS0".to_vec();
    assert_eq!(records(&connection.replies), [(kind::GET_VALUES_RESULT, 0, content)]);
}

#[test]
fn records_about_the_connection_that_are_not_known_are_said_to_be() {
    let mut bytes = Vec::new();
    append_record(&mut bytes, 42, 0, b"whatever");
    append_record(&mut bytes, 42, 5, b"skipped");
    request(&mut bytes, 1, 0, b"");
    let connection = receive(&bytes);
    check_request(&connection, 0, b"");
    assert_eq!(records(&connection.replies), [(kind::UNKNOWN_TYPE, 0, vec![42, 0, 0, 0, 0, 0, 0, 0])]);
}

#[test]
fn roles() {
    let mut bytes = Vec::new();
    append_begin(&mut bytes, 1, AUTHORIZER, KEEP_CONNECTION);
    append_params(&mut bytes, 1, VARIABLES);
    append_begin(&mut bytes, 2, FILTER, KEEP_CONNECTION);
    append_begin(&mut bytes, 3, RESPONDER, 0);
    append_params(&mut bytes, 3, VARIABLES);
    append_body(&mut bytes, 3, b"body");
    let connection = receive(&bytes);
    check_request(&connection, 0, b"");
    check_request(&connection, 1, b"body");
    assert_eq!(records(&connection.replies), [(kind::END_REQUEST, 2, vec![0, 0, 0, 0, 3, 0, 0, 0])]);
    let mut bytes = Vec::new();
    append_begin(&mut bytes, 2, FILTER, 0);
    assert!(receive(&bytes).closed);
}

#[test]
fn a_request_can_be_given_up() {
    // Before its variables are complete: there was none.
    let mut bytes = Vec::new();
    append_begin(&mut bytes, 1, RESPONDER, KEEP_CONNECTION);
    append_record(&mut bytes, kind::PARAMS, 1, b"\x0e\x04REQ");
    append_record(&mut bytes, kind::ABORT_REQUEST, 1, b"");
    request(&mut bytes, 1, KEEP_CONNECTION, b"body");
    let connection = receive(&bytes);
    assert_eq!((connection.requests.len(), connection.closed), (1, false));
    check_request(&connection, 0, b"body");
    assert_eq!(records(&connection.replies), [(kind::END_REQUEST, 1, vec![0; 8])]);
    // While its body comes: the body does not end.
    let mut bytes = Vec::new();
    append_begin(&mut bytes, 1, RESPONDER, KEEP_CONNECTION);
    append_params(&mut bytes, 1, VARIABLES);
    append_record(&mut bytes, kind::STDIN, 1, b"bo");
    append_record(&mut bytes, kind::ABORT_REQUEST, 1, b"");
    request(&mut bytes, 2, 0, b"body");
    let connection = receive(&bytes);
    assert_eq!((connection.requests.len(), connection.requests[0].1.is_none()), (2, true));
    check_request(&connection, 1, b"body");
    // One that is not under way.
    let mut bytes = Vec::new();
    append_record(&mut bytes, kind::ABORT_REQUEST, 9, b"");
    request(&mut bytes, 1, 0, b"");
    assert_eq!(receive(&bytes).requests.len(), 1);
}

#[test]
fn what_is_left_of_an_answered_request_is_skipped() {
    let mut first = Vec::new();
    append_begin(&mut first, 1, RESPONDER, KEEP_CONNECTION);
    append_params(&mut first, 1, VARIABLES);
    append_record(&mut first, kind::STDIN, 1, b"unread");
    let mut receiver = Receiver::new(limits(), CAPACITY);
    let step = receiver.next(&first, usize::MAX).expect("valid");
    assert_eq!(step.event, Event::Head);
    assert!(!receiver.body_has_ended() && !receiver.is_idle());
    // Answered in the middle of a record of the body.
    let step_into = receiver.next(&first[step.consumed..], 2).expect("valid");
    assert_eq!(step_into.event, Event::Body(b"un"));
    assert_eq!(receiver.body_left(), 4);
    receiver.took(1);
    assert_eq!(receiver.body_left(), 3);
    receiver.finish();
    assert_eq!(receiver.body_left(), 0);
    let mut rest = b"ead".to_vec();
    append_record(&mut rest, kind::STDIN, 1, b"more");
    append_record(&mut rest, kind::STDIN, 1, b"");
    append_begin(&mut rest, 1, RESPONDER, KEEP_CONNECTION);
    append_params(&mut rest, 1, VARIABLES);
    let step = receiver.next(&rest, usize::MAX).expect("valid");
    assert_eq!((step.event, step.consumed), (Event::Head, rest.len()));
}

#[test]
fn connections_that_cannot_go_on() {
    let begun = |append: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::new();
        append_begin(&mut bytes, 1, RESPONDER, 0);
        append(&mut bytes);
        bytes
    };
    let params = |content: &'static [u8]| {
        begun(&move |out| {
            append_record(out, kind::PARAMS, 1, content);
            append_record(out, kind::PARAMS, 1, b"");
        })
    };
    let alone = |kind: u8, id: u16, content: &[u8]| {
        let mut bytes = Vec::new();
        append_record(&mut bytes, kind, id, content);
        bytes
    };
    for (bytes, error) in [
        (b"\0\x05\0\0".to_vec(), Error::SpeaksUwsgi),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), Error::SpeaksHttp),
        (b"\x02\x01\0\x01\0\x08\0\0".to_vec(), Error::Version(2)),
        (alone(kind::BEGIN_REQUEST, 1, b"\0\x01\0"), Error::Content { kind: 1, content_bytes: 3 }),
        (alone(kind::BEGIN_REQUEST, 0, b"\0\x01\0\0\0\0\0\0"), Error::Misplaced { kind: 1, id: 0 }),
        (alone(kind::ABORT_REQUEST, 1, b"x"), Error::Content { kind: 2, content_bytes: 1 }),
        (alone(kind::STDOUT, 1, b"x"), Error::Misplaced { kind: 6, id: 1 }),
        (alone(kind::END_REQUEST, 1, &[0; 8]), Error::Misplaced { kind: 3, id: 1 }),
        (alone(kind::GET_VALUES, 1, b""), Error::Misplaced { kind: 9, id: 1 }),
        (alone(kind::GET_VALUES, 0, &[0; 1_025]), Error::Content { kind: 9, content_bytes: 1_025 }),
        (begun(&|out| append_begin(out, 1, RESPONDER, 0)), Error::Order { kind: 1, id: 1 }),
        (begun(&|out| append_body(out, 1, b"body")), Error::Order { kind: 5, id: 1 }),
        (params(b"\x01"), Error::ParamPastEnd { offset: 0 }),
        (params(b"\x01\x01K"), Error::ParamPastEnd { offset: 0 }),
        (params(b"\x01\x01Kv\x05\x01K"), Error::ParamPastEnd { offset: 4 }),
        (params(b"\x01\x80\0\0Kv"), Error::ParamPastEnd { offset: 0 }),
        (params(b"\xff\xff\xff\xff\xff\xff\xff\xffKv"), Error::ParamPastEnd { offset: 0 }),
        (params(b"\x01\x01Kv\0\x01v"), Error::EmptyName { offset: 4 }),
    ] {
        let connection = receive(&bytes);
        assert_eq!(connection.error, Some(error));
        assert_eq!(error.status(), 400);
        assert!(connection.requests.is_empty());
    }
    let mut twice = begun(&|out| append_params(out, 1, VARIABLES));
    append_record(&mut twice, kind::PARAMS, 1, b"");
    assert_eq!(receive(&twice).error, Some(Error::Order { kind: 4, id: 1 }));
    let nothing = begun(&|out| append_record(out, kind::PARAMS, 1, b""));
    assert_eq!(receive(&nothing).error, Some(Error::Empty));
    assert_eq!((Error::SpeaksHttp.fault(), Error::Version(2).fault()), (Fault::Configuration, Fault::Client));
}

#[test]
fn limits_hold_to_the_byte_and_to_the_variable() {
    let mut bytes = Vec::new();
    append_begin(&mut bytes, 1, RESPONDER, 0);
    append_params(&mut bytes, 1, [("A", "b"), ("C", "d"), ("E", "f")]);
    append_body(&mut bytes, 1, b"");
    let outcome = |block_bytes_max, variables_max| {
        connection(&bytes, 5, usize::MAX, Limits { block_bytes_max, variables_max }).error
    };
    // 12 bytes as FastCGI has them, 18 in a block.
    assert_eq!(outcome(18, 3), None);
    assert_eq!(outcome(17, 3), Some(Error::ParamsTooLarge { block_bytes_max: 17 }));
    assert_eq!(outcome(11, 3), Some(Error::ParamsTooLarge { block_bytes_max: 11 }));
    assert_eq!(outcome(18, 2), Some(Error::TooManyVariables { variables_max: 2 }));
    let mut bytes = Vec::new();
    append_begin(&mut bytes, 1, RESPONDER, 0);
    append_params(&mut bytes, 1, [("K", "v".repeat(65_536))]);
    let error = connection(&bytes, 4_096, usize::MAX, limits()).error.expect("an error");
    assert_eq!((error, error.status()), (Error::ParamsTooLarge { block_bytes_max: 65_535 }, 431));
}

#[test]
fn a_web_server_that_only_asks_is_not_heard_forever() {
    let mut bytes = Vec::new();
    (0..2_000).for_each(|_| append_question(&mut bytes, ["FCGI_MAX_CONNS"]));
    let mut receiver = Receiver::new(limits(), CAPACITY);
    let outcome = receiver.next(&bytes, usize::MAX);
    assert!(outcome.is_err(), "{outcome:?}");
    assert!(receiver.replies().len() < 17_000);
}

#[test]
fn answers_are_records() {
    let mut out = answer::part(3, answer::part_bytes(5)).to_vec();
    out.extend_from_slice(b"hello");
    answer::append_end(&mut out, 3);
    let end = (kind::END_REQUEST, 3, vec![0; 8]);
    assert_eq!(records(&out), [(kind::STDOUT, 3, b"hello".to_vec()), (kind::STDOUT, 3, Vec::new()), end]);
    assert_eq!((answer::part_bytes(65_535), answer::part_bytes(70_000)), (65_535, 65_535));
}

#[test]
fn mutants_do_no_harm() {
    let mut plain = Vec::new();
    request(&mut plain, 1, 0, b"body");
    let mut kept = Vec::new();
    append_question(&mut kept, ["FCGI_MAX_CONNS"]);
    request(&mut kept, 1, KEEP_CONNECTION, b"");
    append_begin(&mut kept, 2, RESPONDER, KEEP_CONNECTION);
    append_begin(&mut kept, 3, RESPONDER, KEEP_CONNECTION);
    append_record(&mut kept, kind::ABORT_REQUEST, 2, b"");
    survive_mutants("fastcgi_connection", vec![plain, kept], 20_000, exercise_fastcgi);
}
