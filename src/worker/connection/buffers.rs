//! What the threads of a worker keep from one connection to the next. Worker only.

use crate::config::model::RequestLimits;
use crate::worker::reply::DateText;

/// Memory that one thread uses again for every connection.
#[derive(Debug)]
pub(crate) struct Buffers {
    /// What was read before the body. Zeroed memory that is only touched as far as requests reach.
    pub(super) received: Box<[u8]>,
    /// The encoded head of the answer.
    pub(super) answer: Vec<u8>,
    /// The date of the current second.
    pub(super) clock: DateText,
}

impl Buffers {
    pub(crate) fn new(limits: &RequestLimits) -> Self {
        // Room for the largest block and what the protocols put around it; not below 16 KiB, so that small bodies come
        // along with their head.
        let room = ENVELOPE_BYTES_MAX + usize::from(limits.buffer_size);
        Self {
            received: vec![0; room.max(16 * 1024)].into_boxed_slice(),
            answer: Vec::with_capacity(512),
            clock: DateText::default(),
        }
    }
}

/// Most bytes of a head that are not part of its block: an empty line before it, or the length of a netstring.
const ENVELOPE_BYTES_MAX: usize = 16;
