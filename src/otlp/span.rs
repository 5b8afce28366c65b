//! A request on its way from the worker that has answered it to the exporter: numbers at fixed places, then texts with their
//! lengths. What arrives is read as whatever a worker may have sent, since an application's code can write there as well.
//! Pure; workers write, the exporter reads.

use super::context::{Place, STATE_BYTES_MAX, TraceContext};

/// How many texts there are. The last one is left out where it is empty: spans of before had one less.
const TEXTS: usize = 9;

/// Most bytes of each text; what is longer is cut.
const TEXT_BYTES_MAX: usize = STATE_BYTES_MAX;

/// Bytes before the texts.
const HEAD_BYTES: usize = 16 + 8 + 8 + 1 + 8 + 8 + 8 + 4 + 4 + 4 + 2 + 4;

/// Most bytes of a span.
pub const SPAN_BYTES_MAX: usize = HEAD_BYTES + TEXTS * (2 + TEXT_BYTES_MAX);

/// What a flag of the head stands for.
const HAS_PARENT: u8 = 1;
const HAS_WAITED: u8 = 2;
const FAILED: u8 = 4;

/// A request that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span<'a> {
    /// Where it stands.
    pub place: Place,
    /// When it was accepted, in nanoseconds since the epoch.
    pub began_ns: u64,
    /// When its answer was out.
    pub ended_ns: u64,
    /// How long it had waited before, in microseconds, where the web server tells.
    pub waited_us: Option<u64>,
    /// Whose it was.
    pub worker: u32,
    /// Which of its threads.
    pub thread: u32,
    /// Which loading of the application.
    pub generation: u32,
    /// What was answered; 0: nothing.
    pub status: u16,
    /// Whether the application failed.
    pub has_failed: bool,
    /// Spans of this thread for which there was no room since the last one.
    pub lost: u32,
    /// Its method.
    pub method: &'a [u8],
    /// Its path, without a query.
    pub path: &'a [u8],
    /// `http` or `https`.
    pub scheme: &'a [u8],
    /// The host that it is for, perhaps with a port.
    pub host: &'a [u8],
    /// The port that it came to.
    pub port: &'a [u8],
    /// Its protocol.
    pub protocol: &'a [u8],
    /// What the client says it is.
    pub agent: &'a [u8],
    /// Where the client is.
    pub client: &'a [u8],
    /// What others say of the trace (`tracestate`).
    pub state: &'a [u8],
}

impl<'a> Span<'a> {
    /// Writes it into `bytes`.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        bytes.clear();
        let Place { own, parent } = self.place;
        let flag = |holds: bool, flag: u8| if holds { flag } else { 0 };
        let flags = flag(parent.is_some(), HAS_PARENT)
            | flag(self.waited_us.is_some(), HAS_WAITED)
            | flag(self.has_failed, FAILED);
        bytes.extend_from_slice(&own.trace);
        bytes.extend_from_slice(&own.span);
        bytes.extend_from_slice(&parent.unwrap_or_default());
        bytes.push(flags);
        for number in [self.began_ns, self.ended_ns, self.waited_us.unwrap_or(0)] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for number in [self.worker, self.thread, self.generation] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&self.status.to_le_bytes());
        bytes.extend_from_slice(&self.lost.to_le_bytes());
        let texts = self.texts();
        for text in texts.iter().take(if self.state.is_empty() { TEXTS - 1 } else { TEXTS }) {
            let text = &text[..text.len().min(TEXT_BYTES_MAX)];
            bytes.extend_from_slice(&(text.len() as u16).to_le_bytes());
            bytes.extend_from_slice(text);
        }
    }

    /// Reads one; `None`: it is none.
    pub fn read(mut bytes: &'a [u8]) -> Option<Self> {
        let from = &mut bytes;
        let own = TraceContext { trace: take(from)?, span: take(from)?, is_sampled: true };
        let (parent, [flags]): ([u8; 8], [u8; 1]) = (take(from)?, take(from)?);
        let parent = (flags & HAS_PARENT != 0).then_some(parent);
        if own.trace == [0; 16] || own.span == [0; 8] || parent == Some([0; 8]) {
            return None;
        }
        let mut long = || take(from).map(u64::from_le_bytes);
        let (began_ns, ended_ns, waited_us) = (long()?, long()?, long()?);
        let mut short = || take(from).map(u32::from_le_bytes);
        let (worker, thread, generation) = (short()?, short()?, short()?);
        let status = u16::from_le_bytes(take(from)?);
        let lost = u32::from_le_bytes(take(from)?);
        let mut texts = [&[][..]; TEXTS];
        for (number, text) in texts.iter_mut().enumerate() {
            if number == TEXTS - 1 && from.is_empty() {
                break;
            }
            let length = usize::from(u16::from_le_bytes(take(from)?));
            let rest;
            (*text, rest) = from.split_at_checked(length.min(TEXT_BYTES_MAX))?;
            *from = rest;
        }
        let [method, path, scheme, host, port, protocol, agent, client, state] = texts;
        from.is_empty().then_some(Self {
            place: Place { own, parent },
            began_ns,
            ended_ns: ended_ns.max(began_ns),
            waited_us: (flags & HAS_WAITED != 0).then_some(waited_us),
            worker,
            thread,
            generation,
            status,
            has_failed: flags & FAILED != 0,
            lost,
            method,
            path,
            scheme,
            host,
            port,
            protocol,
            agent,
            client,
            state,
        })
    }

    fn texts(&self) -> [&'a [u8]; TEXTS] {
        let Self { method, path, scheme, host, port, protocol, agent, client, state, .. } = *self;
        [method, path, scheme, host, port, protocol, agent, client, state]
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::super::example::example;
    use super::*;

    #[test]
    fn a_span_arrives_as_it_was_sent() {
        let mut bytes = Vec::new();
        let span = example();
        span.write(&mut bytes);
        assert_eq!(Span::read(&bytes), Some(span));
        let without = Span { place: Place { parent: None, ..span.place }, waited_us: None, has_failed: true, ..span };
        without.write(&mut bytes);
        assert_eq!(Span::read(&bytes), Some(without));
        let without = Span { state: b"", ..span };
        without.write(&mut bytes);
        assert_eq!(Span::read(&bytes), Some(without));
    }

    #[test]
    fn a_long_text_is_cut_and_what_is_cut_off_or_goes_on_is_no_span() {
        let long = [b'x'; 5_000];
        let mut bytes = Vec::new();
        Span { path: &long, agent: &long, ..example() }.write(&mut bytes);
        assert!(bytes.len() < SPAN_BYTES_MAX);
        assert_eq!(Span::read(&bytes).map(|span| (span.path.len(), span.agent.len())), Some((1_024, 1_024)));
        let last = bytes.len() - 2 - example().state.len();
        assert!((0..bytes.len()).all(|end| (Span::read(&bytes[..end]).is_some()) == (end == last)));
        bytes.push(0);
        assert_eq!(Span::read(&bytes), None);
        assert_eq!(Span::read(&[0; SPAN_BYTES_MAX]), None, "nobody's trace");
    }
}
