//! The corpus, three ways; and what a head must not do.

use std::collections::HashSet;

use worker_protocol::fuzz::http::{End, Reader, Seen, requests};
use worker_protocol::http::Limits;

use crate::corpus::{Case, Ending, Wanted, With, cases};

/// A body that no case exceeds by itself, but for one whose chunks are meant to.
const BODY_BYTES_MAX: u64 = u64::MAX;

fn read(bytes: &[u8]) -> (Vec<Seen>, End) {
    requests(bytes, Limits::default(), BODY_BYTES_MAX)
}

#[track_caller]
fn check(case: &Case, (seen, end): &(Vec<Seen>, End)) {
    let name = &case.name;
    let expected =
        case.requests.iter().map(|wanted| (wanted.method.as_bytes(), wanted.path.as_slice(), wanted.body.as_slice()));
    let found =
        seen.iter().map(|seen| (seen.variable("REQUEST_METHOD"), seen.variable("PATH_INFO"), seen.body.as_slice()));
    assert!(found.eq(expected), "{name}: {end:?}, {seen:?}");
    match (&case.end, end) {
        (Ending::Idle, End::Idle) | (Ending::Wait, End::Waiting) | (Ending::Close, End::Closed) => {}
        (Ending::Refuse(status, words), End::Refused(_) | End::BodyRefused(_)) => {
            assert_eq!(end.status(), Some(*status), "{name}: {end:?}");
            let sentence = match end {
                End::Refused(refusal) => refusal.to_string(),
                End::BodyRefused(error) => error.to_string(),
                _ => String::new(),
            };
            assert!(sentence.contains(words), "{name}: {sentence:?} without {words:?}");
        }
        _ => panic!("{name}: ends with {end:?}, not with {:?}", case.end),
    }
    for (seen, wanted) in seen.iter().zip(&case.requests) {
        check_variables(name, seen, wanted);
    }
}

fn check_variables(name: &str, seen: &Seen, wanted: &Wanted) {
    let names: HashSet<_> = seen.variables.iter().map(|(key, _)| key.as_slice()).collect();
    let mut expects = false;
    let mut upgrade = false;
    for with in &wanted.with {
        match with {
            With::Variable(key, value) => {
                assert_eq!(seen.variable(key), value, "{name}: {key}");
                assert!(names.contains(key.as_bytes()), "{name}: no {key}");
            }
            With::NoVariable(key) => assert!(!names.contains(key.as_bytes()), "{name}: {key}"),
            With::Hidden(key) => assert!(!seen.visible.iter().any(|name| name == key.as_bytes()), "{name}: {key}"),
            With::Expects => expects = true,
            With::Upgrade => upgrade = true,
        }
    }
    assert_eq!((seen.expects_continue, seen.upgrade), (expects, upgrade), "{name}: expects, upgrade");
}

#[test]
fn each_case_of_the_corpus_has_its_one_outcome() {
    let cases = cases();
    assert!(cases.len() >= 340, "only {} cases", cases.len());
    let refused = cases.iter().filter(|case| matches!(case.end, Ending::Refuse(..))).count();
    assert!(refused >= 200, "only {refused} refused");
    let names: HashSet<_> = cases.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), cases.len(), "a name twice");
    for case in &cases {
        check(case, &read(&case.sent));
    }
}

#[test]
fn each_case_has_the_same_outcome_at_every_split() {
    for case in cases() {
        // Long ones are cut near their ends and here and there.
        let step = (case.sent.len() / 500).max(1);
        for cut in (0..=case.sent.len()).step_by(step).chain(case.sent.len().saturating_sub(40)..=case.sent.len()) {
            let mut reader = Reader::new(Limits::default(), BODY_BYTES_MAX);
            reader.feed(&case.sent[..cut]);
            reader.feed(&case.sent[cut..]);
            let end = reader.end();
            check(&case, &(reader.seen, end));
        }
        let mut reader = Reader::new(Limits::default(), BODY_BYTES_MAX);
        case.sent.chunks(1).for_each(|byte| reader.feed(byte));
        let end = reader.end();
        check(&case, &(reader.seen, end));
    }
}

/// What is refused stays refused; what is accepted ends exactly where it ends, so that the next request is seen whole.
#[test]
fn each_case_leaves_what_follows_alone() {
    let next = b"GET /the/next HTTP/1.1\r\nHost: next\r\n\r\n";
    for case in cases() {
        let (mut seen, end) = read(&[&case.sent, next.as_slice()].concat());
        match case.end {
            // Whatever follows belongs to the request that is not whole.
            Ending::Wait => continue,
            Ending::Idle if !case.sent.ends_with(b"\r") => {
                let last = seen.pop().unwrap_or_else(|| panic!("{}: the next request is lost", case.name));
                assert_eq!(
                    (last.variable("PATH_INFO"), last.variable("HTTP_HOST")),
                    (b"/the/next".as_slice(), b"next".as_slice())
                );
                check(&case, &(seen, end));
            }
            Ending::Idle => assert_eq!((seen.len(), end.status()), (0, Some(400)), "{}", case.name),
            Ending::Close | Ending::Refuse(..) => check(&case, &(seen, end)),
        }
    }
}

#[test]
fn headers_are_all_read_however_many_there_are() {
    for count in (1..=100).step_by(9).chain(46..=52) {
        let lines: String = (1..count).map(|number| format!("X-{number}: {number}\r\n")).collect();
        let (seen, end) = read(format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n").as_bytes());
        assert!(matches!(end, End::Idle), "{count}: {end:?}");
        for number in 1..count {
            let told = seen[0].variable(&format!("HTTP_X_{number}"));
            assert_eq!(told, number.to_string().as_bytes(), "of {count}");
        }
        // A fault is told by its line behind as many.
        let (_, end) = read(format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}X : 1\r\n\r\n").as_bytes());
        assert_eq!(end.status(), Some(400), "{count}: {end:?}");
    }
}

/// Every byte in every place of a small request: what is let through is what the tables of the RFC say.
#[test]
fn every_byte_in_every_place() {
    let request = b"GET /a?b HTTP/1.1\r\nHost: abc\r\nX-Ab: cd\r\n\r\n";
    let places = |what: &[u8]| request.windows(what.len()).position(|window| window == what).expect("there");
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let path = |byte: u8| matches!(byte, b'!'..=b'~') && !b"\"#<>\\%".contains(&byte);
    let query = |byte: u8| matches!(byte, b'!'..=b'~') && !b"\"#<>".contains(&byte);
    let value = |byte: u8| byte == b'\t' || byte >= b' ' && byte != 0x7f;
    for byte in 0..=255u8 {
        let accepted = |at: usize| {
            let mut bytes = request.to_vec();
            bytes[at] = byte;
            let (seen, end) = read(&bytes);
            seen.len() == 1 && end == End::Idle
        };
        assert_eq!(accepted(1), token(byte), "method: {byte:#04x}");
        // A question mark begins the query, a slash a segment.
        assert_eq!(accepted(places(b"a?b")), path(byte), "path: {byte:#04x}");
        assert_eq!(accepted(places(b"b HTTP")), query(byte), "query: {byte:#04x}");
        // A colon ends the name.
        assert_eq!(accepted(places(b"b: cd")), token(byte) || byte == b':', "name: {byte:#04x}");
        assert_eq!(accepted(places(b"d\r\n\r\n")), value(byte), "value: {byte:#04x}");
    }
}
