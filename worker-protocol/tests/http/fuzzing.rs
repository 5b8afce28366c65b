//! Mutants of the corpus: nothing panics, and nothing depends on how the bytes arrive.

use std::fs;
use std::path::Path;

use fastrand::Rng;
use proptest::prelude::*;
use testkit::mutation::try_mutants;
use testkit::seeds::Seeds;
use worker_protocol::fuzz::http::{End, exercise_chunked, exercise_http, requests};
use worker_protocol::http::Limits;
use worker_protocol::http::answer::{Additions, Asked, Passed, end_of_head, pass_on};
use worker_protocol::http::framing::Framing;
use worker_protocol::http::packing::Packing;
use worker_protocol::response::Version;

use crate::corpus::{Ending, cases};

/// Pieces that parsers are known to disagree about.
const PIECES: [&[u8]; 28] = [
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b"\0",
    b":",
    b": ",
    b",",
    b";",
    b"0\r\n\r\n",
    b"\r\n\r\n",
    b"chunked",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 5\r\n",
    b"Host: b\r\n",
    b"\x0b",
    b"\x7f",
    b"\x80",
    b"_",
    b"-",
    b"HTTP/1.0",
    b"HTTP/1.1",
    b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n",
    b"Connection: close\r\n",
    b"f",
    b"%00",
    b"../",
];

/// One change, often more: a byte, a bit, a cut, a piece put in, doubled or removed.
pub(crate) fn mutate(random: &mut Rng, bytes: &mut Vec<u8>) {
    for _ in 0..=random.usize(..6) / 2 {
        let at = random.usize(..bytes.len().max(1)).min(bytes.len());
        let end = at + random.usize(..=(bytes.len() - at).min(40));
        match random.usize(..7) {
            0 if at < bytes.len() => bytes[at] = random.u8(..),
            1 if at < bytes.len() => bytes[at] ^= 1 << random.usize(..8),
            2 if random.usize(..4) == 0 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => {
                let piece = PIECES[random.usize(..PIECES.len())];
                bytes.splice(at..at, piece.iter().copied());
            }
        }
    }
}

/// Short cases of the corpus to start from: those that are accepted come three times, as most changes break them.
pub(crate) fn originals() -> Vec<Vec<u8>> {
    let short = cases().into_iter().filter(|case| (1..400).contains(&case.sent.len()));
    short.flat_map(|case| vec![case.sent; if case.end == Ending::Idle { 3 } else { 1 }]).collect()
}

#[test]
fn mutants_of_the_corpus_do_no_harm() {
    let originals = originals();
    let seeds = Seeds::of_this_run(30);
    let counts = seeds.try_all(|counts: &mut [u32; 3], seed| {
        try_mutants(seed, &originals, mutate, exercise_http, |mutant| {
            counts[match requests(mutant, Limits::default(), u64::MAX) {
                (_, End::Refused(_) | End::BodyRefused(_)) => 0,
                (_, End::Waiting) => 1,
                _ => 2,
            }] += 1;
        })
    });
    // A mutator that only ever breaks requests in one way would test little.
    let of = |kind: usize| counts.iter().map(|counts| counts[kind]).sum::<u32>();
    let (refused, waiting, seen) = (of(0), of(1), of(2));
    let is_varied = seen > 1_000 && refused > 5_000 && waiting > 1_000;
    assert!(!seeds.are_usual() || is_varied, "{seen} {refused} {waiting}");
}

#[test]
fn mutants_of_chunked_bodies_do_no_harm() {
    let original = b"5;a=\"b\";c\r\nhello\r\n0010\r\n0123456789abcdef\r\n0\r\nX-A: b\r\n\r\nGET /".to_vec();
    let seeds = Seeds::of_this_run(30);
    seeds.try_all(|(): &mut (), seed| {
        try_mutants(seed, std::slice::from_ref(&original), mutate, exercise_chunked, |_| {})
    });
}

/// Answers of workers, as a router passes them on: what is told to the client is one head, which says one end at most.
#[test]
fn mutants_of_answers_are_passed_on_with_one_end_or_not_at_all() {
    let originals = [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        "HTTP/1.0 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nuWSGI-Encoding: gzip\r\nVary: x\r\nContent-Length: 5\r\nETag: \"a\"\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    ];
    let originals = originals.map(|text| text.as_bytes().to_vec());
    let seeds = Seeds::of_this_run(10);
    seeds.try_all(|(): &mut (), seed| try_mutants(seed, &originals, mutate, exercise_answer, |_| {}));
}

fn exercise_answer(bytes: &[u8]) {
    let Ok(Some(end)) = end_of_head(bytes, 0) else { return };
    let additions = Additions { date: b"now", server: None };
    let versions = [Version::Http10, Version::Http11];
    for (version, packing) in
        versions.into_iter().flat_map(|version| [(version, Packing::Off), (version, Packing::Gzip)])
    {
        let (asked, mut out) = (Asked { version, is_head: false, persistent: true, packing }, Vec::new());
        let passed = pass_on(&bytes[..end], asked, &additions, &mut out);
        let Ok(Passed::Final { framing, packed, .. }) = passed else { continue };
        let mut room = [httparse::EMPTY_HEADER; 64];
        let mut told = httparse::Response::new(&mut room);
        assert!(matches!(told.parse(&out), Ok(httparse::Status::Complete(all)) if all == out.len()), "{out:?}");
        let count = |name: &str| told.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name)).count();
        let (lengths, codings) = (count("content-length"), count("transfer-encoding"));
        assert_eq!(codings, usize::from(framing == Framing::Chunked), "{}", out.escape_ascii());
        assert!(!packed || packing == Packing::Gzip && lengths == 0 && count("content-encoding") == 1);
        assert!(lengths + codings <= 1 && matches!(framing, Framing::Length(_)) <= (lengths == 1));
    }
}

#[test]
fn the_committed_corpora_do_no_harm() {
    for (target, exercise) in [("http_connection", exercise_http as fn(&[u8])), ("chunked_body", exercise_chunked)] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let mut files = 0;
        for entry in fs::read_dir(directory).expect("the corpus is committed") {
            exercise(&fs::read(entry.expect("readable").path()).expect("readable"));
            files += 1;
        }
        assert!(files >= 25, "only {files} files for {target}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        exercise_http(&bytes);
        exercise_chunked(&bytes);
    }

    /// Any cut of any body into chunks gives the body again.
    #[test]
    fn what_is_chunked_is_decoded(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..300), 0..20)) {
        use worker_protocol::http::framing::{CHUNK_END, LAST_CHUNK, chunk_start};
        let mut encoded = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for piece in &pieces {
            encoded.extend_from_slice(chunk_start(piece.len() as u64, &mut [0; 18]));
            encoded.extend_from_slice(piece);
            encoded.extend_from_slice(CHUNK_END);
        }
        encoded.extend_from_slice(LAST_CHUNK);
        exercise_http(&encoded);
        let (seen, end) = requests(&encoded, Limits::default(), u64::MAX);
        prop_assert_eq!(end, End::Idle);
        prop_assert_eq!(&seen[0].body, &pieces.concat());
    }
}
