//! What the threads of a worker keep from one connection to the next. Worker only.

use std::io;
use std::num::NonZeroUsize;

use crate::config::model::RequestLimits;
use crate::sys::room::Room;
use crate::worker::reply::DateText;

/// Memory that one thread uses again for every connection.
#[derive(Debug)]
pub(crate) struct Buffers {
    /// What was read before the body. Memory that is only touched as far as requests reach.
    pub(super) received: Room,
    /// The encoded head of the answer.
    pub(super) answer: Vec<u8>,
    /// The date of the current second.
    pub(super) clock: DateText,
}

impl Buffers {
    /// # Errors
    /// When there is no memory.
    pub(crate) fn new(limits: &RequestLimits) -> io::Result<Self> {
        // Room for the largest block and what the protocols put around it; not below 16 KiB, so that small bodies come
        // along with their head.
        let bytes = (ENVELOPE_BYTES_MAX + usize::from(limits.buffer_size)).max(16 * 1024);
        Ok(Self {
            received: Room::new(NonZeroUsize::MIN.saturating_add(bytes - 1))?,
            answer: Vec::with_capacity(512),
            clock: DateText::default(),
        })
    }
}

/// Most bytes of a head that are not part of its block: an empty line before it, or the length of a netstring.
const ENVELOPE_BYTES_MAX: usize = 16;
