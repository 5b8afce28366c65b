//! hyper's server beside ours, over the same bytes: never do the two see different requests. Either of them may refuse
//! what the other accepts, as the connection ends there; but what both accept is the same, one for one, and neither sees
//! a request where the other sees something else.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use fastrand::Rng;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use testkit::seeds::Seeds;
use worker_protocol::fuzz::http::{End, requests};
use worker_protocol::http::Limits;

use crate::corpus::cases;
use crate::fuzzing::{mutate, originals};

/// A request that was seen to its end: method, body.
type Pair = (String, Vec<u8>);

/// The bytes of a client that then closes its side; answers go nowhere.
struct Client<'b> {
    sent: &'b [u8],
}

impl Read for Client<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, mut buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let (now, later) = self.sent.split_at(self.sent.len().min(buffer.remaining()));
        buffer.put_slice(now);
        self.sent = later;
        Poll::Ready(Ok(()))
    }
}

impl Write for Client<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

struct Empty;

impl Body for Empty {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(0)
    }
}

async fn read_body(body: Incoming) -> Option<Vec<u8>> {
    let (mut body, mut bytes) = (pin!(body), Vec::new());
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        if let Some(data) = frame.ok()?.data_ref() {
            bytes.extend_from_slice(data);
        }
    }
    Some(bytes)
}

/// The requests that hyper sees, and whether it refused something or missed the end of it.
fn seen_by_hyper(sent: &[u8]) -> (Vec<Pair>, bool) {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let service = service_fn(|request: Request<Incoming>| {
        let seen = Rc::clone(&seen);
        async move {
            let method = request.method().to_string();
            match read_body(request.into_body()).await {
                Some(body) => {
                    seen.borrow_mut().push((method, body));
                    Ok(Response::new(Empty))
                }
                None => Err(io::Error::other("the body did not come to its end")),
            }
        }
    });
    let failed = {
        let mut connection = pin!(http1::Builder::new().half_close(true).serve_connection(Client { sent }, service));
        let mut context = Context::from_waker(Waker::noop());
        // Nothing here ever waits for anything outside; a connection that does not end has stopped making progress.
        let polled = (0..1_000).find_map(|_| match connection.as_mut().poll(&mut context) {
            Poll::Ready(outcome) => Some(outcome.is_err()),
            Poll::Pending => None,
        });
        polled.unwrap_or(true)
    };
    (seen.take(), failed)
}

fn seen_by_us(sent: &[u8]) -> (Vec<Pair>, End) {
    let (seen, end) = requests(sent, Limits::default(), u64::MAX);
    (
        seen.into_iter()
            .map(|seen| (String::from_utf8_lossy(seen.variable("REQUEST_METHOD")).into_owned(), seen.body))
            .collect(),
        end,
    )
}

/// What differs, if anything does that must not.
fn difference(sent: &[u8]) -> Option<String> {
    let (ours, end) = seen_by_us(sent);
    let (theirs, failed) = seen_by_hyper(sent);
    let common = ours.len().min(theirs.len());
    let refused = matches!(end, End::Refused(_) | End::BodyRefused(_));
    let same = ours[..common] == theirs[..common]
        && (ours.len() >= theirs.len() || refused)
        && (theirs.len() >= ours.len() || failed);
    (!same).then(|| format!("{}\nours: {ours:?}, {end:?}\nhyper's: {theirs:?}, failed: {failed}", sent.escape_ascii()))
}

#[test]
fn hyper_sees_the_same_requests_in_the_corpus() {
    let next = b"GET /the/next HTTP/1.1\r\nHost: next\r\n\r\n";
    let (mut both, mut differences) = (0, Vec::new());
    for case in cases() {
        for sent in [case.sent.clone(), [&case.sent, next.as_slice()].concat()] {
            both += seen_by_us(&sent).0.len().min(seen_by_hyper(&sent).0.len());
            differences.extend(difference(&sent).map(|difference| format!("{}: {difference}", case.name)));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
    // A harness in which hyper sees nothing would agree with everything.
    assert!(both > 100, "only {both} requests were seen by both");
}

#[test]
fn hyper_sees_the_same_requests_in_mutants() {
    let originals = originals();
    Seeds::of_this_run(4).try_in_turn(|seed| {
        let mut random = Rng::with_seed(seed);
        let (mut both, mut differences) = (0, Vec::new());
        for number in 0..10_000 {
            // Two of the corpus, one after the other, so that there is something to lose.
            let mut mutant = originals[number % originals.len()].clone();
            mutate(&mut random, &mut mutant);
            mutant.extend_from_slice(&originals[random.usize(..originals.len())]);
            both += usize::from(seen_by_us(&mutant).0.len().min(seen_by_hyper(&mutant).0.len()) > 1);
            differences.extend(difference(&mutant).map(|difference| format!("mutant {number}: {difference}")));
        }
        let shown = differences[..differences.len().min(5)].join("\n\n");
        assert!(differences.is_empty(), "{} of seed {seed}:\n{shown}", differences.len());
        assert!(both > 100, "only {both} connections with two requests that both saw");
    });
}
