//! The fuzz targets of SCGI, FastCGI and the PROXY protocol. No server calls this.

use crate::fastcgi::receive::{Event, Receiver};
use crate::fastcgi::{self, record};
use crate::pairs::{Block, Limits};
use crate::progress::{Envelope, Form, Progress};
use crate::{proxy, scgi};

/// Reads `bytes` as an SCGI request, with generous and with narrow limits.
pub fn exercise_scgi(bytes: &[u8]) {
    for limits in [Limits::default(), Limits { block_bytes_max: 64, variables_max: 3 }] {
        let mut receiver = scgi::Receiver::default();
        match receiver.feed(bytes, &limits, Form::Status) {
            Progress::Refused(error) => assert!(matches!(error.status(), 400 | 431), "{error:?}"),
            Progress::Need(missing) => assert!(missing > 0, "nothing is missing of half a request"),
            Progress::Head(envelope) => check_scgi(bytes, &receiver, &envelope, &limits),
        }
    }
}

fn check_scgi(bytes: &[u8], receiver: &scgi::Receiver, envelope: &Envelope, limits: &Limits) {
    let block = receiver.block(envelope);
    assert!(envelope.variables_count <= limits.variables_max);
    assert!(block.bytes() <= usize::from(limits.block_bytes_max));
    let whole = &bytes[..envelope.consumed];
    let again = scgi::Receiver::default().feed(whole, limits, Form::Status);
    assert_eq!(again, Progress::Head(*envelope), "what follows must not matter");
    let short = scgi::Receiver::default().feed(&whole[..whole.len() - 1], limits, Form::Status);
    assert_eq!(short, Progress::Need(1), "every byte is needed");
    let mut encoded = Vec::new();
    assert_eq!(scgi::encode(&mut encoded, block.pairs()), Ok(()));
    assert_eq!(encoded, whole, "only one encoding of a list of pairs");
}

/// What came of a FastCGI connection.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// For each request its variables as a block and its body; `None` for a body that did not end.
    pub requests: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// What was sent besides answers.
    pub replies: Vec<u8>,
    /// Why it could not go on.
    pub error: Option<fastcgi::Error>,
    /// Whether the web server expects the end.
    pub closed: bool,
    /// The body that is being read.
    body: Vec<u8>,
}

/// How many requests the tests' instance takes at a time.
pub const CAPACITY: u32 = 12;

/// Reads a connection as it arrives in pieces of `step` bytes; each request is done when its body is there.
pub fn connection(bytes: &[u8], step: usize, body_max: usize, limits: Limits) -> Connection {
    let (mut receiver, mut seen) = (Receiver::new(limits, CAPACITY), Connection::default());
    for piece in bytes.chunks(step) {
        let mut rest = piece;
        loop {
            let taken = receiver.next(rest, body_max);
            seen.replies.append(receiver.replies());
            let step = match taken {
                Ok(step) => step,
                Err(error) => return Connection { error: Some(error), ..seen },
            };
            rest = &rest[step.consumed..];
            assert!(step.event != Event::Need || rest.is_empty(), "needs more, but leaves some");
            if step.event == Event::Need {
                break;
            }
            if let Some(error) = seen.note(&mut receiver, step.event) {
                return Connection { error: Some(error), ..seen };
            }
            if seen.closed {
                return seen;
            }
        }
    }
    seen
}

impl Connection {
    fn note(&mut self, receiver: &mut Receiver, event: Event<'_>) -> Option<fastcgi::Error> {
        match event {
            Event::Head => {
                let mut block = Vec::new();
                if let Err(error) = receiver.append_variables(&mut block) {
                    return Some(error);
                }
                let ended = receiver.body_has_ended();
                self.requests.push((block, ended.then(Vec::new)));
                if ended {
                    self.end(receiver);
                }
            }
            Event::Body(bytes) => self.body.extend_from_slice(bytes),
            Event::BodyEnd => {
                let body = std::mem::take(&mut self.body);
                if let Some((_, place)) = self.requests.last_mut() {
                    *place = Some(body);
                }
                self.end(receiver);
            }
            Event::Aborted => self.end(receiver),
            Event::Close => self.closed = true,
            Event::Need => {}
        }
        None
    }

    fn end(&mut self, receiver: &mut Receiver) {
        self.closed = !receiver.keeps_connection();
        self.body.clear();
        receiver.finish();
    }
}

/// Reads `bytes` as a FastCGI connection, whole and in pieces, with generous and with narrow limits.
pub fn exercise_fastcgi(bytes: &[u8]) {
    for limits in [Limits::default(), Limits { block_bytes_max: 64, variables_max: 3 }] {
        let whole = connection(bytes, bytes.len().max(1), usize::MAX, limits);
        assert_eq!(connection(bytes, 1, usize::MAX, limits), whole, "byte by byte");
        assert_eq!(connection(bytes, 5, 3, limits), whole, "piece by piece");
        for (block, _) in &whole.requests {
            let block = Block::parse(block, limits.variables_max).expect("what was written is a block");
            assert!(block.bytes() <= usize::from(limits.block_bytes_max));
        }
        check_records(&whole.replies);
    }
}

/// Whatever is sent are whole records.
fn check_records(mut bytes: &[u8]) {
    while let Some((header, rest)) = bytes.split_first_chunk::<{ record::HEADER_BYTES }>() {
        let header = record::Header::parse(*header).expect("version 1");
        bytes = &rest[usize::from(header.content_bytes) + usize::from(header.padding_bytes)..];
    }
    assert!(bytes.is_empty(), "half a header");
}

/// Reads `bytes` as a PROXY protocol header.
pub fn exercise_proxy(bytes: &[u8]) {
    let whole = proxy::decode(bytes);
    let early = (0..bytes.len()).map(|end| proxy::decode(&bytes[..end])).find(|outcome| *outcome != Ok(None));
    match whole {
        Ok(Some(header)) => {
            assert!(header.consumed <= bytes.len());
            let earliest = proxy::decode(&bytes[..header.consumed]);
            assert_eq!(earliest, Ok(Some(header)), "what follows must not matter");
            assert_eq!(proxy::decode(&bytes[..header.consumed - 1]), Ok(None), "every byte is needed");
        }
        Ok(None) => assert_eq!(early, None, "half a header was whole"),
        Err(_) => assert!(early.is_none_or(|early| early.is_err()), "{early:?} became {whole:?}"),
    }
}
