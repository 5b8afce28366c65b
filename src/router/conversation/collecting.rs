//! The body of a request on its way: as many bytes as it has, decoded if it comes in chunks, until it is whole. Pure; used
//! in the router.

use worker_protocol::http::chunked::{self, Decoder};

use super::upload::Upload;

/// What has come of it.
#[derive(Debug)]
pub(super) struct Collecting {
    coming: Coming,
    /// What is not in a file.
    memory: Vec<u8>,
    /// How many bytes are in a file, before those in memory.
    in_file: u64,
}

/// What is still to come.
#[derive(Debug)]
enum Coming {
    Length(u64),
    Chunks(Box<Decoder>),
}

impl Collecting {
    /// So many bytes.
    pub(super) fn of_length(length: u64) -> Collecting {
        Collecting { coming: Coming::Length(length), memory: Vec::new(), in_file: 0 }
    }

    /// As many as the chunks have, and no more than that.
    pub(super) fn of_chunks(bytes_max: u64) -> Collecting {
        let coming = Coming::Chunks(Box::new(Decoder::new(bytes_max)));
        Collecting { coming, memory: Vec::new(), in_file: 0 }
    }

    /// Takes what belongs to it off the front of what was received. Whether it is whole.
    ///
    /// # Errors
    /// Chunks that are none.
    pub(super) fn take(&mut self, received: &mut Vec<u8>) -> Result<bool, chunked::Error> {
        let (mut at, mut is_whole) = (0, false);
        match &mut self.coming {
            Coming::Length(left) => {
                at = usize::try_from(*left).unwrap_or(usize::MAX).min(received.len());
                self.memory.extend_from_slice(&received[..at]);
                *left -= at as u64;
                is_whole = *left == 0;
            }
            Coming::Chunks(decoder) => {
                while at < received.len() && !is_whole {
                    let piece = decoder.next(&received[at..], usize::MAX)?;
                    self.memory.extend_from_slice(piece.data);
                    at += piece.consumed;
                    is_whole = decoder.has_ended();
                }
            }
        }
        received.drain(..at);
        Ok(is_whole)
    }

    /// What is to be written to the file, if there is more than may stay in memory.
    pub(super) fn overflow(&self, in_memory_max: u64) -> Option<&[u8]> {
        let is_too_long = self.in_file > 0 || self.memory.len() as u64 > in_memory_max;
        (is_too_long && !self.memory.is_empty()).then_some(self.memory.as_slice())
    }

    /// That has been written.
    pub(super) fn has_overflown(&mut self) {
        self.in_file += self.memory.len() as u64;
        self.memory.clear();
    }

    /// How long it has become, if nobody said so before.
    pub(super) fn untold_length(&self) -> Option<u64> {
        matches!(self.coming, Coming::Chunks(_)).then_some(self.in_file + self.memory.len() as u64)
    }

    /// What a worker is sent: the packet, then the body.
    pub(super) fn behind(self, packet: Vec<u8>) -> Upload {
        Upload::new(packet, self.in_file, self.memory)
    }
}
