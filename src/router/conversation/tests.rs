//! Conversations in a world that is a few lines of this test: a client whose bytes come in pieces, and workers of whom each
//! answers one request.

use std::io::Read;

use fastrand::Rng;
use flate2::read::GzDecoder;
use testkit::mutation::mutate_with;
use testkit::seeds::Seeds;
use worker_protocol::fuzz::http::requests;
use worker_protocol::http::chunked::Decoder;
use worker_protocol::http::{Limits, date};
use worker_protocol::pairs::Block;
use worker_protocol::uwsgi::{HEADER_BYTES, Header};

use worker_protocol::proxy::Origin;

use super::answering::ANSWER_BYTES_MAX;
use super::reading::AHEAD_BYTES_MAX;
use super::{Conversation, Ending, Failure, Moment, Piece, Remark, Terms};
use crate::config::model::{HttpSockets, RequestLimits, Routers, ToHttps};

/// What a worker does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Answers(&'static str),
    /// And goes without a word.
    Breaks(&'static str),
    /// It cannot be connected to.
    IsAway,
    IsSilent,
}

struct World {
    terms: Terms,
    moment: Moment,
    conversation: Conversation,
    /// What was put into a file.
    file: Vec<u8>,
    /// What workers were sent, each time.
    asked: Vec<Vec<u8>>,
    /// What the client got.
    got: Vec<u8>,
    ending: Ending,
    acts: Vec<Act>,
    /// Bytes that a worker sends at once.
    piece: usize,
    remarks: Vec<Remark>,
}

const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const STREAM: &str = "HTTP/1.1 200 OK\r\n\r\nhello";
const DATED: &str = "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n";

impl World {
    /// In which workers do this, one after the other; the last one again and again.
    fn of(acts: &[Act]) -> World {
        let terms = Terms {
            limits: RequestLimits { body_max: Some(100_000), ..RequestLimits::default() },
            routers: Routers { body_in_memory: 10, ..Routers::default() },
            keep_alive: HttpSockets::KEEP_ALIVE,
            names_server: false,
            server_name: "machine".to_owned(),
            added: vec![("X-Own".to_owned(), "1".to_owned())],
            is_leaving: false,
        };
        World {
            terms,
            moment: Moment { us: 1, epoch_us: 1_500_000, date: date::imf_fixdate(0) },
            conversation: Conversation::new(None, 1),
            file: Vec::new(),
            asked: Vec::new(),
            got: Vec::new(),
            ending: Ending::NotYet,
            acts: acts.to_vec(),
            piece: usize::MAX,
            remarks: Vec::new(),
        }
    }

    fn sends(mut self, bytes: &[u8]) -> World {
        self.send(bytes);
        self
    }

    /// The client sends something.
    fn send(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.conversation.client_room() > 0 {
            let (now, later) = bytes.split_at(bytes.len().min(self.conversation.client_room()));
            self.conversation.take(now, &self.terms, &self.moment);
            if let Some(overflow) = self.conversation.overflow(&self.terms) {
                self.file.extend_from_slice(overflow);
                self.conversation.has_overflown();
            }
            bytes = later;
            self.settle();
        }
    }

    fn ends(mut self) -> World {
        self.conversation.end_client();
        self.settle();
        self
    }

    fn waits(mut self, us: u64) -> World {
        self.moment.us += us;
        if self.conversation.until_us(&self.terms) <= self.moment.us {
            self.conversation.expire(&self.terms, &self.moment);
        }
        self.settle();
        self
    }

