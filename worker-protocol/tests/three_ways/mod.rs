//! Feeds a receiver the same bytes in three ways: whole, cut at every byte, and with bytes after them. The outcome must
//! be the same each time. Every codec is tested through here.

use worker_protocol::pairs::Limits;
use worker_protocol::wire::{Envelope, Progress, Protocol, Receiver, Refusal};

/// What may come after a head: it must not matter.
const MORE: &[u8] = b"\x00\xffmore";

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// What a receiver said at last, and the pairs of a head.
type Outcome = (Progress, Pairs);

/// A head that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Whole {
    pub(crate) envelope: Envelope,
    pub(crate) pairs: Pairs,
}

/// Receives bytes at once.
fn at_once(protocol: Protocol, bytes: &[u8], limits: Limits) -> Outcome {
    in_parts(protocol, &[bytes], limits)
}

/// Receives growing parts of the same bytes, one after the other.
fn in_parts(protocol: Protocol, parts: &[&[u8]], limits: Limits) -> Outcome {
    let mut receiver = Receiver::new(protocol, limits);
    let mut last = (Progress::Need(1), [].as_slice());
    for part in parts {
        let Progress::Need(missing) = last.0 else { break };
        assert!(missing > 0, "nothing is missing after {} bytes", last.1.len());
        last = (receiver.feed(part), part);
    }
    let pairs = match &last.0 {
        Progress::Head(envelope) => {
            let block = receiver.block(last.1, envelope);
            assert_eq!((block.count(), block.pairs().len()), (envelope.variables_count, envelope.variables_count));
            block.pairs().map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
        }
        _ => Vec::new(),
    };
    (last.0, pairs)
}

/// All three ways; the outcome, and after how many bytes it was clear.
#[track_caller]
fn three_ways(protocol: Protocol, bytes: &[u8], limits: Limits) -> (Outcome, usize) {
    let whole = at_once(protocol, bytes, limits);
    let longer = [bytes, MORE].concat();
    assert_eq!(at_once(protocol, &longer, limits), whole, "with bytes after them");
    let clear_after = (0..=bytes.len())
        .find(|cut| !matches!(at_once(protocol, &bytes[..*cut], limits).0, Progress::Need(_)))
        .expect("the whole is clear");
    for cut in 0..=bytes.len() {
        let (early, _) = at_once(protocol, &bytes[..cut], limits);
        assert_eq!(matches!(early, Progress::Need(_)), cut < clear_after, "{early:?} after {cut} bytes");
        if let Progress::Need(missing) = early {
            assert!(cut + missing <= clear_after, "{missing} bytes are said to be missing after {cut}");
        }
        assert_eq!(in_parts(protocol, &[&bytes[..cut], bytes], limits), whole, "cut after {cut} bytes");
    }
    let prefixes: Vec<&[u8]> = (0..=bytes.len()).map(|cut| &bytes[..cut]).collect();
    assert_eq!(in_parts(protocol, &prefixes, limits), whole, "byte by byte");
    (whole, clear_after)
}

/// Receives a head that is valid; `body` is what follows it in `bytes`.
#[track_caller]
pub(crate) fn valid(protocol: Protocol, bytes: &[u8], body: &[u8], limits: Limits) -> Whole {
    let ((progress, pairs), clear_after) = three_ways(protocol, bytes, limits);
    let Progress::Head(envelope) = progress else { panic!("not valid: {progress:?}") };
    assert_eq!(envelope.consumed, clear_after, "it is whole as soon as it is there");
    assert_eq!(&bytes[envelope.consumed..], body);
    Whole { envelope, pairs }
}

/// Receives a head that is not. `shown_after`: how many bytes show it.
#[track_caller]
pub(crate) fn invalid(protocol: Protocol, bytes: &[u8], shown_after: usize, limits: Limits) -> Refusal {
    let ((progress, _), clear_after) = three_ways(protocol, bytes, limits);
    let Progress::Refused(refusal) = progress else { panic!("not refused: {progress:?}") };
    assert_eq!(clear_after, shown_after);
    refusal
}