    /// Until nothing moves any more.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            self.remarks.extend(self.conversation.take_remark());
            let resumed = self.conversation.resume(&self.terms, &self.moment);
            let asked = self.conversation.wants_worker() && self.answer();
            self.file.truncate(if self.conversation.is_collecting() { usize::MAX } else { 0 });
            let length = self.conversation.answer().len();
            self.got.extend_from_slice(self.conversation.answer());
            self.conversation.pass_answer(length, &self.moment);
            let ending = self.conversation.ending(&self.moment);
            if ending != Ending::NotYet {
                self.ending = ending;
            }
            if !resumed && !asked && length == 0 && ending == Ending::NotYet
                || matches!(ending, Ending::Closed | Ending::Cut)
            {
                return;
            }
        }
        panic!("it does not come to rest: {:?}", self.conversation);
    }

    /// Whether a worker has done anything.
    fn answer(&mut self) -> bool {
        let act = self.acts[self.asked.len().min(self.acts.len() - 1)];
        if act == Act::IsSilent && !self.asked.is_empty() {
            return false;
        }
        let mut request = Vec::new();
        loop {
            let sent = match self.conversation.upload() {
                _ if act == Act::IsAway => break,
                Piece::Nothing => break,
                Piece::Bytes(bytes) => {
                    request.extend_from_slice(&bytes[..bytes.len().min(7)]);
                    bytes.len().min(7)
                }
                Piece::File { offset, bytes } => {
                    let count = bytes.min(5) as usize;
                    request.extend_from_slice(&self.file[offset as usize..][..count]);
                    count
                }
            };
            self.conversation.pass_upload(sent as u64, &self.moment);
        }
        self.asked.push(request);
        let (text, failure) = match act {
            Act::Answers(text) => (text, Failure::Ended),
            Act::Breaks(text) => (text, Failure::Broken),
            Act::IsAway => ("", Failure::Unreachable),
            Act::IsSilent => return true,
        };
        for piece in text.as_bytes().chunks(self.piece.min(text.len()).max(1)) {
            if !self.conversation.wants_worker() {
                return true;
            }
            assert!(self.conversation.has_room_for_answer());
            self.conversation.take_answer(piece, &self.terms, &self.moment);
        }
        if self.conversation.wants_worker() {
            self.conversation.lose_worker(failure, &self.terms, &self.moment);
        }
        true
    }

    fn got(&self) -> String {
        String::from_utf8_lossy(&self.got).into_owned()
    }

    /// The variables of a request that a worker was sent, and its body.
    fn request(&self, number: usize) -> (Vec<(String, String)>, String) {
        let bytes = &self.asked[number];
        let header = Header::parse(bytes).expect("a header");
        let (block, body) = bytes[HEADER_BYTES..].split_at(usize::from(header.datasize));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let block = Block::parse(block, 200).expect("a block");
        (block.pairs().map(|(key, value)| (text(key), text(value))).collect(), text(body))
    }

    fn variable(&self, number: usize, key: &str) -> Option<String> {
        self.request(number).0.into_iter().rev().find(|(own, _)| own == key).map(|(_, value)| value)
    }
}

fn get(more: &str) -> Vec<u8> {
    format!("GET /a?b HTTP/1.1\r\nHost: h:1\r\n{more}\r\n").into_bytes()
}

fn post(head: &str, body: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: h\r\n{head}\r\n\r\n{body}").into_bytes()
}

#[test]
fn a_connection_brings_one_request_after_the_other_and_each_has_its_worker() {
    let mut world = World::of(&[Act::Answers(HELLO)]);
    world.terms.routers.variables =
        vec![("SITE".to_owned(), "shop".to_owned()), ("REMOTE_ADDR".to_owned(), "x".to_owned())];
    world.terms.routers.named_by_host = true;
    world.terms.routers.modifiers = (30, 1);
    world
        .conversation
        .meet(Origin { addresses: "192.0.2.1:5".parse().ok().zip("192.0.2.2:80".parse().ok()), https: None });
    let world = world.sends(&get("")).sends(&[get("X-A: 1\r\n"), get("")].concat());
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n{DATED}\r\nhello");
    assert_eq!((world.got(), world.ending, world.asked.len()), (answer.repeat(3), Ending::NotYet, 3));
    assert_eq!(world.asked[0][..1], [30]);
    assert_eq!(world.asked[0][3], 1);
    for (key, value) in [
        ("REQUEST_URI", "/a?b"),
        ("UWSGI_ROUTER", "http"),
        ("REQUEST_MSEC", "1.500000"),
        ("SITE", "shop"),
        ("REMOTE_ADDR", "x"),
        ("REMOTE_PORT", "5"),
        ("SERVER_NAME", "h:1"),
        ("HTTP_X_A", "1"),
    ] {
        assert_eq!(world.variable(1, key).as_deref(), Some(value), "{key}");
    }
    assert_eq!(world.ends().ending, Ending::Closed);
}

#[test]
fn a_client_that_sends_no_more_gets_all_that_it_has_asked_for() {
    for more in ["", "GET / HT", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na"] {
        let mut world = World::of(&[Act::Answers(HELLO)]);
        let sent = [&get("")[..], &get(""), more.as_bytes()].concat();
        world.conversation.take(&sent, &world.terms, &world.moment);
        world.conversation.end_client();
        world.settle();
        assert_eq!((world.asked.len(), world.ending), (2, Ending::Closed), "{more}");
        assert_eq!(world.got().matches("\r\n\r\nhello").count(), 2, "{more}");
    }
}

#[test]
fn a_body_is_whole_before_a_worker_is_asked() {
    let mut world = World::of(&[Act::Answers(HELLO)]);
    for length in [3, 10, 25] {
        let body = "0123456789abcdefghijklmno"[..length].to_owned();
        let whole = post(&format!("Content-Length: {length}"), &body);
        let asked = world.asked.len();
        for byte in &whole[..whole.len() - 1] {
            world.send(&[*byte]);
            assert_eq!(world.asked.len(), asked);
        }
        assert_eq!(world.file.len(), if length > 10 { length - 1 } else { 0 }, "what is too long for memory");
        world.send(&whole[whole.len() - 1..]);
        assert_eq!(world.request(asked).1, body);
    }
}

#[test]
fn chunks_are_decoded_and_counted() {
    let chunks = "3\r\nabc\r\n8;x=y\r\ndefghijk\r\n0\r\nTrailer: x\r\n\r\n";
    let world = World::of(&[Act::Answers(HELLO)]).sends(&post("Transfer-Encoding: chunked", chunks)).sends(&get(""));
    assert_eq!((world.request(0).1.as_str(), world.asked.len()), ("abcdefghijk", 2));
    assert_eq!(world.variable(0, "CONTENT_LENGTH").as_deref(), Some("11"));
    assert_eq!(world.variable(0, "HTTP_TRANSFER_ENCODING"), None);
    assert_eq!(world.variable(1, "CONTENT_LENGTH"), None);
}

#[test]
fn a_client_that_waits_for_word_gets_it_before_a_worker_is_asked() {
    let world = World::of(&[Act::Answers(HELLO)]).sends(&post("Content-Length: 3\r\nExpect: 100-continue", ""));
    assert_eq!((world.got().as_str(), world.asked.len()), ("HTTP/1.1 100 Continue\r\n\r\n", 0));
    let world = world.sends(b"abc");
    assert_eq!(world.request(0).1, "abc");
    let unasked = World::of(&[Act::Answers(HELLO)]).sends(&post("Content-Length: 3\r\nExpect: 100-continue", "abc"));
    assert!(unasked.got().starts_with("HTTP/1.1 200"), "{}", unasked.got());
}

#[track_caller]
fn check(request: &[u8], answer: &'static str, head: &str, body: &str, ending: Ending) {
    for piece in [usize::MAX, 1, 3] {
        let mut world = World::of(&[Act::Answers(answer)]);
        world.piece = piece;
        world.send(request);
        let expected = format!("{head}{DATED}\r\n{body}");
        assert_eq!((world.got(), world.ending), (expected, ending), "in pieces of {piece}");
    }
}

#[test]
fn the_end_of_an_answer_is_told_as_the_client_understands_it() {
    let ok = "HTTP/1.1 200 OK\r\n";
    let chunked = format!("{ok}Transfer-Encoding: chunked\r\n");
    let world = World::of(&[Act::Answers(STREAM)]).sends(&get(""));
    assert_eq!(world.got(), format!("{chunked}{DATED}\r\n5\r\nhello\r\n0\r\n\r\n"));
    let old = b"GET / HTTP/1.0\r\n\r\n";
    check(old, STREAM, "HTTP/1.0 200 OK\r\nConnection: close\r\n", "hello", Ending::Half);
    let kept = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let head = "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n";
    check(kept, HELLO, head, "hello", Ending::NotYet);
    let closed = format!("{ok}Content-Length: 5\r\nConnection: close\r\n");
    check(&get("Connection: close\r\n"), HELLO, &closed, "hello", Ending::Half);
    let last = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    check(&get(""), last, &closed, "hello", Ending::Half);
    check(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", HELLO, &format!("{ok}Content-Length: 5\r\n"), "", Ending::NotYet);
    check(&get(""), "HTTP/1.1 304 Not Modified\r\n\r\nbody", "HTTP/1.1 304 Not Modified\r\n", "", Ending::NotYet);
    let coded = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    check(old, coded, "HTTP/1.0 200 OK\r\nConnection: close\r\n", "hello", Ending::Half);
}

#[test]
fn an_answer_is_packed_whose_application_wants_that() {
    const LONG: &str = "HTTP/1.1 200 OK\r\nuWSGI-Encoding: gzip\r\nContent-Length: 60\r\n\r\n\
        hellohellohellohellohellohellohellohellohellohellohellohello";
    const OPEN: &str = "HTTP/1.1 200 OK\r\nuWSGI-Encoding: gzip\r\n\r\n\
        hellohellohellohellohellohellohellohellohellohellohellohello";
    let packs = |act, request: &[u8], piece| {
        let mut world = World::of(&[act]);
        (world.terms.routers.packs, world.piece) = (true, piece);
        world.sends(request)
    };
    let takes = "Accept-Encoding: br, gzip;q=0.8\r\n";
    for answer in [LONG, OPEN] {
        for piece in [usize::MAX, 1, 7] {
            let world = packs(Act::Answers(answer), &get(takes), piece);
            let end = world.got.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
            let head = String::from_utf8_lossy(&world.got[..end]).into_owned();
            for line in ["Content-Encoding: gzip\r\n", "Vary: Accept-Encoding\r\n", "Transfer-Encoding: chunked\r\n"] {
                assert!(head.contains(line) && !head.contains("uWSGI") && !head.contains("Length"), "{head}");
            }
            assert_eq!((unpacked(&world.got[end..]), world.ending), ("hello".repeat(12), Ending::NotYet));
        }
        let plain = packs(Act::Answers(answer), &get("Accept-Encoding: gzip;q=0\r\n"), 9).got();
        assert!(plain.contains("hello") && !plain.contains("Content-Encoding") && plain.contains("Vary: "), "{plain}");
    }
    let head = packs(Act::Answers(LONG), format!("HEAD / HTTP/1.1\r\nHost: h\r\n{takes}\r\n").as_bytes(), 9);
    assert!(head.got().ends_with("\r\n\r\n") && head.got().contains("Content-Encoding: gzip"), "{}", head.got());
    // What breaks off is cut off, so that nobody takes it for all of it.
    for act in [Act::Breaks(OPEN), Act::Answers(LONG.strip_suffix("llo").expect("its end"))] {
        let broken = packs(act, &get(takes), 9);
        assert!(!broken.got.ends_with(b"0\r\n\r\n") && broken.ending == Ending::Cut);
    }
}

/// The text in a body that comes in chunks and is packed.
fn unpacked(mut body: &[u8]) -> String {
    let (mut decoder, mut packed) = (Decoder::new(u64::MAX), Vec::new());
    while !body.is_empty() {
        let piece = decoder.next(body, usize::MAX).expect("a chunk");
        packed.extend_from_slice(piece.data);
        body = &body[piece.consumed..];
    }
    assert!(decoder.has_ended());
    let mut text = String::new();
    GzDecoder::new(&packed[..]).read_to_string(&mut text).expect("a whole stream");
    text
}

#[test]
fn no_client_gets_more_or_takes_less_for_an_answer_than_was_announced() {
    let long = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\n";
    check(&get(""), long, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n", "hel", Ending::NotYet);
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello";
    check(&get(""), short, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n", "hello", Ending::Cut);
    let broken = World::of(&[Act::Breaks(STREAM)]).sends(&get(""));
    assert!(broken.got().ends_with("5\r\nhello\r\n") && broken.ending == Ending::Cut, "{}", broken.got());
    let uncoded = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0";
    let broken = World::of(&[Act::Answers(uncoded)]).sends(&get(""));
    assert!(broken.got().ends_with("5\r\nhello\r\n") && broken.ending == Ending::Cut, "{}", broken.got());
}

#[track_caller]
fn refused(world: &World, status: u16) {
    let got = world.got();
    assert!(got.starts_with(&format!("HTTP/1.1 {status} ")) && got.contains("\r\nConnection: close\r\n"), "{got}");
    assert!(got.contains("\r\nX-Own: 1\r\n") && world.ending == Ending::Half, "{got} {:?}", world.ending);
    assert_eq!(world.remarks.len(), 1, "{:?}", world.remarks);
}

#[test]
fn what_is_not_passed_on_is_answered() {
    let refuses = |bytes: &[u8], status| {
        let world = World::of(&[Act::Answers(HELLO)]).sends(bytes).sends(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(world.asked.len(), 0);
        refused(&world, status);
    };
    refuses(b"GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400);
    refuses(b"GET / HTTP/1.1\n", 400);
    refuses(&post("Content-Length: 100001", ""), 413);
    refuses(&post("Transfer-Encoding: chunked", "186a1\r\n"), 413);
    refuses(&post("Transfer-Encoding: chunked", "xyz\r\n"), 400);
    refuses(&post("Transfer-Encoding: gzip, chunked", ""), 501);
    refuses(&post("Transfer-Encoding: chunked\r\nContent-Length: 3", ""), 400);
    refuses(format!("GET /{} HTTP/1.1\r\n", "a".repeat(20_000)).as_bytes(), 414);
    refuses(&get(&"X-A: 1\r\n".repeat(200)), 431);
    refuses(b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 405);
}

#[test]
fn where_https_is_spoken_everybody_is_sent_on_to_it() {
    let sent_on = |port, request: &[u8]| {
        let mut world = World::of(&[Act::IsSilent]);
        world.conversation = Conversation::new(Some(ToHttps { port }), 1);
        let world = world.sends(request);
        let got = world.got();
        assert!(got.starts_with("HTTP/1.1 301 Moved Permanently\r\n") && got.contains("\r\nX-Own: 1\r\n"), "{got}");
        assert!(world.asked.is_empty() && world.ending == Ending::Half && world.remarks.is_empty(), "{got}");
        let location = got.lines().find_map(|line| line.strip_prefix("Location: "));
        location.map(ToOwned::to_owned).unwrap_or_else(|| panic!("{got}"))
    };
    assert_eq!(sent_on(None, &get("")), "https://h/a?b");
    assert_eq!(sent_on(Some(8443), &get("")), "https://h:8443/a?b");
    assert_eq!(sent_on(Some(8443), &post("Content-Length: 3", "abc")), "https://h:8443/");
    assert_eq!(sent_on(Some(1), b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"), "https://[::1]:1/");
    assert_eq!(sent_on(None, b"GET http://other:80/%41?x HTTP/1.1\r\nHost: h\r\n\r\n"), "https://other/%41?x");
    assert_eq!(sent_on(None, b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), "https://h/");
    assert_eq!(sent_on(None, b"GET /a HTTP/1.0\r\n\r\n"), "https://machine/a");
    let mut echoed = World::of(&[Act::IsSilent]);
    echoed.conversation = Conversation::new(Some(ToHttps { port: None }), 1);
    refused(&echoed.sends(b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400);
}

#[test]
fn who_owes_something_for_too_long_is_told_so() {
    let minute = 60_000_000;
    let acts = [Act::IsSilent];
    assert_eq!(World::of(&acts).waits(minute).ending, Ending::Closed, "nothing came at all");
    refused(&World::of(&acts).sends(b"GET / HT").waits(minute), 408);
    refused(&World::of(&acts).sends(&post("Content-Length: 3", "a")).waits(minute), 408);
    refused(&World::of(&acts).sends(&get("")).waits(minute), 504);
    let idle = World::of(&[Act::Answers(HELLO)]).sends(&get("")).waits(minute);
    assert_eq!(idle.ending, Ending::NotYet);
    assert_eq!(idle.waits(15_000_000).ending, Ending::Closed, "http-keepalive");
    // The time for a head begins with its first byte, and no byte prolongs it.
    let slow = World::of(&[Act::Answers(HELLO)]).sends(&get("")).waits(50_000_000).sends(b"G").waits(30_000_000);
    refused_after_an_answer(slow.sends(b"E").waits(30_000_000));
}

#[track_caller]
fn refused_after_an_answer(world: World) {
    assert!(world.got().contains("helloHTTP/1.1 408 ") && world.ending == Ending::Half, "{}", world.got());
}

#[test]
fn what_asks_for_nothing_else_is_asked_for_again() {
    let nothing = Act::Answers("");
    let saved = World::of(&[nothing, Act::Answers(HELLO)]).sends(&get(""));
    assert!(saved.got().ends_with("hello") && saved.asked.len() == 2 && saved.asked[0] == saved.asked[1]);
    let poisoned = World::of(&[nothing]).sends(&get(""));
    assert_eq!(poisoned.asked.len(), 2);
    refused(&poisoned, 502);
    let order = World::of(&[nothing]).sends(&post("Content-Length: 1", "a"));
    assert_eq!(order.asked.len(), 1, "nobody knows what has come of it");
    refused(&order, 502);
    let unseen = World::of(&[Act::IsAway, Act::IsAway, Act::Answers(HELLO)]).sends(&post("Content-Length: 1", "a"));
    assert!(unseen.got().ends_with("hello") && unseen.request(2).1 == "a");
    let many =
        World::of(&[&[Act::IsAway; 7][..], &[Act::Answers(HELLO)]].concat()).sends(&post("Content-Length: 1", "a"));
    assert!(many.got().ends_with("hello"), "several have gone at once");
    refused(&World::of(&[Act::IsAway]).sends(&get("")), 502);
    refused(&World::of(&[Act::Answers("no answer\r\n\r\n")]).sends(&get("")), 502);
    refused(&World::of(&[Act::Answers("HTTP/1.1 200 O")]).sends(&get("")), 502);
}

#[test]
fn who_does_not_let_himself_be_connected_to_in_time_is_not_the_only_one() {
    let mut world = World::of(&[Act::IsAway]);
    world.conversation.take(&post("Content-Length: 1", "a"), &world.terms, &world.moment);
    for _ in 0..2 {
        world.conversation.lose_worker(Failure::Late, &world.terms, &world.moment);
        assert!(world.conversation.wants_worker() && !world.conversation.has_begun_upload(), "the next one");
    }
    world.conversation.lose_worker(Failure::Late, &world.terms, &world.moment);
    world.settle();
    refused(&world, 504);
}

#[test]
fn another_protocol_passes_as_it_is() {
    const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let offer = get("Connection: Upgrade\r\nUpgrade: websocket\r\n");
    let mut world = World::of(&[Act::IsSilent]).sends(&[&offer[..], b"early"].concat());
    assert_eq!(world.asked.len(), 1);
    world.conversation.take_answer(SWITCH.as_bytes(), &world.terms, &world.moment);
    world.conversation.take_answer(b"from the worker", &world.terms, &world.moment);
    assert_eq!(world.conversation.upload(), Piece::Bytes(b"early"));
    world.conversation.pass_upload(5, &world.moment);
    world.conversation.take(b"GET / HTTP/1.1\r\n\r\n", &world.terms, &world.moment);
    assert_eq!(world.conversation.upload(), Piece::Bytes(b"GET / HTTP/1.1\r\n\r\n"));
    world.conversation.pass_upload(18, &world.moment);
    assert!(!world.conversation.tells_worker_of_the_end());
    world.conversation.end_client();
    assert!(world.conversation.tells_worker_of_the_end() && !world.conversation.tells_worker_of_the_end());
    world.conversation.lose_worker(Failure::Ended, &world.terms, &world.moment);
    world.settle();
    assert!(world.got().contains("Upgrade: websocket\r\n") && world.got().ends_with("from the worker"));
    assert_eq!(world.ending, Ending::Closed);
}

#[test]
fn a_worker_waits_when_the_client_does_not_read() {
    let mut world = World::of(&[Act::IsSilent]).sends(&get(""));
    world.conversation.take_answer(b"HTTP/1.1 200 OK\r\n\r\n", &world.terms, &world.moment);
    let mut taken = 0;
    while world.conversation.has_room_for_answer() {
        world.conversation.take_answer(&[b'x'; 16_384], &world.terms, &world.moment);
        taken += 16_384;
    }
    assert!((ANSWER_BYTES_MAX..ANSWER_BYTES_MAX + 16_384).contains(&taken), "{taken}");
    world.moment.us += 50_000_000;
    world.conversation.pass_answer(20_000, &world.moment);
    assert!(world.conversation.has_room_for_answer());
    // A client that sends on and on meanwhile waits as well.
    while world.conversation.client_room() > 0 {
        world.conversation.take(
            &[b'x'; 1_000][..world.conversation.client_room().min(1_000)],
            &world.terms,
            &world.moment,
        );
    }
    assert!(world.conversation.received.len() <= AHEAD_BYTES_MAX);
    world.moment.us += 50_000_000;
    assert!(world.conversation.until_us(&world.terms) > world.moment.us, "who takes something is not cut off");
    world.moment.us += 10_000_000;
    assert!(world.conversation.until_us(&world.terms) <= world.moment.us);
    world.conversation.expire(&world.terms, &world.moment);
    assert_eq!(world.conversation.ending(&world.moment), Ending::Cut);
}

/// Pieces that mean something in a request.
const PIECES: &[&str] = &[
    "\r\n",
    "\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "Content-Length: 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close\r\n",
    "Expect: 100-continue\r\n",
    "0\r\n\r\n",
    "5\r\nhello\r\n",
    "HTTP/1.0",
    ":",
];

fn mutant(random: &mut Rng, number: usize) -> Vec<u8> {
    let mut bytes = match number % 4 {
        0 => [get(""), get("Connection: close\r\n")].concat(),
        1 => [post("Content-Length: 3", "abc"), get("")].concat(),
        2 => [post("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"), get("")].concat(),
        _ => b"HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n".to_vec(),
    };
    mutate_with(random, &mut bytes, PIECES);
    bytes
}

/// What the codec sees, which is compared with hyper (`worker-protocol/tests/http/differential.rs`), workers are asked: the same
/// requests, as many, with the same bodies.
#[test]
fn of_mutants_the_requests_are_passed_on_that_the_codec_sees() {
    Seeds::of_this_run(6).try_in_turn(|seed| {
        let mut random = Rng::with_seed(seed);
        for number in 0..200 {
            let bytes = mutant(&mut random, number);
            let world = World::of(&[Act::Answers(HELLO)]).sends(&bytes).ends();
            let (seen, _) = requests(&bytes, Limits::default(), 100_000);
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let seen = seen.iter().map(|seen| (Some(text(seen.variable("REQUEST_METHOD"))), text(&seen.body)));
            let asked =
                (0..world.asked.len()).map(|asked| (world.variable(asked, "REQUEST_METHOD"), world.request(asked).1));
            assert!(seen.eq(asked), "seed {seed}: {}", bytes.escape_ascii());
        }
    });
}

/// However the bytes of a client and of the workers are cut, the same requests are passed on, and the same answers come.
#[test]
fn nothing_depends_on_how_the_bytes_of_mutants_are_cut() {
    let acts = [Act::Answers(HELLO), Act::Answers(""), Act::Breaks("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")];
    Seeds::of_this_run(6).try_in_turn(|seed| {
        let mut random = Rng::with_seed(seed);
        for number in 0..200 {
            let bytes = mutant(&mut random, number);
            let first = random.usize(..acts.len());
            let acts = [Act::Answers(HELLO), acts[first], Act::Answers(HELLO)];
            let whole = World::of(&acts).sends(&bytes).ends();
            let mut cut = World::of(&acts);
            cut.piece = random.usize(1..40);
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (now, later) = rest.split_at(random.usize(1..=rest.len().min(30)));
                cut.send(now);
                rest = later;
            }
            let cut = cut.ends();
            let differs =
                whole.got != cut.got && !bytes.windows(6).any(|window| window.eq_ignore_ascii_case(b"expect"));
            let outcome = |world: &World| (world.asked.clone(), world.ending);
            assert_eq!(outcome(&whole), outcome(&cut), "seed {seed}: {}", bytes.escape_ascii());
            assert!(!differs, "seed {seed}: {}: {} or {}", bytes.escape_ascii(), whole.got(), cut.got());
        }
    });
}
